"""A runner's own view of the catalog: an index in SQLite, on the runner's own disk.

It answers what the store holds without asking the store.  It may be deleted at any time;
the next refresh reads the catalog again.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from wheelferry.disk import Disk
from wheelferry.store.base import Store
from wheelferry.store.record import Digest, Identity, Record, SegmentId
from wheelferry.store.view_file import (
    BUSY_TIMEOUT_S,
    COUNT_ATTEMPT,
    connect,
    connect_memory,
    is_busy,
    is_corrupt,
    remove,
    transaction,
    view_error,
)
from wheelferry.store.view_refresh import Refresh, add_segment, refresh
from wheelferry.store.view_rows import (
    LIGHT_COLUMNS,
    LightRecord,
    RecordRef,
    Rejection,
    Totals,
    whole,
)

if TYPE_CHECKING:  # for gc and compaction
    from wheelferry.store.compaction import SegmentFacts
    from wheelferry.store.segment_footer import Tombstone
    from wheelferry.store.view_packs import CataloguedPack

__all__ = ["LightRecord", "RecordRef", "Refresh", "Rejection", "Totals", "View"]

_NAMES_AT_ONCE: Final = 500
"""SQLite may be built to take no more than 999 values."""

T = TypeVar("T")


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

    def __init__(
        self,
        path: Path,
        *,
        store_id: str,
        disk: Disk,
        busy_timeout_s: float,
    ) -> None:
        self._path = path
        self._store_id = store_id
        self._disk = disk
        self._busy_timeout_s = busy_timeout_s
        self._store: Store | None = None
        self._is_first = not path.exists()
        self._names: Collection[str] | None = None
        self._db = self._connect()

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
        return cls(path, store_id=store_id, disk=disk, busy_timeout_s=busy_timeout_s)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

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
        self._store = store
        if self._is_first and names is not None:
            self._db.close()
            self._db = connect_memory(self._store_id)
            self._names = names
        self._is_first = False
        try:
            return refresh(self._db, store, self._names)
        except sqlite3.Error as exc:
            if is_busy(exc):
                return Refresh(deferred=True)
            return self._make_anew(exc)

    def add_own(self, segment: SegmentId, data: bytes) -> None:
        """Add a segment that was just committed, so that no refresh has to read it.

        If another process keeps the file busy, the next refresh does.
        """
        self._change(lambda db: add_segment(db, segment, data))

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

        return self._query(find)

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
        self._change(lambda db: db.execute(sql + COUNT_ATTEMPT, (pack,)))

    def forget_missing(self, pack: Digest) -> None:
        """Undo `note_missing`: the pack is in the store, and whole."""
        sql = "DELETE FROM missing WHERE pack = ?"
        self._change(lambda db: db.execute(sql, (pack,)))

    def is_missing(self, pack: Digest) -> bool:
        """Return whether `note_missing` was told so."""
        return bool(self._rows("SELECT 1 FROM missing WHERE pack = ?", (pack,)))

    def missing_packs(self) -> frozenset[Digest]:
        """Return all that `note_missing` was told of."""
        rows = self._rows("SELECT pack FROM missing")
        return frozenset(Digest(pack) for (pack,) in rows)

    def avoided_packs(self) -> frozenset[Digest]:
        """Return those of `missing_packs` that are not to be read before a refresh."""
        rows = self._rows("SELECT pack FROM missing WHERE wait > 0")
        return frozenset(Digest(pack) for (pack,) in rows)

    def note_had(self, cache: str, identities: Iterable[Identity]) -> None:
        """Remember that the cache had these entries, whatever becomes of them there.

        `cache` is any text that tells it from one made in its place: with another text
        than before, all of before is forgotten.  An entry is forgotten with the last
        segment that names it; one that no segment names is not noted.  Lost with the
        file, and not kept if another process keeps it busy: then a pull brings back
        once what was removed from the cache.
        """
        self._note_had(cache, identities, is_trimmed=False)

    def note_trimmed(self, cache: str, identities: Iterable[Identity]) -> None:
        """Remember, as `note_had`, and that a trim has removed them."""
        self._note_had(cache, identities, is_trimmed=True)

    def forget_trimmed(self, cache: str, identities: Iterable[Identity]) -> None:
        """Undo `note_trimmed`: they are in that cache again; `had` still has them."""
        names = [(name,) for name in identities]

        def forget(db: sqlite3.Connection) -> None:
            with transaction(db):
                if _is_of(db, cache):
                    sql = "UPDATE had SET trimmed = 0 WHERE identity = ?"
                    db.executemany(sql, names)

        self._change(forget)

    def had(self, cache: str) -> frozenset[Identity]:
        """Return all that `note_had` was told of this cache."""
        return self._had(cache, "SELECT identity FROM had")

    def trimmed(self, cache: str) -> frozenset[Identity]:
        """Return all that `note_trimmed` was told of this cache."""
        return self._had(cache, "SELECT identity FROM had WHERE trimmed")

    def evicted(self) -> dict[Identity, float]:
        """Return what was removed from the catalog, and did not come again.

        With the time when that was, by the clock of whoever removed it.  Lost with the
        file: then only what tombstones still tell of is known.
        """
        rows = self._rows("SELECT identity, removed_s FROM evicted")
        return {Identity(identity): removed_s for identity, removed_s in rows}

    def bans(self) -> list[tuple[str, str, SegmentId]]:
        """Return what is forbidden: name, version or "" for all, and where it says so."""
        rows = self._rows(
            "SELECT b.name, b.version, s.id FROM bans AS b "
            "JOIN segments AS s ON s.n = b.by_n ORDER BY 1, 2, 3"
        )
        return [(name, version, SegmentId(segment)) for name, version, segment in rows]

    def is_buried(self, segment: SegmentId) -> bool:
        """Return whether a tombstone names a record of this segment."""
        sql = "SELECT 1 FROM tombstones WHERE segment = ? LIMIT 1"
        return bool(self._rows(sql, (segment,)))

    def replace_rejected(self, rejected: Mapping[Identity, Rejection]) -> None:
        """Remember these entries as refused, and no others.

        Lost with the file, and not kept if another process keeps it busy: then each is
        looked at once more.
        """
        rows = [(identity, *rejection) for identity, rejection in rejected.items()]

        def replace(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.execute("DELETE FROM rejected")
                db.executemany("INSERT INTO rejected VALUES (?, ?, ?)", rows)

        self._change(replace)

    def rejected(self) -> dict[Identity, Rejection]:
        """Return what `replace_rejected` was told last."""
        rows = self._rows("SELECT identity, stamp, reason FROM rejected")
        return {Identity(name): Rejection(*values) for name, *values in rows}

    def packs(self) -> "list[CataloguedPack]":
        """Return all packs that records name."""
        from wheelferry.store.view_packs import list_packs  # noqa: PLC0415 (for gc)

        return self._query(list_packs)

    def segments(self) -> frozenset[SegmentId]:
        """Return the segments whose records the view has."""
        rows = self._rows("SELECT id FROM segments")
        return frozenset(SegmentId(segment) for (segment,) in rows)

    def promotions(self) -> list[tuple[Digest, SegmentId]]:
        """Return which segments name which pack, but for those that only merge others."""
        from wheelferry.store.view_packs import list_promotions  # noqa: PLC0415

        return self._query(list_promotions)

    def named(self, packs: Collection[Digest]) -> frozenset[Digest]:
        """Return those packs that records name."""
        from wheelferry.store.view_packs import find_named  # noqa: PLC0415

        return self._query(lambda db: find_named(db, packs))

    def occurrences(
        self, packs: Collection[Digest]
    ) -> "list[tuple[Digest, Tombstone]]":
        """Return each record of these packs, as a tombstone for it, by pack.

        Those too of which queries show another in their place.
        """
        from wheelferry.store.view_packs import find_occurrences  # noqa: PLC0415

        return self._query(lambda db: find_occurrences(db, packs))

    def count_by_format(self) -> Mapping[str, int]:
        """Return the number of records of each format."""
        sql = "SELECT format_id, count(*) FROM records WHERE live GROUP BY format_id"
        return dict(self._rows(f"{sql} ORDER BY format_id"))

    def totals(self) -> Totals:
        """Return sums over all records; sizes count each pack once."""
        # total() is a float and so cannot overflow, whatever sizes records claim.
        sql = (
            "SELECT (SELECT count(*) FROM segments), coalesce(sum(records), 0), "
            "count(*), CAST(total(pack_bytes) AS INTEGER), "
            "CAST(total(tree_bytes) AS INTEGER) FROM (SELECT count(*) AS records, "
            "max(pack_bytes) AS pack_bytes, max(tree_bytes) AS tree_bytes "
            "FROM records WHERE live GROUP BY pack)"
        )
        ((segments, records, packs, pack_bytes, tree_bytes),) = self._rows(sql)
        return Totals(
            segments=segments,
            records=records,
            packs=packs,
            pack_bytes=pack_bytes,
            tree_bytes=tree_bytes,
        )

    def segment_facts(self) -> "list[SegmentFacts]":
        """Return what a plan of compaction has to know of each segment, by name."""
        from wheelferry.store import view_compaction  # noqa: PLC0415 (here and below)

        return self._query(view_compaction.segment_facts)

    def find_dead(self, segments: Iterable[SegmentId]) -> "tuple[Tombstone, ...]":
        """Return the tombstones of the catalog for records of these segments."""
        from wheelferry.store import view_compaction  # noqa: PLC0415

        wanted = tuple(segments)
        return self._query(lambda db: view_compaction.find_dead(db, wanted))

    def stale_copies(self) -> "tuple[Tombstone, ...]":
        """Return tombstones for copies of what was removed while it was merged.

        To be committed by whoever has just committed a merged segment, or tombstones, and
        refreshed: one of the two sees the other.  See `view_compaction.stale_copies`.
        """
        from wheelferry.store import view_compaction  # noqa: PLC0415

        return self._query(view_compaction.stale_copies)

    def removable(self) -> Mapping[SegmentId, frozenset[SegmentId]]:
        """Return the segments that the catalog does not need, and what makes it so.

        Each may go once all of the latter are older than the grace; see
        `view_compaction.removable`.
        """
        from wheelferry.store import view_compaction  # noqa: PLC0415

        return self._query(view_compaction.removable)

    def _note_had(
        self, cache: str, identities: Iterable[Identity], *, is_trimmed: bool
    ) -> None:
        names = tuple(identities)

        def note(db: sqlite3.Connection) -> None:
            with transaction(db):
                if not _is_of(db, cache):
                    db.execute("DELETE FROM had")
                    db.execute("REPLACE INTO meta VALUES ('cache', ?)", (cache,))
                db.executemany(
                    "INSERT OR IGNORE INTO had (identity) SELECT ? WHERE EXISTS "
                    "(SELECT 1 FROM records WHERE identity = ?)",
                    [(name, name) for name in names],
                )
                if is_trimmed:
                    db.executemany(
                        "UPDATE had SET trimmed = 1 WHERE identity = ?",
                        [(name,) for name in names],
                    )

        self._change(note)

    def _had(self, cache: str, sql: str) -> frozenset[Identity]:
        def ask(db: sqlite3.Connection) -> frozenset[Identity]:
            if not _is_of(db, cache):
                return frozenset()
            return frozenset(Identity(identity) for (identity,) in db.execute(sql))

        return self._query(ask)

    def _light(self, where: str, values: Sequence[object] = ()) -> list[LightRecord]:
        # No value is ever part of the SQL's text, here and above.
        sql = f"SELECT {LIGHT_COLUMNS} FROM records AS r WHERE {where}"  # noqa: S608
        make = LightRecord._make
        return self._query(lambda db: [make(row) for row in db.execute(sql, values)])

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._query(lambda db: db.execute(sql, values).fetchall())

    def _query(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `ask` returns, of a file made anew if this one is damaged."""
        try:
            return ask(self._db)
        except sqlite3.Error as exc:
            self._make_anew(exc)
        try:
            return ask(self._db)
        except sqlite3.Error as exc:
            raise view_error(exc, self._path) from exc

    def _change(self, change: Callable[[sqlite3.Connection], object]) -> None:
        """Make a change that may be lost if another process keeps the file busy."""

        def attempt(db: sqlite3.Connection) -> None:
            try:
                change(db)
            except sqlite3.Error as exc:
                if not is_busy(exc):
                    raise

        self._query(attempt)

    def _make_anew(self, damage: sqlite3.Error) -> Refresh:
        """Replace a damaged file, and read the catalog as far as it was read before.

        Raises:
            CacheError: It is not damaged, or cannot be replaced.
            StoreError: The catalog cannot be listed.
        """
        if not is_corrupt(damage):
            raise view_error(damage, self._path) from damage
        self._db.close()
        remove(self._path, disk=self._disk)
        self._names = None  # those of a view in memory: this one is a file, for all
        self._db = self._connect()
        if self._store is None:
            return Refresh()
        try:
            return refresh(self._db, self._store)
        except sqlite3.Error as exc:
            raise view_error(exc, self._path) from exc

    def _connect(self) -> sqlite3.Connection:
        return connect(
            self._path,
            store_id=self._store_id,
            disk=self._disk,
            busy_timeout_s=self._busy_timeout_s,
        )


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _is_of(db: sqlite3.Connection, cache: str) -> bool:
    row = db.execute("SELECT value FROM meta WHERE key = 'cache'").fetchone()
    return row is not None and bool(row[0] == cache)
