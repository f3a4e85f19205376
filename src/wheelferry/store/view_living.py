"""Which records of a view live, after segments have come or gone.

Whoever changes the records first notes what that touches: `begin`, then `touch_*`.
`settle` then chooses anew for all of it.
"""

import sqlite3

from wheelferry.store.record import SegmentId


def begin(db: sqlite3.Connection) -> None:
    """Have nothing touched."""
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS touched "
        "(identity TEXT, pack TEXT, PRIMARY KEY (identity, pack)) WITHOUT ROWID"
    )
    db.execute("DELETE FROM touched")


def touch_added(db: sqlite3.Connection, segment: SegmentId, n: int | None) -> None:
    """Note what a segment, whose records were just added, may change."""
    _touch_contested(db, segment, n)
    _touch_buried(db, n)


def touch_forgotten(db: sqlite3.Connection, n: int) -> None:
    """Note what a segment, whose records are still there, changes by going."""
    db.execute(
        "INSERT OR IGNORE INTO touched "
        "SELECT identity, pack FROM records WHERE segment_n = ?",
        (n,),
    )
    _touch_buried(db, n)


def settle(db: sqlite3.Connection) -> None:
    """Choose who lives of all that was touched, and forget what has gone with it."""
    _choose_live(db)
    # What the catalog has no more may come again, and is new then.
    db.execute(
        "DELETE FROM had WHERE identity IN (SELECT identity FROM touched) AND NOT "
        "EXISTS (SELECT 1 FROM records AS r WHERE r.identity = had.identity)"
    )


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
