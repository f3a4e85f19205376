"""uv at work on a cache while Wheelferry is: neither trips over the other."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support import uvs
from tests.support.archives import unsound_archives
from tests.support.disks import CountingDisk, Step
from tests.support.fleet import Fleet, make_fleet, reasons
from tests.support.runner import Runner
from tests.support.site import STANDARD_BUILDS

pytestmark = pytest.mark.uv

ROUNDS = 3
"""How often jobs run beside us."""

TURNS = 10_000
"""How often at most we work beside them: they are much slower."""

WHEELS = ("pure-wheel==1.0", "native-wheel", "url-wheel")


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A store of our own."""
    return make_fleet(tmp_path / "store")


@pytest.fixture
def beside() -> Iterator[Callable[[Callable[[], None]], "Future[None]"]]:
    """Run a function in a thread of its own; it has ended when the test has."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool.submit


def turns(jobs: "Future[None]") -> Iterator[int]:
    """Count up while the jobs run; raise what made them fail."""
    for turn in range(TURNS):
        yield turn
        if jobs.done():
            break
    jobs.result()


def test_jobs_and_pulls_share_a_cache(site, new_runner, each_uv, fleet, beside):
    """Jobs that sync, clean and prune all succeed while pulls restore what they took."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    fleet.promote(a)

    def work() -> None:
        for _ in range(ROUNDS):
            b.sync(project)
            b.run("cache", "clean", "pure-wheel", "pure-sdist", "url-wheel")
            b.sync(project)
            b.run("cache", "prune")

    jobs = beside(work)
    pulled = [fleet.pull(b) for _ in turns(jobs)]

    assert len(pulled) > 1
    assert sum(len(pull.report.restored) for pull in pulled) >= 1
    fleet.pull(b)
    assert unsound_archives(b.cache) == []
    result = b.sync(project)
    assert (result.requests, result.builds) == ((), ())


def test_jobs_and_promotions_share_a_cache(site, new_runner, each_uv, fleet, beside):
    """What is promoted while jobs make and remove entries is whole, or left out."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    names = [name.partition("=")[0] for name in ("pure-wheel", *STANDARD_BUILDS)]
    names.remove("git-dep")  # it would be cloned again each time

    def work() -> None:
        for _ in range(ROUNDS):
            a.sync(project)
            a.run("cache", "clean", *names)
        a.sync(project)

    jobs = beside(work)
    done = 0
    for _ in turns(jobs):
        promoted = fleet.promote(a)
        assert reasons(promoted.report.rejected).keys() <= {*names}
        done += len(promoted.names)
        for segment in fleet.segments():  # or nothing would be packed a second time
            segment.unlink()
    fleet.promote(a)

    assert done > 7
    assert fleet.unpack(b.root / "unpacked") >= 7
    assert unsound_archives(b.root / "unpacked") == []
    assert fleet.verify().is_clean
    assert len(fleet.pull(b).names) == 7
    result = b.sync(project)
    assert (result.requests, result.builds) == ((), ())


class WatchedDisk(CountingDisk):
    """A disk before whose n-th step in the cache a job runs, and `returned`."""

    def __init__(self, cache: Path, number: int, job: Callable[[], object]) -> None:
        super().__init__()
        self._cache, self._number, self._job = str(cache), number, job
        self.seen = 0
        self.returned: Any = None

    def before(self, step: Step) -> None:
        """Count what changes the cache, and run the job when it is time."""
        if step.name in ("rename", "symlink", "link_new") and any(
            path.startswith(f"{self._cache}/") for path in step.paths
        ):
            self.seen += 1
            if self.seen == self._number:
                self.returned = self._job()


def count_steps(fleet: Fleet, runner: Runner) -> int:
    """Pull into an empty cache, and return in how many steps that changed it."""
    disk = WatchedDisk(runner.cache, 0, lambda: None)
    assert len(fleet.pull(runner, disk=disk).names) == len(WHEELS)
    assert disk.seen >= 3 * len(WHEELS)  # archive, link and pointer of each
    return disk.seen


@pytest.mark.parametrize("version", ["0.5.14", "0.12.24", "newest"])
def test_job_at_each_step_of_a_pull_succeeds(site, new_runner, fleet, version):
    """At whatever step a job starts, it installs, and after the pull all is whole."""
    project = site.project(WHEELS)
    uv = uvs.load_uv_or_skip(version)
    a = new_runner("a", uv)
    a.sync(project)
    fleet.promote(a)

    for number in range(1, count_steps(fleet, new_runner("b", uv)) + 1):
        b = new_runner(f"b{number}", uv)
        disk = WatchedDisk(b.cache, number, partial(b.sync, project))

        pulled = fleet.pull(b, disk=disk)

        assert disk.seen >= number
        assert pulled.report.failed == []
        assert unsound_archives(b.cache) == []
        assert fleet.pull(b).plan.wanted == ()
        result = b.sync(project)
        assert (result.requests, result.builds) == ((), ())


def test_prune_waits_for_a_pull(site, new_runner, uv, fleet):
    """A prune that starts in the middle of a pull removes nothing of it."""
    project = site.project(WHEELS)
    a = new_runner("a", uv)
    a.sync(project)
    fleet.promote(a)

    for number in (1, 2, count_steps(fleet, new_runner("b", uv))):
        b = new_runner(f"b{number}", uv)
        prune = partial(b.run, "cache", "prune", ok=False, env={"UV_LOCK_TIMEOUT": "1"})
        disk = WatchedDisk(b.cache, number, prune)

        pulled = fleet.pull(b, disk=disk)

        assert disk.returned.returncode != 0, "it did not wait"
        assert pulled.report.failed == []
        b.run("cache", "prune")
        result = b.sync(project)
        assert (result.requests, result.builds) == ((), ())


def test_prune_without_a_lock_harms_no_job(site, new_runner, fleet):
    """uv before 0.8 prunes in the middle of a pull: a job has to fetch, but not fail."""
    project = site.project(WHEELS)
    uv = uvs.load_uv_or_skip("0.5.14")
    a = new_runner("a", uv)
    a.sync(project)
    fleet.promote(a)
    lost = 0

    for number in range(1, count_steps(fleet, new_runner("b", uv)) + 1):
        b = new_runner(f"b{number}", uv)
        disk = WatchedDisk(b.cache, number, partial(b.run, "cache", "prune"))

        pulled = fleet.pull(b, disk=disk)

        lost += len(pulled.report.failed)
        result = b.sync(project)
        assert len(result.downloads) == len(pulled.report.failed)
        assert unsound_archives(b.cache) == []
        fleet.pull(b)
        assert b.sync(project).requests == ()
    assert lost > 0
