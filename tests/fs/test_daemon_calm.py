"""The daemon beside jobs: what it takes while there is nothing to do, and in the long run.

What is asserted are counts, and memory that does not depend on what else runs.  CPU time,
and what jobs feel of it, is measured by `benchmarks/daemon.py`.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import procs, quick_daemon
from tests.support.cachetree import make_cache, make_files, plan
from tests.support.daemons import RunningDaemon, eventually
from tests.support.soundness import staged_in
from tests.support.tiers import Ferry, make_store
from wheelferry.daemon.watch import CHECK_S
from wheelferry.ops.tiers import VIEW

MB = 1_000_000
MIB = 1 << 20
MOST_BYTES = 45 * MB
FILES = 20_000
FILES_EACH = 200

POLL_S = 2.0
IDLE_S = 5.0

WARM_UP = 40
CYCLES = 60


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An empty store."""
    return make_store(tmp_path / "store")


def make_directories(cache: Path) -> Path:
    """Make the directories that are watched, as the first command of uv does."""
    for name in ("archive-v0", "builds-v0"):
        (cache / name).mkdir(parents=True, exist_ok=True)
    return cache


def wait_calm(daemon: RunningDaemon) -> RunningDaemon:
    """Wait until it has only itself, and the process that looks at the store."""

    def is_calm() -> bool:
        daemon.wait_idle()
        return len(procs.family(daemon.process.pid)) == 2

    eventually(is_calm, what=daemon.said)
    return daemon


def take(daemon: RunningDaemon) -> procs.Holdings:
    """Return what all its processes hold, without what they open for a moment."""
    found = []
    for _ in range(5):
        daemon.hear()  # or a socket stays open on which it waits to be heard
        found.append(procs.holdings(procs.family(daemon.process.pid)))
        time.sleep(0.05)
    return procs.Holdings(*map(min, zip(*found, strict=True)))


