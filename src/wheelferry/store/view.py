"""A runner's own view of the catalog: an index in SQLite, on the runner's own disk.

It answers what the store holds without asking the store.  It may be deleted at any time;
the next refresh reads the catalog again.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from wheelferry.disk import Disk
from wheelferry.store.base import Store
from wheelferry.store.record import Digest, Identity, Record, SegmentId
from wheelferry.store.view_access import ViewAccess
from wheelferry.store.view_file import BUSY_TIMEOUT_S, COUNT_ATTEMPT
from wheelferry.store.view_refresh import Refresh
from wheelferry.store.view_rows import (
    LIGHT_COLUMNS,
    LightRecord,
    RecordRef,
    Rejection,
    Totals,
    whole,
)

if TYPE_CHECKING:  # of what a pull with nothing to do has no use for
    from wheelferry.store.compaction import SegmentFacts
    from wheelferry.store.tombstones import Tombstone
    from wheelferry.store.view_memory import Memory
    from wheelferry.store.view_packs import CataloguedPack, Occurrence

__all__ = ["LightRecord", "RecordRef", "Refresh", "Rejection", "Totals", "View"]

_NAMES_AT_ONCE: Final = 500
"""SQLite may be built to take no more than 999 values."""


class View:
    """The view in one SQLite file, which any number of processes may use at once.

    Queries see live records only: no tombstone names them, and of several with one
    identity and one pack it is the one with most small files.  A `View` belongs to one
    thread.

    A file that turns out to be damaged is replaced, whatever is asked of it, and read
    from the store of the last refresh again; the caller does not notice, but for refs
    that name nothing any more.  All methods raise CacheError if the file cannot be used,
    and StoreError if it was damaged and the catalog cannot be listed.
    """

    def __init__(self, access: ViewAccess) -> None:
        self._access = access

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        store_id: str,
        disk: Disk,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> Self:
        """Open the view in the file `path`, for the store of that id.

        A file of another store, of another version of Wheelferry's tables, or a damaged
        one is replaced by an empty view.  `busy_timeout_s` is how long to wait, each
        time, for another process that writes to it.
        """
        return cls(
            ViewAccess(
                path, store_id=store_id, disk=disk, busy_timeout_s=busy_timeout_s
            )
        )

    def close(self) -> None:
        """Close the file."""
        self._access.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def refresh(self, store: Store, names: Collection[str] | None = None) -> Refresh:
        """Bring the view up to date; `view_refresh.refresh` says how.

        With `names`, records of other packages may be left out.  They are if this
        runner has had no view before, as one that is made anew for each job: then what
        is read goes into memory, for this object alone, and so do notes.  To put all of
        a large catalog into a file takes ten times as long.

        If another process keeps the file busy, the view is used as it is, and the
        result says so: a pull must not fail because of it.  That may be a part of the
        catalog, where the other one is the first that reads it.

        Raises:
            StoreError: The catalog cannot be listed.
        """
        return self._access.refresh(store, names)

    def add_own(self, segment: SegmentId, data: bytes) -> None:
        """Add a segment that was just committed, so that no refresh has to read it.

        If another process keeps the file busy, the next refresh does.
        """
        from wheelferry.store.view_changes import change  # noqa: PLC0415 (as below)

        self._access.change(lambda db: change(db, {segment: data}))

    @property
    def memory(self) -> "Memory":
        """What this runner remembers beside the catalog."""
        from wheelferry.store.view_memory import Memory  # noqa: PLC0415

        return Memory(self._access)

    def light_records(
        self,
        format_ids: Collection[str] | None = None,
        names: Collection[str] | None = None,
    ) -> list[LightRecord]:
        """Return all records, or those of some formats, without their small files.

        With `names`, only those of these packages: of a large store, hardly any are read.
        """
        where, values = "r.live", tuple(format_ids or ())
        if format_ids is not None:
            where += f" AND r.format_id IN ({_marks(values)})"
        if names is None:
            return self._light(where, values)
        found: list[LightRecord] = []
        ordered = sorted(names)
        for start in range(0, len(ordered), _NAMES_AT_ONCE):
            some = ordered[start : start + _NAMES_AT_ONCE]
            named = f"{where} AND r.name IN ({_marks(some)})"
            found += self._light(named, (*values, *some))
        return found

    def load(self, ref: RecordRef) -> Record | None:
        """Return the whole record; None if a refresh has forgotten it since.

        So too if the file had to be made anew: refs of the old one name nothing in it.
        """
        sql = (
            f"SELECT b.body, {LIGHT_COLUMNS} FROM records AS r "  # noqa: S608
            "LEFT JOIN bodies AS b ON b.ref = r.ref WHERE r.ref = ?"
        )

        def find(db: sqlite3.Connection) -> Record | None:
            row = db.execute(sql, (ref,)).fetchone()
            return None if row is None else whole(LightRecord._make(row[1:]), row[0])

        return self._access.ask(find)

    def find_identity(self, identity: Identity) -> tuple[LightRecord, ...]:
        """Return the records of one identity, sorted by pack.

        They are several if runners built one sdist and got different trees.
        """
        where = "r.identity = ? AND r.live ORDER BY r.pack"
        return tuple(self._light(where, (identity,)))

    def note_missing(self, pack: Digest) -> None:
        """Remember that the store could not deliver a pack, or delivered a damaged one.

        Each note doubles the number of refreshes for which `avoided_packs` has the pack:
        none after the first, which may have been an accident, then 1, 3, 7 and at most
        63, so that a lost pack costs and warns ever more rarely.  Forgotten when a
        segment arrives that names it, or by `forget_missing`.  Notes are hints: they are
        not kept if another process keeps the file busy.
        """
        sql = "INSERT INTO missing VALUES (?, 1, 1) ON CONFLICT (pack) DO UPDATE SET "
        self._access.change(lambda db: db.execute(sql + COUNT_ATTEMPT, (pack,)))

    def forget_missing(self, pack: Digest) -> None:
        """Undo `note_missing`: the pack is in the store, and whole."""
        sql = "DELETE FROM missing WHERE pack = ?"
        self._access.change(lambda db: db.execute(sql, (pack,)))

    def is_missing(self, pack: Digest) -> bool:
        """Return whether `note_missing` was told so."""
        return bool(self._access.rows("SELECT 1 FROM missing WHERE pack = ?", (pack,)))

    def missing_packs(self) -> frozenset[Digest]:
        """Return all that `note_missing` was told of."""
        rows = self._access.rows("SELECT pack FROM missing")
        return frozenset(Digest(pack) for (pack,) in rows)

    def avoided_packs(self) -> frozenset[Digest]:
        """Return those of `missing_packs` that are not to be read before a refresh."""
        rows = self._access.rows("SELECT pack FROM missing WHERE wait > 0")
        return frozenset(Digest(pack) for (pack,) in rows)

    def bans(self) -> list[tuple[str, str, SegmentId]]:
        """Return what is forbidden: name, version or "" for all, and where it says so."""
        rows = self._access.rows(
            "SELECT b.name, b.version, s.id FROM bans AS b "
            "JOIN segments AS s ON s.n = b.by_n ORDER BY 1, 2, 3"
        )
        return [(name, version, SegmentId(segment)) for name, version, segment in rows]

    def is_buried(self, segment: SegmentId) -> bool:
        """Return whether a tombstone names a record of this segment."""
        sql = "SELECT 1 FROM tombstones WHERE segment = ? LIMIT 1"
        return bool(self._access.rows(sql, (segment,)))

    def packs(self) -> "list[CataloguedPack]":
        """Return all packs that records name."""
        from wheelferry.store.view_packs import list_packs  # noqa: PLC0415

        return self._access.ask(list_packs)

    def segments(self) -> frozenset[SegmentId]:
        """Return the segments whose records the view has."""
        rows = self._access.rows("SELECT id FROM segments")
        return frozenset(SegmentId(segment) for (segment,) in rows)

    def promotions(self) -> list[tuple[Digest, SegmentId]]:
        """Return which segments name which pack, but for those that only merge others."""
        from wheelferry.store.view_packs import list_promotions  # noqa: PLC0415

        return self._access.ask(list_promotions)

    def named(self, packs: Collection[Digest]) -> frozenset[Digest]:
        """Return those packs that records name."""
        from wheelferry.store.view_packs import find_named  # noqa: PLC0415

        return self._access.ask(lambda db: find_named(db, packs))

    def occurrences(self, packs: Collection[Digest]) -> "list[Occurrence]":
        """Return each record of these packs, with a tombstone for it, by pack.

        Those too of which queries show another in their place.
        """
        from wheelferry.store.view_packs import find_occurrences  # noqa: PLC0415

        return self._access.ask(lambda db: find_occurrences(db, packs))

    def count_by_format(self) -> Mapping[str, int]:
        """Return the number of records of each format."""
        sql = "SELECT format_id, count(*) FROM records WHERE live GROUP BY format_id"
        return dict(self._access.rows(f"{sql} ORDER BY format_id"))

    def totals(self) -> Totals:
        """Return sums over all records; sizes count each pack once."""
        from wheelferry.store.view_packs import sum_packs  # noqa: PLC0415

        return self._access.ask(sum_packs)

    def segment_facts(self) -> "list[SegmentFacts]":
        """Return what a plan of compaction has to know of each segment, by name."""
        from wheelferry.store import view_compaction  # noqa: PLC0415

        return self._access.ask(view_compaction.segment_facts)

    def find_dead(self, segments: Iterable[SegmentId]) -> "tuple[Tombstone, ...]":
        """Return the tombstones of the catalog for records of these segments."""
        from wheelferry.store import view_compaction  # noqa: PLC0415

        wanted = tuple(segments)
        return self._access.ask(lambda db: view_compaction.find_dead(db, wanted))

    def stale_copies(self) -> "tuple[Tombstone, ...]":
        """Return tombstones for copies of what was removed while it was merged.

        To be committed by whoever has just committed a merged segment, or tombstones, and
        refreshed: one of the two sees the other.  See `view_compaction.stale_copies`.
        """
        from wheelferry.store import view_compaction  # noqa: PLC0415

        return self._access.ask(view_compaction.stale_copies)

    def removable(self) -> Mapping[SegmentId, frozenset[SegmentId]]:
        """Return the segments that the catalog does not need, and what makes it so.

        Each may go once all of the latter are older than the grace; see
        `view_compaction.removable`.
        """
        from wheelferry.store import view_compaction  # noqa: PLC0415

        return self._access.ask(view_compaction.removable)

    def _light(self, where: str, values: Sequence[object] = ()) -> list[LightRecord]:
        # No value is ever part of the SQL's text, here and above.
        sql = f"SELECT {LIGHT_COLUMNS} FROM records AS r WHERE {where}"  # noqa: S608
        make = LightRecord._make
        return self._access.ask(
            lambda db: [make(row) for row in db.execute(sql, values)]
        )


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
