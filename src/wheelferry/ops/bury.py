"""Write tombstones: what is removed from the catalog, and what was copied meanwhile."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from wheelferry.ops.tiers import Tiers
from wheelferry.store.record import SegmentId
from wheelferry.store.segment import encode_segment
from wheelferry.store.tombstones import Eviction, Tombstone, split_tombstones
from wheelferry.store.view_packs import Occurrence

Commit: TypeAlias = Callable[[bytes], SegmentId]
"""Commits a segment of these bytes: `Store.commit_segment`, or what makes room for it."""


def bury(tiers: Tiers, occurrences: Iterable[Occurrence], commit: Commit) -> int:
    """Kill these records, and say that their entries were removed; return how many.

    Raises CacheError, StoreError.
    """
    identities = {item.tombstone: item.identity for item in occurrences}
    at_s = int(tiers.now())
    for part in split_tombstones(sorted(identities)):
        evicted = {Eviction(identities[tombstone], at_s) for tombstone in part}
        _write(tiers, part, evicted, commit)
    return len(identities)


def bury_copies(tiers: Tiers, commit: Commit) -> int:
    """Kill the copies of what was removed while it was merged; return how many.

    For whoever has just committed tombstones, or a merged segment, and refreshed the view
    after that.  That the entries were removed has been said.

    Raises CacheError, StoreError.
    """
    tombstones = tiers.view.stale_copies()
    for part in split_tombstones(sorted(tombstones)):
        _write(tiers, part, (), commit)
    return len(tombstones)


def _write(
    tiers: Tiers,
    tombstones: Iterable[Tombstone],
    evicted: Iterable[Eviction],
    commit: Commit,
) -> None:
    data = encode_segment(
        [],
        runner=tiers.runner,
        created_s=int(tiers.now()),
        tombstones=tombstones,
        evicted=evicted,
    )
    tiers.view.add_own(commit(data), data)
