"""What a runner that only promotes says in the store: when, what, and at which cost."""

import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.cachetree import make_cache, plan
from tests.support.disks import CountingDisk, Died, DyingDisk, FailingDisk
from tests.support.reads import CountingReads
from tests.support.tiers import Ferry, make_store
from wheelferry.disk import Disk, clock
from wheelferry.events import Event, Level
from wheelferry.ops.figures import Sums, summarize
from wheelferry.ops.fleet import read_fleet
from wheelferry.ops.ledger import Run
from wheelferry.ops.promote import PromoteReport, apply_promote, plan_promote
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import USED
from wheelferry.store.record import Digest

DAY_S = 24 * 3600


class Promoted(NamedTuple):
    """A promotion, and how often it took which step on the share."""

    report: PromoteReport
    names: Counter[str]


class Builder:
    """A runner that only promotes, and never pulls; days are counted from today."""

    def __init__(self, ferry: Ferry) -> None:
        self.ferry = ferry
        self.built = 0

    def build(self) -> None:
        """Have an entry in the cache that no store has."""
        self.built += 1
        name = f"{self.ferry.cache.parent.name}-{self.built}"
        make_cache(self.ferry.cache, [plan(name)], first=self.built)

    def promote(self, *, day: int = 0, disk: Disk | None = None) -> Promoted:
        """Promote what there is, on some day."""
        disk, reads = disk or CountingDisk(), CountingReads()
        with self.ferry.open(disk, reads=reads) as tiers:
            then = tiers._replace(now=lambda: clock.now_s() + day * DAY_S)
            run = Run(clock.monotonic_s())
            report = apply_promote(then, plan_promote(then, Rules()), run=run)
        log = [*disk.log, *reads.log] if isinstance(disk, CountingDisk) else []
        share = f"{self.ferry.store}/"
        return Promoted(
            report,
            Counter(s.name for s in log if any(p.startswith(share) for p in s.paths)),
        )

    def build_and_promote(self, *, day: int = 0, disk: Disk | None = None) -> Promoted:
        self.build()
        return self.promote(day=day, disk=disk)

    def wait_a_day(self) -> None:
        """Have it a day ago that the store was told."""
        marker = self.ferry.state / USED
        found_s = marker.stat().st_mtime - DAY_S
        os.utime(marker, (found_s, found_s))

    def said(self) -> Sums:
        """Return what the store knows of all runners."""
        with self.ferry.open() as tiers:
            return summarize(read_fleet(tiers.store)).total

    def held(self) -> set[Digest]:
        """Return the packs that runners say they hold."""
        with self.ferry.open() as tiers:
            return {p for file in tiers.store.usage.read_all() for p in file.usage.held}

    def files(self) -> list[Path]:
        return list(self.ferry.store.glob("usage/*"))


def make_builder(home: Path, store: Path, runner: str = "builder") -> Builder:
    return Builder(Ferry(cache=home / "cache", store=store, runner=runner))


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return make_builder(tmp_path / "b", make_store(tmp_path / "store"))


def test_builder_tells_what_it_did_and_holds(builder: Builder) -> None:
    """From its second day on, and once a day; all that it did until then."""
    first = builder.build_and_promote(day=-1)
    assert builder.files() == []

    second = builder.build_and_promote()
    said, reports = builder.said(), (first.report, second.report)
    assert said.promoted == 2
    assert said.promoted_bytes == sum(report.bytes_written for report in reports)
    assert said.waited_s > 0
    assert builder.held() == {r.promoted[0].pack for r in reports}

    builder.build_and_promote()
    assert builder.said().promoted == 2

    builder.wait_a_day()
    builder.build_and_promote(day=1)
    assert builder.said().promoted == 4
    assert len(builder.held()) == 4
    assert len(builder.files()) == 1


