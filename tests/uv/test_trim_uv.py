"""Trim beside real uv: what stays works offline, what went is fetched, nothing fails."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import uvs
from tests.support.archives import unsound_archives
from tests.support.fleet import Fleet, make_fleet
from tests.support.trimming import (
    DAY_S,
    archives,
    dangling,
    nobody,
    size_of,
    state_of,
    trim,
    use,
)
from wheelferry.errors import CacheLocked
from wheelferry.ops.trim_plan import make_groups
from wheelferry.uvcache.holdings import read_holdings
from wheelferry.uvcache.running import find_uv_process
from wheelferry.uvcache.scan import scan_cache

pytestmark = pytest.mark.uv

VERSIONS = ("0.5.14", "newest")
OLD = ("pure-wheel==1.0", "pure-sdist==1.0", "git-dep")
RECENT = ("native-wheel", "cext-sdist", "url-wheel")


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A store of our own."""
    return make_fleet(tmp_path / "store")


@pytest.fixture(params=VERSIONS)
def runner(request, new_runner):
    """A runner with an old uv, which takes no lock, or the newest."""
    return new_runner("a", uvs.load_uv_or_skip(request.param))


def budget_without(cache: Path, *names: str) -> int:
    """Return a size that a cache has without these packages, and not with one more."""
    groups = make_groups(read_holdings(cache), {})
    mine = [g for g in groups if any(n in str(g.holders) for n in names)]
    assert len(mine) >= len(names)
    left_bytes = size_of(cache) - sum(group.size_bytes for group in mine)
    return int(left_bytes / 0.9) + 2


def keep(cache: Path, *names: str) -> None:
    """Have these packages look as if they were used a day later than the others."""
    for entry in scan_cache(cache).entries:
        if entry.info.name in names:
            assert entry.archive is not None
            use(entry.archive, after_s=DAY_S)


def names_in(cache: Path) -> set[str]:
    """Return the packages that a cache has."""
    return {entry.info.name for entry in scan_cache(cache).entries}


def test_what_stays_works_offline_and_what_went_is_fetched(site, runner):
    """Of downloads, builds from sdists and from git; and `prune` finds nothing wrong."""
    old, recent = site.project(OLD), site.project(RECENT)
    runner.sync(old)
    runner.sync(recent)
    runner.remove_venv()
    stay = [name.partition("=")[0] for name in RECENT]
    gone = [name.partition("=")[0] for name in OLD]
    keep(runner.cache, *stay)

    _, report = trim(
        runner.cache, budget_without(runner.cache, "pure-wheel", "pure-sdist", "git/")
    )

    assert report.changed == []
    assert names_in(runner.cache).isdisjoint(gone)
    assert names_in(runner.cache) >= set(stay)
    assert (unsound_archives(runner.cache), dangling(runner.cache)) == ([], [])
    kept = archives(runner.cache)
    runner.run("cache", "prune")
    assert archives(runner.cache) == kept
    result = runner.sync(recent, "--offline")
    assert result.builds == ()
    again = runner.sync(old)
    assert {name.partition(" ")[0] for name in again.builds} >= {"git-dep"}
    assert len([r for r in again.downloads if r.body_bytes]) >= 2
    assert runner.sync(old, "--offline").returncode == 0


def test_use_is_seen_by_hardlinks(site, runner):
    """What the last job linked stays, though all of it was made before the rest."""
    first, second = site.project(["pure-wheel==1.0"]), site.project(["native-wheel"])
    runner.sync(first)
    runner.sync(second)
    before = read_holdings(runner.cache)
    runner.sync(first)
    assert runner.copied_files() == []
    after = read_holdings(runner.cache)
    used = {
        name
        for name, archive in after.archives.items()
        if archive.used_s > before.archives[name].used_s
    }
    # The end of an environment counts too: its links go.
    assert {
        entry.info.name
        for entry in scan_cache(runner.cache).entries
        if entry.archive and entry.archive.name in used
    } >= {"pure-wheel"}
    last = max(after.archives.values(), key=lambda archive: archive.used_s)
    (entry,) = (
        e for e in scan_cache(runner.cache).entries if e.info.name == "pure-wheel"
    )
    assert entry.archive is not None
    assert last.id == entry.archive.name


