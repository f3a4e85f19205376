"""How many RPCs the runs before and after a job may cost; counts are firm on NFS."""

from tests.nfs.budget import Counted, count_everyday, count_large_catalog
from tests.nfs.conftest import NewFleet


def _show(counted: Counted) -> str:
    return (
        f"\n{counted.scenario}: budget {counted.budget} = {counted.formula}\n"
        f"  ours:  {counted.ours}\n  floor: {counted.floor}"
    )


def _judge(counts: list[Counted]) -> None:
    text = "".join(map(_show, counts))
    print(text)
    over = [c.scenario for c in counts if c.ours.rpcs > c.budget]
    assert not over, f"over budget: {over}{text}"
    locks = [c.scenario for c in counts if c.ours.locks]
    assert not locks, f"locks on the share: {locks}{text}"


def test_everyday_runs_keep_to_their_budgets(new_fleet: NewFleet) -> None:
    """Pulls and promotions of nothing, one entry and twenty cost a handful of RPCs each."""
    counts = count_everyday(new_fleet(runners=3))

    assert len(counts) == 7
    _judge(counts)


def test_large_catalog_costs_a_pull_nothing_more(new_fleet: NewFleet) -> None:
    """With 500 segments and 100,000 records, a pull with nothing new costs the same."""
    counts = count_large_catalog(new_fleet(runners=3))

    assert len(counts) == 2
    _judge(counts)
