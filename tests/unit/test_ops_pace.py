"""How fast packs may come, and how fast they do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.ops.pace import BURST_BYTES, SAMPLE_BYTES, SAMPLE_S, Bucket, Pace

MIB = 1 << 20


def test_bucket_lets_one_burst_through_and_then_the_rate() -> None:
    """The second burst waits until the first would have flowed."""
    bucket = Bucket.full(1000, 5.0)
    bucket, first_s = bucket.take(1000, 5.0)
    bucket, second_s = bucket.take(500, 5.0)
    bucket, third_s = bucket.take(500, 5.5)

    assert (first_s, second_s, third_s) == (0.0, 0.5, 0.5)


def test_bucket_is_never_fuller_than_a_burst() -> None:
    """An idle hour does not allow more at one time than a second's worth."""
    bucket, _ = Bucket.full(1000, 0.0).take(1000, 3600.0)

    assert bucket.take(1000, 3600.0)[1] == 1.0


def test_bucket_takes_back_what_was_not_used() -> None:
    """A read that came short costs what it brought."""
    bucket, _ = Bucket.full(1000, 0.0).take(1000, 0.0)
    bucket, _ = bucket.take(-400, 0.0)

    assert bucket.take(400, 0.0)[1] == 0.0
    assert bucket.take(401, 0.0)[1] > 0.0


def test_burst_is_a_mebibyte_or_a_second() -> None:
    """Whichever is less."""
    assert Bucket.full(1000, 0.0).burst_bytes == 1000
    assert Bucket.full(1 << 30, 0.0).burst_bytes == BURST_BYTES


@given(
    st.integers(1, 1 << 24),
    st.lists(st.tuples(st.integers(1, 1 << 20), st.floats(0, 3)), min_size=1),
)
def test_bucket_never_lets_more_flow_than_its_rate(rate, reads) -> None:
    """Whenever they come, reads that wait as told stay within rate and one burst."""
    bucket, now_s, total_bytes = Bucket.full(rate, 0.0), 0.0, 0
    for size_bytes, idle_s in reads:
        now_s += idle_s
        bucket, wait_s = bucket.take(size_bytes, now_s)
        total_bytes += size_bytes

        flows_at_s = now_s + wait_s
        assert total_bytes <= bucket.burst_bytes + rate * flows_at_s * (1 + 1e-9) + 1


def test_first_pack_is_always_tried() -> None:
    """As long as nothing is known, everything arrives."""
    assert Pace().arrives(1 << 40, 0.1)


def test_pack_that_would_take_too_long_does_not_arrive() -> None:
    """At 10 MiB in 2 s, 20 MiB take 4 s."""
    pace = Pace().after(10 * MIB, 2.0)

    assert pace.arrives(20 * MIB, 4.0)
    assert not pace.arrives(20 * MIB, 3.9)
    assert pace.arrives(1 << 60, float("inf"))


def test_pace_is_that_of_all_reads() -> None:
    """One slow read is not all that counts."""
    pace = Pace().after(10 * MIB, 1.0).after(2 * MIB, 5.0)

    assert pace.arrives(12 * MIB, 6.0)
    assert not pace.arrives(12 * MIB, 5.9)


@pytest.mark.parametrize(
    ("size_bytes", "seconds", "counts"),
    [
        (SAMPLE_BYTES - 1, SAMPLE_S / 2, False),
        (SAMPLE_BYTES, SAMPLE_S / 2, True),
        (1, SAMPLE_S, True),
    ],
)
def test_small_quick_reads_say_nothing(size_bytes, seconds, counts) -> None:
    """20 KB in 10 ms are a round trip; they must not keep a large pack from being tried."""
    assert (Pace().after(size_bytes, seconds) != Pace()) is counts
