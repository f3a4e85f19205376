"""Removal and compaction on real NFS, while others promote, read and remove."""

from tests.nfs.budget import add_segments
from tests.nfs.conftest import NewFleet
from tests.nfs.faults import (
    FAST,
    MIB,
    SLOW,
    large,
    objects,
    read_some,
    size,
    succeeded,
    wait_until,
)
from tests.nfs.fleet import Ferried, FerryRunner
from tests.nfs.rig import Site
from tests.support.cachetree import plan

KIB = 1 << 10

DONE = (0, 3)
"""What a removal may end with: 3 is that the budget cannot be reached."""


def _removed(ferried: Ferried) -> Ferried:
    """Return a removal that did what it was to do, without a lock on the share."""
    assert ferried.returncode in DONE, ferried
    assert '"level": "warning"' not in ferried.ran.stderr, ferried
    assert ferried.traffic.locks == 0, ferried
    print(f"\ngc: {ferried.traffic}, {ferried.wall_s:.1f} s: {ferried.summary}")
    return ferried


def _look(runner: FerryRunner, *, segments: int) -> None:
    """Pull when nothing is new but some segments, which bring no entry.

    A delegation is given back when the server, or time, wants it back, in whatever runs
    then (see docs/benchmarks.md): for what other hosts remove, not for this pull.
    """
    pulled = succeeded(runner.ferry("pull"))
    print(f"\npull after it: {pulled.traffic}")
    assert pulled.summary["planned"] == 0, pulled
    assert pulled.traffic.locks == 0
    assert pulled.traffic.of("READ") == segments
    rpcs = pulled.traffic.rpcs - pulled.traffic.of("DELEGRETURN")
    # An open, a read and a close, each.
    assert rpcs <= 10 + 3 * segments, pulled


def test_two_removals_at_once_keep_what_fits(new_fleet: NewFleet) -> None:
    """Two hosts that choose the same victims leave a sound store within its budget."""
    fleet = new_fleet(runners=3)
    a, b, c = fleet.runners
    planned = [large(f"part{number}", 0.2) for number in range(10)]
    a.fill(*planned)
    succeeded(a.ferry("promote"))
    for runner in (a, b):
        runner.machine.shape(delay_ms=1)  # their looks at the store last for seconds
    argv = ("gc", "--max-size", "1200K")

    started = [runner.start(*argv) for runner in (a, b)]
    ours, theirs = (_removed(run.wait()).summary for run in started)

    kept = len(objects(fleet))
    gone = len(planned) - kept
    assert ours["records"] == theirs["records"] == gone, "not the same victims"
    assert ours["discarded"] + theirs["discarded"] == gone
    assert fleet.count("trash/*") == gone
    assert 0.8 * 1200 * KIB < size(fleet) <= 1200 * KIB
    assert fleet.damage() == []
    succeeded(c.ferry("pull"))
    assert c.usable(planned) == kept


def test_pull_of_what_goes_to_the_trash_succeeds_or_misses(new_fleet: NewFleet) -> None:
    """Packs that are trashed, and purged, while they are read never come back wrong."""
    fleet = new_fleet(runners=3)
    a, b, c = fleet.runners
    planned = [large(f"part{number}", 2) for number in range(6)]
    a.fill(*planned)
    succeeded(a.ferry("promote"))
    c.machine.shape(rate=SLOW)
    has_read = read_some(c)
    pulling = c.start("pull", "--deadline", "2m")
    wait_until(has_read, "a part of the packs")

    trashed = _removed(b.ferry("gc", "--max-size", "5M")).summary["discarded"]
    a.machine.shell("rm -f /share/trash/*")  # as another removal after the grace

    assert pulling.running.is_running()
    c.machine.shape(rate=FAST)
    assert trashed > 0
    assert fleet.count("trash/*") == 0
    pulled = pulling.wait()
    assert pulled.returncode == 0, pulled
    assert c.usable(planned) == pulled.summary["restored"]
    assert pulled.summary["restored"] + len(pulled.warnings) == len(planned)


def test_pull_after_removal_and_compaction_costs_as_little(new_fleet: NewFleet) -> None:
    """A runner that is up to date reads the one new segment, and asks for little more."""
    fleet = new_fleet(runners=3)
    a, b, c = fleet.runners
    planned = [large(f"part{number}", 0.25) for number in range(4)]
    a.fill(*planned)
    succeeded(a.ferry("promote"))
    add_segments(fleet, segments=60, records=600)
    succeeded(c.ferry("pull"))

    collected = _removed(b.ferry("gc", "--max-size", "600K")).summary

    assert collected["discarded"] > 0
    assert fleet.count("catalog/*") == 63, "no tombstone, or nothing merged"
    _look(c, segments=2)
    # What was merged goes once the merged segment is old.
    fleet.site.server.shell(
        f"find {fleet.export.path}/catalog -newermt '-1 hour'"
        " -exec touch -d '2 hours ago' {} +"
    )
    _removed(a.ferry("gc", "--max-size", "1G"))
    assert fleet.count("catalog/*") < 5
    _look(c, segments=0)
    assert succeeded(b.ferry("pull")).summary["restored"] == len(objects(fleet)) > 0
    assert b.usable(planned) == len(objects(fleet))


def test_removed_package_is_gone_for_the_next_pull(new_fleet: NewFleet) -> None:
    """What is removed for good on one host, another neither pulls nor promotes again."""
    fleet = new_fleet()
    a, b = fleet.runners
    bad, good = plan("bad"), plan("good")
    a.fill(bad, good)
    succeeded(a.ferry("promote"))
    assert succeeded(b.ferry("pull")).summary["restored"] == 2
    b.machine.shell(f"rm -r {b.cache}")  # its view stays

    removed = succeeded(a.ferry("rm", "bad"))

    print(f"\nrm: {removed.traffic}")
    assert removed.summary["packs"] == 1
    assert removed.traffic.locks == 0
    assert succeeded(b.ferry("pull")).summary["restored"] == 1
    assert b.usable([good]) == 1
    b.fill(bad)
    assert b.ferry("promote").summary["promoted"] == 0
    assert (len(objects(fleet)), fleet.count("trash/*")) == (1, 0)


def test_removal_frees_an_export_that_is_full(site: Site, new_fleet: NewFleet) -> None:
    """With no room for a tombstone, what is the oldest goes at once, to make some."""
    fleet = new_fleet(export=site.server.export("gc-full", size_mib=48))
    a, b = fleet.runners
    planned = [large(f"part{number}", 3) for number in range(8)]
    a.fill(*planned)
    succeeded(a.ferry("promote"))
    path = fleet.export.path
    site.server.shell(
        f"mkdir {path}/filler; for n in 1 2 3 4 5; do"
        f" dd if=/dev/zero of={path}/filler/$n bs=4k 2>/dev/null || sync; done;"
        f" while echo >{path}/filler/$n; do n=$((n + 1)); done 2>/dev/null;"
        f" sync; test $(stat -fc %a {path}) = 0"
    )

    collected = _removed(b.ferry("gc", "--max-size", "12M"))

    assert collected.returncode == 0, collected
    assert collected.summary["early"] > 0
    assert size(fleet) <= 12 * MIB
    a.fill(plan("new"))
    assert succeeded(a.ferry("promote")).summary["promoted"] == 1
    site.server.shell(f"rm -r {path}/filler")
    assert fleet.damage() == []
