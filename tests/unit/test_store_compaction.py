"""What is merged, and when; what a merged segment is made of."""

from typing import Any

import pytest

from tests.support.catalogs import merged
from tests.support.forge import forge_segment
from tests.support.records import digest_of, make_record, segment_id_of
from wheelferry.errors import RecordMalformed
from wheelferry.store.compaction import (
    FANOUT,
    MAX_SMALL,
    MERGED_BYTES,
    SMALL_BYTES,
    TOLD_S,
    SegmentFacts,
    merge,
    plan_merge,
)
from wheelferry.store.record import SegmentId
from wheelferry.store.segment import (
    decode_segment,
    encode_segment,
    iter_packed,
    read_footer,
)
from wheelferry.store.tombstones import (
    MAX_EVICTIONS,
    MAX_LISTED_SEGMENTS,
    MAX_TOMBSTONES,
    Eviction,
    Tombstone,
)

KIB = 1 << 10


def facts(number: int, raw_bytes: int = 50 * KIB, **changes: Any) -> SegmentFacts:
    """Return the facts of segment `number`."""
    fields: dict[str, Any] = {
        "segment": SegmentId(digest_of(str(number))),
        "records": 100,
        "dead": 0,
        "raw_bytes": raw_bytes,
        "tombstones": 0,
        "buried_in": 0,
        "evicted": 0,
        "is_free": True,
    }
    return SegmentFacts(**(fields | changes))


def several(count: int, *args: Any, first: int = 0, **changes: Any) -> list[Any]:
    """Return the facts of so many segments alike."""
    return [facts(first + number, *args, **changes) for number in range(count)]


@pytest.mark.parametrize(
    ("catalog", "expected"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param(several(MAX_SMALL), 0, id="few small ones"),
        pytest.param(several(MAX_SMALL + 1), MAX_SMALL + 1, id="many small ones"),
        pytest.param(several(90, is_free=False), 0, id="none that is free"),
        pytest.param(several(51, raw_bytes=0, records=0), 51, id="tombstones only"),
        pytest.param(several(FANOUT - 1, SMALL_BYTES), 0, id="few larger ones"),
        pytest.param(several(FANOUT, SMALL_BYTES), FANOUT, id="larger ones"),
        pytest.param(several(FANOUT, 11 << 20), 2, id="what fits"),
        pytest.param(several(30, MERGED_BYTES // 2 + 1), 0, id="full ones"),
        pytest.param(several(1, MERGED_BYTES, dead=50), 0, id="half dead"),
        pytest.param(several(1, MERGED_BYTES, dead=51), 1, id="mostly dead"),
        pytest.param(several(1, 50 * KIB, dead=100), 0, id="small and dead"),
        pytest.param(
            several(60, tombstones=MAX_TOMBSTONES // 3), 3, id="many tombstones"
        ),
        pytest.param(
            several(60) + several(2, 0, first=60, tombstones=MAX_TOMBSTONES),
            61,
            id="two full of tombstones",
        ),
        pytest.param(
            several(60) + several(2, 0, first=60, buried_in=MAX_LISTED_SEGMENTS),
            61,
            id="two that name many segments",
        ),
        pytest.param(
            several(60) + several(2, 0, first=60, evicted=MAX_EVICTIONS),
            61,
            id="two that tell of many removals",
        ),
    ],
)
def test_plan_merges_segments_of_one_size(catalog, expected):
    """As many as fit, and none if there are few."""
    chosen = plan_merge(catalog)

    assert len(chosen) == expected
    assert set(chosen) <= {found.segment for found in catalog}


def test_plan_takes_small_ones_first():
    """They are most, and cheap to merge."""
    small = several(MAX_SMALL + 1)
    large = several(FANOUT, SMALL_BYTES, first=100)

    assert set(plan_merge(large + small)) == {found.segment for found in small}


def test_plan_does_not_depend_on_the_order_of_the_catalog():
    """So two hosts that look at one moment do the same."""
    catalog = several(60, 1000 * KIB)

    assert plan_merge(catalog) == plan_merge(catalog[::-1])


def test_merged_segment_is_at_most_so_large():
    """Of what is alive; what is dead is not written."""
    chosen = set(plan_merge(several(60, 1000 * KIB)))
    whole = set(plan_merge(several(60, 1000 * KIB, dead=50)))

    assert len(chosen) == MERGED_BYTES // (1000 * KIB)
    assert len(whole) > len(chosen)


def test_merge_keeps_what_it_does_not_know():
    """A key that a later version added to a record, such as a signature, stays."""
    data = forge_segment(make_record(), {"signature": b"s" * 64})
    name = segment_id_of(data)
    (new,) = merged({name: data}, [name]).items()

    ((packed,),) = iter_packed(new[1], read_footer(new[1], segment=name), segment=name)
    assert packed.record == make_record()
    assert b"signature" in packed.data


def test_merge_tells_who_wrote_the_newest_of_its_inputs():
    """By the clock of whoever wrote that; and what it replaces."""
    inputs = {
        segment_id_of(data): data
        for runner, created_s in (("r1", 5), ("r2", 9), ("r3", 7))
        for data in [encode_segment([], runner=runner, created_s=created_s)]
    }
    ((name, data),) = merged(inputs, inputs).items()
    footer = decode_segment(data, segment=name).footer

    assert (footer.runner, footer.created_s) == ("r2", 9)
    assert footer.replaces == tuple(sorted(inputs))


def test_merge_drops_tombstones_for_what_is_gone():
    """And keeps those for what stands, an input or not."""
    stands, gone = (SegmentId(digest_of(text)) for text in "ab")
    tombs = [Tombstone(segment=name, number=3) for name in (stands, gone)]
    data = encode_segment([], runner="r1", created_s=0, tombstones=tombs)
    name = segment_id_of(data)
    new = merge({name: data}, dead=(), standing={name, stands})

    assert read_footer(new, segment=name).tombstones == (tombs[0],)


def test_merge_tells_what_was_removed_not_long_ago():
    """Before the newest of its inputs, as that says; of several times the latest."""
    attrs, numpy, rich = (make_record(n).identity for n in ("attrs", "numpy", "rich"))
    now_s = 10 * TOLD_S
    said = (
        (now_s, [Eviction(attrs, now_s - 5)]),
        (now_s - 9, [Eviction(attrs, now_s - 9), Eviction(numpy, now_s - TOLD_S)]),
        (now_s - TOLD_S, [Eviction(rich, now_s - TOLD_S - 1)]),
    )
    inputs = {
        segment_id_of(data): data
        for created_s, evicted in said
        for data in [
            encode_segment([], runner="r1", created_s=created_s, evicted=evicted)
        ]
    }
    ((name, data),) = merged(inputs, inputs).items()

    assert set(read_footer(data, segment=name).evicted) == {
        Eviction(attrs, now_s - 5),
        Eviction(numpy, now_s - TOLD_S),
    }


def test_merge_refuses_a_damaged_input():
    """As every reader does."""
    data = encode_segment([make_record()], runner="r1", created_s=0)
    name = segment_id_of(data)
    with pytest.raises(RecordMalformed, match=name):
        merge({name: data[:40] + b"x" + data[41:]}, dead=(), standing={name})


def test_merge_writes_nothing_that_readers_refuse():
    """Records of which one alone is within the limits of a block, and forty are not."""
    inputs: dict[SegmentId, bytes] = {}
    for number in range(40):
        data = forge_segment(make_record(f"n{number}"), {"odd": [[]] * 4000})
        inputs[segment_id_of(data)] = data
    ((name, data),) = merged(inputs, inputs).items()

    assert len(decode_segment(data, segment=name).records) == 40
