"""Merge segments of the catalog, so that it stays few large reads: pure.

A merged segment holds the living records of its inputs, byte for byte, and names what it
replaces.  The catalog means the same with the inputs or without them, and while both are
there; so inputs can be removed whenever, and a merge may be done twice, or half.

Segments of about one size are merged with each other, so that a record is written again
only as often as the catalog has sizes: `docs/store-format.md` has the rules.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from wheelferry.store.record import Record, SegmentId
from wheelferry.store.segment import (
    Packed,
    iter_packed,
    join_segment,
    read_footer,
)
from wheelferry.store.segment_footer import Footer
from wheelferry.store.tombstones import (
    MAX_EVICTIONS,
    MAX_LISTED_SEGMENTS,
    MAX_TOMBSTONES,
    Eviction,
    Tombstone,
)

SMALL_BYTES: Final = 1 << 20
"""What has less living records than that, decompressed, is small."""

MAX_SMALL: Final = 50
"""How many small segments may stand: each costs a cold runner an open, a read, a close."""

FANOUT: Final = 8
"""So many segments of one size are merged, and sizes are so many times as large."""

MERGED_BYTES: Final = 24 << 20
"""Of a merged segment at most, decompressed: also if nothing in it can be compressed it
is within the 32 MiB that a segment may have."""

TOLD_S: Final = 30 * 24 * 3600
"""How long the catalog tells of what was removed: for a runner that was away meanwhile, or
has lost its view.  A fifth of what a record takes."""

_NO_FILES: Final[Mapping[str, bytes]] = MappingProxyType({})

_Place: TypeAlias = tuple[int, SegmentId, int]
"""Of two equal records the one with the lower place is kept, as in a view: with the most
small files, then by segment and number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFacts:
    """What a plan has to know of a segment.

    Attributes:
        segment: Its name.
        records: How many it holds.
        dead: How many of these a tombstone names.
        raw_bytes: Size of its blocks, decompressed.
        tombstones: How many it has itself.
        buried_in: How many segments these name.
        evicted: How many entries it says were removed.
        is_free: Whether it may be merged: it says nothing that a merge would lose, no
            standing segment replaces it, and it replaces none that stands.
    """

    segment: SegmentId
    records: int
    dead: int
    raw_bytes: int
    tombstones: int
    buried_in: int
    evicted: int
    is_free: bool

    @property
    def living_bytes(self) -> int:
        """About what of `raw_bytes` is alive."""
        return self.raw_bytes * (self.records - self.dead) // max(self.records, 1)

    @property
    def is_wasteful(self) -> bool:
        """Whether it is large, and more than half of it dead."""
        return 2 * self.dead > self.records and self.raw_bytes >= SMALL_BYTES


def plan_merge(catalog: Iterable[SegmentFacts]) -> tuple[SegmentId, ...]:
    """Return the segments to be merged into one now; none if all is well.

    More than MAX_SMALL small ones, FANOUT or more of another size, or what is mostly
    dead, be it only one.
    """
    free = [facts for facts in catalog if facts.is_free]
    if wasteful := _fill(facts for facts in free if facts.is_wasteful):
        return wasteful
    sizes: dict[int, list[SegmentFacts]] = {}
    for facts in free:
        # Two of those that are half full would not fit.
        if 2 * facts.living_bytes <= MERGED_BYTES:
            sizes.setdefault(_size_class(facts), []).append(facts)
    for size in sorted(sizes):
        if len(sizes[size]) > (FANOUT - 1 if size else MAX_SMALL):
            chosen = _fill(sizes[size])
            if len(chosen) > 1:
                return chosen
    return ()


def merge(
    inputs: Mapping[SegmentId, bytes],
    *,
    dead: Iterable[Tombstone],
    standing: Collection[SegmentId],
) -> bytes:
    """Return one segment that can stand for all inputs.

    The same inputs and the same dead give the same bytes, whoever merges: two hosts that
    do it at once write one and the same file.

    Args:
        inputs: Segments with their bytes.
        dead: Tombstones of the catalog that name records of the inputs.
        standing: The segments of the catalog; tombstones for others are dropped.

    Raises:
        RecordMalformed: An input is not what it should be, or all of them together are
            beyond the limits.
        StoreFormatUnsupported: An input is of another version.
    """
    footers = {name: read_footer(inputs[name], segment=name) for name in sorted(inputs)}
    tombs = [tomb for footer in footers.values() for tomb in footer.tombstones]
    buried = {(tomb.segment, tomb.number) for tomb in (*dead, *tombs)}
    kept: dict[tuple[object, ...], tuple[_Place, Packed]] = {}
    for name, footer in footers.items():
        blocks = iter_packed(inputs[name], footer, segment=name)
        for number, item in enumerate(item for block in blocks for item in block):
            if (name, number) not in buried:
                _keep(kept, item, name, number)
    newest = max(footers, key=lambda name: (footers[name].created_s, name))
    created_s = footers[newest].created_s
    return join_segment(
        (item for _, item in kept.values()),
        runner=footers[newest].runner,
        created_s=created_s,
        tombstones=(tomb for tomb in tombs if tomb.segment in standing),
        replaces=inputs,
        evicted=_find_evicted(footers.values(), since_s=created_s - TOLD_S),
    )


def _find_evicted(footers: Iterable[Footer], *, since_s: int) -> Iterator[Eviction]:
    for footer in footers:
        yield from (item for item in footer.evicted if item.at_s >= since_s)


def _keep(
    kept: dict[tuple[object, ...], tuple[_Place, Packed]],
    item: Packed,
    name: SegmentId,
    number: int,
) -> None:
    record = item.record
    place = (-len(record.files), name, number)
    other = kept.get(key := _key(record))
    if other is None or place < other[0]:
        # Small files are in `data` as well, and most of it.
        kept[key] = place, item._replace(record=record._replace(files=_NO_FILES))


def _key(record: Record) -> tuple[object, ...]:
    """Return what records have in common of which a view shows one."""
    return record.identity, record.pack, tuple(sorted(record.needs.items()))


def _size_class(facts: SegmentFacts) -> int:
    """Return 0 for what is small, 1 for up to FANOUT times that, and so on."""
    size, bound = 0, SMALL_BYTES
    while facts.living_bytes >= bound:
        size, bound = size + 1, bound * FANOUT
    return size


def _fill(some: Iterable[SegmentFacts]) -> tuple[SegmentId, ...]:
    """Return those that fit into one segment, the smallest first.

    What has too many tombstones for that is passed over: it must not keep others apart.
    """
    chosen: list[SegmentId] = []
    size_bytes = tombstones = buried_in = evicted = 0
    ordered: Sequence[SegmentFacts] = sorted(
        some, key=lambda facts: (facts.living_bytes, facts.segment)
    )
    for facts in ordered[:MAX_LISTED_SEGMENTS]:
        if size_bytes + facts.living_bytes > MERGED_BYTES:
            break
        if (
            tombstones + facts.tombstones > MAX_TOMBSTONES
            or buried_in + facts.buried_in > MAX_LISTED_SEGMENTS
            or evicted + facts.evicted > MAX_EVICTIONS
        ):
            continue
        size_bytes += facts.living_bytes
        tombstones += facts.tombstones
        buried_in += facts.buried_in
        evicted += facts.evicted
        chosen.append(facts.segment)
    return tuple(chosen)
