"""A runner's own view of the catalog: an index in SQLite, on the runner's own disk.

It answers what the store holds without asking the store.  It may be deleted at any time;
the next refresh reads the catalog again.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NewType, Self

from wheelferry.disk import Disk
from wheelferry.store.base import Store
from wheelferry.store.record import Digest, Identity, Record, SegmentId
from wheelferry.store.view_file import (
    BUSY_TIMEOUT_S,
    connect,
    is_busy,
    is_corrupt,
    remove,
    view_error,
)
from wheelferry.store.view_refresh import Refresh, refresh

__all__ = ["LightRecord", "Located", "RecordRef", "Refresh", "Totals", "View"]

RecordRef = NewType("RecordRef", int)
"""Names one record in one view file; never used again for another."""


class LightRecord(NamedTuple):
    """All of a record but its small files and needs.

    A tuple, since a pull makes one for each record of the store: reading 100,000 took
    0.7 to 1.0 s on a busy machine, and with frozen dataclasses 1.2 to 1.7 s.
    """

    ref: RecordRef
    identity: Identity
    format_id: str
    kind: str
    shard: str
    settings: str
    stem: str
    name: str
    version: str
    tags: str
    joined_hashes: str
    size_bytes: int | None
    pack: Digest
    pack_bytes: int
    tree_bytes: int
    tree_files: int

    @property
    def hashes(self) -> tuple[str, ...]:
        """The record's `hashes`."""
        return tuple(self.joined_hashes.split())


class Located(NamedTuple):
    """A record and where it is.

    Attributes:
        ref: In this view.
        segment, number: In the catalog; what a tombstone for it has to name.
        record: All of it.
    """

    ref: RecordRef
    segment: SegmentId
    number: int
    record: Record


class Totals(NamedTuple):
    """What the view holds in sum.

    Attributes:
        segments: In the catalog, without those that could not be read.
        records: Alive, without duplicates.
        packs: That these records name.
        pack_bytes: Sizes of these packs.
        tree_bytes: What they unpack to.
    """

    segments: int
    records: int
    packs: int
    pack_bytes: int
    tree_bytes: int


_LIGHT = ", ".join(f"r.{name}" for name in LightRecord._fields).replace(
    "r.joined_hashes", "r.hashes"
)


