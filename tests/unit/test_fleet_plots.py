"""What is drawn of a fleet's samples; that it is drawn, `tests/fs` sees."""

from dataclasses import replace

from benchmarks.fleet.group import make_sites
from benchmarks.fleet.names import Scenario, Way
from benchmarks.fleet.plots import Bar, make_bars
from tests.support.jobs import BLANK


def test_bars_are_multiples_within_rounds() -> None:
    """A round on a slow machine, in which the floor was measured too, draws no longer bar."""
    samples = [
        replace(BLANK, way=way, round=number, before_s=before_s, sync_s=sync_s)
        for way, number, before_s, sync_s in (
            (Way.FLOOR, 0, 1.0, 1.0),
            (Way.FLOOR, 1, 30.0, 10.0),
            (Way.WHOLE, 0, 2.0, 1.0),
            (Way.RSYNC, 1, 60.0, 20.0),
            (Way.TAR, 2, 1.0, 1.0),
        )
    ]
    [site] = make_sites(samples)

    floor, ours, rsync = make_bars(site.case(Scenario.JOINS))

    assert floor == Bar(Way.FLOOR, times=1.0, synced=0.5, ready_s=2.0)
    assert ours == Bar(Way.WHOLE, times=1.5, synced=1 / 3, ready_s=3.0)
    assert rsync == Bar(Way.RSYNC, times=2.0, synced=0.25, ready_s=80.0)
    assert make_bars(site.case(Scenario.COLD)) == []
