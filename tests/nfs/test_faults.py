"""Servers that restart or are full, packs that vanish, clocks that are wrong."""

from collections.abc import Callable

import pytest

from tests.nfs.conftest import NewFleet
from tests.nfs.faults import (
    FAST,
    SLOW,
    by_size,
    failed_with,
    gave_way,
    is_whole,
    large,
    objects,
    read_some,
    set_quota,
    staged,
    succeeded,
    wait_until,
    wrote_some,
)
from tests.nfs.fleet import NfsFleet
from tests.nfs.rig import Site
from tests.support.cachetree import plan

USER = "1001:2000"


def test_restarted_server_loses_no_work(new_fleet: NewFleet) -> None:
    """A promotion and pulls on hard, soft and v3 mounts go on when nfsd is restarted.

    While they stand, nothing of what is half done can be seen.
    """
    fleet = new_fleet(runners=4)
    promoter, *pullers = fleet.runners
    for puller, options in zip(
        pullers[1:], ("vers=4.2,soft", "vers=3,hard"), strict=True
    ):
        puller.machine.unmount()
        puller.machine.mount(fleet.export, options)
    old, new = large("old", 6), large("new", 6)
    promoter.fill(old)
    succeeded(promoter.ferry("promote"))
    promoter.fill(new)
    for puller in pullers:
        puller.machine.shape(rate="2mbit")  # they read for 24 s
    have_read = [read_some(puller) for puller in pullers]
    pulling = [puller.start("pull", "--deadline", "2m") for puller in pullers]
    for has_read in have_read:
        wait_until(has_read, "a part of the pack")
    promoter.machine.shape(rate=SLOW)
    promoting = promoter.start("promote")
    wait_until(lambda: wrote_some(fleet), "a part of the new pack")

    fleet.site.server.stop_nfsd()

    assert all(run.running.is_running() for run in [promoting, *pulling])
    assert pullers[0].usable([old]) == 0
    assert (fleet.count("catalog/*"), len(objects(fleet))) == (1, 1)
    fleet.site.server.start_nfsd()
    for runner in fleet.runners:
        runner.machine.shape(rate=FAST)
    for run in pulling:
        assert succeeded(run.wait()).summary["restored"] == 1
    assert succeeded(promoting.wait()).summary["promoted"] == 1
    assert [puller.usable([old]) for puller in pullers] == [1, 1, 1]
    is_whole(fleet, pullers[:1], [old, new])


def _fill_disk(fleet: NfsFleet) -> None:
    """Leave room for one of two entries, as a server's snapshots do."""
    path = fleet.export.path
    free = f"$(($(stat -fc %f*%S {path}) - 3000000))"
    fleet.site.server.shell(
        f"mkdir {path}/.snapshots; fallocate -l {free} {path}/.snapshots/filler"
    )


def _set_quota(fleet: NfsFleet) -> None:
    set_quota(fleet, 1001, 3000)


def _empty_disk(fleet: NfsFleet) -> None:
    fleet.site.server.shell(f"rm -r {fleet.export.path}/.snapshots")


def _lift_quota(fleet: NfsFleet) -> None:
    set_quota(fleet, 1001, 0)


@pytest.mark.parametrize(
    ("limit", "lift", "cause"),
    [
        pytest.param(_fill_disk, _empty_disk, "No space left", id="full"),
        pytest.param(_set_quota, _lift_quota, "quota exceeded", id="over-quota"),
    ],
)
def test_store_without_room_takes_what_fits(
    site: Site,
    new_fleet: NewFleet,
    limit: Callable[[NfsFleet], None],
    lift: Callable[[NfsFleet], None],
    cause: str,
) -> None:
    """On a full export, and over a quota, what found room counts, and the rest waits."""
    export = site.server.export(f"no-room{limit.__name__}", size_mib=32)
    fleet = new_fleet(init=("--group", "2000"), export=export)
    a, b = fleet.runners
    small, big = large("small", 1), large("big", 5)
    a.fill(small, big, owner=USER)
    b.fill(plan("other"), owner=USER)
    limit(fleet)

    stopped = a.ferry("promote", user=USER)

    gave_way(stopped, cause)
    assert stopped.summary["stopped_by"] == "store-full"
    assert staged(fleet) in ([], [0])
    failed_with(a.ferry("promote", "--strict", user=USER), 24)
    assert fleet.damage() == []
    succeeded(b.ferry("pull", user=USER))
    assert b.usable([small, big, plan("other")]) == 1 + stopped.summary["promoted"]
    lift(fleet)
    succeeded(a.ferry("promote", user=USER))
    succeeded(b.ferry("pull", user=USER))
    assert b.usable([small, big, plan("other")]) == 3
    assert fleet.damage() == []


