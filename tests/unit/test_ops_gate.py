"""Work in the background waits for jobs, and is not put off for ever."""

import pytest

from tests.support.clocks import Clock
from wheelferry.ops.gate import LOOK_S, WAIT_S, Gate, open_gate


class Host(Clock):
    """A clock, and jobs that are at work from one time to another.

    Attributes:
        asked_s: When it was asked for them.
    """

    def __init__(self, *jobs: tuple[float, float]) -> None:
        super().__init__()
        self._jobs = jobs
        self.asked_s: list[float] = []

    def is_busy(self) -> bool:
        """Return whether one of them is."""
        self.asked_s.append(self.now_s)
        return any(begin_s <= self.now_s < end_s for begin_s, end_s in self._jobs)

    def gate(self, patience_s: float = 30.0) -> Gate:
        """Return a gate that waits for them."""
        return Gate(self.is_busy, patience_s=patience_s, clock=self, sleep=self.sleep)

    def work(self, gate: Gate, steps: int, step_s: float) -> float:
        """Work in so many steps; return how long all of it took."""
        began_s = self.now_s
        for _ in range(steps):
            gate.wait()
            self.sleep(step_s)
        return self.now_s - began_s


def test_gate_holds_up_nothing_while_no_job_is_at_work() -> None:
    """Before it, and long after it."""
    host = Host((100.0, 120.0))
    gate = host.gate()
    assert host.work(gate, 100, 0.5) == 50.0
    host.now_s = 120.0
    assert host.work(gate, 100, 0.5) == 50.0
    assert gate.waited_s == 0


@pytest.mark.parametrize("lasts_s", [0.5, 29.0])
def test_gate_waits_for_the_end_of_a_job(lasts_s: float) -> None:
    """It stops within a step of its begin, and goes on soon after its end."""
    host = Host((1.0, 1.0 + lasts_s))
    gate = host.gate()
    took_s = host.work(gate, 40, 0.05)
    assert gate.waited_s == pytest.approx(lasts_s, abs=2 * WAIT_S)
    assert took_s == pytest.approx(2.0 + gate.waited_s)


def test_gate_does_not_wait_for_a_job_that_does_not_end() -> None:
    """Such as a server that `uv run` runs; and nothing is done before that."""
    host = Host((0.0, 1e9))
    gate = host.gate()
    gate.wait()
    assert host.now_s == pytest.approx(30.0, abs=2 * WAIT_S)


@pytest.mark.parametrize("step_s", [0.001, 0.04, 3.0])
@pytest.mark.parametrize("work_s", [6.0, 60.0])
def test_work_beside_jobs_takes_at_most_twice_its_time(
    step_s: float, work_s: float
) -> None:
    """And the patience that was had before anything was done."""
    host = Host((0.0, 1e9))
    gate = host.gate()
    took_s = host.work(gate, round(work_s / step_s), step_s)
    assert 30.0 < took_s <= 2 * work_s + 30.0 + 2 * WAIT_S
    assert gate.waited_s == pytest.approx(took_s - work_s)


def test_gate_has_patience_again_after_it_has_worked() -> None:
    """A backlog that takes long gives way to each of the jobs that come one by one."""
    host = Host((100.0, 125.0), (150.0, 175.0))
    gate = host.gate()
    assert host.work(gate, 4000, 0.05) == pytest.approx(250.0, abs=4 * WAIT_S)
    assert gate.waited_s == pytest.approx(50.0, abs=4 * WAIT_S)


def test_gate_looks_now_and_then() -> None:
    """However small the steps are: the look costs a uv that starts just then something."""
    host = Host((0.0, 1.0))
    host.work(host.gate(), 10_000, 0.0001)
    waits = [b - a for a, b in zip(host.asked_s, host.asked_s[1:], strict=False)]
    assert min(waits) >= LOOK_S


def test_open_gate_holds_up_nothing() -> None:
    """For promotions that somebody waits for."""
    gate = open_gate()
    gate.wait()
    assert gate.waited_s == 0
