"""What runners carried, saved and cost, in sum."""

from wheelferry.ops.figures import (
    Day,
    PackageSums,
    RunnerFigures,
    Sums,
    merge_days,
    summarize,
)


def make_day(day: int, *packages: PackageSums, **sums: float) -> Day:
    return Day(day=day, sums=Sums(**sums), packages=packages)  # type: ignore[arg-type]


def test_sums_of_several_runners_are_by_day_by_runner_and_by_package() -> None:
    """Each run counts once in each of the three."""
    a = PackageSums(name="a", pulled=1, pulled_bytes=5, build_s=2.0, longest_s=2.0)
    b = PackageSums(name="b", pulled=2, pulled_bytes=9, avoided_bytes=4)
    one = RunnerFigures(
        runner="one", days=(make_day(7, a, pulled=1), make_day(8, b, pulled=2))
    )
    two = RunnerFigures(runner="two", days=(make_day(8, a, pulled=1),))

    found = summarize([two, one])

    assert found.total == Sums(pulled=4)
    assert [(day.day, day.sums.pulled) for day in found.days] == [(7, 1), (8, 3)]
    assert [(r.runner, r.sums.pulled, r.last_day) for r in found.runners] == [
        ("one", 3, 8),
        ("two", 1, 8),
    ]
    assert [p.name for p in found.largest(1)] == ["a"]
    assert [p.name for p in found.most_avoided(9)] == ["b"]
    ((slowest),) = found.slowest(9)
    assert (slowest.build_s, slowest.longest_s) == (4.0, 2.0)


def test_days_before_the_first_that_counts_are_left_out() -> None:
    """So is a runner that has no other."""
    old = RunnerFigures(runner="old", days=(make_day(1, pulls=9),))
    new = RunnerFigures(runner="new", days=(make_day(1, pulls=9), make_day(3, pulls=1)))

    found = summarize([old, new], since_day=2)

    assert (found.total.pulls, [r.runner for r in found.runners]) == (1, ["new"])


def test_clones_of_one_name_are_one_runner() -> None:
    """Their sums add up."""
    clone = RunnerFigures(runner="r", days=(make_day(1, pulls=1),))

    assert [r.sums.pulls for r in summarize([clone, clone]).runners] == [2]


def test_net_is_a_loss_where_carrying_cost_more() -> None:
    """What is not known is in neither."""
    sums = Sums(
        avoided_bytes=10, pulled_bytes=7, promoted_bytes=5, build_s=3.0, waited_s=4.0
    )

    assert (sums.net_bytes, sums.net_s, sums.is_complete) == (-2, -1.0, True)
    assert not Sums(untimed=1).is_complete
    assert not Sums(unsized=1).is_complete


def test_days_are_merged_in_order() -> None:
    """One for each, the oldest first."""
    assert merge_days([make_day(2, pulls=1), make_day(1), make_day(2, pulls=2)]) == (
        make_day(1),
        make_day(2, pulls=3),
    )
