"""Pull: what the store has and the cache lacks comes into the cache.

gather and plan: `pull_plan`.  apply: `restoration`.

It runs before every job and mostly has nothing to do, so what it imports is counted.
Values that it always needs are named tuples: to define a frozen dataclass takes 1 ms.
"""

from collections.abc import Iterator, Mapping, Sequence

from wheelferry.ops.ledger import Run, note_run
from wheelferry.ops.limits import NO_LIMITS, Limits
from wheelferry.ops.local import sweep_staging
from wheelferry.ops.pull_plan import PullPlan, PullReport, compare, plan_pull
from wheelferry.ops.tiers import Tiers
from wheelferry.ops.usage import is_usage_due, note_usage
from wheelferry.store.record import Digest

__all__ = ["Limits", "PullPlan", "PullReport", "apply_pull", "plan_pull"]


def apply_pull(
    tiers: Tiers,
    plan: PullPlan,
    limits: Limits = NO_LIMITS,
    *,
    run: Run | None = None,
) -> PullReport:
    """Carry a plan out; what cannot be restored is reported, and the rest goes on.

    When the store fails, or the tiers' deadline comes, what was read until then is
    published and the report says so.  Of `limits` only the rate matters here: the plan
    is within the others already.  With `run`, it is in the figures.

    Raises CacheError: the cache cannot be written, or stayed locked.
    """
    report = PullReport()
    if plan.wanted:
        # Most pulls have nothing to do, and need not load what restores.
        from wheelferry.ops.restoration import restore  # noqa: PLC0415

        restore(tiers, plan, limits, report)
    else:
        sweep_staging(tiers.staging, tiers.disk)
    if plan.past is not None or report.restored:
        from wheelferry.ops.past import note  # noqa: PLC0415

        held = plan.held if plan.past is not None else ()
        note(
            tiers,
            plan.past,
            (record.identity for record in held),
            added=(record.identity for record in report.restored),
        )
    if run is not None:
        _note_run(tiers, run, plan, report)
    if report.stopped_by is None and is_usage_due(tiers):
        note_usage(tiers, _held_packs(tiers, plan, report))
    return report


def _note_run(tiers: Tiers, run: Run, plan: PullPlan, report: PullReport) -> None:
    sums: dict[str, float] = {"pulls": 1}
    packages: Sequence[Mapping[str, object]] = ()
    if report.stopped_by is not None:
        sums["failed"] = 1
    if plan.served is not None:
        sums["reused"] = len(plan.held)
        sums["reused_bytes"] = sum(record.size_bytes or 0 for record in plan.held)
    if report.restored:
        from wheelferry.ops.savings import count_restored  # noqa: PLC0415

        restored, packages = count_restored(plan, report)
        sums.update(restored)
    note_run(tiers.state, run, sums, packages, now_s=tiers.now(), disk=tiers.disk)


def _held_packs(tiers: Tiers, plan: PullPlan, report: PullReport) -> Iterator[Digest]:
    """Yield the packs that the cache holds; begun only where that is to be written."""
    held = (*plan.held, *report.restored)
    if plan.served is not None and plan.scope is not None:
        # What one job needs is not all that the cache has.
        held = compare(tiers, plan.scope.rules, plan.scope.format_ids).held
    for record in held:
        yield record.pack