def test_idle_daemon_sleeps_and_is_small(tmp_path: Path, store: Path) -> None:
    """With 20,000 files it wakes up to look, holds as much as with none, and not much."""
    entries = [
        plan(f"p{n}", files=make_files(f"p{n}", "1.0", **small_files()))
        for n in range(FILES // FILES_EACH)
    ]
    a = make_directories(make_cache(tmp_path / "a", entries))
    assert sum(path.is_file() for path in a.rglob("*")) >= FILES
    Ferry(cache=a, store=store, runner="a").promote()
    b = make_directories(tmp_path / "b")
    poll = f"{POLL_S:g}s"
    settings = {"WHEELFERRY_DAEMON_TASKS": "promote"}  # b shall stay empty
    with (
        RunningDaemon(a, store, poll=poll, **settings) as full,
        RunningDaemon(b, store, poll=poll, **settings) as empty,
    ):
        wait_calm(empty)
        wait_calm(full)
        family = procs.family(full.process.pid)
        before, began_s = procs.effort(family), time.monotonic()
        time.sleep(IDLE_S)
        after, took_s = procs.effort(family), time.monotonic() - began_s
        held, compared = take(full), take(empty)
        watches = procs.inotify_watches(full.process.pid)
        assert procs.family(full.process.pid) == family
        assert "promoted" not in full.said()
    looks, checks = took_s / POLL_S + 1, took_s / CHECK_S + 1
    wakeups = after.wakeups - before.wakeups
    assert wakeups <= 2 * looks + checks + 2, f"{wakeups} in {took_s:.1f} s"
    assert after.cpu_s - before.cpu_s <= 0.05
    assert held.pss_bytes <= held.rss_bytes <= MOST_BYTES
    assert abs(held.rss_bytes - compared.rss_bytes) < 2 * MIB
    assert watches == 3


def small_files() -> dict[str, tuple[bytes, bool]]:
    """Return the files of a wheel that has many."""
    return {
        f"m{number}.py": (b"answer = %d\n" % number, False)
        for number in range(FILES_EACH)
    }


class Course:
    """Changes to a cache and a store, one after the other."""

    def __init__(self, daemon: RunningDaemon, store: Path) -> None:
        self._daemon = daemon
        self._store = store
        self._number = 0

    def run(self, cycles: int) -> procs.Holdings:
        """Change things so often, and return what the daemon holds then."""
        for _ in range(cycles):
            self._number += 1
            self._change(self._number)
        return take(wait_calm(self._daemon))

    def _change(self, number: int) -> None:
        cache, daemon = self._daemon.cache, self._daemon
        runs = daemon.said().count("ran")
        segment = self._store / f"catalog/{number}.seg"
        segment.touch()
        if number % 10 == 0:
            shutil.rmtree(cache)  # uv cache clean
            make_directories(cache)
        if number % 20 == 0:
            daemon.reload()
        if number % 40 == 0:
            catalog, away = self._store / "catalog", self._store / "away"
            complaints = daemon.said().count("degraded")
            catalog.rename(away)
            daemon.wait_said("degraded", times=complaints + 1)
            away.rename(catalog)
        (cache / f"archive-v0/{number}").mkdir()
        (cache / ".lock").open("w").close()
        daemon.wait_said("ran", times=runs + 1)
        (cache / f"archive-v0/{number}").rmdir()
        segment.unlink()


@pytest.fixture
def quick(tmp_path: Path, store: Path) -> Iterator[RunningDaemon]:
    """A daemon whose runs take no time."""
    cache = make_directories(tmp_path / "a")
    with RunningDaemon(cache, store, program=[quick_daemon.__file__]) as daemon:
        yield wait_calm(daemon)


def test_long_life_leaves_nothing_behind(quick, store, soak_s) -> None:
    """Changes, runs, caches and stores that come and go, and new configurations.

    With `--soak SECONDS` for so long.
    """
    course = Course(quick, store)
    before = course.run(WARM_UP)
    state = sorted(path.name for path in quick.state.iterdir())
    give_up_s = time.monotonic() + soak_s
    after, cycles = course.run(CYCLES), CYCLES
    while time.monotonic() < give_up_s:
        after, cycles = course.run(CYCLES), cycles + CYCLES
    print(f"{cycles} cycles: {before.rss_bytes} bytes, then {after.rss_bytes}")
    assert after[:3] == before[:3], "processes, threads, files"
    assert after.rss_bytes - before.rss_bytes < MIB
    assert procs.inotify_watches(quick.process.pid) == 3
    assert sorted(path.name for path in quick.state.iterdir()) == state


def rows(state: Path) -> dict[str, int]:
    """Return how many rows the view has, by table."""
    with closing(sqlite3.connect(state / VIEW)) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for (name,) in tables.fetchall()
        }


def test_what_comes_and_goes_leaves_nothing_behind(tmp_path: Path, store: Path) -> None:
    """Real runs: an entry appears, is promoted, and is removed from both tiers again."""
    with RunningDaemon(make_directories(tmp_path / "a"), store) as daemon:
        wait_calm(daemon)
        found = [come_and_go(daemon, store, number) for number in range(4)]
    assert found[1] == found[3]
    assert "degraded" not in daemon.said()


def come_and_go(daemon: RunningDaemon, store: Path, number: int) -> object:
    """Have an entry promoted, return what there is then, and remove all of it."""
    make_cache(daemon.cache, [plan(f"p{number}")], first=number)
    os.utime(daemon.cache / "CACHEDIR.TAG", (1, 1))  # it is one and the same cache
    daemon.wait_said("promoted 1 of 1 entry", times=number + 1)
    held = take(wait_calm(daemon))
    names = sorted(path.relative_to(daemon.state) for path in daemon.state.rglob("*"))
    found = held[:3], rows(daemon.state), names, staged_in(store)
    for tree in (*daemon.cache.glob("wheels-*"), *daemon.cache.glob("archive-v0/*")):
        shutil.rmtree(tree)
    for path in (*store.glob("catalog/*"), *store.glob("objects/*/*")):
        path.unlink()
    return found
