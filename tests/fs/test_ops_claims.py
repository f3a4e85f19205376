"""Two pulls into one cache at once: each pack is read by one of them."""

import math
from pathlib import Path

import pytest

from tests.support.cachetree import formats_of, make_cache, plan
from tests.support.disks import CountingDisk, Step
from tests.support.puller import Puller
from tests.support.soundness import CacheJudge, objects
from tests.support.tiers import Ferry, make_store
from wheelferry.disk.clock import Deadline
from wheelferry.events import Event
from wheelferry.ops import restoration
from wheelferry.ops.claims import FILE, MAX_WAIT_S, Claims, patience
from wheelferry.store.record import Digest

ENTRIES = tuple(plan(f"package-{number}") for number in range(5))
FORMATS = formats_of(ENTRIES)
JUDGE = CacheJudge(ENTRIES)
CLAIMED = 2
"""Packs that a pull has claimed that is held up before it reads one."""

ONE, TWO = Digest("1" * 64), Digest("2" * 64)


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """A runner with an empty cache, and a store that has something for it."""
    store = make_store(tmp_path / "store")
    Ferry(cache=make_cache(tmp_path / "a", ENTRIES), store=store).promote()
    return Ferry(cache=tmp_path / "b", store=store, runner="r2")


def is_whole(ferry: Ferry) -> bool:
    """Return whether the cache has all of it, and nothing wrong."""
    usable = len(JUDGE.usable(ferry.cache))
    return (JUDGE.wrong(ferry.cache), usable) == ([], len(ENTRIES))


def hold(puller: Puller) -> None:
    """Wait until it has claimed what it claims before it reads anything."""
    for _ in range(CLAIMED):
        puller.read_until("open")


def test_claim_keeps_others_away_until_it_is_given_up(tmp_path: Path) -> None:
    """One pack is one holder's, and so are all until the end of the block."""
    with Claims(tmp_path) as mine, Claims(tmp_path) as yours:
        assert mine.take(ONE)
        assert mine.take(ONE)
        assert not yours.take(ONE)
        assert yours.take(TWO)
        mine.give_up([ONE, TWO])
        assert not mine.take(TWO), "to give up what is not held gives up nothing"
        assert yours.take(ONE)
        assert not mine.take(ONE)
    with Claims(tmp_path) as mine:
        assert mine.take(ONE)
        assert mine.take(TWO)


def test_waived_claims_of_others_stop_nobody(tmp_path: Path) -> None:
    """Who has waited long enough takes what is claimed; its holder keeps it."""
    with Claims(tmp_path) as mine, Claims(tmp_path) as yours:
        assert mine.take(ONE)
        yours.waive()
        assert yours.take(ONE)
        yours.give_up([ONE])
        with Claims(tmp_path) as third:
            assert not third.take(ONE)


def test_claims_fill_no_directory(tmp_path: Path) -> None:
    """All of them are in one file, which stays empty."""
    state = tmp_path / "state"
    state.mkdir()
    with Claims(state) as mine:
        for number in range(100):
            assert mine.take(Digest(f"{number:064x}"[::-1]))
    assert [path.name for path in state.iterdir()] == [FILE]
    assert (state / FILE).stat().st_size == 0


def test_pull_goes_on_where_no_claim_can_be_had(ferry: Ferry) -> None:
    """Claims save work, and are no condition for it."""
    (ferry.state / FILE).mkdir(parents=True)
    assert len(ferry.pull(FORMATS).restored) == len(ENTRIES)


def test_wait_is_bounded() -> None:
    """It takes half of what is left of a deadline, and a minute at most."""
    assert 9 < patience(Deadline.after(20)).remaining_s() <= 10
    assert patience(Deadline.after(0)).is_past()
    assert MAX_WAIT_S - 1 < patience(Deadline.never()).remaining_s() <= MAX_WAIT_S
    assert math.isfinite(MAX_WAIT_S)


class LookingDisk(CountingDisk):
    """A disk that looks, whenever an archive is published, which packs are claimed.

    Attributes:
        found: For each time, whether this pack, and the one before it, is claimed.
    """

    def __init__(self, state: Path) -> None:
        super().__init__()
        self.found: list[tuple[bool, bool]] = []
        self._state = state
        self._before = Digest("0" * 64)

    def before(self, step: Step) -> None:
        if step.name == "rename" and "/archive-v0/" in step.paths[1]:
            pack = Digest(Path(step.paths[1]).name)
            with Claims(self._state) as others:
                is_free = others.take(pack), others.take(self._before)
            self.found.append((not is_free[0], not is_free[1]))
            self._before = pack


