"""The daemon as a process, between a local cache and a store in a local folder."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cachetree import Planned, few, make_cache, make_files, plan
from tests.support.daemons import RunningDaemon, eventually
from tests.support.soundness import CacheJudge, catalog, damage, objects, staged_in
from wheelferry.disk import Disk, FileLock
from wheelferry.ops.gate import PATIENCE_S
from wheelferry.store.create import create_store
from wheelferry.uvcache.locks import lock_cache

MIB = 1 << 20
UV_VERSION = "0.13.9"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An empty store."""
    root = tmp_path / "store"
    root.mkdir()
    create_store(root, disk=Disk(), now_s=0)
    return root


NewDaemon = Callable[..., RunningDaemon]


@pytest.fixture
def new_daemon(tmp_path: Path, store: Path) -> Iterator[NewDaemon]:
    """Start a daemon for the cache of that name; it is killed at the end."""
    made: list[RunningDaemon] = []

    def start(name: str = "a", *args: str, **environ: str) -> RunningDaemon:
        environ = {"WHEELFERRY_UV_VERSIONS": UV_VERSION, **environ}
        made.append(RunningDaemon(tmp_path / name, store, *args, **environ))
        return made[-1]

    yield start
    for daemon in made:
        with daemon:
            pass


def has(store: Path, number: int) -> Callable[[], bool]:
    """Return whether the catalog has so many entries."""
    return lambda: len(catalog(store)) == number


def test_new_entry_is_soon_in_the_store(new_daemon, store) -> None:
    """And in the cache of the other runner soon after, though nobody asked.

    Within two seconds on a machine that has little else to do; tests run beside others.
    """
    a, b = new_daemon("a"), new_daemon("b")
    a.wait_idle()
    b.wait_idle()
    entry = plan("new", files=make_files("new", data=(os.urandom(10 * MIB), False)))
    make_cache(a.cache, [entry])
    began_s = time.monotonic()
    eventually(has(store, 1), what=a.said)
    took_s = time.monotonic() - began_s
    judge = CacheJudge([entry])
    eventually(lambda: judge.usable(b.cache), what=b.said)
    assert not judge.wrong(b.cache)
    assert took_s < 8.0
    assert "promoted 1 of 1 entry" in a.said()
    b.wait_said("pulled 1 of 1 entry")
    # Nothing comes back: what was restored is no news.
    b.wait_idle()
    assert len(list((store / "catalog").iterdir())) == 1


def test_both_ways_and_built_wheels(new_daemon, store) -> None:
    """What was there before the start, of all kinds that a uv restores."""
    entries = [*few(), plan("resolved", is_unpacked=False, kind=few()[1].info.key.kind)]
    a = new_daemon("a").wait_idle()
    make_cache(a.cache, entries)
    eventually(has(store, 3), what=a.said)
    b = new_daemon("b").wait_idle()
    judge = CacheJudge(entries)
    eventually(lambda: len(judge.usable(b.cache)) == 3, what=b.said)
    assert not judge.wrong(b.cache)


def test_edited_entry_is_warned_of_once(new_daemon, store) -> None:
    """Not by the next daemon either: it is known, and not read again."""
    first = new_daemon()
    make_cache(first.cache, [plan("edited")])
    (path,) = first.cache.glob("archive-v0/*/edited/__init__.py")
    path.write_text("name = 'other'\n")
    first.wait_said("not promoted: edited")
    make_cache(first.cache, [plan("one")], first=10)
    eventually(has(store, 1), what=first.said)
    assert first.stop() == 0
    second = new_daemon()
    second.wait_said("serving", times=2)
    make_cache(second.cache, [plan("two")], first=20)
    eventually(has(store, 2), what=second.said)
    assert second.said().count("not promoted: edited") == 1


