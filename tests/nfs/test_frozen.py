"""A server that does not answer at all: its cable, or the runner's, is out."""

import pytest

from tests.nfs.conftest import NewFleet
from tests.nfs.faults import (
    FAST,
    SLOW,
    failed_with,
    gave_way,
    is_whole,
    large,
    read_some,
    staged,
    succeeded,
    traffic,
    wait_until,
    wrote_some,
)
from tests.nfs.fleet import FerryRunner, NfsFleet
from tests.support.cachetree import plan

HARD = "vers=4.2,hard"
SOFT = "vers=4.2,soft"
OLD = "vers=3,hard"
GIVES_UP = "vers=3,soft,timeo=20,retrans=2"
"""A soft mount whose errors come within a few seconds."""

GRACE_S = 1.0
"""How much longer than its deadline a pull may take."""


def _overhead_s(runner: FerryRunner) -> float:
    """Return what this command takes here before its time begins, and after it ends.

    That is the start of the interpreter, and of a process in the guest.
    """
    done = succeeded(runner.ferry("pull"))
    return done.wall_s - float(done.summary["duration_s"])


def _prepare(fleet: NfsFleet, *mib: float) -> tuple[FerryRunner, float]:
    """Have entries promoted, of one small and some large; return who is to pull them.

    And the overhead of a pull there.
    """
    a, b = fleet.runners
    overhead_s = _overhead_s(b)
    a.fill(plan("small"), *(large(f"large{size}", size) for size in mib))
    succeeded(a.ferry("promote"))
    return b, overhead_s


def test_pull_from_a_frozen_server_ends_and_is_remembered(fleet: NfsFleet) -> None:
    """A pull ends by its deadline, and the next one at once, until the server is back."""
    runner, overhead_s = _prepare(fleet)
    runner.machine.unplug()

    pulled = runner.ferry("pull", "--deadline", "8s")

    assert pulled.wall_s <= 8 + GRACE_S + overhead_s
    gave_way(pulled, "the deadline came")
    again = runner.ferry("pull")
    assert again.wall_s <= GRACE_S + overhead_s
    gave_way(again, "is asked again in")
    failed_with(runner.ferry("pull", "--strict"), 26)
    runner.settings["WHEELFERRY_STORE_TIMEOUT"] = "2"
    failed_with(runner.ferry("status"), 26)

    runner.machine.plug()

    asked = runner.ferry("status")
    assert "answers again" in asked.ran.stderr, asked
    is_whole(fleet, [runner], [plan("small")])


def test_pull_frozen_while_it_lists_ends_by_its_deadline(fleet: NfsFleet) -> None:
    """A server that stops to answer between opening and listing costs the deadline."""
    runner, overhead_s = _prepare(fleet)
    runner.machine.remount()
    runner.machine.shape(delay_ms=150)
    pulling = runner.start("pull", "--strict", "--deadline", "6s")
    wait_until(lambda: traffic(runner).of("READ") >= 1, "the store's description")

    runner.machine.unplug()

    pulled = pulling.wait()
    failed_with(pulled, 27)
    assert traffic(runner).of("READDIR") == 0, "it had listed already"
    assert pulled.wall_s <= 6 + GRACE_S + overhead_s
    runner.machine.plug()
    runner.machine.shape(rate=FAST)
    is_whole(fleet, [runner], [plan("small")])


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(HARD, id="hard"),
        pytest.param(SOFT, id="soft"),
        pytest.param(OLD, id="v3"),
    ],
)
def test_pull_frozen_while_it_reads_keeps_what_is_whole(
    new_fleet: NewFleet, options: str
) -> None:
    """At the deadline what was read whole is in the cache, and the rest is for later."""
    fleet = new_fleet(mount_options=options)
    runner, overhead_s = _prepare(fleet, 6)
    runner.machine.shape(rate=SLOW)
    has_read = read_some(runner, mib=2)
    pulling = runner.start("pull", "--deadline", "7s")
    # Both packs are on the wire at once, and either may come first.
    wait_until(
        lambda: has_read() and runner.has_staged("small/__init__.py"),
        "the small pack and a part of the large one",
    )

    runner.machine.unplug()

    pulled = pulling.wait()
    assert pulled.wall_s <= 7 + GRACE_S + overhead_s
    gave_way(pulled, "1 of 2 entries are left")
    assert (pulled.summary["restored"], pulled.summary["late"]) == (1, 1)
    assert runner.usable([plan("small"), large("large6", 6)]) == 1
    runner.machine.plug()
    runner.machine.shape(rate=FAST)
    is_whole(fleet, [runner], [plan("small"), large("large6", 6)])


def test_soft_mount_that_gives_up_is_remembered_too(new_fleet: NewFleet) -> None:
    """An error that a soft mount took long to give counts as silence."""
    fleet = new_fleet(mount_options=GIVES_UP)
    runner, _ = _prepare(fleet)
    runner.machine.unplug()

    pulled = runner.ferry("pull")

    gave_way(pulled, "Input/output error")
    assert pulled.wall_s < 20
    failed_with(runner.ferry("pull", "--strict"), 26)
    runner.machine.plug()
    assert "answers again" in runner.ferry("status").ran.stderr
    is_whole(fleet, [runner], [plan("small")])


def test_promote_to_a_frozen_server_ends_after_the_timeout(fleet: NfsFleet) -> None:
    """A promotion gives a store up that is silent for store.timeout, and it is remembered."""
    a, b = fleet.runners
    overhead_s = _overhead_s(a)
    a.fill(plan("small"))
    a.settings["WHEELFERRY_STORE_TIMEOUT"] = "3"
    a.machine.unplug()

    promoted = a.ferry("promote")

    gave_way(promoted, "has not answered for 3 s")
    again = a.ferry("promote", "--strict")
    failed_with(again, 26)
    a.machine.plug()
    assert a.ferry("status").returncode == 0
    succeeded(a.ferry("promote"))
    # As busy as the machine is now, or was before.
    overhead_s = max(overhead_s, _overhead_s(a))
    assert promoted.wall_s <= 3 + GRACE_S + overhead_s
    assert again.wall_s <= GRACE_S + overhead_s
    is_whole(fleet, [b], [plan("small")])


def test_promote_frozen_while_it_writes_shows_nothing(fleet: NfsFleet) -> None:
    """A promotion that is cut off in a pack has put nothing before anybody's eyes."""
    a, b = fleet.runners
    entry = large("one", 4)
    a.fill(entry)
    a.settings["WHEELFERRY_STORE_TIMEOUT"] = "3"
    a.machine.shape(rate=SLOW)
    promoting = a.start("promote")
    wait_until(lambda: wrote_some(fleet), "a part of the pack")

    a.machine.unplug()

    gave_way(promoting.wait(20), "has not answered for 3 s")
    assert staged(fleet)
    assert succeeded(b.ferry("pull")).summary["planned"] == 0
    assert fleet.count("catalog/*") == 0
    a.machine.plug()
    a.machine.shape(rate=FAST)
    del a.settings["WHEELFERRY_STORE_TIMEOUT"]
    assert a.ferry("status").returncode == 0
    succeeded(a.ferry("promote"))
    is_whole(fleet, [b], [entry])
