"""What runners leave in `usage/`: handed over once, carried on, folded; whoever is killed."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.disks import CountingDisk, Died, Step
from tests.support.parts import Around
from tests.support.tiers import Ferry, make_store
from wheelferry.cli.app import run
from wheelferry.errors import StoreFull
from wheelferry.events import Event
from wheelferry.ops import folding
from wheelferry.ops.figures import Sums, summarize
from wheelferry.ops.fleet import read_fleet
from wheelferry.ops.folding import (
    FOLD_AFTER_S,
    FOLD_FROM,
    FOLD_NEW_AFTER_S,
    fold,
    tend_usage,
)
from wheelferry.ops.handover import hand_over
from wheelferry.ops.ledger import Run, note_run
from wheelferry.ops.tiers import Tiers
from wheelferry.store import usage
from wheelferry.store.layout import NEW_USAGE
from wheelferry.store.record import Digest
from wheelferry.store.usage import UsageFile, find_last_uses

A, B, C, D = (Digest(letter * 64) for letter in "abcd")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store")


def make_runner(tmp_path: Path, store: Path, name: str = "r") -> Ferry:
    ferry = Ferry(cache=tmp_path / name / "cache", store=store, runner=name)
    ferry.state.mkdir(parents=True)
    return ferry


@pytest.fixture
def runner(tmp_path: Path, store: Path) -> Ferry:
    return make_runner(tmp_path, store)


def ran(ferry: Ferry, pulled: int) -> None:
    """Have a run noted that pulled so much."""
    note_run(ferry.state, Run(0.0), {"pulled": pulled}, now_s=1e9, disk=CountingDisk())


def hand(ferry: Ferry, *held: Digest, disk: CountingDisk | None = None) -> None:
    with ferry.open(disk) as tiers:
        hand_over(tiers, held)


def uses(ferry: Ferry) -> set[Digest]:
    with ferry.open() as tiers:
        return set(find_last_uses(tiers.store.usage.read_all()))


def total(ferry: Ferry) -> Sums:
    with ferry.open() as tiers:
        return summarize(read_fleet(tiers.store)).total


def age(store: Path, seconds: float) -> None:
    for path in store.glob("usage/*"):
        found_s = path.stat().st_mtime - seconds
        os.utime(path, (found_s, found_s))


def test_runner_carries_its_file_on(runner: Ferry) -> None:
    """What it gave up, and what it did, is in the one file that it has."""
    ran(runner, 3)
    hand(runner, A, B)
    ran(runner, 4)
    hand(runner, B)

    assert uses(runner) == {A, B}
    assert total(runner).pulled == 7
    assert len(list(runner.store.glob("usage/*"))) == 1


def test_clones_lose_nothing_and_count_nothing_twice(
    tmp_path: Path, store: Path, runner: Ferry
) -> None:
    """One name, one state directory: 1. cloned, 2. both go on, 3. both again."""
    ran(runner, 1)
    hand(runner, A)
    shutil.copytree(runner.state.parent, tmp_path / "clone")
    clone = Ferry(cache=tmp_path / "clone/cache", store=store, runner="r")
    for ferry, pack in ((runner, B), (clone, C)):
        ran(ferry, 10)
        hand(ferry, pack)

    assert uses(runner) == {A, B, C}
    assert total(runner).pulled == 21

    for ferry, pack in ((clone, C), (runner, D)):
        ran(ferry, 100)
        hand(ferry, pack)

    assert uses(runner) == {A, B, C, D}
    assert total(runner).pulled == 221
    assert [file.name.partition(".")[0] for file in files(runner)] == ["r"]


def test_clones_at_the_very_same_time_lose_nothing(
    tmp_path: Path, store: Path, runner: Ferry
) -> None:
    """1. One claims the file. 2. The other does all. 3. The first goes on."""
    ran(runner, 1)
    hand(runner, A)
    shutil.copytree(runner.state.parent, tmp_path / "clone")
    clone = Ferry(cache=tmp_path / "clone/cache", store=store, runner="r")
    ran(clone, 10)
    ran(runner, 100)

    class Meanwhile(CountingDisk):
        def after(self, step: Step) -> None:
            if step.name == "rename" and "/usage/" in step.paths[1]:
                hand(clone, C)

    hand(runner, B, disk=Meanwhile())
    assert uses(runner) == {A, B, C}
    assert total(runner).pulled == 111


class Killed(CountingDisk):
    """Dies before a step."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def before(self, step: Step) -> None:
        del step
        if self.steps == self.at:
            raise Died