def test_one_task_alone(new_daemon, store) -> None:
    """`daemon.tasks`: a runner may give and not take."""
    a = new_daemon("a").wait_idle()
    make_cache(a.cache, [plan("one")])
    eventually(has(store, 1), what=a.said)
    b = new_daemon("b", WHEELFERRY_DAEMON_TASKS="promote").wait_idle()
    make_cache(b.cache, [plan("two")])
    eventually(has(store, 2), what=b.said)
    assert "looking at" in b.said()
    account = b.account()
    assert account is not None
    assert set(account.tasks) == {"promote"}
    assert len(list(b.cache.glob("archive-v0/*"))) == 1


def test_ready_comes_with_the_lock_and_a_status(new_daemon) -> None:
    """And a line in the log that says what is served."""
    daemon = new_daemon().wait_ready()
    assert daemon.status().startswith("watching ") or "ing" in daemon.status()
    assert re.search(
        r"serving .*/a \(.*\), looking at .*/store every 0.2 s", daemon.said()
    )
    assert daemon.account() is not None


def test_store_that_is_away_is_waited_for(new_daemon, store) -> None:
    """From the start, or later: it says so once, and catches up when it comes."""
    away = store.with_name("away")
    store.rename(away)
    daemon = new_daemon().wait_ready()
    eventually(lambda: daemon.status().startswith("degraded: "), what=daemon.said)
    make_cache(daemon.cache, [plan("one")])
    away.rename(store)
    eventually(has(store, 1), what=daemon.said)
    daemon.wait_said("all is well again")
    daemon.wait_idle()
    store.rename(away)
    daemon.wait_said("degraded", times=2)
    make_cache(daemon.cache, [plan("two")], first=10)
    time.sleep(1.0)  # several looks at nothing
    assert daemon.said().count("degraded") == 2
    away.rename(store)
    eventually(has(store, 2), what=daemon.said)
    eventually(lambda: daemon.status().startswith("watching "), what=daemon.status)
    assert not damage(store)


def test_cache_may_come_and_go(new_daemon, store) -> None:
    """It is served as soon as it is there; what is gone is not mourned."""
    daemon = new_daemon().wait_idle()
    assert not daemon.cache.exists()
    make_cache(daemon.cache, [plan("one")])
    eventually(has(store, 1), what=daemon.said)
    shutil.rmtree(daemon.cache)
    make_cache(daemon.cache, [plan("two")])
    eventually(has(store, 2), what=daemon.said)
    assert "degraded" not in daemon.said()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_leaves_nothing_running(new_daemon, number) -> None:
    """At once when idle; a service manager is told."""
    daemon = new_daemon().wait_idle()
    pids = [pid for pid, _ in daemon.children()]
    assert len(pids) == 1
    daemon.process.send_signal(number)
    assert daemon.process.wait(5) == 0, daemon.said()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert daemon.hear()[-1] == "STOPPING=1\nSTATUS=stopping"
    assert daemon.account() is None


def wait_for_job(daemon: RunningDaemon, task: str) -> int:
    """Return the process id of a run, once there is one."""

    def find() -> int:
        words = {pid: argv for pid, argv in daemon.children() if task in argv}
        return next(iter(words), 0)

    return eventually(find, what=daemon.said)


def test_stop_during_a_promotion_leaves_nothing_half_done(new_daemon, store) -> None:
    """What the store shows is whole, and the next daemon goes on."""
    entries = big(40)
    daemon = new_daemon().wait_idle()
    make_cache(daemon.cache, entries)
    pid = wait_for_job(daemon, "promote")
    eventually(lambda: staged_in(store) or objects(store), what=daemon.said)
    began_s = time.monotonic()
    assert daemon.stop() == 0, daemon.said()
    assert time.monotonic() - began_s < 5
    assert not Path(f"/proc/{pid}").exists()
    assert not damage(store)
    new_daemon()
    eventually(has(store, len(entries)))


