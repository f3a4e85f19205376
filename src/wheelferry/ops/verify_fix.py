"""Do what follows from a verification: what is damaged becomes missing, and says so.

In this order, each step safe to be the last one:

1. *quarantine* segments that cannot be read, and objects that do not have their bytes.
   Killed after it: records name objects that are missing.  Pulls take a miss.
2. *look*: refresh the view, and find the packs that records name and that are not there;
   bring back those that are in the trash: a gc was killed before it could.
3. *bury*: commit tombstones for the records of the others, which say that these were lost
   and not removed, so that whoever has such an entry promotes it again at once.
4. *look again*: bury the copies that a merge has made of these records meanwhile.
5. *clear up*: temporary files that belong to nobody, and what was in quarantine for long.

Beside a promoter that left a pack out because the damaged one was there: if it looks again
after 1, it puts its own there.  If before, its segment is in the catalog by 2, and its
record is buried with the others; then the next promotion of anyone who has it, its own
for one, adds both again.  Records of segments that come after 2 are not touched.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wheelferry.errors import CacheError, StoreError
from wheelferry.events import Event, Level
from wheelferry.ops.tiers import Tiers
from wheelferry.ops.verify import LEFTOVER_S
from wheelferry.ops.verify_report import VerifyReport
from wheelferry.store.layout import object_path, segment_path
from wheelferry.store.segment import encode_segment
from wheelferry.store.tombstones import Tombstone, split_tombstones

QUARANTINE_S: Final = 30 * 24 * 3600
"""How long what was found damaged is kept for whoever wants to know why."""


@dataclass(slots=True, kw_only=True)
class FixReport:
    """What was done.

    Attributes:
        objects, segments: How many were moved into quarantine.
        recovered: Packs that were brought back out of the trash.
        records: Records that were buried, for want of their packs or since they are false.
        leftovers: Temporary files that were removed.
        purged: What was removed from quarantine for good.
        refused: Why less was done than could have been; "" if nothing was left.
        stopped_by: What ended it half way, if anything did.
    """

    objects: int = 0
    segments: int = 0
    recovered: int = 0
    records: int = 0
    leftovers: int = 0
    purged: int = 0
    refused: str = ""
    stopped_by: CacheError | StoreError | None = None


def fix_store(tiers: Tiers, found: VerifyReport) -> FixReport:
    """Do it; the report says how far that came."""
    report = FixReport()
    try:
        _Fix(tiers, found, report).run()
    except (CacheError, StoreError) as exc:
        report.stopped_by = exc
    return report


class _Fix:
    def __init__(self, tiers: Tiers, found: VerifyReport, report: FixReport) -> None:
        self._tiers = tiers
        self._store = tiers.store
        self._upkeep = tiers.store.upkeep
        self._found = found
        self._report = report
        self._now_s = self._upkeep.clock_s()

    def run(self) -> None:
        """Do all of it; raises CacheError, StoreError."""
        if not self._found.is_doubtful:
            self._quarantine()
        elif self._found.bad_packs or self._found.bad_segments:
            self._refuse(
                "nothing was moved into quarantine, since this machine's reads differ:"
                " check its memory and its network, or verify from another machine"
            )
        self._bury_lost()
        self._clear_up()

    def _quarantine(self) -> None:
        for segment, why in sorted(self._found.bad_segments.items()):
            path = segment_path(segment)
            reason = self._reason(path, why)
            if self._upkeep.quarantine_segment(
                segment, at_s=self._now_s, reason=reason
            ):
                self._report.segments += 1
                self._tell(path, why)
        for digest, why in sorted(self._found.bad_packs.items()):
            path = object_path(digest)
            reason = self._reason(path, why)
            if self._upkeep.quarantine_object(digest, at_s=self._now_s, reason=reason):
                self._report.objects += 1
                self._tell(path, why)

    def _bury_lost(self) -> None:
        tiers = self._tiers
        result = tiers.view.refresh(tiers.store)
        if result.deferred:
            raise CacheError(
                "another process is busy with this runner's view of the catalog",
                hint="try again in a minute",
            )
        if tiers.tell(result):
            self._refuse(
                "no record was removed, since a part of the catalog cannot be read"
            )
            return
        packs = {pack.digest for pack in tiers.view.packs()}
        lost = set(self._store.look_again(sorted(packs - self._found.present)))
        for item in self._upkeep.list_trash(only=lost) if lost else ():
            self._report.recovered += self._upkeep.recover_object(item)
        # Once more: others may have brought it back, or put it there anew.
        lost = set(self._store.look_again(sorted(lost)))
        tombstones = {item.tombstone for item in tiers.view.occurrences(lost)}
        tombstones.update(self._standing(self._found.false_records))
        if not tombstones:
            return
        self._bury(tombstones)
        tiers.refresh()
        self._bury(tiers.view.stale_copies())

    def _standing(self, places: Iterable[Tombstone]) -> list[Tombstone]:
        """Return those whose segments are in the catalog still."""
        segments = self._tiers.view.segments()
        return [place for place in places if place.segment in segments]

    def _bury(self, tombstones: Iterable[Tombstone]) -> None:
        # Nothing is said of an eviction: whoever has what was lost promotes it again.
        for part in split_tombstones(sorted(tombstones)):
            data = encode_segment(
                [],
                runner=self._tiers.runner,
                created_s=int(self._tiers.now()),
                tombstones=part,
            )
            self._tiers.view.add_own(self._store.commit_segment(data), data)
            self._report.records += len(part)

    def _clear_up(self) -> None:
        # Once more, by the server's clock: this host's may be wrong by days.
        limit_s = self._now_s - LEFTOVER_S
        for path, _, written_s in list(self._upkeep.list_leftovers()):
            if written_s < limit_s:
                self._report.leftovers += self._upkeep.remove_leftover(path)
        for item in self._upkeep.list_quarantine():
            if item.since_s < self._now_s - QUARANTINE_S:
                self._report.purged += self._upkeep.purge_quarantined(item)

    def _reason(self, path: str, why: str) -> str:
        text = json.dumps(
            {
                "schema": "wheelferry/quarantine/1",
                "path": path,
                "reason": why,
                "found_by": self._tiers.runner,
                "found_s": self._now_s,
            },
            ensure_ascii=False,
            indent=2,
        )
        return f"{text}\n"

    def _refuse(self, why: str) -> None:
        self._report.refused = why
        self._tiers.emit(Event(name="fix.refused", level=Level.WARNING, message=why))

    def _tell(self, path: str, why: str) -> None:
        self._tiers.emit(
            Event(
                name="damage.quarantined",
                level=Level.WARNING,
                message=f"moved into quarantine: {path}: {why}",
                fields={"path": path, "reason": why},
            )
        )