class View:
    """The view in one SQLite file, which any number of processes may use at once.

    Queries see live records only: no tombstone names them, and of several with one
    identity and one pack it is the one with most small files.  Iterators read as they
    go; do not refresh the same `View` meanwhile.  A `View` belongs to one thread.

    All methods raise CacheError if the file cannot be used.
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

    def refresh(self, store: Store) -> Refresh:
        """Bring the view up to date; `view_refresh.refresh` says how.

        A damaged file is made anew.  If another process keeps the file busy, the view
        is used as it is, and the result says so: a pull must not fail because of it.

        Raises:
            StoreError: The catalog cannot be listed.
        """
        try:
            return refresh(self._db, store)
        except sqlite3.DatabaseError as exc:
            if is_busy(exc):
                return Refresh(deferred=True)
            if not is_corrupt(exc):
                raise view_error(exc, self._path) from exc
        self._db.close()
        remove(self._path, disk=self._disk)
        self._db = self._connect()
        try:
            return refresh(self._db, store)
        except sqlite3.Error as exc:
            raise view_error(exc, self._path) from exc

    def light_records(
        self, format_ids: Collection[str] | None = None
    ) -> Iterator[LightRecord]:
        """Yield all records, or those of some formats, without their small files."""
        return self._light(*_of_formats(format_ids))

    def load(self, ref: RecordRef) -> Record | None:
        """Return the whole record; None if a refresh has forgotten it since."""
        found = self._located("r.ref = ?", (ref,))
        return next((located.record for located in found), None)

    def records(self, format_ids: Collection[str] | None = None) -> Iterator[Located]:
        """Yield all records, or those of some formats, with their small files."""
        return self._located(*_of_formats(format_ids))

    def has_identity(self, identity: Identity) -> bool:
        """Return whether the store holds an entry of that identity."""
        sql = "SELECT 1 FROM records WHERE identity = ? AND live LIMIT 1"
        return any(True for _ in self._rows(sql, (identity,)))

    def find_identity(self, identity: Identity) -> tuple[LightRecord, ...]:
        """Return the records of one identity, sorted by pack.

        They are several if runners built one sdist and got different trees.
        """
        where = "r.identity = ? AND r.live ORDER BY r.pack"
        return tuple(self._light(where, (identity,)))

    def packs(self) -> Iterator[tuple[Digest, int]]:
        """Yield the objects that records name, and the sizes they should have."""
        sql = "SELECT pack, max(pack_bytes) FROM records WHERE live GROUP BY pack"
        return ((Digest(pack), size_bytes) for pack, size_bytes in self._rows(sql))

    def note_missing(self, pack: Digest) -> None:
        """Remember that the store could not deliver a pack, or delivered a damaged one.

        Forgotten when a segment arrives that names it, or by `forget_missing`.  Notes
        are hints: they are not kept if another process keeps the file busy.
        """
        self._note("INSERT OR IGNORE INTO missing VALUES (?)", pack)

    def forget_missing(self, pack: Digest) -> None:
        """Undo `note_missing`: the pack is in the store."""
        self._note("DELETE FROM missing WHERE pack = ?", pack)

    def is_missing(self, pack: Digest) -> bool:
        """Return whether `note_missing` was told so."""
        sql = "SELECT 1 FROM missing WHERE pack = ?"
        return any(True for _ in self._rows(sql, (pack,)))

    def missing_packs(self) -> frozenset[Digest]:
        """Return all that `note_missing` was told of."""
        return frozenset(
            Digest(row[0]) for row in self._rows("SELECT pack FROM missing")
        )

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

    def _light(self, where: str, values: Sequence[object]) -> Iterator[LightRecord]:
        # No value is ever part of the SQL's text, here and below.
        sql = f"SELECT {_LIGHT} FROM records AS r WHERE {where}"  # noqa: S608
        return map(LightRecord._make, self._rows(sql, values))

    def _located(self, where: str, values: Sequence[object]) -> Iterator[Located]:
        sql = (
            f"SELECT s.id, r.number, b.body, {_LIGHT} FROM records AS r "  # noqa: S608
            "JOIN segments AS s ON s.n = r.segment_n "
            f"LEFT JOIN bodies AS b ON b.ref = r.ref WHERE {where}"
        )
        for segment, number, body, *light in self._rows(sql, values):
            row = LightRecord._make(light)
            yield Located(
                ref=row.ref,
                segment=SegmentId(segment),
                number=number,
                record=_whole(row, body),
            )

    def _connect(self) -> sqlite3.Connection:
        return connect(
            self._path,
            store_id=self._store_id,
            disk=self._disk,
            busy_timeout_s=self._busy_timeout_s,
        )

    def _note(self, sql: str, pack: Digest) -> None:
        try:
            self._db.execute(sql, (pack,))
        except sqlite3.Error as exc:
            if not is_busy(exc):
                raise view_error(exc, self._path) from exc

    def _rows(
        self, sql: str, values: Sequence[object] = ()
    ) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._db.execute(sql, values)
        except sqlite3.Error as exc:
            raise view_error(exc, self._path) from exc


def _of_formats(format_ids: Collection[str] | None) -> tuple[str, tuple[str, ...]]:
    if format_ids is None:
        return "r.live", ()
    marks = ", ".join("?" * len(format_ids))
    return f"r.live AND r.format_id IN ({marks})", tuple(format_ids)


def _whole(row: LightRecord, body: bytes | None) -> Record:
    # Here, since a pull with nothing to do loads no whole record.
    import msgpack  # noqa: PLC0415

    files, needs = ({}, {}) if body is None else msgpack.unpackb(body)
    return Record(
        format_id=row.format_id,
        kind=row.kind,
        shard=row.shard,
        settings=row.settings,
        stem=row.stem,
        name=row.name,
        version=row.version,
        tags=row.tags,
        hashes=row.hashes,
        size_bytes=row.size_bytes,
        pack=row.pack,
        pack_bytes=row.pack_bytes,
        tree_bytes=row.tree_bytes,
        tree_files=row.tree_files,
        files=files,
        needs=needs,
    )
