"""What a view can tell of the catalog as segments: what to merge, bury and remove.

Two records are *equal* here if they have one identity, one pack and the same needs: a
view shows one of them.  All of it holds for a view that has the whole catalog.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

from wheelferry.store.compaction import TOLD_S, SegmentFacts
from wheelferry.store.record import SegmentId
from wheelferry.store.tombstones import Tombstone

# Of a connection, since it is of no use to others.
_LIVING: Final = """
CREATE TEMP VIEW IF NOT EXISTS living AS SELECT r.* FROM records AS r
WHERE NOT EXISTS (SELECT 1 FROM tombstones AS t
  JOIN segments AS s ON s.n = r.segment_n
  WHERE t.segment = s.id AND t.number = r.number)
"""

_FACTS: Final = """
SELECT s.id, s.records, s.raw_bytes,
  (SELECT count(DISTINCT t.number) FROM tombstones AS t
    WHERE t.segment = s.id AND t.number < s.records),
  (SELECT count(*) FROM tombstones AS t WHERE t.by_n = s.n),
  (SELECT count(DISTINCT t.segment) FROM tombstones AS t WHERE t.by_n = s.n),
  (SELECT count(*) FROM removals AS e WHERE e.by_n = s.n),
  s.is_plain
    AND NOT EXISTS (SELECT 1 FROM replaces AS p WHERE p.segment = s.id)
    AND NOT EXISTS (SELECT 1 FROM replaces AS p
      JOIN segments AS i ON i.id = p.segment WHERE p.by_n = s.n)
FROM segments AS s ORDER BY s.id
"""

# p: that m replaces a; d: dead in a; r: its copy in m; o: one that is equal, in an input.
# Which inputs are gone is asked once: for each input of each m, that was quadratic.
_STALE: Final = """
SELECT DISTINCT m.id, r.number FROM replaces AS p
CROSS JOIN segments AS m ON m.n = p.by_n
CROSS JOIN segments AS a ON a.id = p.segment
CROSS JOIN tombstones AS t ON t.segment = a.id
CROSS JOIN records AS d ON d.segment_n = a.n AND d.number = t.number
CROSS JOIN living AS r ON (r.identity, r.pack, r.needs, r.segment_n)
  = (d.identity, d.pack, d.needs, m.n)
WHERE m.n NOT IN (SELECT q.by_n FROM replaces AS q
  LEFT JOIN segments AS b ON b.id = q.segment WHERE b.n IS NULL)
AND NOT EXISTS (SELECT 1 FROM living AS o
  CROSS JOIN segments AS b ON b.n = o.segment_n
  CROSS JOIN replaces AS q ON q.by_n = m.n AND q.segment = b.id
  WHERE (o.identity, o.pack, o.needs) = (d.identity, d.pack, d.needs))
ORDER BY m.id, r.number
"""

# d: what s says, and m does not; t: a tombstone of s that counts, and m does not have;
# e: what s says was removed, and m does not, though it is not long ago.
_COVERED: Final = """
SELECT s.id, m.id FROM replaces AS p
CROSS JOIN segments AS m ON m.n = p.by_n
CROSS JOIN segments AS s ON s.id = p.segment
WHERE s.is_plain AND NOT EXISTS (SELECT 1 FROM replaces AS i
  JOIN segments AS b ON b.id = i.segment WHERE i.by_n = s.n)
AND NOT EXISTS (SELECT 1 FROM living AS d WHERE d.segment_n = s.n
  AND NOT EXISTS (SELECT 1 FROM living AS r
    WHERE (r.identity, r.pack, r.needs, r.segment_n)
      = (d.identity, d.pack, d.needs, m.n) AND r.roles >= d.roles))
AND NOT EXISTS (SELECT 1 FROM tombstones AS t
  JOIN segments AS g ON g.id = t.segment
  WHERE t.by_n = s.n AND NOT EXISTS (SELECT 1 FROM tombstones AS u
    WHERE (u.segment, u.number, u.by_n) = (t.segment, t.number, m.n)))
