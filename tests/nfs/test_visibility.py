"""What one runner does is seen by the others at once, whatever their kernels remember."""

from tests.nfs.conftest import NewFleet
from tests.nfs.faults import gave_way, is_whole, objects, succeeded
from tests.nfs.fleet import FerryRunner, NfsFleet
from tests.support.cachetree import make_files, plan
from wheelferry.uvcache.entry import Kind

# Without these an attribute is believed for 3 to 60 s: too short to rely on in a test.
LONG_BELIEFS = "vers=4.2,hard,acregmin=60,acdirmin=60"

# One moment for all promotions: then those of one entry make one segment.
FIXED_CLOCK = ("faketime", "-f", "2031-05-05 12:00:00")
FIXED_CLOCK_SETTINGS = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}


def _exists(runner: FerryRunner, name: str) -> bool:
    """Return what a plain look says, without a look into the directory."""
    return runner.machine.run("stat", f"/share/{name}").returncode == 0


def _foresee(fleet: NfsFleet, promoter: FerryRunner) -> tuple[str, str]:
    """Return the names of object and segment that the next promotion will make.

    They are made, and removed, by the same promotion.
    """
    promoter.settings.update(FIXED_CLOCK_SETTINGS)
    succeeded(promoter.ferry("promote", before=FIXED_CLOCK))
    path = fleet.export.path
    (found,) = objects(fleet).values()
    segment = fleet.site.server.shell(f"cd {path}; ls catalog/*").strip()
    fleet.site.server.shell(f"cd {path}; rm {found} {segment}")
    promoter.machine.shell(f"rm -r {promoter.cache}.wheelferry")
    promoter.machine.remount()
    return found, segment


def test_pull_sees_what_was_missing_a_moment_ago(new_fleet: NewFleet) -> None:
    """A pull finds names that this client looked for, and still believes to be missing."""
    fleet = new_fleet(mount_options=LONG_BELIEFS)
    a, b = fleet.runners
    a.fill(plan("one"))
    names = _foresee(fleet, a)
    looked = succeeded(b.ferry("pull"))
    assert looked.summary["planned"] == 0
    b.machine.shell("ls /share/catalog /share/objects/*")
    assert not any(_exists(b, name) for name in names)

    succeeded(a.ferry("promote", before=FIXED_CLOCK))

    assert all(_exists(a, name) for name in names)
    assert not any(_exists(b, name) for name in names), "nothing was remembered"
    pulled = succeeded(b.ferry("pull"))
    assert pulled.summary["restored"] == 1
    assert pulled.wall_s < 15
    is_whole(fleet, [b], [plan("one")])


def test_pull_sees_a_pack_that_it_missed_before(new_fleet: NewFleet) -> None:
    """A pack that one pull misses is there for the next one as soon as it is put back."""
    fleet = new_fleet(mount_options=LONG_BELIEFS)
    a, b = fleet.runners
    a.fill(plan("one"))
    succeeded(a.ferry("promote"))
    (pack,) = objects(fleet).values()
    path = fleet.export.path
    fleet.site.server.shell(f"cd {path}; mv {pack} staging/aside")
    gave_way(b.ferry("pull"), "is missing from the store")
    assert not _exists(b, pack)

    fleet.site.server.shell(f"cd {path}; mv staging/aside {pack}")

    assert not _exists(b, pack), "nothing was remembered"
    assert succeeded(b.ferry("pull")).summary["restored"] == 1
    is_whole(fleet, [b], [plan("one")])


def test_promote_puts_back_what_another_client_just_removed(
    new_fleet: NewFleet,
) -> None:
    """An object counts as there only if the server still has it when its record is."""
    fleet = new_fleet(mount_options=LONG_BELIEFS)
    a, b = fleet.runners
    files = make_files("one")
    a.fill(plan("one", files=files))
    succeeded(a.ferry("promote"))
    # Another entry with the same tree, and so the same pack.
    other = plan("one", Kind.URL_WHEEL, files=files)
    both = [plan("one", files=files), other]
    a.fill(other)
    (pack,) = objects(fleet).values()
    assert _exists(a, pack)

    b.machine.shell(f"rm -f /share/{pack}")

    assert _exists(a, pack), "nothing was remembered"
    promoted = succeeded(a.ferry("promote"))
    assert promoted.summary["promoted"] == 1
    assert list(objects(fleet).values()) == [pack]
    is_whole(fleet, [b], both)