def test_use_is_seen_by_access_times(site, new_runner, uv):
    """Where uv copies, it reads each file; unless the mount says otherwise (noatime)."""
    runner = new_runner("a", uv)
    project = site.project(["pure-wheel==1.0"])
    copies = {"UV_LINK_MODE": "copy"}
    runner.sync(project, env=copies)
    (archive,) = (e.archive for e in scan_cache(runner.cache).entries if e.archive)
    probe = runner.root / "probe"
    probe.write_text("read me")
    os.utime(probe, (0, 0))
    probe.read_text()
    if probe.stat().st_atime == 0:
        pytest.skip("this filesystem is mounted with noatime; use another --basetemp")
    for path in archive.rglob("*"):
        os.utime(path, (0, 0))
    before = read_holdings(runner.cache).archives[archive.name]

    runner.sync(project, "--offline", env=copies)

    after = read_holdings(runner.cache).archives[archive.name]
    assert (after.shared_bytes, after.used_s > before.used_s) == (0, True)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """A thread of its own, which has ended when the test has."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


def test_jobs_beside_trims_succeed(site, runner, fleet, pool):
    """Whenever it is that a trim gets its turn; and what it took comes back."""
    project = site.project()
    runner.sync(project)
    fleet.promote(runner)

    def work() -> None:
        for _ in range(4):
            runner.sync(project)

    jobs: Future[None] = pool.submit(work)
    removed = 0
    while not jobs.done():
        try:
            _, report = trim(runner.cache, 1, find_uv=find_uv_process)
        except CacheLocked:
            continue
        removed += len(report.removed)
    jobs.result()
    if not runner.uv.has_root_lock:
        removed += len(trim(runner.cache, 1)[1].removed)

    assert removed > 0
    assert (unsound_archives(runner.cache), dangling(runner.cache)) == ([], [])
    fleet.pull(runner)
    runner.sync(project)
    runner.sync(project, "--offline")


def test_what_was_trimmed_comes_only_if_a_job_asks(site, runner, fleet):
    """Not in the background, nor by a plain pull before a job; for a project, yes."""
    project = site.project(["pure-wheel==1.0", "pure-sdist==1.0"])
    runner.sync(project)
    runner.remove_venv()
    fleet.promote(runner)
    _, report = trim(runner.cache, 1, find_uv=nobody)
    assert len(report.removed) >= 2
    assert {g.is_in_store for g in report.removed if "pure-" in g.subjects[0]} == {True}

    assert fleet.pull(runner, is_background=True).names == []
    plain = fleet.pull(runner)
    assert plain.names == []
    wanted = {left.subject.partition(" ")[0]: left.reason for left in plain.plan.left}
    assert "a pull for a project brings it" in wanted["pure-wheel"]
    ran = fleet.command(runner, "pull", "--project", str(runner.work))
    assert ran.summary["restored"] == 2
    result = runner.sync(project, "--offline")
    assert (result.requests, result.builds) == ((), ())
    assert fleet.promote(runner).names == []


def test_command_trims(site, new_runner, uv, fleet):
    """The program, as a hook runs it: a plan, a trim, and nothing left to do."""
    runner = new_runner("a", uv)
    project = site.project(["pure-wheel==1.0", "pure-sdist==1.0"])
    runner.sync(project)
    fleet.promote(runner)

    planned = fleet.command(runner, "trim", "--max-size", "1K", "--dry-run")
    assert planned.summary["schema"] == "wheelferry/trim-plan/1"
    assert planned.summary["shared_bytes"] > 0
    before = size_of(runner.cache)
    ran = fleet.command(runner, "trim", "--max-size", "1K")
    assert (ran.returncode, ran.summary["schema"]) == (0, "wheelferry/trim/1")
    assert ran.summary["removed"] == sum(
        len(victim["subjects"]) for victim in planned.summary["victims"]
    )
    assert before - size_of(runner.cache) == pytest.approx(
        ran.summary["freed_bytes"], abs=8192
    )
    assert ran.summary["max_bytes"] == 1024
    assert fleet.command(runner, "trim", "--max-size", "1K", "--strict").returncode == 3
    assert fleet.command(runner, "trim", "--max-size", "1G", "--strict").returncode == 0
    assert (state_of(runner.cache) / "view.sqlite").exists()