AND NOT EXISTS (SELECT 1 FROM removals AS e
  WHERE e.by_n = s.n AND e.at_s >= m.created_s - ?
  AND NOT EXISTS (SELECT 1 FROM removals AS f
    WHERE (f.by_n, f.identity) = (m.n, e.identity) AND f.at_s >= e.at_s))
"""

# k: which ones have tombstones for records of s.
_SPENT: Final = """
SELECT s.id, k.id FROM segments AS s
LEFT JOIN (SELECT DISTINCT segment, by_n FROM tombstones) AS t ON t.segment = s.id
LEFT JOIN segments AS k ON k.n = t.by_n
WHERE s.is_plain AND NOT EXISTS (SELECT 1 FROM replaces AS i
  JOIN segments AS b ON b.id = i.segment WHERE i.by_n = s.n)
AND NOT EXISTS (SELECT 1 FROM living AS d WHERE d.segment_n = s.n)
AND NOT EXISTS (SELECT 1 FROM tombstones AS t
  JOIN segments AS g ON g.id = t.segment WHERE t.by_n = s.n)
AND NOT EXISTS (SELECT 1 FROM removals AS e
  WHERE e.by_n = s.n AND e.at_s >= strftime('%s', 'now') - ?)
"""


def segment_facts(db: sqlite3.Connection) -> list[SegmentFacts]:
    """Return what a plan has to know of each segment, by name."""
    return [
        SegmentFacts(
            segment=SegmentId(segment),
            records=records,
            dead=dead,
            raw_bytes=raw_bytes,
            tombstones=tombstones,
            buried_in=buried_in,
            evicted=evicted,
            is_free=bool(is_free),
        )
        for (
            segment,
            records,
            raw_bytes,
            dead,
            tombstones,
            buried_in,
            evicted,
            is_free,
        ) in db.execute(_FACTS)
    ]


def find_dead(
    db: sqlite3.Connection, segments: Iterable[SegmentId]
) -> tuple[Tombstone, ...]:
    """Return the tombstones of the catalog for records of these segments."""
    sql = "SELECT DISTINCT number FROM tombstones WHERE segment = ?"
    return tuple(
        Tombstone(segment=segment, number=number)
        for segment in segments
        for (number,) in db.execute(sql, (segment,))
    )


def stale_copies(db: sqlite3.Connection) -> tuple[Tombstone, ...]:
    """Return tombstones for copies of what was removed while it was merged.

    A copy is stale if none of the equal records is alive that the inputs of its segment
    have, and one is dead: who merged did not know of that tombstone, and who wrote it not
    of the copy.  Told only of segments whose inputs all stand; before one of them is
    removed, this has been looked for.
    """
    db.execute(_LIVING)
    return tuple(
        Tombstone(segment=SegmentId(segment), number=number)
        for segment, number in db.execute(_STALE)
    )


def removable(db: sqlite3.Connection) -> Mapping[SegmentId, frozenset[SegmentId]]:
    """Return the segments that the catalog does not need, and what makes it so.

    Either another segment replaces it, and says all that it says: then that one; if more
    than one does, the one with the lowest name.  Or nothing in it counts: then those
    whose tombstones name its records.  It is to stay until these are older than the
    grace.  A segment that replaces a standing one stays.
    """
    db.execute(_LIVING)
    found: dict[SegmentId, set[SegmentId]] = {}
    for segment, by in db.execute(_SPENT, (TOLD_S,)):
        reasons = found.setdefault(SegmentId(segment), {SegmentId(segment)})
        if by is not None:
            reasons.add(SegmentId(by))
    spent = frozenset(found)
    for segment, by in sorted(db.execute(_COVERED, (TOLD_S,)), reverse=True):
        if segment not in spent:
            found[SegmentId(segment)] = {SegmentId(by)}
    return {segment: frozenset(by) for segment, by in found.items()}