def test_kill_at_any_step_of_a_handover_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    """The next handover does what is left, and all is counted once."""
    deaths = 0
    for at in range(1, 100):
        home = tmp_path / str(at)
        home.mkdir()
        runner = make_runner(home, make_store(home / "store"))
        ran(runner, 1)
        hand(runner, A)
        ran(runner, 10)
        try:
            hand(runner, B, disk=Killed(at))
            is_over = True
        except Died:
            deaths, is_over = deaths + 1, False

        assert A in uses(runner), at
        assert total(runner).pulled in (1, 11), at

        ran(runner, 100)
        hand(runner, C)
        assert {A, C} <= uses(runner), at
        assert total(runner).pulled == 111, at
        if is_over:
            break
    assert deaths > 12


def job(
    ferry: Ferry, pulled: int, *held: Digest, disk: CountingDisk | None = None
) -> None:
    """Have a job done on a runner of that name whose disk is new, and is lost then."""
    shutil.rmtree(ferry.state, ignore_errors=True)
    ferry.state.mkdir(parents=True)
    ran(ferry, pulled)
    hand(ferry, *held, disk=disk)


def test_jobs_without_a_state_carry_on_one_file(runner: Ferry) -> None:
    """Thirty in a row of one name: all that they said is known, in one file."""
    packs = [Digest(f"{number:064x}") for number in range(30)]
    for pack in packs:
        job(runner, 1, pack)

    assert uses(runner) == set(packs)
    assert total(runner).pulled == 30
    assert len(files(runner)) == 1


def test_job_leaves_what_is_of_another_name(tmp_path: Path, store: Path) -> None:
    """Also if it begins alike."""
    for name in ("r", "r.1", "R", "r-1"):
        job(make_runner(tmp_path, store, name), 1, A)

    assert len(list(store.glob("usage/*"))) == 4


def test_kill_of_a_job_without_a_state_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    """At any step, also between claim and write: what was said before it counts once."""
    at = 0
    is_over = False
    while not is_over:
        at += 1
        runner = make_runner(tmp_path / str(at), make_store(tmp_path / f"store-{at}"))
        job(runner, 1, A)
        try:
            job(runner, 10, B, disk=Killed(at))
            is_over = True
        except Died:
            assert A in uses(runner), at
            assert total(runner).pulled in (1, 11), at

        job(runner, 100, C)
        assert {A, C} <= uses(runner), at
        assert total(runner).pulled in (101, 111), at
        job(runner, 1000, D)
        assert {A, C, D} <= uses(runner), at
        assert total(runner).pulled in (1101, 1111), at
        # Killed, it leaves its own at most, and the one that this carries on.
        assert len(files(runner)) <= (1 if is_over else 3), at
    assert at > 12


class Between(CountingDisk):
    """Has something done before a step."""

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        super().__init__()
        self.at = at
        self.act = act

    def before(self, step: Step) -> None:
        del step
        if self.steps == self.at:
            self.act()


def test_jobs_at_once_lose_nothing_and_leave_two_files(tmp_path: Path) -> None:
    """At each step of one, another of its name does all."""
    at = 0
    did: list[int] = []
    while len(did) == at:
        at += 1
        store = make_store(tmp_path / f"store-{at}")
        runner = make_runner(tmp_path / str(at), store)
        other = Ferry(cache=tmp_path / f"other-{at}", store=store, runner="r")
        job(runner, 1, A)

        def act(other: Ferry = other, at: int = at) -> None:
            did.append(at)
            job(other, 10, B)

        job(runner, 100, C, disk=Between(at, act))
        job(other, 1000, D)
        expected = {A, C, D, B} if len(did) == at else {A, C, D}
        assert uses(runner) == expected, at
        assert total(runner).pulled == (1111 if len(did) == at else 1101), at
        assert len(files(runner)) <= 2, at
    assert at > 12


def test_killed_runner_and_job_of_one_name_count_nothing_twice(tmp_path: Path) -> None:
    """1. It dies at any step. 2. A job takes what it can. 3. It goes on, from its state."""
    at = 0
    is_over = False
    while not is_over:
        at += 1
        store = make_store(tmp_path / f"store-{at}")
        runner = make_runner(tmp_path / str(at), store)
        other = Ferry(cache=tmp_path / f"other-{at}", store=store, runner="r")
        ran(runner, 1)
        hand(runner, A)
        ran(runner, 10)
        job(other, 100, C)  # and has the runner's file now
        try:
            hand(runner, B, disk=Killed(at))
            is_over = True
        except Died:
            pass
        job(other, 1000, C)
        ran(runner, 10_000)
        hand(runner, D)

        assert {A, C, D} <= uses(runner), at
        assert total(runner).pulled == 11_111, at
    assert at > 12