def _replace(fleet: NfsFleet, path: str) -> None:
    """Put an equal file in the place of one: another inode under the same name."""
    fleet.site.server.shell(
        f"cd {fleet.export.path}; cp -a {path} staging/equal; mv staging/equal {path}"
    )


def test_pack_removed_across_a_restart_is_a_miss(new_fleet: NewFleet) -> None:
    """Of packs that the server has forgotten, one that is there again is read on.

    One that is not is missing, and nothing else: the rest of the pull goes on.
    """
    fleet = new_fleet(runners=3)
    a, b, c = fleet.runners
    planned = [large("one", 4), large("two", 4.2), large("later", 4.5)]
    a.fill(*planned)
    succeeded(a.ferry("promote"))
    # On a busy machine a client takes half a minute to find the server again.
    b.settings["WHEELFERRY_STORE_TIMEOUT"] = "90"
    b.machine.shape(rate=SLOW)
    has_read = read_some(b)
    pulling = b.start("pull", "--deadline", "2m")
    wait_until(has_read, "a part of the packs")
    gone, again, _ = by_size(fleet)

    fleet.site.server.stop_nfsd()
    fleet.site.server.shell(f"rm {fleet.export.path}/{gone}")
    _replace(fleet, again)
    fleet.site.server.start_nfsd()
    b.machine.shape(rate=FAST)

    pulled = pulling.wait(100.0)
    gave_way(pulled, "was removed while it was read")
    assert pulled.summary["restored"] == 2, pulled
    assert b.usable(planned) == 2
    # The job that missed it gets it from the index, and then it is promoted.
    b.fill(planned[0])
    succeeded(b.ferry("promote"))
    is_whole(fleet, [c], planned)


@pytest.mark.parametrize(
    "skew", [pytest.param("+3600s", id="fast"), pytest.param("-3600s", id="slow")]
)
def test_clock_an_hour_off_changes_nothing(fleet: NfsFleet, skew: str) -> None:
    """A runner whose clock is wrong promotes for others, and pulls what they promoted."""
    right, wrong = fleet.runners
    wrong.settings["NO_FAKE_STAT"] = "1"
    faked = ("faketime", "-f", skew)
    ours, theirs = plan("ours"), plan("theirs")
    right.fill(ours)
    wrong.fill(theirs)
    if skew.startswith("-"):  # its own files are as late as its clock
        wrong.machine.shell(f"find {wrong.cache} -exec touch -h -d '1 hour ago' {{}} +")

    succeeded(wrong.ferry("promote", before=faked))
    succeeded(right.ferry("promote"))

    assert succeeded(wrong.ferry("pull", before=faked)).summary["restored"] == 1
    assert succeeded(wrong.ferry("pull", before=faked)).summary["planned"] == 0
    assert wrong.usable([ours, theirs]) == 2
    is_whole(fleet, [right], [ours, theirs])


@pytest.mark.parametrize(
    ("skew", "is_swept"),
    [pytest.param("+25h", False, id="fast"), pytest.param("-25h", True, id="slow")],
)
def test_sweep_goes_by_the_clock_of_the_server(
    fleet: NfsFleet, skew: str, *, is_swept: bool
) -> None:
    """A wrong clock of a day neither ends what is written now nor keeps what is old."""
    live, wrong = fleet.runners
    wrong.settings["NO_FAKE_STAT"] = "1"
    wrong.settings["WHEELFERRY_RUNNER_NAME"] = live.machine.name
    wrong.fill(plan("quick"))
    home = f"/share/staging/{live.machine.name}"
    age = "26 hours ago" if is_swept else "1 minute ago"
    live.machine.shell(
        f"mkdir {home}; echo half >{home}/{'0' * 32}.tmp; touch -d '{age}' {home}/*"
    )

    succeeded(wrong.ferry("promote", before=("faketime", "-f", skew)))

    assert staged(fleet) == ([] if is_swept else [5])


def test_pack_removed_while_read_is_read_to_its_end(fleet: NfsFleet) -> None:
    """What another client or the server removes meanwhile comes whole to who reads it."""
    a, b = fleet.runners
    planned = [large("one", 4), large("two", 4)]
    a.fill(*planned)
    succeeded(a.ferry("promote"))
    theirs, ours = objects(fleet).values()
    b.machine.shape(rate=SLOW)
    has_read = read_some(b)
    pulling = b.start("pull")
    wait_until(has_read, "a part of the packs")

    a.machine.shell(f"rm -f /share/{theirs}")
    fleet.site.server.shell(f"rm {fleet.export.path}/{ours}")

    pulled = succeeded(pulling.wait())
    assert pulled.summary["restored"] == 2
    assert b.usable(planned) == 2
