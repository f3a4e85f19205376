"""Bring a view up to date with the catalog: list it, read what is new, forget the rest.

The catalog is a union: segments may be added in any order, by any number of processes,
any number of times, and the view is the same.  So a refresh need not lock anything but
the view's own file, and reads the share before it does.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from wheelferry.errors import IntegrityError, StoreFormatUnsupported, StoreUnavailable
from wheelferry.store.base import Store
from wheelferry.store.record import Record, SegmentId
from wheelferry.store.view_file import transaction

BATCH_BYTES: Final = 4 << 20
"""Segments are read in batches of so many bytes, each added in one transaction."""

_ROUNDS: Final = 3
_MAX_WAIT: Final = 63


class Refresh(NamedTuple):
    """What a refresh did.

    Attributes:
        added_segments: Read and added by this process.
        forgotten_segments: No longer in the catalog.
        records: In the segments that were added.
        bad: Segments of the catalog that are left out, and why; each time, for as long
            as they are there.
        deferred: Another process kept the view's file busy; the view is as it was.
    """

    added_segments: int = 0
    forgotten_segments: int = 0
    records: int = 0
    bad: tuple[tuple[SegmentId, str], ...] = ()
    deferred: bool = False


class _Progress:
    def __init__(self) -> None:
        self.added_segments = 0
        self.forgotten_segments = 0
        self.records = 0
        self.bad: dict[SegmentId, str] = {}


def refresh(db: sqlite3.Connection, store: Store) -> Refresh:
    """List the catalog once, read unseen segments, add and forget.

    With little that is new, all of it is one transaction; a new runner's first refresh
    takes one for each BATCH_BYTES, and what stands between two of them is a view that
    a runner could have had earlier.  A listed segment that is gone when it is read was
    replaced: the catalog is listed again.

    A segment that is damaged or of an unknown version is left out as a whole.  It is
    read again on the next refresh, since a read may have gone wrong by accident, then
    after 1, 3, 7 and at most 63 more, so that a large one does not cost every job.  One
    that the store could not deliver is read again on each.

    Raises:
        StoreError: The catalog cannot be listed.
    """
    progress = _Progress()
    for _ in range(_ROUNDS):
        if not _round(db, store, progress):
            break
    return Refresh(
        added_segments=progress.added_segments,
        forgotten_segments=progress.forgotten_segments,
        records=progress.records,
        bad=tuple(sorted(progress.bad.items())),
    )


def _round(db: sqlite3.Connection, store: Store, progress: _Progress) -> bool:
    """Return whether the catalog has to be listed again."""
    listed = store.list_segments()
    known = {SegmentId(row[0]) for row in db.execute("SELECT id FROM segments")}
    waiting = _take_waiting(db, listed)
    still_bad = {s: text for s, text in progress.bad.items() if s in listed}
    progress.bad = still_bad | waiting
    unseen = sorted(listed - known - progress.bad.keys())
    gone = known - listed
    vanished = False
    batch: dict[SegmentId, bytes] = {}
    batch_bytes = 0
    for segment in unseen:
        try:
            data = store.read_segment(segment)
        except (IntegrityError, StoreFormatUnsupported) as exc:
            progress.bad[segment] = exc.message
            _refuse(db, segment, exc.message)
            continue
        except StoreUnavailable as exc:
            progress.bad[segment] = exc.message
            continue
        if data is None:
            vanished = True
            continue
        batch[segment] = data
        batch_bytes += len(data)
        if batch_bytes >= BATCH_BYTES:
            _apply(db, batch, frozenset(), progress)
            batch, batch_bytes = {}, 0
    if batch or gone:
        _apply(db, batch, gone, progress)
    return vanished


def _take_waiting(
    db: sqlite3.Connection, listed: frozenset[SegmentId]
) -> dict[SegmentId, str]:
    """Return the refused segments that are not to be read this time, and count down."""
    rows = db.execute("SELECT id, message, wait FROM refused").fetchall()
    if not rows:
        return {}
    with transaction(db):
        db.executemany(
            "DELETE FROM refused WHERE id = ?",
            [(segment,) for segment, _, _ in rows if segment not in listed],
        )
        db.execute("UPDATE refused SET wait = wait - 1 WHERE wait > 0")
    return {
        SegmentId(segment): message
        for segment, message, wait in rows
        if wait > 0 and segment in listed
    }


def _refuse(db: sqlite3.Connection, segment: SegmentId, message: str) -> None:
    db.execute(
        "INSERT INTO refused VALUES (?, ?, 1, 0) ON CONFLICT (id) DO UPDATE SET "
        "message = excluded.message, attempts = attempts + 1, "
        "wait = min(?, (1 << min(attempts, 6)) - 1)",
        (segment, message, _MAX_WAIT),
    )


def _apply(
    db: sqlite3.Connection,
    batch: dict[SegmentId, bytes],
    gone: Iterable[SegmentId],
    progress: _Progress,
) -> None:
    """Add and forget in one transaction; a malformed segment is undone by itself."""
    with transaction(db):
        db.execute(
            "CREATE TEMP TABLE IF NOT EXISTS touched "
            "(identity TEXT, pack TEXT, PRIMARY KEY (identity, pack)) WITHOUT ROWID"
        )
        db.execute("DELETE FROM touched")
        for segment, data in batch.items():
            db.execute("SAVEPOINT one")
            try:
                count = _add(db, segment, data)
            except (IntegrityError, StoreFormatUnsupported) as exc:
                db.execute("ROLLBACK TO one")
                progress.bad[segment] = exc.message
                _refuse(db, segment, exc.message)
                count = None
            db.execute("RELEASE one")
            if count is not None:
                progress.added_segments += 1
                progress.records += count
        for segment in gone:
            progress.forgotten_segments += _forget(db, segment)
        _choose_live(db)


def _add(db: sqlite3.Connection, segment: SegmentId, data: bytes) -> int | None:
    """Return how many records were added; None if another process was faster."""
    # Here, since most refreshes find nothing new, and each job waits for one.
    import msgpack  # noqa: PLC0415

    from wheelferry.store.segment import iter_records, read_footer  # noqa: PLC0415

    if db.execute("SELECT 1 FROM segments WHERE id = ?", (segment,)).fetchone():
        return None
    footer = read_footer(data, segment=segment)
    n = db.execute("INSERT INTO segments (id) VALUES (?)", (segment,)).lastrowid
    (first,) = db.execute("SELECT value FROM meta WHERE key = 'next_ref'").fetchone()
    db.execute(
        "UPDATE meta SET value = ? WHERE key = 'next_ref'",
        (first + footer.record_count,),
    )
    bodies: list[tuple[int, bytes]] = []

    def rows() -> Iterator[tuple[object, ...]]:
        records = iter_records(data, footer, segment=segment)
        for number, record in enumerate(records):
            if record.files or record.needs:
                body = msgpack.packb([dict(record.files), dict(record.needs)])
                bodies.append((first + number, body))
            yield (first + number, n, number, *_columns(record))

    db.executemany(
        "INSERT INTO records VALUES "
        "(?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows(),
    )
    db.executemany("INSERT INTO bodies VALUES (?, ?)", bodies)
    db.executemany(
        "INSERT INTO tombstones VALUES (?, ?, ?)",
        [(tomb.segment, tomb.number, n) for tomb in footer.tombstones],
    )
    _touch(db, n)
    db.execute("DELETE FROM refused WHERE id = ?", (segment,))
    # Who promoted these packs saw to it that they are in the store.
    db.execute(
        "DELETE FROM missing WHERE pack IN "
        "(SELECT pack FROM records WHERE segment_n = ?)",
        (n,),
    )
    return footer.record_count


def _columns(record: Record) -> tuple[object, ...]:
    """Return the columns from `roles` on."""
    return (
        len(record.files),
        record.identity,
        record.format_id,
        record.kind,
        record.shard,
        record.settings,
        record.stem,
        record.name,
        record.version,
        record.tags,
        " ".join(record.hashes),
        record.size_bytes,
        record.pack,
        record.pack_bytes,
        record.tree_bytes,
        record.tree_files,
    )


def _forget(db: sqlite3.Connection, segment: SegmentId) -> int:
    """Return 1; 0 if another process was faster."""
    row = db.execute("SELECT n FROM segments WHERE id = ?", (segment,)).fetchone()
    if row is None:
        return 0
    (n,) = row
    _touch(db, n)
    db.execute(
        "DELETE FROM bodies WHERE ref IN (SELECT ref FROM records WHERE segment_n = ?)",
        (n,),
    )
    db.execute("DELETE FROM records WHERE segment_n = ?", (n,))
    db.execute("DELETE FROM tombstones WHERE by_n = ?", (n,))
    db.execute("DELETE FROM segments WHERE n = ?", (n,))
    return 1


def _touch(db: sqlite3.Connection, n: int | None) -> None:
    """Note what may live or die because segment `n` comes or goes."""
    db.execute(
        "INSERT OR IGNORE INTO touched "
        "SELECT identity, pack FROM records WHERE segment_n = ?",
        (n,),
    )
    db.execute(
        "INSERT OR IGNORE INTO touched SELECT r.identity, r.pack FROM tombstones AS t "
        "CROSS JOIN segments AS s ON s.id = t.segment "
        "CROSS JOIN records AS r ON r.segment_n = s.n AND r.number = t.number "
        "WHERE t.by_n = ?",
        (n,),
    )


def _choose_live(db: sqlite3.Connection) -> None:
    """Choose, for all that was touched, one record each that no tombstone names.

    The one with most small files, then by name of the segment and number: whatever the
    order in which segments arrived.
    """
    db.execute(
        "UPDATE records SET live = 0 WHERE ref IN ("
        "SELECT r.ref FROM touched AS t CROSS JOIN records AS r "
        "ON r.identity = t.identity AND r.pack = t.pack) AND live"
    )
    db.execute(
        "UPDATE records SET live = 1 WHERE ref IN (SELECT ref FROM ("
        "SELECT r.ref AS ref, row_number() OVER (PARTITION BY r.identity, r.pack "
        "ORDER BY r.roles DESC, s.id, r.number) AS place FROM touched AS t "
        "CROSS JOIN records AS r ON r.identity = t.identity AND r.pack = t.pack "
        "JOIN segments AS s ON s.n = r.segment_n "
        "WHERE NOT EXISTS (SELECT 1 FROM tombstones AS x "
        "WHERE x.segment = s.id AND x.number = r.number)) WHERE place = 1)"
    )