def test_pack_is_claimed_until_it_is_published(ferry: Ferry, monkeypatch) -> None:
    """And not until the end of the pull, for which others would have to wait."""
    monkeypatch.setattr(restoration, "BATCH_BYTES", 1)
    disk = LookingDisk(ferry.state)
    assert len(ferry.pull(FORMATS, disk).restored) == len(ENTRIES)
    assert disk.found == [(True, False)] * len(ENTRIES)


def test_two_pulls_at_once_read_each_pack_once(ferry: Ferry) -> None:
    """1. One holds two packs. 2. The other reads the rest, and waits for these."""
    with Puller(ferry, FORMATS, is_held=True) as first:
        hold(first)
        with Puller(ferry, FORMATS) as second:
            second.read_until("pull.awaited")
            assert len(second.opened) == len(ENTRIES) - CLAIMED
            first.go()
            done = first.read_until("done"), second.read_until("done")
    opened = first.opened + second.opened
    assert sorted(opened) == sorted(objects(ferry.store))
    assert [told["restored"] for told in done] == [CLAIMED, len(ENTRIES) - CLAIMED]
    assert [told["present_meanwhile"] for told in done] == [
        len(ENTRIES) - CLAIMED,
        CLAIMED,
    ]
    assert [told["failed"] for told in done] == [[], []]
    total_bytes = sum(len(data) for data in objects(ferry.store).values())
    assert sum(told["bytes_read"] for told in done) == total_bytes
    assert is_whole(ferry)


def test_pulls_that_run_freely_read_each_pack_once(ferry: Ferry) -> None:
    """Whichever order they meet in: nothing is read twice, and nobody waits forever."""
    with Puller(ferry, FORMATS) as first, Puller(ferry, FORMATS) as second:
        done = first.read_until("done"), second.read_until("done")
    opened = first.opened + second.opened
    assert sorted(opened) == sorted(objects(ferry.store))
    assert sum(told["restored"] for told in done) == len(ENTRIES)
    assert is_whole(ferry)


def test_packs_of_a_killed_pull_are_read_by_the_other(ferry: Ferry) -> None:
    """The kernel gives up the claims of the dead, and its waiting neighbour goes on."""
    with Puller(ferry, FORMATS, is_held=True) as first:
        hold(first)
        with Puller(ferry, FORMATS) as second:
            second.read_until("pull.awaited")
            first.process.kill()
            first.process.wait(timeout=30)
            told = second.read_until("done")
    assert (told["restored"], told["failed"]) == (len(ENTRIES), [])
    assert sorted(second.opened) == sorted(objects(ferry.store))
    assert is_whole(ferry)


def test_pull_does_not_wait_forever_for_one_that_hangs(ferry: Ferry) -> None:
    """After half of its time it reads itself what the other one holds."""
    with Puller(ferry, FORMATS, is_held=True) as first:
        hold(first)
        with Puller(ferry, FORMATS, deadline_s=3) as second:
            told = second.read_until("done")
        assert (told["restored"], told["late"]) == (len(ENTRIES), 0)
        assert is_whole(ferry)
        first.go()
        last = first.read_until("done")
    assert (last["restored"], last["present_meanwhile"]) == (0, len(ENTRIES))
    assert is_whole(ferry)


def test_what_others_hold_is_late_at_the_deadline(ferry: Ferry) -> None:
    """With no time left nothing is waited for, and each entry says why it is left."""
    events: list[Event] = []
    hurried = Ferry(
        cache=ferry.cache,
        store=ferry.store,
        runner="r2",
        emit=events.append,
        deadline=Deadline.after(0),
    )
    ferry.state.mkdir()
    with Claims(ferry.state) as others:
        for pack in objects(ferry.store):
            assert others.take(Digest(pack))
        report = hurried.pull(FORMATS)
    assert report.late == len(report.failed) == len(ENTRIES)
    assert {left.reason for left in report.failed} == {"the deadline came first"}
    assert [e.name for e in events].count("pull.awaited") == 1
