"""Two promotions of one cache take turns, and nobody waits for ever."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cachetree import few, make_cache
from tests.support.clocks import Clock
from tests.support.soundness import findings, objects
from tests.support.tiers import Ferry, make_store
from wheelferry.disk import try_lock
from wheelferry.disk.clock import Deadline
from wheelferry.events import Event
from wheelferry.ops.turn import LOCK, WAIT_S, take_turn


@pytest.fixture
def events() -> list[Event]:
    """What the runner said."""
    return []


@pytest.fixture
def ferry(tmp_path: Path, events: list[Event]) -> Ferry:
    """A runner whose cache has two wheels, and an empty store."""
    cache = make_cache(tmp_path / "cache", few())
    store = make_store(tmp_path / "store")
    return Ferry(cache=cache, store=store, emit=events.append)


def test_turn_is_waited_for_until_the_deadline(ferry: Ferry) -> None:
    """A promotion after a job does not wait longer than it may take."""
    clock = Clock()
    lock = None
    with ferry.open() as tiers:
        ferry.state.mkdir(exist_ok=True)
        lock = try_lock(ferry.state / LOCK, shared=False)
        with take_turn(tiers, until=Deadline(5.0), clock=clock, sleep=clock.sleep):
            assert 5.0 <= clock.now_s < 6.0 < WAIT_S
    assert lock is not None
    lock.close()


def test_turn_comes_at_once_if_nobody_promotes(ferry: Ferry, events: list[Event]):
    """Nothing is waited for or said, and others find the lock held."""
    clock = Clock()
    with ferry.open() as tiers:
        with take_turn(tiers, clock=clock, sleep=clock.sleep):
            assert try_lock(ferry.state / LOCK, shared=False) is None
        lock = try_lock(ferry.state / LOCK, shared=False)
    assert lock is not None
    lock.close()
    assert (clock.now_s, events) == (0, [])


def test_turn_comes_when_the_other_is_done(ferry: Ferry, events: list[Event]) -> None:
    """It is said once that another one is waited for."""
    clock = Clock()
    with ferry.open() as tiers:
        lock = try_lock(ferry.state / LOCK, shared=False)
        assert lock is not None

        def sleep(seconds: float) -> None:
            clock.sleep(seconds)
            if clock.now_s > 3:
                lock.close()

        with take_turn(tiers, clock=clock, sleep=sleep):
            assert try_lock(ferry.state / LOCK, shared=False) is None
    assert 3 < clock.now_s < 4
    assert [event.name for event in events] == ["turn.awaited"]


def test_turn_is_not_waited_for_without_end(ferry: Ferry, events: list[Event]) -> None:
    """After a minute a promotion begins beside the other one."""
    clock = Clock()
    with ferry.open() as tiers:
        lock = try_lock(ferry.state / LOCK, shared=False)
        assert lock is not None
        with lock, take_turn(tiers, clock=clock, sleep=clock.sleep):
            assert WAIT_S <= clock.now_s < WAIT_S + 1
    assert [event.name for event in events] == ["turn.awaited"] * 2


def test_no_lock_is_no_reason_to_wait(ferry: Ferry, events: list[Event]) -> None:
    """Where the lock cannot be had, a promotion begins at once."""
    (ferry.state / LOCK).mkdir(parents=True)
    clock = Clock()
    with ferry.open() as tiers, take_turn(tiers, clock=clock, sleep=clock.sleep):
        assert (clock.now_s, events) == (0, [])


def start(ferry: Ferry) -> "subprocess.Popen[str]":
    """Start the program to promote what a runner has."""
    return subprocess.Popen(
        [sys.executable, "-m", "wheelferry", "promote", "--json", "--strict"],
        env={
            **os.environ,
            "WHEELFERRY_STORE_PATH": str(ferry.store),
            "WHEELFERRY_CACHE_PATH": str(ferry.cache),
        },
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> list[dict[str, Any]]:
    """Wait for it, and return what it said."""
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return [json.loads(line) for line in said.splitlines()]


def test_second_promotion_finds_all_of_it_in_the_store(ferry: Ferry) -> None:
    """Two processes wait for their turn: one does the work, the other plans after it."""
    ferry.state.mkdir()
    lock = try_lock(ferry.state / LOCK, shared=False)
    assert lock is not None
    with lock:
        processes = [start(ferry) for _ in range(2)]
        for process in processes:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["type"] == "turn.awaited"
        assert objects(ferry.store) == {}
    summaries = [finish(process)[-1] for process in processes]
    assert sorted(s["planned"] for s in summaries) == [0, 2]
    assert sorted(s["in_store"] for s in summaries) == [0, 2]
    assert sum(s["segments"] for s in summaries) == 1
    assert findings(ferry.store) == []
