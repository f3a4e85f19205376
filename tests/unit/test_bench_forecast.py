"""A fleet's day, worked out; all numbers here were computed by hand."""

import pytest

from wheelferry.bench.forecast import FREE, UNKNOWN, Cost, Fleet, Name, Way, forecast

WAY = Way(
    Name.WHEELFERRY,
    fresh=Cost(index_bytes=0, share_bytes=1000, rpcs=100, seconds=2.0),
    again=Cost(index_bytes=0, share_bytes=0, rpcs=5, seconds=0.1),
    publish=Cost(index_bytes=30, share_bytes=20),
    follow=Cost(index_bytes=0, share_bytes=20, rpcs=3, seconds=0.5),
)


@pytest.mark.parametrize(
    ("fleet", "day"),
    [
        # 20 jobs with a full cache; 2 x (publish + 4 x follow)
        (Fleet(4, 5, 2, 0.0), Cost(60, 200, 20 * 5 + 24, 20 * 0.1 + 4.0)),
        # 20 jobs with an empty one; 2 x publish, and nobody who keeps a cache follows
        (Fleet(4, 5, 2, 1.0), Cost(60, 20_040, 2000, 40.0)),
        # 5 empty, 15 full; 2 x (publish + 3 x follow)
        (Fleet(4, 5, 2, 0.25), Cost(60, 5160, 500 + 75 + 18, 10 + 1.5 + 3)),
        (Fleet(4, 5, 0, 0.0), Cost(0, 0, 100, 2.0)),
        (Fleet(1, 0, 0, 1.0), FREE),
    ],
)
def test_day_is_the_sum_of_its_events(fleet: Fleet, day: Cost) -> None:
    """Jobs with an empty cache, jobs with a full one, and changes of the lock."""
    assert tuple(forecast(WAY, fleet)) == pytest.approx(tuple(day))


def test_unknown_cost_is_unknown_only_where_it_is_paid() -> None:
    """Nobody says what 20 times something unknown is; 0 times it is nothing."""
    way = WAY._replace(fresh=UNKNOWN)
    assert forecast(way, Fleet(4, 5, 0, 0.0)) == Cost(0, 0, 100, 2.0)
    assert forecast(way, Fleet(4, 5, 0, 0.5)) == UNKNOWN


def test_one_unknown_part_leaves_the_others_known() -> None:
    """Where no kernel counts RPCs, bytes and times can be told all the same."""
    way = WAY._replace(again=WAY.again._replace(rpcs=None))
    assert forecast(way, Fleet(1, 10, 0, 0.0)) == Cost(0, 0, None, 1.0)
