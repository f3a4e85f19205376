"""Promotions in the background and locks that are held: uv's, and another promotion's."""

import os
from pathlib import Path

import pytest

from tests.support.cachetree import few, make_cache, make_files, plan
from tests.support.clocks import Clock
from tests.support.daemons import eventually
from tests.support.soundness import catalog
from tests.support.tiers import Ferry, make_store
from wheelferry.daemon.watch import Signal, Watch
from wheelferry.disk import Disk, try_lock
from wheelferry.ops.gate import Gate, make_gate
from wheelferry.ops.turn import LOCK, is_awaited, take_turn
from wheelferry.uvcache.locks import is_in_use, lock_cache

MIB = 1 << 20


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """A runner whose cache has two wheels, and an empty store."""
    cache = make_cache(tmp_path / "cache", few())
    return Ferry(cache=cache, store=make_store(tmp_path / "store"))


@pytest.mark.parametrize("shared", [True, False])
def test_cache_is_in_use_while_its_lock_is_held(ferry: Ferry, *, shared: bool) -> None:
    """By an install as by `uv cache prune`; where there is no lock nobody is seen."""
    assert not is_in_use(ferry.cache)
    lock = try_lock(ferry.cache / ".lock", shared=shared)
    assert lock is not None
    with lock:
        assert is_in_use(ferry.cache)
    assert not is_in_use(ferry.cache)
    lock = lock_cache(ferry.cache, disk=Disk(), wait_s=0)
    assert lock is not None  # nothing is left of the look
    lock.close()


def test_look_at_the_lock_is_not_taken_for_the_end_of_a_command(ferry: Ferry) -> None:
    """Or each look would have the daemon promote anew."""
    told: list[Signal] = []
    warned: list[str] = []
    lock = ferry.cache / ".lock"
    lock.touch()
    watch = Watch(ferry.cache, tell=told.append, warn=warned.append)
    try:
        watch.check()
        told.clear()
        for _ in range(3):
            assert not is_in_use(ferry.cache)
        (ferry.cache / "archive-v0/new").mkdir()
        eventually(lambda: told)  # what came before it was heard before it
    finally:
        watch.close()
    assert (told, warned) == ([Signal.CHANGED], [])


def test_wheels_are_promoted_though_a_job_does_not_end(ferry: Ferry) -> None:
    """When the patience is over, with uv's lock still held."""
    gate = Gate(lambda: is_in_use(ferry.cache), patience_s=0.3)
    lock = lock_cache(ferry.cache, disk=Disk(), wait_s=0)
    assert lock is not None
    with lock:
        report = ferry.promote(step=gate.wait)
        assert is_in_use(ferry.cache)
    assert gate.waited_s >= 0.25
    assert len(report.promoted) == len(catalog(ferry.store)) == len(few())


def test_promotion_goes_in_small_steps(ferry: Ferry) -> None:
    """Of a frame each to make a pack, and a MiB to write it."""
    files = make_files("big", data=(os.urandom(20 * MIB), False))
    make_cache(ferry.cache, [plan("big", files=files)], first=10)
    steps: list[None] = []
    ferry.promote(step=lambda: steps.append(None))
    assert len(steps) >= 10 + 20


def test_promotion_that_is_waited_for_does_not_wait_for_jobs(ferry: Ferry) -> None:
    """Or a hook after one job would wait for the other jobs of this runner."""
    gate, clock = make_gate(ferry.cache, ferry.state), Clock()
    job = lock_cache(ferry.cache, disk=Disk(), wait_s=0)
    ferry.state.mkdir()
    turn = try_lock(ferry.state / LOCK, shared=False)
    assert job is not None
    assert turn is not None

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        assert is_awaited(ferry.state)
        gate.wait()
        turn.close()

    with job, ferry.open() as tiers, take_turn(tiers, clock=clock, sleep=sleep):
        assert gate.waited_s == 0
        assert clock.now_s > 0
        assert not is_awaited(ferry.state)
