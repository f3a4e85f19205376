"""Report: what an admin wants to see of a store, on one page.

gather: the same as for a gc, and what runners say that they did.  plan: `report_plan`.
What comes of it is rendered elsewhere; nothing is changed.
"""

from wheelferry import __version__
from wheelferry.ops.figures import RunnerFigures
from wheelferry.ops.figures_file import read_ledger
from wheelferry.ops.fleet import read_fleet
from wheelferry.ops.gc import find_content
from wheelferry.ops.gc_plan import Budget, plan_gc
from wheelferry.ops.report_plan import Place, Report, plan_report
from wheelferry.ops.tiers import Tiers


def read_report(tiers: Tiers, budget: Budget) -> Report:
    """Read what a page is to show; changes nothing.

    Costs what `find_content` does: a listing of all directories of the store.

    Args:
        tiers: Where from.
        budget: What the store may be.

    Raises:
        CacheError: Another process keeps the view busy.
        StoreError: The store cannot be read.
    """
    plan = plan_gc(find_content(tiers), budget)
    return plan_report(
        Place(
            store=tiers.store.location,
            store_id=tiers.store_id,
            runner=tiers.runner,
            version=__version__,
        ),
        tiers.view.totals(),
        plan,
        names={pack.digest: pack.name for pack in tiers.view.packs()},
        formats=tiers.view.count_by_format(),
        figures=[*read_fleet(tiers.store), _own(tiers)],
    )


def _own(tiers: Tiers) -> RunnerFigures:
    """Return what this runner has not told the store yet: it does so once a day."""
    unsent = read_ledger(tiers.state, tiers.emit).unsent
    return RunnerFigures(runner=tiers.runner, days=unsent)
