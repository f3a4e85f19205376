"""What holds the reading threads to the deadline and to the rate; the time is made up."""

import io

import pytest

from wheelferry.disk.clock import Deadline
from wheelferry.ops.intake import TRIAL_S, EndedError, Flow, Intake

MIB = 1 << 20


class FakeTime:
    """A clock that moves when someone sleeps, or a stream is read."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept_s: list[float] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


class Slow(io.BytesIO):
    """A stream whose every read takes some time."""

    def __init__(self, data: bytes, time: FakeTime, read_s: float) -> None:
        super().__init__(data)
        self._time = time
        self._read_s = read_s

    def read(self, size: int | None = -1, /) -> bytes:
        self._time.now_s += self._read_s
        return super().read(size)


@pytest.fixture
def time() -> FakeTime:
    """Begin at 100 s."""
    return FakeTime()


def make(time: FakeTime, end_s: float = 160.0, rate: int | None = None) -> Intake:
    """Return an intake on that clock."""
    return Intake(Deadline(end_s), rate, at_once=2, clock=time.clock, sleep=time.sleep)


def drain(flow: Flow, block_bytes: int = MIB) -> bytes:
    """Read all of a pack, as its reader does."""
    blocks = []
    while block := flow.read(block_bytes):
        blocks.append(block)
    return b"".join(blocks)


def test_rate_is_kept_over_all_that_is_read(time: FakeTime) -> None:
    """Two packs of 5 kB at 1 kB/s take 9 s, and come whole."""
    intake, data = make(time, rate=1000), bytes(range(250)) * 20
    for _ in range(2):
        with Flow(intake, io.BytesIO(data), len(data)) as flow:
            assert drain(flow) == data

    assert time.now_s - 100.0 == pytest.approx(9.0)
    assert max(time.slept_s) <= 1.0
    assert intake.read_bytes == 10_000


def test_reads_that_come_short_cost_what_they_bring(time: FakeTime) -> None:
    """A store that gives 100 bytes at a time is not slowed down more than others."""

    class Short(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(100, size or 0))

    intake = make(time, rate=1000)
    with Flow(intake, Short(bytes(3000)), 3000) as flow:
        assert len(drain(flow)) == 3000

    assert time.now_s - 100.0 == pytest.approx(2.0, abs=1.0)


def test_without_a_rate_nobody_sleeps(time: FakeTime) -> None:
    """And a block is as large as it was asked for."""
    flow = Flow(make(time), io.BytesIO(bytes(3 * MIB)), 3 * MIB)

    assert len(flow.read(2 * MIB)) == 2 * MIB
    assert time.slept_s == []


def test_nobody_sleeps_beyond_the_deadline(time: FakeTime) -> None:
    """At 10 bytes/s the deadline is 2.5 s off: 30 bytes come, and nobody waits for more."""
    intake = make(time, end_s=102.5, rate=10)
    flow = Flow(intake, io.BytesIO(bytes(100)), 100)
    with pytest.raises(EndedError, match=r"pull\.limit_rate"):
        drain(flow)

    assert intake.read_bytes == 30
    assert time.now_s <= 102.5


def test_read_ends_at_the_deadline(time: FakeTime) -> None:
    """The block after it is not asked for."""
    intake = make(time, end_s=103.0)
    stream = Slow(bytes(10 * MIB), time, read_s=1.0)
    with pytest.raises(EndedError, match="the deadline came"):
        drain(Flow(intake, stream, 10 * MIB))

    assert stream.tell() == 3 * MIB


def test_pack_whose_last_block_came_in_time_is_whole(time: FakeTime) -> None:
    """To see that there is no more after it needs neither time nor budget."""
    intake = make(time, end_s=103.0, rate=4 * MIB)
    with Flow(intake, Slow(bytes(3 * MIB), time, read_s=1.0), 3 * MIB) as flow:
        assert len(drain(flow)) == 3 * MIB

    assert time.now_s >= 103.0


def test_nothing_is_begun_after_the_deadline(time: FakeTime) -> None:
    """Not even a small pack."""
    assert make(time, end_s=100.0).refuse(1) == "the deadline came first"
    assert make(time, end_s=100.1).refuse(1) == ""


def test_pack_that_would_come_too_late_is_not_begun(time: FakeTime) -> None:
    """After 4 MiB took 4 s, 50 s are enough for 50 MiB."""
    intake = make(time, end_s=154.0)
    assert intake.refuse(1 << 40) == ""
    with Flow(intake, Slow(bytes(4 * MIB), time, read_s=0.8), 4 * MIB) as flow:
        drain(flow)

    assert time.now_s == pytest.approx(104.0)
    assert intake.refuse(50 * MIB) == ""
    assert intake.refuse(51 * MIB) == (
        f"its pack of {51 * MIB} bytes would not arrive before the deadline"
    )


def test_pack_that_proves_too_slow_is_given_up(time: FakeTime) -> None:
    """At 1 MiB/s, or twice that alone, 200 MiB are not there in a minute."""
    intake = make(time)
    stream = Slow(bytes(8 * MIB), time, read_s=1.0)
    with (
        pytest.raises(EndedError, match="too slowly"),
        Flow(intake, stream, 200 * MIB) as flow,
    ):
        drain(flow)

    assert time.now_s - 100.0 == TRIAL_S
    assert intake.refuse(100 * MIB) != ""


def test_pack_that_may_still_arrive_is_not_given_up(time: FakeTime) -> None:
    """Of two at a time, each may become twice as fast."""
    flow = Flow(make(time), Slow(bytes(8 * MIB), time, read_s=1.0), 100 * MIB)

    assert len(drain(flow)) == 8 * MIB


def test_close_ends_what_is_read(time: FakeTime) -> None:
    """At its next block."""
    intake = make(time)
    flow = Flow(intake, io.BytesIO(bytes(MIB)), MIB)
    flow.read(1)
    intake.close()
    with pytest.raises(EndedError):
        flow.read(1)
