"""What tends a store in a directory: what is removed, moved aside, left over, or foreign.

What is removed goes to `trash/` first, under one flat name that says when: nobody makes a
directory, and a rename needs no room on a share that is full.  Whoever has the object
open reads on.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import TYPE_CHECKING

from wheelferry.store import layout
from wheelferry.store.faults import Faults
from wheelferry.store.leftovers import find_leftovers, remove_leftover
from wheelferry.store.listing import find_foreign, find_objects
from wheelferry.store.reading import facts_current, list_current, size_current
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.removal import rename_there, unlink_there
from wheelferry.store.site import Site
from wheelferry.store.survey import take_survey
from wheelferry.store.upkeep import (
    Dated,
    Foreign,
    Quarantined,
    StoreSurvey,
    Trashed,
)

if TYPE_CHECKING:
    from wheelferry.store.quarantine import Quarantine


class PosixUpkeep:
    """The upkeep of a store; `upkeep.Upkeep` has the contracts."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._root, self._disk, self._reads, self._staging = site
        self._faults = Faults(self._root)

    @cached_property
    def _quarantine(self) -> "Quarantine":
        from wheelferry.store.quarantine import Quarantine  # noqa: PLC0415 (for verify)

        return Quarantine(self._site)

    def survey(self, *, writes: bool) -> StoreSurvey:
        """Look at the share itself; see `Upkeep.survey`."""
        staging = self._staging if writes else None
        with self._faults.reading("look at", self._root):
            return take_survey(self._root, reads=self._reads, staging=staging)

    def clock_s(self) -> int:
        """Return the server's time, from a file that is made for this and removed."""
        with self._faults.writing("write", self._staging.directory):
            return int(self._staging.server_time_s())

    def list_objects(self) -> Iterator[Dated | Foreign]:
        """Yield what is in the directories of `objects/`; see `Upkeep.list_objects`."""
        with self._faults.reading("list", self._root / layout.OBJECTS):
            yield from find_objects(self._root, self._reads)

    def list_foreign(self) -> Iterator[Foreign]:
        """Yield what is foreign anywhere else; see `Upkeep.list_foreign`."""
        with self._faults.reading("list", self._root):
            yield from find_foreign(self._root, self._reads)

    def discard_object(self, digest: Digest, *, at_s: int) -> bool:
        """Rename an object into `trash/`; see `Upkeep.discard_object`.

        The one step: killed before it, nothing happened; after it, the object is missing,
        and in the trash.  No directory is synced: a rename that a power loss undoes is
        done again.
        """
        source = self._root / layout.object_path(digest)
        target = self._root / layout.trash_path(digest, at_s)
        with self._faults.writing("remove", source):
            return rename_there(source, target, disk=self._disk)

    def list_trash(self, *, only: AbstractSet[Digest] | None = None) -> list[Trashed]:
        """Return what is in `trash/`, the oldest first; see `Upkeep.list_trash`.

        One listing, and a look at each object that is wanted.
        """
        directory = self._root / layout.TRASH
        found: list[Trashed] = []
        with self._faults.reading("list", directory):
            for name in list_current(self._reads, directory):
                parsed = layout.parse_trash_name(name)
                if parsed is None or (only is not None and parsed[0] not in only):
                    continue
                size_bytes = size_current(self._reads, directory / name)
                if size_bytes is not None:  # it is gone again, or is no file
                    found.append(Trashed(*parsed, size_bytes))
        return sorted(found, key=lambda item: (item.since_s, item.digest))

    def recover_object(self, trashed: Trashed) -> bool:
        """Rename an object back into its place; see `Upkeep.recover_object`.

        1. *look*: if an object has the name again it stays; it may be a better one.
        2. *rename*, and sync the directory, so that no segment outlives what it names.
        """
        source = self._root / layout.trash_path(trashed.digest, trashed.since_s)
        target = self._root / layout.object_path(trashed.digest)
        with self._faults.writing("recover", target):
            if size_current(self._reads, target) is not None:
                return False
            if not rename_there(source, target, disk=self._disk):
                return False
            self._disk.sync_dir(target.parent)
            return True

    def purge_object(self, trashed: Trashed) -> bool:
        """Remove what is in `trash/`; see `Upkeep.purge_object`."""
        path = self._root / layout.trash_path(trashed.digest, trashed.since_s)
        with self._faults.writing("remove", path.parent):
            return unlink_there(path, disk=self._disk)

    def segment_times(
        self, *, only: AbstractSet[SegmentId] | None = None
    ) -> dict[SegmentId, int]:
        """Return the segments in `catalog/` with their times of modification."""
        directory = self._root / layout.CATALOG
        found: dict[SegmentId, int] = {}
        with self._faults.reading("list", directory):
            wanted = self._list_segments() if only is None else sorted(only)
            for segment in wanted:
                path = self._root / layout.segment_path(segment)
                if facts := facts_current(self._reads, path):
                    found[segment] = int(facts.written_s)
        return found

    def remove_segment(self, segment: SegmentId) -> bool:
        """Remove a segment; see `Upkeep.remove_segment`."""
        path = self._root / layout.segment_path(segment)
        with self._faults.writing("remove", path):
            return unlink_there(path, disk=self._disk)

    def quarantine_object(self, digest: Digest, *, at_s: int, reason: str) -> bool:
        """Rename an object into `quarantine/`; see `Upkeep.quarantine_object`."""
        path = self._root / layout.object_path(digest)
        with self._faults.writing("quarantine", path):
            return self._quarantine.take_object(digest, at_s, reason)

    def quarantine_segment(self, segment: SegmentId, *, at_s: int, reason: str) -> bool:
        """Rename a segment into `quarantine/`; see `Upkeep.quarantine_segment`."""
        path = self._root / layout.segment_path(segment)
        with self._faults.writing("quarantine", path):
            return self._quarantine.take_segment(segment, at_s, reason)

    def list_quarantine(self) -> list[Quarantined]:
        """Return what is in `quarantine/`, the oldest first."""
        with self._faults.reading("list", self._root / layout.QUARANTINE):
            return self._quarantine.list_all()

    def purge_quarantined(self, item: Quarantined) -> bool:
        """Remove what is in `quarantine/`; see `Upkeep.purge_quarantined`."""
        with self._faults.writing("remove", self._root / layout.QUARANTINE):
            return self._quarantine.purge(item)

    def list_leftovers(self) -> Iterator[tuple[str, int, int]]:
        """Yield what is in `staging/`; see `Upkeep.list_leftovers`."""
        with self._faults.reading("list", self._root / layout.STAGING):
            yield from find_leftovers(self._root, self._reads)

    def remove_leftover(self, name: str) -> bool:
        """Remove a file or folder in `staging/`; see `Upkeep.remove_leftover`."""
        with self._faults.writing("remove", self._root / layout.STAGING):
            return remove_leftover(self._root, name, disk=self._disk, reads=self._reads)

    def _list_segments(self) -> list[SegmentId]:
        names = list_current(self._reads, self._root / layout.CATALOG)
        return list(filter(None, map(layout.parse_segment_name, names)))
