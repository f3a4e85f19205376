"""One whole run: what a job needs, measurements, and what they come to."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from wheelferry.bench.course import Bounds, Course
from wheelferry.bench.forecast import Fleet
from wheelferry.bench.job import narrow_to_one, weigh
from wheelferry.bench.measure import measure
from wheelferry.bench.meter import Meter
from wheelferry.bench.verdict import Result, judge
from wheelferry.bench.ways import make_ways
from wheelferry.disk import WorkDir
from wheelferry.errors import ProjectError, StoreFull
from wheelferry.ops.local import local_disk
from wheelferry.ops.rules import Rules
from wheelferry.ops.target import Target
from wheelferry.ops.tiers import Tiers
from wheelferry.store.isolated import IsolatedStore


class Request(NamedTuple):
    """What is to be found out.

    Attributes:
        rules, format_ids, target: As for a pull.
        bounds: What a run may take.
        fleets: Whose days to work out.
        index_mbit: Speed of the index, if somebody says so.
    """

    rules: Rules
    format_ids: tuple[str, ...]
    target: Target
    bounds: Bounds
    fleets: tuple[Fleet, ...]
    index_mbit: float | None = None


def run_bench(
    tiers: Tiers,
    yard: IsolatedStore,
    request: Request,
    open_other: Callable[[Path], AbstractContextManager[IsolatedStore]],
) -> Result:
    """Measure and work out; changes neither the store nor the cache.

    Args:
        tiers: The runner's own.
        yard: Its store, made as a `Yard`.
        request: What to find out.
        open_other: Opens another `Yard`, in a process of its own.

    Raises:
        ProjectError: Nothing says what a job needs.
        StoreFull: The share has less room than the run may need.
        StoreError, CacheError: Something does not work at all.
    """
    target = narrow_to_one(request.target)
    if target.demand is None or not target.demand.needs:
        where = ", ".join(target.demand.lockless) if target.demand else ""
        raise ProjectError(
            f"nothing says what a job needs{f': {where}' if where else ''}",
            hint="name a project with a lock by --project, or a lock by --lock",
        )
    survey = yard.upkeep.survey(writes=False)
    if survey.free_bytes < request.bounds.max_bytes:
        raise StoreFull(
            f"the share has {survey.free_bytes >> 20} MiB left, and this may need"
            f" {request.bounds.max_bytes >> 20} MiB of them for a while",
            hint="let it take less: --max-size",
        )
    with (
        local_disk(tiers.staging),
        WorkDir.open(tiers.staging, disk=tiers.disk) as work,
    ):
        course = Course(
            tiers=tiers,
            yard=yard,
            open_other=open_other,
            work=work.path,
            rules=request.rules,
            format_ids=request.format_ids,
            target=target,
            bounds=request.bounds,
            meter=Meter(survey.real_path),
            tar=shutil.which("tar") or "",
        )
        measured = measure(course, weigh(target.demand), survey)
    ways = make_ways(measured, request.index_mbit)
    return judge(measured, ways, request.fleets)