def test_stop_during_a_pull_leaves_nothing_half_done(new_daemon, store) -> None:
    """What the cache has is whole."""
    entries = big(40)
    a = new_daemon("a").wait_idle()
    make_cache(a.cache, entries)
    eventually(has(store, len(entries)), what=a.said)
    b = new_daemon("b", WHEELFERRY_PULL_LIMIT_RATE="8M")
    wait_for_job(b, "pull")
    eventually(lambda: list(b.state.glob("staging/*/*")), what=b.said)
    assert b.stop() == 0, b.said()
    judge = CacheJudge(entries)
    assert not judge.wrong(b.cache)
    b = new_daemon("b")
    eventually(lambda: len(judge.usable(b.cache)) == len(entries), what=b.said)
    assert not judge.wrong(b.cache)


def test_promotion_waits_for_the_end_of_a_job(new_daemon, store) -> None:
    """Nothing reaches the store meanwhile; soon after it, everything; the log says so."""
    daemon = new_daemon().wait_idle()
    with hold_cache(daemon.cache):
        make_cache(daemon.cache, [plan("one")])
        wait_for_job(daemon, "promote")
        time.sleep(1.5)
        assert (objects(store), staged_in(store)) == ({}, [])
        account = daemon.account()
        assert account is not None
        assert account.tasks["promote"].waits_since_s is not None
        ended_s = time.monotonic()
    eventually(has(store, 1), what=daemon.said)
    assert time.monotonic() - ended_s < 8.0
    daemon.wait_said("of it waiting for jobs")


def test_promotion_by_hand_waits_for_no_job(new_daemon, store) -> None:
    """Nor does one in the background any more, whose turn is first."""
    entries = big(40)
    daemon = new_daemon().wait_idle()
    make_cache(daemon.cache, entries)
    eventually(lambda: objects(store), what=daemon.said)
    with hold_cache(daemon.cache):
        began_s = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "wheelferry", "promote", "--strict"],
            env={
                **os.environ,
                "WHEELFERRY_STORE_PATH": str(store),
                "WHEELFERRY_CACHE_PATH": str(daemon.cache),
            },
            check=True,
            capture_output=True,
        )
        assert len(catalog(store)) == len(entries)
        assert time.monotonic() - began_s < PATIENCE_S - 5


def test_stop_while_a_promotion_waits_for_a_job(new_daemon, store) -> None:
    """At once, whatever the job does; half a pack is not left behind."""
    daemon = new_daemon().wait_idle()
    make_cache(daemon.cache, big(40))
    eventually(lambda: objects(store), what=daemon.said)
    with hold_cache(daemon.cache):
        time.sleep(0.5)
        began_s = time.monotonic()
        assert daemon.stop() == 0, daemon.said()
        assert time.monotonic() - began_s < 5
    assert not damage(store)
    assert not list(daemon.state.glob("staging/*/*"))


def hold_cache(cache: Path) -> FileLock:
    """Hold the lock that a uv command holds from its start to its end."""
    lock = lock_cache(cache, disk=Disk(), wait_s=0)
    assert lock is not None
    return lock


def big(number: int) -> list[Planned]:
    """Return entries of 1 MiB each that no compression makes smaller."""
    return [
        plan(f"big{n}", files=make_files(f"big{n}", data=(os.urandom(MIB), False)))
        for n in range(number)
    ]


def test_killed_daemon_leaves_no_process_and_no_lock(new_daemon, store) -> None:
    """What looked at the store ends by itself; the next daemon catches up."""
    daemon = new_daemon().wait_idle()
    pids = [pid for pid, _ in daemon.children()]
    daemon.process.kill()
    daemon.process.wait()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    make_cache(daemon.cache, [plan("meanwhile")])
    new_daemon()
    eventually(has(store, 1))


def test_second_daemon_of_a_cache_is_refused(new_daemon) -> None:
    """With the first one's process, and a code of its own; another cache is fine."""
    first = new_daemon("a").wait_ready()
    second = new_daemon("a")
    assert second.process.wait(10) == 40
    assert (
        f"another daemon (process {first.process.pid}) serves the cache"
        in second.said()
    )
    assert first.process.poll() is None
    new_daemon("b").wait_ready()


