"""The pool: outcomes, and the bound on what is in flight."""

import hashlib
import threading
from functools import partial

import pytest

from wheelferry.pack.pool import Pool


def test_job_gives_its_value_or_its_error():
    """What a call returned or raised comes out of `result`, each time."""
    with Pool(1) as pool:
        good = pool.submit(lambda: 7, weight_bytes=1)
        bad = pool.submit(lambda: 1 // 0, weight_bytes=1)
        assert (good.result(), good.result()) == (7, 7)
        with pytest.raises(ZeroDivisionError):
            bad.result()


def test_submit_blocks_while_there_is_no_room():
    """Jobs in flight never weigh more than the budget; a larger one runs alone."""
    done: list[int] = []

    def work(weight: int) -> None:
        hashlib.sha256(bytes(1_000_000))  # long enough for a queue to build up
        done.append(weight)

    submitted: list[int] = []
    with Pool(4, budget_bytes=10) as pool:
        for weight in [4, 5, 1, 9, 10, 25, 3] * 10:
            pool.submit(partial(work, weight), weight_bytes=weight)
            submitted.append(weight)
            assert sum(submitted) - sum(done) <= max(10, weight)
    assert sorted(done) == sorted(submitted)


def test_close_finishes_what_was_submitted():
    """Nothing that was accepted is dropped."""
    done: list[int] = []
    with Pool(1) as pool:
        for number in range(50):
            pool.submit(partial(done.append, number), weight_bytes=1)
    assert done == list(range(50))


def test_job_is_done_when_its_call_has_ended():
    """Whether to wait can be asked without waiting."""
    gate = threading.Event()
    with Pool(1) as pool:
        held = pool.submit(gate.wait, weight_bytes=1)
        assert not held.is_done()
        gate.set()
        held.wait()
        assert held.is_done()
