"""Runners on a store in memory, whose work takes steps that a test puts into an order."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.disks import CountingDisk
from tests.support.machines import MACHINE
from wheelferry.disk.clock import Deadline
from wheelferry.events import discard
from wheelferry.ops.gc import apply_gc, find_content, plan_gc
from wheelferry.ops.gc_plan import Budget
from wheelferry.ops.promote import apply_promote, plan_promote
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import VIEW, Tiers
from wheelferry.store.base import Store
from wheelferry.store.view import View

DAY_S = 24 * 3600
BUDGET = Budget(max_age_s=90 * DAY_S)


@contextmanager
def tiers_of(root: Path, store: Store, runner: str) -> Iterator[Tiers]:
    """Open a runner's tiers, with a view that knows nothing yet."""
    state = root / f"{runner}.wheelferry"
    for path in state.glob("view*"):
        path.unlink()
    disk = CountingDisk()
    with View.open(state / VIEW, store_id="a" * 32, disk=disk) as view:
        yield Tiers(
            cache=root / runner,
            state=state,
            store=store,
            store_id="a" * 32,
            view=view,
            runner=runner,
            machine=MACHINE,
            disk=disk,
            emit=discard,
            now=lambda: 0.0,
            deadline=Deadline.never(),
        )


def promote(root: Path, store: Store, runner: str) -> int:
    """Promote what the runner has; return how many entries that were."""
    with tiers_of(root, store, runner) as tiers:
        report = apply_promote(tiers, plan_promote(tiers, Rules()))
    assert report.stopped_by is None
    return len(report.promoted)


def collect(root: Path, store: Store, runner: str, budget: Budget = BUDGET) -> None:
    """Remove what is too old."""
    with tiers_of(root, store, runner) as tiers:
        report = apply_gc(tiers, plan_gc(find_content(tiers), budget))
    assert report.stopped_by is None
