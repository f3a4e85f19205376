"""What a view knows of packs: what a removal has to ask.

No index serves these; each is one scan, of a fraction of a second for 100,000 records.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from wheelferry.store.record import Digest, Identity, SegmentId
from wheelferry.store.tombstones import Tombstone
from wheelferry.store.view_rows import Totals


class CataloguedPack(NamedTuple):
    """A pack that living records name.

    Attributes:
        digest: Of the pack.
        size_bytes: As the records say.
        records: How many they are.
        name, version: Of one of them.
        format_ids: Of all of them.
    """

    digest: Digest
    size_bytes: int
    records: int
    name: str
    version: str
    format_ids: frozenset[str]


class Occurrence(NamedTuple):
    """One record of a pack, in one segment.

    Attributes:
        pack: That it names.
        identity: Of the record.
        tombstone: What kills it.
    """

    pack: Digest
    identity: Identity
    tombstone: Tombstone


def list_packs(db: sqlite3.Connection) -> list[CataloguedPack]:
    """Return all packs that living records name, by digest."""
    formats: dict[str, frozenset[str]] = {}
    found = []
    for pack, size_bytes, records, name, version, text in db.execute(
        "SELECT pack, max(pack_bytes), count(*), min(name), min(version), "
        "group_concat(DISTINCT format_id) FROM records WHERE live GROUP BY pack"
    ):
        if text not in formats:  # a handful, for all of the store
            formats[text] = frozenset(text.split(","))
        found.append(
            CataloguedPack(pack, size_bytes, records, name, version, formats[text])
        )
    return found


def sum_packs(db: sqlite3.Connection) -> Totals:
    """Return sums over all living records; sizes count each pack once."""
    # total() is a float and so cannot overflow, whatever sizes records claim.
    sql = (
        "SELECT (SELECT count(*) FROM segments), coalesce(sum(records), 0), "
        "count(*), CAST(total(pack_bytes) AS INTEGER), "
        "CAST(total(tree_bytes) AS INTEGER) FROM (SELECT count(*) AS records, "
        "max(pack_bytes) AS pack_bytes, max(tree_bytes) AS tree_bytes "
        "FROM records WHERE live GROUP BY pack)"
    )
    row = db.execute(sql).fetchone()
    return Totals(*row)


def list_promotions(db: sqlite3.Connection) -> list[tuple[Digest, SegmentId]]:
    """Return which segments name which pack, but for those that only merge others."""
    rows = db.execute(
        "SELECT DISTINCT r.pack, s.id FROM records AS r "
        "JOIN segments AS s ON s.n = r.segment_n WHERE NOT s.merged"
    )
    return [(Digest(pack), SegmentId(segment)) for pack, segment in rows]


def find_named(db: sqlite3.Connection, packs: Collection[Digest]) -> frozenset[Digest]:
    """Return those packs that living records name."""
    with _asked(db, packs):
        rows = db.execute(
            "SELECT DISTINCT r.pack FROM records AS r "
            "JOIN asked AS a ON a.pack = r.pack WHERE r.live"
        ).fetchall()
    return frozenset(Digest(pack) for (pack,) in rows)


def find_occurrences(
    db: sqlite3.Connection, packs: Collection[Digest]
) -> list[Occurrence]:
    """Return each record of these packs that no tombstone names yet, by pack.

    Duplicates too, of which queries show one: each has to be killed by itself.
    """
    with _asked(db, packs):
        rows = db.execute(
            "SELECT r.pack, r.identity, s.id, r.number FROM records AS r "
            "JOIN asked AS a ON a.pack = r.pack JOIN segments AS s ON s.n = r.segment_n "
            "WHERE NOT EXISTS (SELECT 1 FROM tombstones AS x "
            "WHERE x.segment = s.id AND x.number = r.number) ORDER BY 1, 3, 4"
        ).fetchall()
    return [
        Occurrence(pack, identity, Tombstone(segment=segment, number=number))
        for pack, identity, segment, number in rows
    ]


@contextmanager
def _asked(db: sqlite3.Connection, packs: Collection[Digest]) -> Iterator[None]:
    """Have the packs in a table of this connection's own."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS asked (pack TEXT PRIMARY KEY)")
    db.execute("DELETE FROM asked")
    db.executemany("INSERT OR IGNORE INTO asked VALUES (?)", ((p,) for p in packs))
    yield
    db.execute("DELETE FROM asked")
