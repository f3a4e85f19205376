"""Bring a view up to date with the catalog: list it, read what is new, forget the rest.

The catalog is a union: segments may be added in any order, by any number of processes,
any number of times, and the view is the same.  So a refresh need not lock anything but
the view's own file, and reads the share before it does.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from wheelferry.errors import (
    DeadlinePassed,
    IntegrityError,
    StoreFormatUnsupported,
    StoreSilent,
    StoreUnavailable,
)
from wheelferry.store.base import Store
from wheelferry.store.record import SegmentId
from wheelferry.store.view_file import COUNT_ATTEMPT, count_down, transaction
from wheelferry.store.view_rows import columns, encode_body

if TYPE_CHECKING:
    from wheelferry.store.record import Record
    from wheelferry.store.segment_footer import Footer

BATCH_BYTES: Final = 1 << 20
"""Segments are read in batches of so many bytes, each added in one transaction.

That is what a kill at a deadline loses, and what other processes wait for: with small
records 12,000 of them, 0.4 s of a CPU, and ten times that on a slow virtual one.
"""

_ROUNDS: Final = 3

EVICTED_S: Final = 365 * 24 * 3600
"""How long a view remembers what was removed."""

_NOW_S: Final = "((julianday('now') - 2440587.5) * 86400)"
"""This host's time, to a millisecond, as SQLite has it."""


