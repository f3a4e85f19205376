"""Which jobs a fleet's scenarios have."""

from benchmarks.fleet.inputs import Lock
from benchmarks.fleet.names import Scenario
from benchmarks.fleet.scenarios import plan


def test_plan_has_all_scenarios() -> None:
    """A cold fleet has a share of its own; all others build on one warm share."""
    cold, warm = plan(set(Scenario), runners=4, jobs=2)

    assert [(s.scenario, list(s.runners)) for s in cold] == [
        (Scenario.COLD, [0, 1, 2, 3])
    ]
    assert [(s.scenario, list(s.runners), s.lock) for s in warm] == [
        (Scenario.WARM, [0], Lock.BASE),
        (Scenario.WARM, [1, 2, 3], Lock.BASE),
        (Scenario.NOTHING, [0], Lock.BASE),
        (Scenario.NOTHING, [0], Lock.BASE),
        (Scenario.JOINS, [3], Lock.BASE),
        (Scenario.BUMP, [0], Lock.BUMPED),
        (Scenario.BUMP, [3], Lock.BUMPED),
        (Scenario.ADDED, [0], Lock.ADDED),
        (Scenario.ADDED, [3], Lock.ADDED),
    ]
    assert [s.scenario for s in warm if s.has_new_disks] == [Scenario.JOINS]


def test_plan_makes_ready_what_is_not_measured() -> None:
    """A new runner needs a warm share, a changed lock needs two warm runners."""
    [joins] = plan({Scenario.JOINS}, runners=2, jobs=1)
    [added] = plan({Scenario.ADDED}, runners=2, jobs=1)

    assert [(s.scenario, s.is_measured) for s in joins] == [
        (Scenario.WARM, False),
        (Scenario.JOINS, True),
    ]
    assert [(s.scenario, list(s.runners), s.is_measured) for s in added] == [
        (Scenario.WARM, [0], False),
        (Scenario.JOINS, [1], False),
        (Scenario.ADDED, [0], True),
        (Scenario.ADDED, [1], True),
    ]


def test_plan_has_nothing_to_do_without_scenarios() -> None:
    """A way that is for none of those wanted needs no share."""
    assert plan(set(), runners=2, jobs=1) == []
