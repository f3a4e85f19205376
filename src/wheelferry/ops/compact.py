"""Compaction: the catalog stays few large segments, however many promotions there were.

Decided from the view alone, so that a runner that finds nothing to do asks the store for
nothing.  Else, each step after a fresh look at the catalog:

1. *bury*: commit tombstones for copies of what was removed while it was merged.
2. *remove*: unlink the segments that the catalog can do without, once what makes it so is
   older than the grace, on the server's clock, and can be read.
3. *merge*: read the inputs, commit one segment for all of them, and *look again*: list the
   catalog once more, and go to 1.

Killed anywhere, all that is there counts, and the next run of any host goes on: a merged
segment and its inputs say the same together as alone.

Whoever removes records does 1 too, after its tombstones.  So a tombstone and a copy that
do not know of each other cannot both stay: if the tombstone came before our second
listing, we bury the copy; if after, the merged segment is in the listing of whoever wrote
the tombstone.  If both were killed before they looked, 1 of the next run does it: inputs
are not removed before.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from wheelferry.errors import (
    CacheError,
    IntegrityError,
    ObjectCorrupt,
    StoreError,
    StoreReadOnly,
)
from wheelferry.events import Event, Level
from wheelferry.ops.bury import bury_copies
from wheelferry.ops.tiers import Tiers
from wheelferry.store.compaction import SegmentFacts, merge, plan_merge
from wheelferry.store.record import SegmentId

Plan: TypeAlias = Callable[[Iterable[SegmentFacts]], Sequence[SegmentId]]

GRACE_S: Final = 3600
"""How long inputs stay.  A reader that listed the catalog before they went lists it once
more; that they stay costs every cold runner a read of each."""

MAX_DELAY_S: Final = 600
"""How old the listing may be by which a merged segment is committed: far less than the
grace, so that its inputs are there when it is looked whether one was removed from."""

_MAX_ROUNDS: Final = 20


@dataclass(slots=True, kw_only=True)
class CompactReport:
    """What a compaction did.

    Attributes:
        merged: Segments that were merged.
        written: Segments that they were merged into.
        written_bytes: Of these.
        removed: Segments that went.
        buried: Copies of removed records that were killed.
    """

    merged: int = 0
    written: int = 0
    written_bytes: int = 0
    removed: int = 0
    buried: int = 0


def tend(tiers: Tiers) -> None:
    """Compact the catalog if the view, as it is, knows of something to do.

    A failure is told, and no more: the catalog is as good as it was.  That this runner
    may not write to the store is no news, and others will do it.
    """
    try:
        if _is_due(tiers):
            compact(tiers)
    except (CacheError, StoreError, IntegrityError) as exc:
        tiers.emit(
            Event(
                name="compaction.failed",
                level=Level.DEBUG if isinstance(exc, StoreReadOnly) else Level.WARNING,
                message=f"the catalog stays as it is, in many segments: {exc.message}",
                fields={"reference": exc.reference},
            )
        )


def _is_due(tiers: Tiers) -> bool:
    view = tiers.view
    return bool(
        plan_merge(view.segment_facts()) or view.removable() or view.stale_copies()
    )


def compact(tiers: Tiers, *, plan: Plan = plan_merge) -> CompactReport:
    """Do what is due; safe at any time, on any number of hosts at once.

    Nothing is done while a part of the catalog cannot be read: a tombstone might be there.

    Args:
        tiers: The store and the view.
        plan: Which segments to merge, if any.

    Raises CacheError, StoreError, IntegrityError.
    """
    report = CompactReport()
    began_s = tiers.store.upkeep.clock_s()
    if _refresh(tiers):
        report.buried += bury_copies(tiers, tiers.store.commit_segment)
        _remove(tiers, report, now_s=began_s)
        for _ in range(_MAX_ROUNDS):
            if not _merge(tiers, report, plan, listed_s=began_s):
                break
            began_s = tiers.store.upkeep.clock_s()
            if not _refresh(tiers):
                break
            report.buried += bury_copies(tiers, tiers.store.commit_segment)
    _tell(tiers, report)
    return report


def _refresh(tiers: Tiers) -> bool:
    """Return whether the view has the whole catalog now."""
    result = tiers.view.refresh(tiers.store)
    tiers.tell(result)
    return not (result.bad or result.deferred)


def _remove(tiers: Tiers, report: CompactReport, *, now_s: int) -> None:
    found = tiers.view.removable()
    reasons = frozenset[SegmentId]().union(*found.values())
    if not reasons:
        return
    times = tiers.store.upkeep.segment_times(only=reasons)
    old = {name for name in times if now_s - times[name] >= GRACE_S}
    due = {segment: by for segment, by in sorted(found.items()) if by <= old}
    # What they are removed for was read once; it is to be whole now.
    needed = frozenset[SegmentId]().union(*due.values()) - due.keys()
    whole = {name for name in needed if _is_whole(tiers, name)}
    for segment, by in due.items():
        if by <= whole | due.keys():
            report.removed += tiers.store.upkeep.remove_segment(segment)


def _is_whole(tiers: Tiers, segment: SegmentId) -> bool:
    try:
        return tiers.store.read_segment(segment) is not None
    except ObjectCorrupt:
        return False


def _merge(tiers: Tiers, report: CompactReport, plan: Plan, *, listed_s: int) -> bool:
    """Merge once; return whether there may be more."""
    catalog = tiers.view.segment_facts()
    chosen = plan(catalog)
    inputs: dict[SegmentId, bytes] = {}
    for segment in chosen:
        data = tiers.store.read_segment(segment)
        if data is None:  # another host is at it
            return False
        inputs[segment] = data
    if not inputs:
        return False
    merged = merge(
        inputs,
        dead=tiers.view.find_dead(chosen),
        standing={facts.segment for facts in catalog},
    )
    if tiers.store.upkeep.clock_s() - listed_s > MAX_DELAY_S:
        return False
    tiers.view.add_own(tiers.store.commit_segment(merged), merged)
    report.merged += len(inputs)
    report.written += 1
    report.written_bytes += len(merged)
    return True


def _tell(tiers: Tiers, report: CompactReport) -> None:
    if not (report.written or report.removed or report.buried):
        return
    tiers.emit(
        Event(
            name="catalog.compacted",
            message=f"compacted the catalog: {report.merged} segments merged into"
            f" {report.written}, {report.removed} removed that it can do without",
            fields={
                "merged": report.merged,
                "written": report.written,
                "written_bytes": report.written_bytes,
                "removed": report.removed,
                "buried": report.buried,
            },
        )
    )
