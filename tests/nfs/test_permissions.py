"""Exports that may only be read, and runners of several users."""

import signal

from tests.nfs.conftest import NewFleet
from tests.nfs.faults import (
    FAST,
    SLOW,
    failed_with,
    gave_way,
    is_whole,
    large,
    objects,
    staged,
    succeeded,
    wait_until,
    wrote_some,
)
from tests.nfs.fleet import NfsFleet
from tests.nfs.rig import Site
from tests.support.cachetree import plan

SQUASH = "rw,sync,root_squash"
GROUP = "2000"
USERS = (("1001:2000", 0o022), ("1002:2000", 0o002), ("1003:2000", 0o077))
TWO_DAYS_AGO = "touch -d '2 days ago'"


def test_read_only_export_serves_pulls(fleet: NfsFleet) -> None:
    """From an export that is read-only a pull takes all; a promotion says so and ends."""
    a, b = fleet.runners
    a.fill(plan("one"))
    succeeded(a.ferry("promote"))
    a.fill(plan("two"))
    fleet.site.server.change(fleet.export, "ro,sync,no_root_squash")

    pulled = succeeded(b.ferry("pull"))
    refused = a.ferry("promote")

    assert pulled.summary["restored"] == 1
    gave_way(refused, "Read-only file system")
    assert refused.summary["stopped_by"] == "store-read-only"
    failed_with(a.ferry("promote", "--strict"), 23)
    assert fleet.damage() == []
    fleet.site.server.change(fleet.export, "rw,sync,no_root_squash")
    succeeded(a.ferry("promote"))
    is_whole(fleet, [b], [plan("one"), plan("two")])


def test_export_that_becomes_read_only_keeps_nothing_half_done(fleet: NfsFleet) -> None:
    """A promotion that loses its right to write leaves nothing that anybody can see."""
    a, b = fleet.runners
    entry = large("one", 3)
    a.fill(entry)
    a.machine.shape(rate=SLOW)
    promoting = a.start("promote")
    wait_until(lambda: wrote_some(fleet), "a part of the pack")

    fleet.site.server.change(fleet.export, "ro,sync,no_root_squash")

    a.machine.shape(rate=FAST)
    gave_way(promoting.wait(), "Read-only file system")
    assert succeeded(b.ferry("pull")).summary["planned"] == 0
    assert (fleet.count("catalog/*"), objects(fleet)) == (0, {})
    fleet.site.server.change(fleet.export, "rw,sync,no_root_squash")
    succeeded(a.ferry("promote"))
    is_whole(fleet, [b], [entry])


def test_users_of_one_group_share_a_store(site: Site, new_fleet: NewFleet) -> None:
    """Three users with three umasks promote into one store, and pull from each other.

    On an export with root_squash; one even mends what another one's damaged object was.
    """
    export = site.server.export("users", SQUASH)
    fleet = new_fleet(runners=3, export=export, init=("--group", GROUP))
    planned = [plan(f"of-{n}") for n in range(3)]
    team = list(zip(fleet.runners, USERS, planned, strict=True))
    for runner, (user, umask), entry in team:
        runner.fill(entry, owner=user)
        succeeded(runner.ferry("promote", user=user, umask=umask))
    for runner, (user, umask), _ in team[1:]:
        pulled = succeeded(runner.ferry("pull", user=user, umask=umask))
        assert pulled.summary["restored"] == 2

    (damaged, *_) = _owned_by(fleet, "1001")
    fleet.site.server.shell(f"echo bad | dd conv=notrunc of={export.path}/{damaged}")
    runner, (user, umask), _ = team[2]
    runner.empty()
    missed = runner.ferry("pull", user=user, umask=umask)
    gave_way(missed, "does not have the digest")
    # Its job gets it from the index.
    runner.fill(planned[0], owner=user)
    succeeded(runner.ferry("promote", user=user, umask=umask))

    assert _owned_by(fleet, "1001") == []
    assert fleet.damage() == []
    for runner, (user, umask), _ in team:
        succeeded(runner.ferry("pull", user=user, umask=umask))
        assert runner.usable(planned) == 3


def test_squashed_root_reads_and_is_told_why_it_may_not_write(
    site: Site, new_fleet: NewFleet
) -> None:
    """Root of a runner, nobody to the server, can pull; its promotion is refused."""
    export = site.server.export("squash", SQUASH)
    fleet = new_fleet(export=export, init=("--group", GROUP))
    a, b = fleet.runners
    a.fill(plan("one"), owner="1001:2000")
    b.fill(plan("two"))
    succeeded(a.ferry("promote", user="1001:2000", umask=0o077))

    assert succeeded(b.ferry("pull")).summary["restored"] == 1
    gave_way(b.ferry("promote"), "Permission denied")
    failed_with(b.ferry("promote", "--strict"), 23)
    assert b.usable([plan("one"), plan("two")]) == 2
    assert fleet.damage() == []


def test_sweep_removes_what_another_user_left(site: Site, new_fleet: NewFleet) -> None:
    """Staging of a runner is swept by whoever of the group promotes as that runner."""
    export = site.server.export("swept", SQUASH)
    fleet = new_fleet(export=export, init=("--group", GROUP))
    first, second = fleet.runners
    second.settings["WHEELFERRY_RUNNER_NAME"] = first.machine.name
    first.fill(large("one", 3), owner="1001:2000")
    second.fill(plan("two"), owner="1002:2000")
    first.machine.shape(rate=SLOW)
    promoting = first.start("promote", user="1001:2000", umask=0o077)
    wait_until(lambda: wrote_some(fleet), "a part of the pack")
    promoting.running.kill(signal.SIGKILL)
    promoting.running.wait()
    first.machine.shape(rate=FAST)
    first.machine.shell("sync -f /share")  # what the dead one had still to send
    assert staged(fleet)
    fleet.site.server.shell(f"{TWO_DAYS_AGO} {export.path}/staging/*/*")

    succeeded(second.ferry("promote", user="1002:2000", umask=0o077))

    assert staged(fleet) == []
    succeeded(first.ferry("promote", user="1001:2000", umask=0o077))
    assert staged(fleet) == []
    assert fleet.damage() == []


def _owned_by(fleet: NfsFleet, uid: str) -> list[str]:
    find = f"cd {fleet.export.path}; find objects -type f -uid {uid}"
    return fleet.site.server.shell(find).split()