class Refresh(NamedTuple):
    """What a refresh did.

    Attributes:
        added_segments: Read and added by this process.
        forgotten_segments: No longer in the catalog.
        records: In the segments that were added.
        bad: Segments of the catalog that are left out, and why; each time, for as long
            as they are there.
        deferred: Another process kept the view's file busy; what is new may be missing.
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


def refresh(
    db: sqlite3.Connection, store: Store, names: Collection[str] | None = None
) -> Refresh:
    """List the catalog once, read unseen segments, add and forget.

    With little that is new, all of it is one transaction; a new runner's first refresh
    takes one for each BATCH_BYTES, and what stands between two of them is a view that
    a runner could have had earlier.  A listed segment that is gone when it is read was
    replaced: the catalog is listed again.

    A segment that is damaged or of an unknown version is left out as a whole.  It is
    read again on the next refresh, since a read may have gone wrong by accident, then
    after 1, 3, 7 and at most 63 more, so that a large one does not cost every job.

    When the store does not deliver a segment, the others are left for the next refresh:
    each might cost a time-out.  That one is tried again then, but after all others.  A
    segment that this user may not read costs nothing, and stops nothing.

    With `names`, records of other packages are left out, and so are checks of the blocks
    that hold only such: each refresh of one view has to be given the same.

    Raises:
        StoreError: The catalog cannot be listed, or the time for it is over; what was
            read until then is kept, and the message says how much of the catalog it is.
    """
    progress = _Progress()
    for number in range(_ROUNDS):
        # Before the listing, which cannot have what another process adds after it.
        known = _known(db)
        listed = store.list_segments()
        if number == 0:
            count_down(db)
        if not _round(db, store, known, listed, progress, names=names):
            break
    return Refresh(
        added_segments=progress.added_segments,
        forgotten_segments=progress.forgotten_segments,
        records=progress.records,
        bad=tuple(sorted(progress.bad.items())),
    )


def _round(
    db: sqlite3.Connection,
    store: Store,
    known: set[SegmentId],
    listed: frozenset[SegmentId],
    progress: _Progress,
    *,
    names: Collection[str] | None,
) -> bool:
    """Return whether the catalog has to be listed again."""
    rows = db.execute("SELECT id, message, attempts, wait FROM refused").fetchall()
    refused = {SegmentId(segment): attempts for segment, _, attempts, _ in rows}
    waiting = {SegmentId(segment): text for segment, text, _, wait in rows if wait > 0}
    bad = waiting | progress.bad
    progress.bad = {segment: bad[segment] for segment in bad if segment in listed}
    unseen = sorted(
        listed - known - progress.bad.keys(), key=lambda s: (refused.get(s, 0), s)
    )
    gone = (known | refused.keys()) - listed
    is_stopped = vanished = False
    batch: dict[SegmentId, bytes] = {}
    batch_bytes = 0
    for number, segment in enumerate(unseen, start=1):
        try:
            data = store.read_segment(segment)
        except (IntegrityError, StoreFormatUnsupported) as exc:
            progress.bad[segment] = exc.message
            _refuse(db, segment, exc.message)
            continue
        except (StoreSilent, DeadlinePassed) as exc:
            if batch:
                _apply(db, batch, frozenset(), progress, names)
            read = len(_known(db) & listed)
            raise _with_extent(exc, read, len(listed)) from exc.__cause__
        except StoreUnavailable as exc:
            progress.bad[segment] = exc.message
            if isinstance(exc.__cause__, PermissionError):
                continue
            is_stopped = True
            progress.bad[segment] = _with_rest(exc.message, len(unseen) - number)
            _refuse(db, segment, exc.message, waits=False)
            break
        if data is None:
            vanished = True
            continue
        batch[segment] = data
        batch_bytes += len(data)
        if batch_bytes >= BATCH_BYTES:
            _apply(db, batch, frozenset(), progress, names)
            batch, batch_bytes = {}, 0
    if batch or gone:
        _apply(db, batch, gone, progress, names)
    return vanished and not is_stopped


def _known(db: sqlite3.Connection) -> set[SegmentId]:
    return {SegmentId(row[0]) for row in db.execute("SELECT id FROM segments")}


def _with_extent(
    error: StoreSilent | DeadlinePassed, read: int, listed: int
) -> StoreSilent | DeadlinePassed:
    """Return the same error, with how much of the catalog the view has."""
    extent = f"of the catalog's {listed} segments {read} have been read"
    return type(error)(f"{error.message}; {extent}", hint=error.hint)


def _with_rest(message: str, rest: int) -> str:
    return f"{message}; {rest} more are left for later" if rest else message


def add_segment(db: sqlite3.Connection, segment: SegmentId, data: bytes) -> None:
    """Add one segment that is known to be in the catalog."""
    _apply(db, {segment: data}, frozenset(), _Progress())


def _refuse(
    db: sqlite3.Connection, segment: SegmentId, message: str, *, waits: bool = True
) -> None:
    db.execute(
        "INSERT INTO refused VALUES (?, ?, 1, ?) ON CONFLICT (id) DO UPDATE "  # noqa: S608
        f"SET message = excluded.message, {COUNT_ATTEMPT}",
        (segment, message, int(waits)),
    )


def _apply(
    db: sqlite3.Connection,
    batch: dict[SegmentId, bytes],
    gone: Iterable[SegmentId],
    progress: _Progress,
    names: Collection[str] | None = None,
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
                count = _add(db, segment, data, names)
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
        _note_evicted(db)
        # What the catalog has no more may come again, and is new then.
        db.execute(
            "DELETE FROM had WHERE identity IN (SELECT identity FROM touched) AND NOT "
            "EXISTS (SELECT 1 FROM records AS r WHERE r.identity = had.identity)"
        )


def _add(
    db: sqlite3.Connection,
    segment: SegmentId,
    data: bytes,
    names: Collection[str] | None,
) -> int | None:
    """Return how many records were added; None if another process was faster."""
    # Here, since most refreshes find nothing new, and each job waits for one.
    from wheelferry.store.segment import read_footer  # noqa: PLC0415

    if db.execute("SELECT 1 FROM segments WHERE id = ?", (segment,)).fetchone():
        return None
    footer = read_footer(data, segment=segment)
    n = db.execute(
        "INSERT INTO segments (id, merged, created_s, records, raw_bytes, is_plain) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (
            segment,
            bool(footer.replaces),
            footer.created_s,
            footer.record_count,
            footer.raw_bytes,
            footer.is_plain,
        ),
    ).lastrowid
    (first,) = db.execute("SELECT value FROM meta WHERE key = 'next_ref'").fetchone()
    db.execute(
        "UPDATE meta SET value = ? WHERE key = 'next_ref'",
        (first + footer.record_count,),
    )
    added = 0
    for numbered in _numbered(data, footer, segment, names):
        added += len(numbered)
        db.executemany(
            "INSERT INTO records VALUES "
            "(?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (first + number, n, number, *columns(record))
                for number, record in numbered
            ),
        )
        db.executemany(
            "INSERT INTO bodies VALUES (?, ?)",
            (
                (first + number, encode_body(record.files))
                for number, record in numbered
                if record.files
            ),
        )
    db.executemany(
        "INSERT INTO tombstones VALUES (?, ?, ?)",
        [(tomb.segment, tomb.number, n) for tomb in footer.tombstones],
    )
    db.executemany(
        "INSERT OR IGNORE INTO replaces VALUES (?, ?)",
        [(replaced, n) for replaced in footer.replaces],
    )
    db.executemany(
        "INSERT OR IGNORE INTO bans VALUES (?, ?, ?)",
        [(*ban, n) for ban in footer.bans],
    )
    _touch_contested(db, segment, n)
    _touch_buried(db, n)
    db.execute("DELETE FROM refused WHERE id = ?", (segment,))
    # What comes again may be removed again, and that is another time then.
    db.execute(
        "DELETE FROM evicted WHERE identity IN "
        "(SELECT identity FROM records WHERE segment_n = ?)",
        (n,),
    )
    # Who promoted these packs saw to it that they are in the store.
    db.execute(
        "DELETE FROM missing WHERE pack IN "
        "(SELECT pack FROM records WHERE segment_n = ?)",
        (n,),
    )
    return added


def _numbered(
    data: bytes, footer: "Footer", segment: SegmentId, names: Collection[str] | None
) -> "Iterator[list[tuple[int, Record]]]":
    """Yield records with their numbers, block by block; of these packages, if given."""
    from wheelferry.store.segment import (  # noqa: PLC0415
        iter_blocks,
        iter_spanning,
    )

    if names is not None:
        for first, records in iter_spanning(data, footer, names, segment=segment):
            numbered = enumerate(records, start=first)
            yield [pair for pair in numbered if pair[1].name in names]
        return
    first = 0
    for records in iter_blocks(data, footer, segment=segment):
        yield list(enumerate(records, start=first))
        first += len(records)


def _forget(db: sqlite3.Connection, segment: SegmentId) -> int:
    """Return 1; 0 if another process was faster, or it never was added."""
    db.execute("DELETE FROM refused WHERE id = ?", (segment,))
    row = db.execute("SELECT n FROM segments WHERE id = ?", (segment,)).fetchone()
    if row is None:
        return 0
    (n,) = row
    db.execute(
        "INSERT OR IGNORE INTO touched "
        "SELECT identity, pack FROM records WHERE segment_n = ?",
        (n,),
    )
    _touch_buried(db, n)
    db.execute(
        "DELETE FROM bodies WHERE ref IN (SELECT ref FROM records WHERE segment_n = ?)",
        (n,),
    )
    db.execute("DELETE FROM records WHERE segment_n = ?", (n,))
    db.execute("DELETE FROM tombstones WHERE by_n = ?", (n,))
    db.execute("DELETE FROM replaces WHERE by_n = ?", (n,))
    db.execute("DELETE FROM bans WHERE by_n = ?", (n,))
    db.execute("DELETE FROM segments WHERE n = ?", (n,))
    return 1


def _touch_contested(db: sqlite3.Connection, segment: SegmentId, n: int | None) -> None:
    """Note those of a new segment's records that may not live.

    Each of the others is the only one of its kind, and was added alive: to choose among
    them too took a quarter of a first refresh.
    """
    db.execute(
        "INSERT OR IGNORE INTO touched "
        "SELECT r.identity, r.pack FROM records AS r WHERE r.segment_n = ? AND EXISTS "
        "(SELECT 1 FROM records AS o "
        "WHERE o.identity = r.identity AND o.pack = r.pack AND o.ref != r.ref)",
        (n,),
    )
    db.execute(
        "INSERT OR IGNORE INTO touched SELECT r.identity, r.pack FROM tombstones AS t "
        "CROSS JOIN records AS r ON r.segment_n = ? AND r.number = t.number "
        "WHERE t.segment = ?",
        (n, segment),
    )


def _touch_buried(db: sqlite3.Connection, n: int | None) -> None:
    """Note what segment `n`, which comes or goes, has tombstones for."""
    db.execute(
        "INSERT OR IGNORE INTO touched SELECT r.identity, r.pack FROM tombstones AS t "
        "CROSS JOIN segments AS s ON s.id = t.segment "
        "CROSS JOIN records AS r ON r.segment_n = s.n AND r.number = t.number "
        "WHERE t.by_n = ?",
        (n,),
    )


def _choose_live(db: sqlite3.Connection) -> None:
    """Choose, for all that was touched, one record for each needs that no tombstone names.

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
        "SELECT r.ref AS ref, row_number() OVER (PARTITION BY r.identity, r.pack, r.needs "
        "ORDER BY r.roles DESC, s.id, r.number) AS place FROM touched AS t "
        "CROSS JOIN records AS r ON r.identity = t.identity AND r.pack = t.pack "
        "JOIN segments AS s ON s.n = r.segment_n "
        "WHERE NOT EXISTS (SELECT 1 FROM tombstones AS x "
        "WHERE x.segment = s.id AND x.number = r.number)) WHERE place = 1)"
    )


def _note_evicted(db: sqlite3.Connection) -> None:
    """Remember what tombstones have killed for good, and when that was.

    That is what the segment with the tombstone says, by the clock of another host, to a
    second, and no later than now.  Remembered until a segment brings the identity again;
    also when a merge of segments drops the dead record and its tombstone.
    """
    db.execute(
        "INSERT OR IGNORE INTO evicted "  # noqa: S608
        f"SELECT t.identity, min({_NOW_S}, max(b.created_s) + 1) FROM touched AS t "
        "CROSS JOIN records AS r ON r.identity = t.identity "
        "JOIN segments AS s ON s.n = r.segment_n "
        "JOIN tombstones AS x ON x.segment = s.id AND x.number = r.number "
        "JOIN segments AS b ON b.n = x.by_n WHERE NOT EXISTS "
        "(SELECT 1 FROM records AS o WHERE o.identity = t.identity AND o.live) "
        "GROUP BY t.identity"
    )
    db.execute(f"DELETE FROM evicted WHERE removed_s < {_NOW_S} - ?", (EVICTED_S,))  # noqa: S608
