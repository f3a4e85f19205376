"""Pull what a job needs into a throw-away cache: by the real code, from the real packs.

The runner's own cache and view are not touched, and nothing is written to the store: what
`pull` notes there of this runner's use would be of a cache that is gone in a minute.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from wheelferry.bench.course import Course
from wheelferry.bench.facts import Pulled, Spent
from wheelferry.bench.job import weigh
from wheelferry.bench.trees import list_files
from wheelferry.disk.clock import monotonic_s
from wheelferry.errors import CacheError
from wheelferry.events import discard
from wheelferry.ops.limits import Limits
from wheelferry.ops.packages import State, by_package
from wheelferry.ops.pull_plan import PullPlan, PullReport, plan_pull
from wheelferry.ops.restoration import restore
from wheelferry.ops.tiers import VIEW, Tiers
from wheelferry.store.isolated import IsolatedStore
from wheelferry.store.view import View

ENOUGH = 0.5
"""Of the packages that a job needs, or of their files, the part that stands for all."""

ROOM = 3
"""How often the trees are on this machine's disk at one time: the pull, and two rivals."""

_WHOLE = 0.95


class Fetched(NamedTuple):
    """What a pull was, and where its cache is."""

    pulled: Pulled
    plan: PullPlan
    cache: Path


@contextmanager
def open_fresh(
    course: Course, root: Path, store: IsolatedStore, store_id: str
) -> Iterator[Tiers]:
    """Open a runner's tiers that has nothing yet; below `root`."""
    tiers = course.tiers
    tiers.disk.make_dirs(root / "state")
    with View.open(root / "state" / VIEW, store_id=store_id, disk=tiers.disk) as view:
        yield tiers._replace(
            cache=root / "cache",
            state=root / "state",
            store=store,
            store_id=store_id,
            view=view,
            emit=discard,
            deadline=course.bounds.until,
        )


def measure_pull(
    course: Course, store: IsolatedStore, store_id: str, *, source: str, least: int
) -> Fetched | None:
    """Pull into an empty cache, then once more; raises what a pull raises.

    Args:
        course: The run.
        store: Where from; a `Yard`.
        store_id: Its id.
        source: Whence it has its packs, for the report.
        least: With fewer packages than so many nothing is pulled, and None returned.

    Raises:
        CacheError: There is too little room on this machine.
        DeadlinePassed: It was not done in time.
    """
    root, plan, report = course.work / "0", PullPlan((), (), (), ()), PullReport()
    fresh = Spent(0.0, 0, None)
    # What this runner has read or written before, its kernel still has: then once more,
    # without.  Where nobody counts that cannot be seen.
    for attempt in range(2):
        root = course.work / str(attempt)
        with open_fresh(course, root, store, store_id) as tiers:
            reading = course.meter.begin()
            store.open(expected_id=store_id)
            plan = _plan(course, tiers)
            if len(_names(plan)) < least:
                return None
            digests = [record.pack for record in plan.fetched]
            _check_room(course, plan)
            report = PullReport()
            limits = Limits(rate_bytes_s=course.bounds.read_rate_bytes_s)
            restore(tiers, plan, limits, report)
            fresh = reading.end(report.bytes_read)
        if report.stopped_by is not None:
            raise report.stopped_by
        is_counted = fresh.rpcs is not None
        if attempt or (is_counted and fresh.read_bytes >= _WHOLE * report.bytes_read):
            break
        course.tiers.disk.remove_tree(root)
        store.ask("forget_store", digests)
    with open_fresh(course, root, store, store_id) as tiers:
        reading = course.meter.begin()
        store.open(expected_id=store_id)
        _plan(course, tiers)
        again = reading.end(0)
    link_s = _time_links(course, root / "cache")
    names = _names(plan)
    demand = course.target.demand
    assert demand is not None
    pulled = Pulled(
        source=source,
        packages=len(names),
        index_bytes=weigh(demand, names).index_bytes,
        packs=len(plan.fetched),
        pack_bytes=report.bytes_read,
        tree_files=sum(record.tree_files for record in plan.fetched),
        tree_bytes=report.tree_bytes,
        link_s=link_s,
        fresh=fresh,
        again=again,
    )
    return Fetched(pulled, plan, root / "cache")


def _plan(course: Course, tiers: Tiers) -> PullPlan:
    return plan_pull(tiers, course.rules, course.format_ids, target=course.target)


def _time_links(course: Course, cache: Path) -> float:
    """Return how long it takes to make an environment of what is in a cache."""
    disk, target = course.tiers.disk, course.work / "environment"
    files = list_files(cache)
    began_s = monotonic_s()
    made = ""
    for file in files:
        if file.parent != made:
            made = file.parent
            disk.make_dirs(target / made)
        disk.link_new(cache / file.name, target / file.name)
    took_s = monotonic_s() - began_s
    disk.remove_tree(target)
    return took_s


def _names(plan: PullPlan) -> frozenset[str]:
    """Return the packages that a plan brings."""
    return frozenset(p.name for p in by_package(plan) if p.state is State.FETCH)


def _check_room(course: Course, plan: PullPlan) -> None:
    import shutil  # noqa: PLC0415 - it loads five compression modules

    free_bytes = shutil.disk_usage(course.work).free
    if free_bytes < ROOM * plan.tree_bytes:
        raise CacheError(
            f"there is too little room beside the cache, in {course.work}:"
            f" {free_bytes >> 20} MiB, and this needs {ROOM * plan.tree_bytes >> 20} MiB"
            " for a while",
            hint="make some room there, or measure with a smaller project",
        )