def test_file_that_is_full_is_not_carried_on(
    runner: Ferry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of what many jobs used must stay one that can be read."""
    monkeypatch.setattr(usage, "MAX_PACKS", 3)
    for pulled, held in ((1, (A, B)), (10, (C, D)), (100, (D,))):
        job(runner, pulled, *held)

    assert uses(runner) == {A, B, C, D}
    assert total(runner).pulled == 111
    said = [file.usage for file in files(runner)]
    known = [[*one.held, *(p for _, then in one.before for p in then)] for one in said]
    assert sorted(map(len, known)) == [2, 2]


def files(ferry: Ferry) -> list[UsageFile]:
    with ferry.open() as tiers:
        return list(tiers.store.usage.read_all())


@pytest.fixture
def crowd(tmp_path: Path, store: Path) -> list[Ferry]:
    """Runners that have not been there for long, each with a pack of its own."""
    made = [make_runner(tmp_path, store, f"r{n}") for n in range(FOLD_FROM)]
    for number, ferry in enumerate(made):
        ran(ferry, 1)
        hand(ferry, A, Digest(f"{number:064x}"))
    age(store, FOLD_AFTER_S + 60)
    return made


@pytest.fixture(autouse=True)
def claimed_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test cannot set when a file got its name."""
    monkeypatch.setattr(folding, "CLAIM_S", -10)


def fold_as(ferry: Ferry, disk: CountingDisk | None = None) -> int:
    with ferry.open(disk) as tiers:
        return fold(tiers)


def test_fold_makes_few_of_many_and_loses_nothing(crowd: list[Ferry]) -> None:
    """Each last use, each figure; and there is nothing more to fold after it."""
    before = uses(crowd[0])

    assert fold_as(crowd[0]) == FOLD_FROM
    assert len(files(crowd[0])) == 1
    assert uses(crowd[0]) == before
    assert total(crowd[0]).pulled == FOLD_FROM
    assert fold_as(crowd[1]) == 0


def test_fold_leaves_runners_that_are_there(crowd: list[Ferry]) -> None:
    """And does nothing where few are gone."""
    hand(crowd[0], A)

    assert fold_as(crowd[0]) == 0
    assert len(files(crowd[0])) == FOLD_FROM


def test_fold_leaves_what_its_runner_may_write_again(crowd: list[Ferry]) -> None:
    """It was killed when it had written it; after two weeks it is not expected back."""
    for path in crowd[0].store.glob("usage/*"):
        path.rename(path.with_name(f"{path.stem}{NEW_USAGE}.use"))
    assert fold_as(crowd[0]) == 0

    age(crowd[0].store, FOLD_NEW_AFTER_S)
    assert fold_as(crowd[0]) == FOLD_FROM


def test_runner_that_comes_back_begins_anew(crowd: list[Ferry]) -> None:
    """What it said before is in the fold, and is not said again."""
    fold_as(crowd[0])
    ran(crowd[3], 10)
    hand(crowd[3], B)

    assert B in uses(crowd[0])
    assert total(crowd[0]).pulled == FOLD_FROM + 10
    assert len(files(crowd[0])) == 2


def test_runner_that_comes_back_while_its_file_is_folded(crowd: list[Ferry]) -> None:
    """At each step of the fold: nothing is lost, or counted twice."""
    before = uses(crowd[0])

    class Meanwhile(CountingDisk):
        done = False

        def after(self, step: Step) -> None:
            del step
            renamed = self.names.count("rename") == FOLD_FROM // 2
            if renamed and not self.done:
                self.done = True
                for ferry in (crowd[0], crowd[-1]):  # claimed already, and not yet
                    ran(ferry, 10)
                    hand(ferry, B)

    fold_as(crowd[1], Meanwhile())
    assert uses(crowd[0]) == before | {B}
    assert total(crowd[0]).pulled == FOLD_FROM + 20


def test_two_folds_at_once_count_nothing_twice(
    crowd: list[Ferry], monkeypatch: pytest.MonkeyPatch
) -> None:
    """1. One has claimed half. 2. The other does all of its own. 3. The first goes on."""
    monkeypatch.setattr(folding, "CLAIM_S", 3600)
    monkeypatch.setattr(folding, "FOLD_FROM", 2)
    before = uses(crowd[0])
    with crowd[0].open() as tiers:
        aged = [f._replace(named_s=0) for f in tiers.store.usage.read_all()]

    class Aged(Around):
        """Usage files that got their names long ago, as they were at first."""

        claims = 0

        def read_all(self) -> list[UsageFile]:
            names = {file.name for file in aged}
            found = [f for f in self._inner.read_all() if f.name not in names]
            there = {f.name for f in self._inner.read_all()}
            return [*found, *(f for f in aged if f.name in there)]

        def claim(self, name: str) -> object:
            self.claims += 1
            if self.claims == 4:
                self.then()
            return self._inner.claim(name)

    def with_aged(tiers: Tiers, then: Callable[[], object]) -> Tiers:
        usage = Aged(tiers.store.usage, then=then)
        return tiers._replace(store=Around(tiers.store, usage=usage))

    with crowd[0].open() as one, crowd[1].open() as two:
        other = with_aged(two, lambda: None)
        fold(with_aged(one, lambda: fold(other)))

    assert uses(crowd[0]) == before
    assert total(crowd[0]).pulled == FOLD_FROM


def test_kill_at_any_step_of_a_fold_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Another fold does what is left."""
    deaths = 0
    for at in range(1, 200, 3):
        home = tmp_path / str(at)
        home.mkdir()
        store = make_store(home / "store")
        crowd = [make_runner(home, store, f"r{n}") for n in range(FOLD_FROM)]
        for number, ferry in enumerate(crowd):
            ran(ferry, 1)
            hand(ferry, Digest(f"{number:064x}"))
        age(store, FOLD_AFTER_S + 60)
        before = uses(crowd[0])
        try:
            fold_as(crowd[0], Killed(at))
            is_over = True
        except Died:
            deaths, is_over = deaths + 1, False
        assert uses(crowd[1]) == before, at
        assert total(crowd[1]).pulled == FOLD_FROM, at

        age(store, FOLD_AFTER_S + 60)
        fold_as(crowd[1])
        assert uses(crowd[1]) == before, at
        assert total(crowd[1]).pulled == FOLD_FROM, at
        if is_over:
            break
    assert deaths > 5


def test_file_of_another_user_is_left(crowd: list[Ferry]) -> None:
    """Where the directory is sticky its own user folds it; it counts meanwhile."""

    class Sticky(CountingDisk):
        def before(self, step: Step) -> None:
            source = step.paths[0]
            if step.name == "rename" and "/usage/r3." in source:
                raise PermissionError(1, "Operation not permitted", source)

    before = uses(crowd[0])
    fold_as(crowd[0], Sticky())
    assert uses(crowd[0]) == before
    assert len(files(crowd[0])) == 2


def test_share_that_is_full_keeps_what_old_runners_left(crowd: list[Ferry]) -> None:
    """The fold is told to have failed; nothing is lost, and the next one does it."""

    class Full(CountingDisk):
        def before(self, step: Step) -> None:
            if step.name == "write" and "/staging/" in step.paths[0]:
                raise OSError(28, "No space left on device")

    events: list[Event] = []
    before = uses(crowd[0])
    with replace(crowd[0], emit=events.append).open(Full()) as tiers:
        tend_usage(tiers)

    assert [event.name for event in events] == ["folding.failed"]
    assert uses(crowd[0]) == before
    assert total(crowd[0]).pulled == FOLD_FROM
    assert fold_as(crowd[0]) == FOLD_FROM
    assert uses(crowd[0]) == before


def test_share_that_is_full_keeps_what_a_runner_said(runner: Ferry) -> None:
    """What it wants to add is added the next day, once."""

    class Full(CountingDisk):
        def before(self, step: Step) -> None:
            if step.name == "write" and "/store/staging/" in step.paths[0]:
                raise OSError(28, "No space left on device")

    ran(runner, 1)
    hand(runner, A)
    for _ in range(2):
        ran(runner, 10)
        with pytest.raises(StoreFull):
            hand(runner, B, disk=Full())
        assert uses(runner) == {A}
    hand(runner, B)

    assert uses(runner) == {A, B}
    assert total(runner).pulled == 21


def test_gc_folds_what_former_runners_left(crowd: list[Ferry]) -> None:
    """With or without a budget."""
    places = ("--store", crowd[0].store, "--cache", crowd[0].cache)
    environ = {"HOME": str(crowd[0].cache.parent)}

    assert run(["gc", *map(str, places)], environ, system_file="/nonexistent") == 0
    assert len(files(crowd[0])) == 1
