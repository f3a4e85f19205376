"""Pull: what the store has and the cache lacks comes into the cache.

gather and plan: `pull_plan`.  apply: `restoration`.

It runs before every job and mostly has nothing to do, so what it imports is counted.
Values that it always needs are named tuples: to define a frozen dataclass takes 1 ms.
"""

from wheelferry.ops.local import sweep_staging
from wheelferry.ops.pull_plan import PullPlan, PullReport, plan_pull
from wheelferry.ops.tiers import Tiers
from wheelferry.ops.usage import note_usage

__all__ = ["PullPlan", "PullReport", "apply_pull", "plan_pull"]


def apply_pull(tiers: Tiers, plan: PullPlan) -> PullReport:
    """Carry a plan out; what cannot be restored is reported, and the rest goes on.

    When the store fails, what was read until then is published and the report says so.

    Raises CacheError: the cache cannot be written, or stayed locked.
    """
    report = PullReport()
    if plan.wanted:
        # Most pulls have nothing to do, and need not load what restores.
        from wheelferry.ops.restoration import restore  # noqa: PLC0415

        restore(tiers, plan, report)
    else:
        sweep_staging(tiers.staging, tiers.disk)
    if report.stopped_by is None:
        note_usage(tiers, (*plan.held, *(record.pack for record in report.restored)))
    return report
