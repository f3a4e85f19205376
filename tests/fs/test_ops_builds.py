"""The time of a build: seen where uv builds, told to a promotion, carried to others."""

from pathlib import Path

import pytest
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    FileCreatedEvent,
    FileSystemEvent,
)

from tests.support.cachetree import few, formats_of, make_cache
from tests.support.disks import CountingDisk
from tests.support.tiers import Ferry, make_store
from wheelferry.daemon import buildtimes
from wheelferry.daemon.buildtimes import BuildTimes
from wheelferry.disk import Disk, clock
from wheelferry.ops.builds import FILE, KEPT, Build, read_builds, write_builds
from wheelferry.ops.figures_file import read_ledger
from wheelferry.ops.ledger import Run
from wheelferry.ops.pull import apply_pull, plan_pull

FORMATS = formats_of(few())


class Clock:
    """Goes on by a second whenever it is looked at."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def hear(times: BuildTimes, *events: FileSystemEvent) -> None:
    for event in events:
        times.hear(event)


def test_builds_are_noted_with_when_they_began_and_ended(tmp_path: Path) -> None:
    """Side by side, too; what was there before the daemon came is not among them."""
    hear(
        BuildTimes(tmp_path, CountingDisk(), Clock()),
        DirCreatedEvent("/c/a"),
        DirCreatedEvent("/c/b"),
        FileCreatedEvent("/c/x"),
        DirDeletedEvent("/c/a"),
        DirDeletedEvent("/c/b"),
        DirDeletedEvent("/c/old"),
    )

    assert read_builds(tmp_path) == [Build(1.0, 3.0), Build(2.0, 4.0)]


def test_daemon_that_is_started_again_remembers(tmp_path: Path) -> None:
    """What it noted before is kept, and bounded."""
    write_builds(tmp_path, [Build(n, n) for n in range(KEPT)], CountingDisk())
    times = BuildTimes(tmp_path, CountingDisk(), Clock())
    hear(times, DirCreatedEvent("/c/a"), DirDeletedEvent("/c/a"))

    found = read_builds(tmp_path)
    assert (len(found), found[0], found[-1]) == (KEPT, Build(1, 1), Build(1.0, 2.0))


def test_builds_that_never_end_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A uv that is killed leaves its directory."""
    monkeypatch.setattr(buildtimes, "MAX_RUNNING", 1)
    hear(
        BuildTimes(tmp_path, CountingDisk(), Clock()),
        DirCreatedEvent("/c/a"),
        DirCreatedEvent("/c/b"),
        DirDeletedEvent("/c/a"),
        DirDeletedEvent("/c/b"),
    )

    assert read_builds(tmp_path) == [Build(2.0, 4.0)]


def test_disk_that_refuses_makes_times_unknown(tmp_path: Path) -> None:
    """A watch goes on."""
    times = BuildTimes(tmp_path / "none", Disk(), Clock())
    hear(times, DirCreatedEvent("/c/a"), DirDeletedEvent("/c/a"))

    assert read_builds(tmp_path / "none") == []


@pytest.mark.parametrize("data", [b"x y\n", b"1.0\n", b"\xff\xff 1\n"])
def test_damaged_file_makes_times_unknown(tmp_path: Path, data: bytes) -> None:
    """Nothing fails for it."""
    (tmp_path / FILE).write_bytes(data)

    assert read_builds(tmp_path) == []


def test_time_of_a_build_travels_to_whom_it_is_spared(tmp_path: Path) -> None:
    """1. The daemon saw a build. 2. Promotion. 3. Another runner pulls its wheel."""
    store = make_store(tmp_path / "store")
    a = Ferry(cache=make_cache(tmp_path / "a", few()), store=store)
    (wheel,) = a.cache.glob("sdists-*/**/*.whl")
    named_s = wheel.stat().st_ctime
    a.state.mkdir(exist_ok=True)
    seen = [Build(named_s - 90.0, named_s + 0.01), Build(0.0, clock.now_s() + 99)]
    write_builds(a.state, seen, CountingDisk())
    a.promote()
    b = Ferry(cache=tmp_path / "b", store=store, runner="r2")
    with b.open() as tiers:
        plan = plan_pull(tiers, b.rules, FORMATS)
        apply_pull(tiers, plan, run=Run(clock.monotonic_s()))
    (day,) = read_ledger(b.state).days
    (package,) = [package for package in day.packages if package.builds]

    assert (day.sums.builds, day.sums.untimed) == (1, 0)
    assert day.sums.build_s == pytest.approx(90.0, abs=0.1)
    assert (package.name, package.longest_s) == ("built", day.sums.build_s)


def test_pull_for_a_job_counts_what_was_there(tmp_path: Path) -> None:
    """`test_ops_pull` has the plan for a job; here is what is noted of it."""
    store = make_store(tmp_path / "store")
    Ferry(cache=make_cache(tmp_path / "a", few()), store=store).promote()
    b = Ferry(cache=tmp_path / "b", store=store, runner="r2")
    b.pull(FORMATS)
    with b.open() as tiers:
        plan = plan_pull(tiers, b.rules, FORMATS)
        assert plan.present == 2
        apply_pull(tiers, plan, run=Run(clock.monotonic_s()))
        apply_pull(tiers, plan._replace(served=()), run=Run(clock.monotonic_s(), False))
    (day,) = read_ledger(b.state).days

    assert (day.sums.pulls, day.sums.reused, day.sums.pulled) == (2, 2, 0)
    assert day.sums.reused_bytes > 0
