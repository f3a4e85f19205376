"""A store that is kept within a budget, and how old what it holds seems to be."""

import os
from pathlib import Path

from tests.support.tiers import Ferry
from wheelferry.disk import Disk
from wheelferry.ops.gc import GcReport, apply_gc, find_content, plan_gc
from wheelferry.ops.gc_plan import Budget, GcPlan

DAY_S = 24 * 3600


def collect(ferry: Ferry, disk: Disk | None = None, **budget: float) -> GcReport:
    """Plan and carry out a removal."""
    with ferry.open(disk) as tiers:
        limits = Budget(**budget)  # type: ignore[arg-type]
        return apply_gc(tiers, plan_gc(find_content(tiers), limits))


def look(ferry: Ferry, **budget: float) -> GcPlan:
    """Only plan it."""
    with ferry.open() as tiers:
        limits = Budget(**budget)  # type: ignore[arg-type]
        return plan_gc(find_content(tiers), limits)


def age(root: Path, days: float) -> None:
    """Make all that is in a store older than it is; names in the trash too."""
    seconds = days * DAY_S
    for path in (
        *root.glob("objects/*/*"),
        *root.glob("catalog/*"),
        *root.glob("usage/*"),
    ):
        written_s = path.stat().st_mtime - seconds
        os.utime(path, (written_s, written_s))
    age_trash(root, days)


def age_trash(root: Path, days: float) -> None:
    """Make what is in the trash older."""
    for path in sorted(root.glob("trash/*")):
        since_s, _, digest = path.name.partition("-")
        path.rename(path.with_name(f"{int(since_s) - int(days * DAY_S):010}-{digest}"))


def trash(root: Path) -> list[str]:
    """Return the objects in the trash."""
    return sorted(path.name.partition("-")[2] for path in root.glob("trash/*"))
