"""What a promotion writes is held to a rate, by waits of its own."""

import pytest

from tests.support.clocks import Clock
from wheelferry.ops.outflow import Outflow


@pytest.mark.parametrize("rate_bytes_s", [1000, 1 << 20, 10 << 20])
def test_outflow_keeps_to_its_rate(rate_bytes_s: int) -> None:
    """Over several packs, with chunks of any size, after a first burst."""
    clock = Clock()
    outflow = Outflow(rate_bytes_s, clock=clock, sleep=clock.sleep)
    sizes = (1 << 20, 10, 0, 3 << 20)
    for _ in range(3):
        chunks = [bytes(size) for size in sizes]
        assert list(outflow.limit(chunks)) == chunks
    burst_bytes = min(rate_bytes_s, 1 << 20)
    assert clock.now_s == pytest.approx((3 * sum(sizes) - burst_bytes) / rate_bytes_s)


def test_outflow_waits_before_a_chunk_and_not_after_it() -> None:
    """What is written last costs no wait after it."""
    clock = Clock()
    flow = Outflow(1000, clock=clock, sleep=clock.sleep).limit([bytes(1000)] * 2)
    next(flow)
    assert clock.now_s == 0
    next(flow)
    assert clock.now_s == 1


def test_outflow_without_a_rate_never_waits() -> None:
    """No limit is the default."""
    clock = Clock()
    chunks = [bytes(1 << 20)] * 5
    assert list(Outflow(None, clock=clock, sleep=clock.sleep).limit(chunks)) == chunks
    assert clock.now_s == 0


def test_outflow_steps_before_each_chunk() -> None:
    """Whoever writes can be held up there."""
    steps: list[None] = []
    flow = Outflow(None, step=lambda: steps.append(None)).limit([b"1", b"2"])
    for count, _ in enumerate(flow, start=1):
        assert len(steps) == count
