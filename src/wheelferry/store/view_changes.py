"""Add segments to a view, and take them out again.

Loaded by a refresh that finds something new: most find nothing, and each job waits for
one.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from wheelferry.errors import IntegrityError, StoreFormatUnsupported
from wheelferry.store import view_living
from wheelferry.store.record import Record, SegmentId
from wheelferry.store.segment import iter_blocks, iter_spanning, read_footer
from wheelferry.store.segment_footer import Footer
from wheelferry.store.tombstones import Eviction
from wheelferry.store.view_file import COUNT_ATTEMPT, transaction
from wheelferry.store.view_rows import columns, encode_body

REMEMBERED_S: Final = 365 * 24 * 3600
"""How long a view remembers what was removed, also when the catalog tells no more of it."""

_NOW_S: Final = "((julianday('now') - 2440587.5) * 86400)"
"""This host's time, to a millisecond, as SQLite has it."""


class Changes(NamedTuple):
    """What came of a batch.

    Attributes:
        added, forgotten: Segments that this process added, and took out.
        records: In those that were added.
        bad: Segments that are not what they should be, and why.
    """

    added: int
    forgotten: int
    records: int
    bad: Mapping[SegmentId, str]


def change(
    db: sqlite3.Connection,
    batch: Mapping[SegmentId, bytes],
    gone: Iterable[SegmentId] = (),
    names: Collection[str] | None = None,
) -> Changes:
    """Add and forget in one transaction; a malformed segment is undone by itself.

    Args:
        db: The view.
        batch: Segments that are in the catalog, with their bytes.
        gone: Those that are there no more.
        names: If given, of which packages records are of interest.
    """
    counts: list[int] = []
    bad: dict[SegmentId, str] = {}
    with transaction(db):
        view_living.begin(db)
        for segment, data in batch.items():
            db.execute("SAVEPOINT one")
            try:
                count = _add(db, segment, data, names)
            except (IntegrityError, StoreFormatUnsupported) as exc:
                db.execute("ROLLBACK TO one")
                bad[segment] = exc.message
                refuse(db, segment, exc.message)
                count = None
            db.execute("RELEASE one")
            if count is not None:
                counts.append(count)
        forgotten = sum(_forget(db, segment) for segment in gone)
        view_living.settle(db)
    return Changes(len(counts), forgotten, sum(counts), bad)


def refuse(
    db: sqlite3.Connection, segment: SegmentId, message: str, *, waits: bool = True
) -> None:
    """Remember that a segment cannot be used; unless it `waits`, not even for a refresh."""
    db.execute(
        "INSERT INTO refused VALUES (?, ?, 1, ?) ON CONFLICT (id) DO UPDATE "  # noqa: S608
        f"SET message = excluded.message, {COUNT_ATTEMPT}",
        (segment, message, int(waits)),
    )


def _add(
    db: sqlite3.Connection,
    segment: SegmentId,
    data: bytes,
    names: Collection[str] | None,
) -> int | None:
    """Return how many records were added; None if another process was faster."""
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
    view_living.touch_added(db, segment, n)
    db.execute("DELETE FROM refused WHERE id = ?", (segment,))
    if names is None:  # who promotes: what is for a job alone promotes nothing
        _note_evicted(db, footer.evicted, n, is_merged=bool(footer.replaces))
    # Who promoted these packs saw to it that they are in the store.
    db.execute(
        "DELETE FROM missing WHERE pack IN "
        "(SELECT pack FROM records WHERE segment_n = ?)",
        (n,),
    )
    return added


def _note_evicted(
    db: sqlite3.Connection,
    evicted: Iterable[Eviction],
    n: int | None,
    *,
    is_merged: bool,
) -> None:
    """Remember what was removed, and when last; that is no later than now.

    What a merge tells again is no news: a time that was in the future then, by the clock
    of whoever removed it, would be a later now.
    """
    rows = tuple(evicted)
    db.executemany(
        f"INSERT INTO evicted SELECT ?1, min({_NOW_S}, ?2 + 1) "  # noqa: S608
        "WHERE NOT (?3 AND EXISTS "
        "(SELECT 1 FROM removals WHERE (identity, at_s) = (?1, ?2))) "
        "ON CONFLICT (identity) "
        "DO UPDATE SET removed_s = max(removed_s, excluded.removed_s)",
        [(identity, at_s, is_merged) for identity, at_s in rows],
    )
    db.executemany(
        "INSERT INTO removals VALUES (?, ?, ?)",
        [(n, identity, at_s) for identity, at_s in rows],
    )
    db.execute(f"DELETE FROM evicted WHERE removed_s < {_NOW_S} - ?", (REMEMBERED_S,))  # noqa: S608


def _numbered(
    data: bytes, footer: Footer, segment: SegmentId, names: Collection[str] | None
) -> Iterator[list[tuple[int, Record]]]:
    """Yield records with their numbers, block by block; of these packages, if given."""
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
    view_living.touch_forgotten(db, n)
    db.execute(
        "DELETE FROM bodies WHERE ref IN (SELECT ref FROM records WHERE segment_n = ?)",
        (n,),
    )
    db.execute("DELETE FROM records WHERE segment_n = ?", (n,))
    db.execute("DELETE FROM tombstones WHERE by_n = ?", (n,))
    db.execute("DELETE FROM replaces WHERE by_n = ?", (n,))
    db.execute("DELETE FROM removals WHERE by_n = ?", (n,))
    db.execute("DELETE FROM bans WHERE by_n = ?", (n,))
    db.execute("DELETE FROM segments WHERE n = ?", (n,))
    return 1