def test_state_directory_may_go(new_daemon, store) -> None:
    """As documented; the daemon stays the only one of its cache, and works on."""
    daemon = new_daemon("a").wait_idle()
    shutil.rmtree(daemon.state)
    eventually(daemon.account, what=daemon.said)
    assert new_daemon("a").process.wait(10) == 40
    make_cache(daemon.cache, [plan("one")])
    eventually(has(store, 1), what=daemon.said)


def test_daemon_without_a_store_fails_at_once(new_daemon) -> None:
    """A service manager shows it; nothing would ever be done."""
    daemon = new_daemon(WHEELFERRY_STORE_PATH="")
    assert daemon.process.wait(10) == 2
    assert "no store is configured" in daemon.said()


def test_check_says_whether_the_configuration_is_good(new_daemon, tmp_path) -> None:
    """And runs nothing."""
    assert new_daemon("a", "--check").process.wait(10) == 0
    broken = tmp_path / "broken.toml"
    broken.write_text("[store]\npth = 1\n")
    daemon = new_daemon("b", "--check", "--config", str(broken))
    assert daemon.process.wait(10) == 2
    assert str(broken) in daemon.said()


def test_reload_takes_over_what_has_changed(new_daemon, tmp_path, store) -> None:
    """Without an end: the lock, the process and its start stay."""
    file = tmp_path / "config.toml"
    file.write_text('[promote]\nexclude = ["secret"]\n')
    daemon = new_daemon("a", "--config", str(file)).wait_idle()
    make_cache(daemon.cache, [plan("secret")])
    daemon.wait_idle()
    started_s = daemon.account()
    file.write_text("")
    daemon.reload()
    daemon.wait_said("the new configuration is taken over")
    eventually(has(store, 1), what=daemon.said)
    account = daemon.account()
    assert account is not None
    assert started_s is not None
    assert account.started_s == started_s.started_s
    heard = daemon.hear()
    reloading = [n for n, text in enumerate(heard) if text.startswith("RELOADING=1")]
    assert any(text.startswith("READY=1") for text in heard[reloading[0] :])


def test_reload_of_a_broken_file_changes_nothing(new_daemon, tmp_path, store) -> None:
    """It says so, in the log and the status, and works on with what it has."""
    file = tmp_path / "config.toml"
    file.write_text("")
    daemon = new_daemon("a", "--config", str(file)).wait_idle()
    file.write_text("[daemon]\npoll = 'never'\n")
    daemon.reload()
    daemon.wait_said("the configuration is not taken over")
    daemon.wait_said("the one before stays in use")
    assert str(file) in daemon.said()
    eventually(lambda: daemon.status().startswith("degraded: the configuration"))
    make_cache(daemon.cache, [plan("one")])
    eventually(has(store, 1), what=daemon.said)
    file.write_text("")
    daemon.reload()
    daemon.wait_said("the configuration is as it was")
    eventually(lambda: daemon.status().startswith("watching"), what=daemon.status)


def test_watchdog_hears_of_it(new_daemon) -> None:
    """Several times in its time; not when the loop stands still."""
    daemon = new_daemon(WATCHDOG_USEC="600000").wait_idle()
    daemon.hear()
    before = daemon.pings
    time.sleep(2.0)
    daemon.hear()
    assert 6 <= daemon.pings - before <= 14
    daemon.process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    daemon.hear()
    before = daemon.pings
    time.sleep(0.6)
    daemon.hear()
    assert daemon.pings == before
    daemon.process.send_signal(signal.SIGCONT)


def test_thousand_entries_at_once_are_few_segments(new_daemon, store) -> None:
    """In batches, and all of them."""
    daemon = new_daemon().wait_idle()
    make_cache(daemon.cache, [plan(f"p{n}") for n in range(1000)])
    eventually(has(store, 1000), within_s=60, what=daemon.said)
    daemon.wait_idle()
    assert len(list((store / "catalog").iterdir())) <= 1000 / 64 + 8
    assert not damage(store)