def test_telling_costs_a_dozen_steps_once_a_day(builder: Builder) -> None:
    """A runner's first promotion, and the others of a day, cost what they did before."""
    first = builder.build_and_promote(day=-1).names
    plain = builder.build_and_promote(day=-1).names
    told = builder.build_and_promote().names
    after = builder.build_and_promote().names
    nothing = builder.promote().names
    builder.wait_a_day()
    again = builder.build_and_promote(day=1).names
    builder.wait_a_day()
    builder.wait_a_day()
    later = builder.build_and_promote(day=2).names

    assert first - plain == Counter(make_dir=1, open_unique=1)
    assert after == plain
    assert nothing == Counter(list_names=1, open_file=1, read_into=1)
    written = Counter(["open_unique", "write", "sync_file", "link_new", "sync_dir"])
    written += Counter(unlink=1, rename=1)  # the name that it had, and its last one
    assert told - plain == written + Counter(list_names=1)
    # The one before is taken over, read, and removed; the one before that is gone.
    carried_on = Counter(rename=1, open_file=1, read_into=1, unlink=1)
    assert again - plain == written + carried_on
    assert later - plain == written + carried_on + Counter(unlink=1)


def test_builder_with_nothing_new_is_there_still(builder: Builder) -> None:
    """What it holds is needed, and its file is not folded as one who left."""
    builder.build_and_promote(day=-1)
    builder.build_and_promote()
    (before,) = builder.files()
    builder.wait_a_day()
    told = builder.promote(day=1)

    (after,) = builder.files()
    assert told.report.promoted == []
    assert after != before
    assert builder.said().promoted == 2
    assert len(builder.held()) == 2


def test_clones_that_promote_lose_and_double_nothing(
    tmp_path: Path, builder: Builder
) -> None:
    """1. It tells. 2. It is cloned, state and all. 3. Both go on, in turns."""
    builder.build_and_promote(day=-1)
    builder.build_and_promote()
    builder.wait_a_day()
    shutil.copytree(tmp_path / "b", tmp_path / "c", symlinks=True)
    store = builder.ferry.store
    clone = make_builder(tmp_path / "c", store)
    clone.built = builder.built
    for day in (1, 2):
        for one in (builder, clone):
            one.build_and_promote(day=day)
            one.wait_a_day()

    assert builder.said().promoted == 6
    assert len(builder.held()) == 4
    assert len(builder.files()) <= 2


def test_kill_while_it_tells_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """At any step of a promotion that does: what it put there it never counts twice."""
    last, deaths, is_over = 0, 0, False
    while not is_over:
        last += 1
        store = make_store(tmp_path / f"store-{last}")
        builder = make_builder(tmp_path / str(last), store)
        builder.build_and_promote(day=-1)
        try:
            builder.build_and_promote(disk=DyingDisk(last))
            is_over = True
        except Died:
            deaths += 1
        assert builder.said().promoted in (0, 1, 2), last

        builder.build_and_promote(day=1)
        # Killed between its segment and its line, a run is in no figures.
        assert builder.said().promoted in (2, 3), last
        assert len(builder.held()) == 3, last
    assert deaths > 25


def test_share_that_lets_nothing_be_told_takes_packs(builder: Builder) -> None:
    """Nobody is warned; it is not tried with each promotion, and said when it can be."""
    builder.build_and_promote(day=-1)
    usage = builder.ferry.store / "usage"
    usage.rename(usage.with_name("away"))
    failed = builder.build_and_promote()
    assert failed.report.stopped_by is None
    assert len(failed.report.promoted) == 1
    usage.with_name("away").rename(usage)

    builder.build_and_promote()
    assert builder.files() == []
    builder.wait_a_day()
    builder.build_and_promote(day=1)
    assert builder.said().promoted == 4


def test_state_that_cannot_be_written_fails_no_promotion_and_is_said(
    builder: Builder,
) -> None:
    """What it put into the store is there, and reported."""
    builder.build_and_promote(day=-1)
    events: list[Event] = []
    builder.ferry = replace(builder.ferry, emit=events.append)
    done = builder.build_and_promote(disk=FailingDisk("create_file", 28))

    assert len(done.report.promoted) == 1
    assert done.report.stopped_by is None
    (warning,) = (e for e in events if e.name == "usage.refused")
    assert warning.level is Level.WARNING
    assert USED in warning.message
