"""Which build a wheel is of, and how long it took."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.ops.builds import (
    MAX_S,
    Build,
    encode_build_s,
    find_build_s,
    parse_build_s,
)


def test_wheel_is_of_the_build_that_ended_first_after_it() -> None:
    """As three that uv did at once: each has its own."""
    builds = [Build(1.759, 2.993), Build(1.800, 3.097), Build(1.971, 4.655)]

    assert [find_build_s(builds, named_s) for named_s in (2.986, 3.092, 4.635)] == [
        pytest.approx(1.227),
        pytest.approx(1.292),
        pytest.approx(2.664),
    ]


@pytest.mark.parametrize(
    ("builds", "named_s"),
    [
        ([], 5.0),
        ([Build(1.0, 4.9)], 5.0),
        ([Build(5.1, 6.0)], 5.0),
        ([Build(1.0, 11.0)], 5.0),
        ([Build(1.0, 5.01), Build(2.0, 5.02)], 5.0),
    ],
    ids=["none", "over before", "begun after", "over much later", "two at once"],
)
def test_time_that_is_not_sure_is_unknown(builds: list[Build], named_s: float) -> None:
    """Rather than wrong."""
    assert find_build_s(builds, named_s) is None


def test_two_that_came_and_went_together_are_as_one() -> None:
    """As those of one build that was asked for its metadata too."""
    builds = [Build(30.354, 30.690), Build(30.370, 30.683)]

    assert find_build_s(builds, 30.679) == pytest.approx(0.309)


@given(st.floats(0, MAX_S))
def test_time_survives_the_record(build_s: float) -> None:
    """To a tenth of a second."""
    assert parse_build_s(encode_build_s(build_s)) == pytest.approx(build_s, abs=0.051)


@pytest.mark.parametrize(
    "data", [None, b"", b"x", b"-1", b"nan", b"inf", b"1e9", b"1" * 99, b"\xff"]
)
def test_time_that_nobody_can_have_measured_is_unknown(data: bytes | None) -> None:
    """Whoever may write to the store wrote it."""
    assert parse_build_s(data) is None
