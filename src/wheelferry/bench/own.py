"""A store of our own, where the real one lacks what a job needs: with the local entries.

Promoted by the real code into the folder on the share.  The runner's cache is only read.
"""

from dataclasses import replace

from wheelferry.bench.course import Course
from wheelferry.bench.pulling import Fetched, measure_pull, open_fresh
from wheelferry.bench.sample import choose_within
from wheelferry.errors import DeadlinePassed
from wheelferry.ops.promote import apply_promote
from wheelferry.ops.promote_plan import PromotePlan, plan_promote
from wheelferry.store.isolated import IsolatedStore


def measure_own(course: Course, max_bytes: int) -> Fetched | None:
    """Promote what the cache has of the job's packages, then measure pulls of it.

    None if the cache has nothing of it.

    Args:
        course: The run.
        max_bytes: That may be promoted, unpacked: packs are smaller as a rule.
    """
    path, store_id = course.yard.ask("make_store")
    with course.open_other(path) as store:
        if not _promote(course, store, store_id, max_bytes):
            return None
        return measure_pull(course, store, store_id, source="cache", least=1)


def _promote(
    course: Course, store: IsolatedStore, store_id: str, max_bytes: int
) -> int:
    """Return how many entries were promoted."""
    store.open(expected_id=store_id)
    with open_fresh(course, course.work / "own", store, store_id) as fresh:
        tiers = fresh._replace(cache=course.tiers.cache)
        plan = _narrow(course, plan_promote(tiers, course.rules), max_bytes)
        report = apply_promote(
            tiers,
            plan,
            rate_bytes_s=course.bounds.write_rate_bytes_s,
            until=course.bounds.until,
        )
        late = isinstance(report.stopped_by, DeadlinePassed)
        if report.stopped_by is not None and not (late and report.promoted):
            raise report.stopped_by
        return len(report.promoted)


def _narrow(course: Course, plan: PromotePlan, max_bytes: int) -> PromotePlan:
    demand = course.target.demand
    names = demand.names if demand is not None else frozenset[str]()
    needed = [c for c in plan.candidates if c.entry.info.name in names]
    sizes = [(str(number), c.tree_bytes) for number, c in enumerate(needed)]
    chosen = [needed[int(number)] for number in choose_within(sizes, max_bytes)]
    return replace(plan, candidates=tuple(chosen))
