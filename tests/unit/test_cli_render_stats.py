"""Figures for people: what is unknown is said to be, and so is a loss."""

import json

import pytest

from wheelferry.cli.render_stats import encode_summary, render_summary
from wheelferry.ops.figures import (
    Day,
    PackageSums,
    RunnerFigures,
    Summary,
    Sums,
    summarize,
)

MIB = 1 << 20


def summary(*packages: PackageSums, **sums: float) -> Summary:
    day = Day(day=20_785, sums=Sums(**sums), packages=packages)  # type: ignore[arg-type]
    return summarize([RunnerFigures(runner="r1", days=(day,))])


def render(*packages: PackageSums, **sums: float) -> str:
    return render_summary(summary(*packages, **sums), "this runner", top=5)


def test_gain_is_told_with_what_it_is_made_of() -> None:
    """Bytes and seconds each by themselves."""
    text = render(
        pulls=3,
        pulled=2,
        pulled_bytes=10 * MIB,
        avoided_bytes=30 * MIB,
        builds=2,
        build_s=90.0,
        waited_s=30.0,
    )

    assert text.startswith("this runner, 2026-11-28\n")
    assert "2 entries, 10 MiB from the store, in 3 pulls\n" in text
    assert "2 avoided: 1 min 30 s\n" in text
    assert "20 MiB saved: what an index did not send" in text
    assert "1 min 00 s saved: builds that were avoided" in text
    assert "unknown" not in text.replace("downloads is unknown", "")


def test_loss_is_called_one() -> None:
    """In words, and not only by a sign."""
    text = render(pulls=1, promoted_bytes=MIB, waited_s=2.0)

    assert "a loss of 1.0 MiB: more went to and from the store" in text
    assert "a loss of 2.0 s as far as times are known" in text


def test_unknown_build_time_is_never_nothing() -> None:
    """All of it, or that of some."""
    none = render(builds=2, untimed=2)
    some = render(builds=3, untimed=2, build_s=5.0)

    assert "2 avoided: how long they take is unknown\n" in none
    assert "3 avoided: 5.0 s for 1 of them, unknown for 2\n" in some
    assert "the time of downloads and of 2 builds is unknown" in some


def test_unknown_size_is_never_nothing() -> None:
    """Of a file in an index."""
    text = render(PackageSums(name="a", pulled=1, pulled_bytes=1, unsized=1), unsized=1)

    assert "the size of 1 more file is unknown" in text
    assert "saved as far as sizes are known" in text
    assert text.splitlines()[-1].split() == ["a", "1", "1", "B", "unknown", "0", "-"]


def test_what_was_pulled_ahead_is_told_apart() -> None:
    """Nobody knows yet whether a job uses it."""
    text = render(avoided_bytes=3 * MIB, ahead_bytes=2 * MIB)

    assert "(2.0 MiB of it pulled ahead: avoided if jobs use it)" in text


def test_packages_are_named_by_size_and_by_savings() -> None:
    """Each table has its own order."""
    text = render(
        PackageSums(name="big", pulled=1, pulled_bytes=9, avoided_bytes=1),
        PackageSums(
            name="slow",
            pulled=2,
            pulled_bytes=1,
            avoided_bytes=2,
            builds=2,
            build_s=4.0,
        ),
        pulled=3,
    )
    rows = [line.split()[0] for line in text.splitlines() if line[:3] in ("big", "slo")]

    assert rows == ["big", "slow", "slow", "big", "slow"]


def test_runner_that_did_nothing_says_so() -> None:
    """Rather than a table of zeros."""
    text = render_summary(summarize([]), "this runner", top=5)

    assert text == "this runner: nothing is noted of this time"


@pytest.mark.parametrize(("untimed", "expected"), [(0, 3.0), (1, 3.0), (2, None)])
def test_json_has_no_number_for_what_is_unknown(
    untimed: int, expected: float | None
) -> None:
    """0 would be a lie to whoever adds it up."""
    found = json.loads(
        json.dumps(
            encode_summary(summary(builds=2, build_s=3.0, untimed=untimed), top=1)
        )
    )

    assert (found["build_s"], found["is_complete"]) == (expected, untimed == 0)
    assert found["days"][0]["build_s"] == expected
