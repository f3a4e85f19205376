"""gc: what nobody needs leaves the store, so that it stays within its budget.

gather: the view, when runners last needed each pack, all objects with their times, the
trash.  plan: `gc_plan`.  apply, in this order:

1. *recover* what is in the trash though a record names it: a gc was killed before 5.
   Also what is to go: its grace begins when it goes again.
2. *purge* what has been in the trash for longer than the grace.
3. *bury*: commit a segment with a tombstone for each record of the packs that are to go.
   Killed after it: the objects are orphans, which the next gc takes.
4. *discard*: rename the objects into the trash.
5. *look again*: list the catalog once more, kill the copies that a merge has made of
   these records meanwhile, and bring back what else a segment names that came since.
   Killed before it: 1, by any other gc, and before anything is purged.

Promoters look again too, after their segment is committed.  A promoter that left out a
pack because it was there, and a gc that takes it away, cannot both miss each other: if
the segment came before our second listing, 5 finds it; if after, the promoter looks for
the pack after our rename, and puts it back.  Any number may run at once.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Final

from wheelferry.disk.clock import monotonic_s
from wheelferry.errors import CacheError, StoreError
from wheelferry.events import Event, Level, progress
from wheelferry.ops.bury import bury, bury_copies
from wheelferry.ops.gc_content import find_banned, find_content
from wheelferry.ops.gc_plan import Budget, GcPlan, Victim, Why, plan_gc
from wheelferry.ops.room import ROOM_BYTES, commit_with_room, free_trash
from wheelferry.ops.tiers import Tiers
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.upkeep import Trashed

__all__ = ["Budget", "GcPlan", "GcReport", "apply_gc", "find_content", "plan_gc"]

BATCH: Final = 500
"""So many objects are taken away between two looks at the catalog."""


@dataclass(slots=True, kw_only=True)
class GcReport:
    """What a removal did; sizes in bytes.

    Attributes:
        discarded, discarded_bytes: Objects that went to the trash.
        purged, purged_bytes: Objects that were removed for good.
        early: How many of those before their grace was over, for want of room.
        recovered, recovered_bytes: Objects that were brought back.
        records: How many records were killed.
        others: Victims that another host had taken away already.
        stopped_by: What ended it half way, if anything did.
    """

    discarded: int = 0
    discarded_bytes: int = 0
    purged: int = 0
    purged_bytes: int = 0
    early: int = 0
    recovered: int = 0
    recovered_bytes: int = 0
    records: int = 0
    others: int = 0
    stopped_by: CacheError | StoreError | None = None


def apply_gc(tiers: Tiers, plan: GcPlan) -> GcReport:
    """Carry a plan out; the report says how far it came."""
    report = GcReport()
    try:
        _Removal(tiers, plan, report).run()
    except (CacheError, StoreError) as exc:
        report.stopped_by = exc
    return report


class _Removal:
    """One run, step by step: the module says why in this order."""

    def __init__(self, tiers: Tiers, plan: GcPlan, report: GcReport) -> None:
        self._tiers = tiers
        self._upkeep = tiers.store.upkeep
        self._plan = plan
        self._report = report
        self._began_s = monotonic_s()
        self._left = list(plan.victims)
        self._taken: set[Digest] = set()

    def run(self) -> None:
        """Do all of it; raises StoreError."""
        self._bring_back()
        for item in self._plan.expired:
            self._purge(item)
        self._bury()
        total = len(self._left)
        while self._left:
            batch, self._left = self._left[:BATCH], self._left[BATCH:]
            for victim in batch:
                self._discard(victim)
            self._look_again([victim.digest for victim in batch])
            done = total - len(self._left)
            self._tiers.emit(progress("removing", done=done, total=total))

    def _bring_back(self) -> None:
        """Recover what records name, unless another host has buried these meanwhile.

        What it has buried since the view was refreshed was in the trash, and seemed to
        be named still.
        """
        if not self._plan.wanted:
            return
        self._tiers.refresh()
        named = self._find_wanted({item.digest for item in self._plan.wanted})
        for item in self._plan.wanted:
            if item.digest in named:
                self._recover(item)

    def _bury(self) -> None:
        packs = [v.digest for v in self._left if v.why is not Why.ORPHAN]
        judged = self._plan.content.segments
        found = self._tiers.view.occurrences(packs)
        ours = [item for item in found if item.tombstone.segment in judged]
        self._report.records += bury(self._tiers, ours, self._commit)

    def _commit(self, data: bytes) -> SegmentId:
        return commit_with_room(self._tiers.store, data, self._make_room)

    def _make_room(self) -> bool:
        """Remove something for good, grace or not; return whether there was anything.

        The oldest of the trash, and last of it what we have just put there, since it may
        be wanted back; and victims only if there is none.  Removed with their records
        still in the catalog, these are misses until the tombstone is written: that is
        better than a share that stays full.
        """
        purge = partial(self._purge, is_early=True)
        if free_trash(self._upkeep, purge, spare=self._taken):
            return True
        freed_bytes = 0
        while self._left and freed_bytes < ROOM_BYTES:
            victim = self._left.pop(0)
            self._discard(victim)
            for item in self._upkeep.list_trash(only={victim.digest}):
                freed_bytes += self._purge(item, is_early=True)
        return freed_bytes > 0

    def _discard(self, victim: Victim) -> None:
        self._taken.add(victim.digest)
        at_s = self._plan.content.now_s + int(monotonic_s() - self._began_s)
        if self._upkeep.discard_object(victim.digest, at_s=at_s):
            self._report.discarded += 1
            self._report.discarded_bytes += victim.size_bytes
        else:
            self._report.others += 1

    def _look_again(self, digests: Collection[Digest]) -> None:
        self._tiers.refresh()
        bury_copies(self._tiers, self._commit)
        named = self._find_wanted(digests)
        if not named:
            return
        # Whoever took it away: of two at once, one sees the segment first.
        trash = self._upkeep.list_trash(only=named)
        for item in {item.digest: item for item in trash}.values():
            self._recover(item)

    def _find_wanted(self, digests: Collection[Digest]) -> frozenset[Digest]:
        """Return what records name, and no admin has forbidden meanwhile."""
        return self._tiers.view.named(digests) - find_banned(self._tiers)

    def _recover(self, item: Trashed) -> None:
        if self._upkeep.recover_object(item):
            self._report.recovered += 1
            self._report.recovered_bytes += item.size_bytes
            self._tiers.emit(
                Event(
                    name="object.recovered",
                    level=Level.DEBUG,
                    message=f"brought back {item.digest}: a record names it again",
                    fields={"digest": item.digest, "size_bytes": item.size_bytes},
                )
            )

    def _purge(self, item: Trashed, *, is_early: bool = False) -> int:
        """Remove something for good; return how much that made free."""
        if not self._upkeep.purge_object(item):
            return 0
        self._report.purged += 1
        self._report.purged_bytes += item.size_bytes
        self._report.early += is_early
        return item.size_bytes
