"""Figures as msgpack has them, and what is refused of others'."""

from dataclasses import fields

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.errors import RecordMalformed
from wheelferry.ops.figures import Day, PackageSums, Sums
from wheelferry.ops.figures_map import (
    DAY_PACKAGES,
    MAX_DAYS,
    MAX_PACKAGES,
    bound_days,
    decode_figures,
    encode_days,
    encode_figures,
)

numbers = st.integers(0, 1 << 50)
seconds = st.floats(0, 1e9)


def values(cls: type) -> dict[str, st.SearchStrategy[float]]:
    return {
        field.name: seconds if field.name.endswith("_s") else numbers
        for field in fields(cls)
        if field.name != "name"
    }


names = st.text("abc-", min_size=1, max_size=9)
packages = st.lists(
    st.builds(PackageSums, name=names, **values(PackageSums)),
    max_size=3,
    unique_by=lambda package: package.name,
).map(lambda found: tuple(sorted(found, key=lambda package: package.name)))
days = st.lists(
    st.builds(
        Day,
        day=st.integers(0, 99_999),
        sums=st.builds(Sums, **values(Sums)),
        packages=packages,
    ),
    max_size=3,
    unique_by=lambda day: day.day,
).map(lambda found: tuple(sorted(found, key=lambda day: day.day)))


@given(days)
def test_figures_survive_encoding(days: tuple[Day, ...]) -> None:
    """What is written is what is read."""
    assert decode_figures(encode_figures(days), "x") == days


def test_runner_that_did_nothing_has_no_figures() -> None:
    """So says a file without them."""
    assert decode_figures(b"", "x") == ()


def test_figures_are_bounded() -> None:
    """The latest days are kept, and the largest packages of these."""
    many = [
        Day(
            day=number,
            packages=tuple(
                PackageSums(name=f"p{n}", pulled_bytes=n) for n in range(60)
            ),
        )
        for number in range(MAX_DAYS + 9)
    ]
    kept = bound_days(many)

    assert len(kept) == MAX_DAYS
    assert kept[-1].day == MAX_DAYS + 8
    assert len(kept[-1].packages) == DAY_PACKAGES
    assert min(p.pulled_bytes for p in kept[-1].packages) == 10
    assert sum(len(day.packages) for day in kept) == MAX_PACKAGES
    assert kept[0].packages == ()
    assert len(encode_figures(many)) < 200_000
    assert decode_figures(encode_figures(many), "x") == kept


def change(at: tuple[int, ...], value: object) -> bytes:
    """Return good figures with one value changed."""
    good = Day(day=5, packages=(PackageSums(name="a"),))
    whole: object = encode_days([good])
    inner = whole
    for index in at[:-1]:
        inner = inner[index]  # type: ignore[index]
    inner[at[-1]] = value  # type: ignore[index]
    data: bytes = msgpack.packb(whole)
    return data


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",
        msgpack.packb({}),
        msgpack.packb([[5, []]]),
        msgpack.packb([0] * (MAX_DAYS + 1)),
        change((0, 0), -1),
        change((0, 0), 1 << 40),
        change((0, 0), "5"),
        change((0, 1, 0), -1),
        change((0, 1, 0), 1 << 60),
        change((0, 1, 0), 0.5),
        change((0, 1, 0), True),
        change((0, 1, 2), float("nan")),
        change((0, 1, 2), float("inf")),
        change((0, 1, 2), -1.0),
        change((0, 1, 2), "1"),
        change((0, 1), [0]),
        change((0, 2), [["a"]] * (DAY_PACKAGES + 1)),
        change((0, 2, 0), []),
        change((0, 2, 0, 0), 7),
        change((0, 2, 0, 0), "a\x1b[2J"),
        change((0, 2, 0, 0), "a" * 999),
    ],
)
def test_figures_that_are_hostile_are_refused(data: bytes) -> None:
    """Whoever may write to the store wrote them."""
    with pytest.raises(RecordMalformed, match=r"^x: "):
        decode_figures(data, "x")
