"""Each single step of promote and pull failing: right or missing, and said so."""

import errno
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.cachetree import few, formats_of, make_cache
from tests.support.disks import CountingDisk, FaultyDisk, Step
from tests.support.soundness import CacheJudge, catalog, damage, objects
from tests.support.tiers import (
    Ferry,
    empty_store,
    forget_runners,
    make_store,
    sweep_rest,
)
from wheelferry.errors import CacheError, WheelferryError
from wheelferry.events import Event, Level

ENTRIES = few()
FORMATS = formats_of(ENTRIES)
STORE_CODES = {
    errno.EIO: 25,
    errno.ENOSPC: 24,
    errno.EACCES: 23,
    errno.ESTALE: 25,
    errno.EINTR: 25,
}
NUMBERS = tuple(STORE_CODES)


@dataclass(slots=True)
class Runs:
    """Runs with one step failing each, and what was not as it should be."""

    number: int
    ferry: Ferry
    events: list[Event]
    reached: int = 0
    complaints: list[str] = field(default_factory=list)

    def run(self, step: int, act: Callable[[FaultyDisk], list[str]]) -> Step:
        """Act on a disk whose step fails; return that step.

        `act` returns the reasons of what it left undone.
        """
        disk = FaultyDisk(step, self.number)
        said: list[str] = []
        self.events.clear()
        try:
            said = act(disk)
        except WheelferryError as exc:
            said = [exc.message]
            assert disk.failed is not None
            self._judge_error(exc, disk.failed)
        except OSError as exc:
            self.complain(disk.failed, f"raises {exc!r} as it is: exit code 70")
            said = [str(exc)]
        said += [e.message for e in self.events if e.level >= Level.WARNING]
        assert disk.failed is not None, "the step was never reached"
        self.reached += 1
        self._judge_said(disk.failed, said)
        return disk.failed

    def complain(self, step: Step | None, what: str) -> None:
        """Note that something was wrong with that step."""
        assert step is not None
        self.complaints.append(f"{step.name} {self._short(step.paths[-1])}: {what}")

    def _short(self, path: str) -> str:
        root = self.ferry.store.parent
        return path.removeprefix(f"{root}/")

    def _in_store(self, step: Step) -> bool:
        return step.paths[-1].startswith(f"{self.ferry.store}/")

    def _judge_error(self, exc: WheelferryError, step: Step) -> None:
        if self._in_store(step):
            if exc.exit_code != STORE_CODES[self.number]:
                self.complain(step, f"exit code {exc.exit_code}")
        elif not isinstance(exc, CacheError):
            self.complain(step, f"raises {type(exc).__name__}, which is the store's")
        if not exc.hint:
            self.complain(step, "gives no hint")

    def _judge_said(self, step: Step, said: list[str]) -> None:
        """Whatever is said must name a path in the tier that failed."""
        tier = self.ferry.store if self._in_store(step) else self.ferry.cache
        if said and not any(str(tier) in text for text in said):
            self.complain(step, f"names no path: {said}")


@pytest.fixture
def runs_of(scratch: Path) -> Callable[[int, Path], Runs]:
    """Make `Runs` of a runner with that cache, on one store."""

    def make(number: int, cache: Path) -> Runs:
        events: list[Event] = []
        store = scratch / "store"
        if not store.exists():
            make_store(store)
        ferry = Ferry(cache=cache, store=store, emit=events.append)
        return Runs(number, ferry, events)

    return make


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_promote_with_any_step_failing(
    scratch: Path, runs_of: Callable[[int, Path], Runs], number: int
) -> None:
    """The store stays clean, the error is of its tier, and the next run completes."""
    runs = runs_of(number, make_cache(scratch / "cache", ENTRIES))
    ferry, counting = runs.ferry, CountingDisk()
    ferry.promote(counting)
    records, packs = catalog(ferry.store), objects(ferry.store)

    def promote(disk: FaultyDisk) -> list[str]:
        return [left.reason for left in ferry.promote(disk).rejected]

    for number_of_step in range(1, counting.steps + 1):
        empty_store(ferry.store)
        shutil.rmtree(ferry.state)
        step = runs.run(number_of_step, promote)
        for finding in damage(ferry.store):
            runs.complain(step, f"leaves {finding.reference} {finding.subject}")
        ferry.promote()
        assert catalog(ferry.store) == records, step
        assert objects(ferry.store) == packs, step
        if sweep_rest(ferry):
            runs.complain(step, "leaves staging that is not swept")

    assert not runs.complaints, "\n".join(runs.complaints)


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_pull_with_any_step_failing(
    scratch: Path, runs_of: Callable[[int, Path], Runs], number: int
) -> None:
    """Nothing wrong is visible, the error is of its tier, and the next run completes."""
    runs = runs_of(number, scratch / "b")
    ferry, counting, judge = runs.ferry, CountingDisk(), CacheJudge(ENTRIES)
    source = make_cache(scratch / "a", ENTRIES)
    Ferry(cache=source, store=ferry.store, runner="r0").promote()
    forget_runners(ferry.store)
    ferry.pull(FORMATS, counting)

    def pull(disk: FaultyDisk) -> list[str]:
        report = ferry.pull(FORMATS, disk)
        stop = [report.stopped_by.message] if report.stopped_by else []
        return [left.reason for left in report.failed] + stop

    for number_of_step in range(1, counting.steps + 1):
        shutil.rmtree(ferry.cache, ignore_errors=True)
        shutil.rmtree(ferry.state)
        forget_runners(ferry.store)
        step = runs.run(number_of_step, pull)
        for wrong in judge.wrong(ferry.cache):
            runs.complain(step, f"leaves {wrong}")
        ferry.pull(FORMATS)
        if len(judge.usable(ferry.cache)) != len(ENTRIES):
            runs.complain(step, "the next pull does not complete it")
        if sweep_rest(ferry):
            runs.complain(step, "leaves staging that is not swept")

    assert not runs.complaints, "\n".join(runs.complaints)
