"""The catalog that compaction leaves of what was promoted: in memory, all the time."""

from collections.abc import Iterable

from tests.support.records import segment_id_of
from wheelferry.store.compaction import SegmentFacts, merge, plan_merge
from wheelferry.store.record import SegmentId
from wheelferry.store.segment import read_footer


def compact_all(segments: Iterable[bytes]) -> list[bytes]:
    """Return what is left of segments that came one after the other."""
    catalog: dict[SegmentId, tuple[SegmentFacts, bytes]] = {}
    for data in segments:
        _add(catalog, data)
        while chosen := plan_merge([facts for facts, _ in catalog.values()]):
            inputs = {name: catalog.pop(name)[1] for name in chosen}
            _add(catalog, merge(inputs, dead=(), standing=()))
    return [data for _, data in catalog.values()]


def _add(catalog: dict[SegmentId, tuple[SegmentFacts, bytes]], data: bytes) -> None:
    name = segment_id_of(data)
    footer = read_footer(data, segment=name)
    facts = SegmentFacts(
        segment=name,
        records=footer.record_count,
        dead=0,
        raw_bytes=footer.raw_bytes,
        tombstones=0,
        buried_in=0,
        evicted=0,
        is_free=True,
    )
    catalog[name] = facts, data
