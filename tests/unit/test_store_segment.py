"""Segments: what was encoded is decoded, and nothing else is."""

import random
import tracemalloc
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.forge import forge_footer, forge_segment
from tests.support.records import digest_of, make_record
from wheelferry.errors import (
    RecordMalformed,
    StoreFormatUnsupported,
)
from wheelferry.pack import zstd
from wheelferry.store.bounded import checksum
from wheelferry.store.record import Digest, Record, SegmentId
from wheelferry.store.record_map import (
    MAX_FILES_BYTES,
    MAX_NEED_CHARS,
    MAX_TEXT_CHARS,
    encode_map,
)
from wheelferry.store.segment import (
    BLOCK_TARGET_BYTES,
    decode_block,
    decode_segment,
    encode_segment,
    read_footer,
    sort_key,
)
from wheelferry.store.segment_footer import (
    HEAD_BYTES,
    MAX_RAW_BYTES,
    TRAILER_BYTES,
    Block,
    Footer,
    decode_footer,
    decode_trailer,
    encode_footer,
    encode_head,
)
from wheelferry.store.tombstones import (
    MAX_EVICTIONS,
    MAX_TOMBSTONES,
    Eviction,
    Tombstone,
)

ID = SegmentId(digest_of("a segment"))
A, B = SegmentId(digest_of("a")), SegmentId(digest_of("b"))

words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/"),
    min_size=1,
    max_size=20,
).filter(lambda text: text not in (".", ".."))
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
sizes = st.integers(0, (1 << 44) - 1)
records = st.builds(
    Record,
    format_id=words,
    kind=words,
    shard=st.lists(words, min_size=1, max_size=4).map("/".join),
    settings=st.just("") | words,
    stem=words,
    name=words,
    version=words,
    tags=words,
    hashes=st.lists(digests.map("sha256:{}".format), max_size=3).map(
        lambda found: tuple(sorted(found))
    ),
    size_bytes=st.none() | sizes,
    pack=digests.map(Digest),
    pack_bytes=sizes,
    tree_bytes=sizes,
    tree_files=st.integers(0, 1 << 20),
    files=st.dictionaries(words, st.binary(max_size=200), max_size=3),
    needs=st.dictionaries(words, words, max_size=3),
)
tombstones = st.builds(
    Tombstone, segment=digests.map(SegmentId), number=st.integers(0, (1 << 20) - 1)
)


def encode(*some: Record, **changes: Any) -> bytes:
    """Encode a small segment."""
    fields: dict[str, Any] = {"runner": "r1", "created_s": 1_800_000_000}
    return encode_segment(some, **(fields | changes))


@given(
    st.lists(records, max_size=8),
    st.lists(tombstones, max_size=8),
    st.lists(digests.map(SegmentId), max_size=4),
    st.integers(0, (1 << 40) - 1),
)
def test_segment_decodes_to_what_was_encoded(some, tombs, inputs, created_s):
    """`decode(encode(x)) == x`, sorted, for all records and removals."""
    data = encode(*some, tombstones=tombs, replaces=inputs, created_s=created_s)
    segment = decode_segment(data, segment=ID)

    assert sorted(some, key=sort_key) == list(segment.records)
    assert sorted(set(tombs)) == list(segment.footer.tombstones)
    assert sorted(set(inputs)) == list(segment.footer.replaces)
    assert (created_s, "r1") == (segment.footer.created_s, segment.footer.runner)


@given(st.lists(records, max_size=6), st.randoms(use_true_random=False))
def test_segment_bytes_do_not_depend_on_the_order_of_records(some, shuffled):
    """Two writers of the same records make the same bytes, hence one segment."""
    other = list(some)
    shuffled.shuffle(other)
    # Records with equal keys keep the order in which they were given.
    keys = [sort_key(record) for record in some]
    if len(set(keys)) == len(keys):
        assert encode(*some) == encode(*other)


SMALL = encode(make_record(), make_record("attrs", "25.1"), tombstones=[
    Tombstone(segment=A, number=3), Tombstone(segment=B, number=0)
], replaces=[A])  # fmt: skip


def test_segment_refuses_every_truncation():
    """However much of a segment is missing at its end, it is malformed."""
    for length in range(len(SMALL)):
        with pytest.raises(RecordMalformed):
            decode_segment(SMALL[:length], segment=ID)


def test_segment_refuses_every_flipped_byte():
    """No byte of a segment is without meaning: each one that flips is noticed."""
    for position in range(len(SMALL)):
        for mask in (0x01, 0x80, 0xFF):
            data = bytearray(SMALL)
            data[position] ^= mask
            with pytest.raises((RecordMalformed, StoreFormatUnsupported)):
                decode_segment(bytes(data), segment=ID)


@given(st.binary(max_size=200))
def test_segment_refuses_noise(data):
    """Bytes that are no segment are malformed, and nothing worse."""
    with pytest.raises(RecordMalformed):
        decode_segment(data, segment=ID)


@given(st.binary(max_size=64), st.integers(0, 200))
def test_segment_refuses_bytes_put_in(extra, position):
    """Nothing can hide in a segment."""
    if extra:
        data = SMALL[:position] + extra + SMALL[position:]
        with pytest.raises((RecordMalformed, StoreFormatUnsupported)):
            decode_segment(data, segment=ID)


@pytest.mark.parametrize("at", [HEAD_BYTES - 4, len(SMALL) - 12], ids=["head", "tail"])
def test_segment_of_a_newer_version_says_so(at):
    """The message names the version, and the hint says what to do."""
    data = SMALL[:at] + (7).to_bytes(4, "little") + SMALL[at + 4 :]

    with pytest.raises(StoreFormatUnsupported, match="version 7") as caught:
        decode_segment(data, segment=ID)
    assert ID in caught.value.message
    assert "upgrade" in (caught.value.hint or "")


def test_segment_error_names_segment_and_reason():
    """Who reads the message can find the file."""
    with pytest.raises(RecordMalformed, match="magic") as caught:
        decode_segment(b"x" * 200, segment=ID)
    assert ID in caught.value.message


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 1025},
        {"name": "a\0b"},
        {"tags": "\ud800"},
        {"stem": "a/b"},
        {"stem": ".."},
        {"stem": ""},
        {"settings": "../x"},
        {"shard": "/etc"},
        {"shard": "pypi/../../x"},
        {"shard": ""},
        {"hashes": ("sha256:xyz",)},
        {"hashes": ("nonsense",)},
        {"hashes": ("sha256:" + "0" * 64,) * 17},
        {"size_bytes": -1},
        {"size_bytes": True},
        {"pack": Digest("AB" * 32)},
        {"pack": Digest("ab")},
        {"pack_bytes": 1 << 44},
        {"tree_files": 1 << 63},
        {"files": {"pointer": bytes((5 << 20) + 1)}},
        {"files": {"a": bytes(3 << 20), "b": bytes(3 << 20)}},
        {"files": {str(n): b"" for n in range(17)}},
        {"needs": {str(n): "" for n in range(65)}},
        {"needs": {"libc": "x" * 20_000}},
    ],
)
def test_record_beyond_the_limits_is_never_written(changes):
    """What a reader would refuse is refused where it is made."""
    with pytest.raises(RecordMalformed):
        encode(make_record(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"runner": "../x"},
        {"runner": ""},
        {"created_s": -1},
        {"created_s": 1 << 70},
        {"writer": "x" * 65},
        {"replaces": [SegmentId("xyz")]},
        {"tombstones": [Tombstone(segment=A, number=1 << 32)]},
        {"tombstones": [Tombstone(segment=SegmentId("x"), number=1)]},
    ],
)
def test_footer_beyond_the_limits_is_never_written(changes):
    """What a reader would refuse is refused where it is made."""
    with pytest.raises(RecordMalformed):
        encode(make_record(), **changes)


def test_large_segment_has_several_sorted_blocks():
    """A reader can find the blocks of a name from the footer alone."""
    noise = random.Random(7)
    some = [
        make_record(f"pkg-{n:04}", files={"pointer": noise.randbytes(3000)})
        for n in range(400)
    ]
    data = encode(*some)
    footer = read_footer(data, segment=ID)

    assert len(footer.blocks) > 3
    assert all(block.raw_bytes <= BLOCK_TARGET_BYTES + 5 for block in footer.blocks)
    assert footer.record_count == 400
    assert decode_segment(data, segment=ID).records == tuple(some)


def test_footer_and_one_block_can_be_read_without_the_rest():
    """The tail gives the footer, and the footer where the block of a name is."""
    noise = random.Random(7)
    some = [
        make_record(f"pkg-{n:04}", files={"pointer": noise.randbytes(3000)})
        for n in range(400)
    ]
    data = encode(*some)
    trailer = decode_trailer(data[-TRAILER_BYTES:], size_bytes=len(data), segment=ID)
    tail = data[-trailer.tail_bytes :]
    footer = decode_footer(tail, size_bytes=len(data), segment=ID)
    (block,) = [b for b in footer.blocks if b.first_name <= "pkg-0250" <= b.last_name]
    found = decode_block(
        data[block.offset : block.offset + block.comp_bytes], block, segment=ID
    )

    assert some[250] == found[250 - block.first_number]


def test_footer_says_how_many_bytes_it_needs():
    """A tail that is too short is refused, not misread."""
    with pytest.raises(RecordMalformed, match="needs the last"):
        decode_footer(SMALL[-TRAILER_BYTES - 1 :], size_bytes=len(SMALL), segment=ID)


def test_record_larger_than_a_block_gets_a_block_of_its_own():
    """The target of 256 KiB is no limit for a record."""
    large = make_record("large", files={"metadata": bytes(1 << 20)})
    data = encode(make_record("a"), large, make_record("z"))

    assert [b.count for b in read_footer(data, segment=ID).blocks] == [1, 1, 1]
    assert decode_segment(data, segment=ID).records[1] == large


def forge(*blocks: list[Record], padding: bytes = b"", **changes: Any) -> bytes:
    """Return a segment with right checksums, and with what no writer would write.

    `padding` goes before the footer; `changes` are made to the last block's entry.
    """
    data = encode_head()
    entries: list[Block] = []
    for some in blocks:
        raw = msgpack.packb([encode_map(record) for record in some])
        comp = zstd.compress(raw, 3)
        entries.append(
            Block(
                offset=len(data),
                comp_bytes=len(comp),
                raw_bytes=len(raw),
                checksum=checksum(comp),
                count=len(some),
                first_number=0,
                first_name=some[0].name,
                last_name=some[-1].name,
            )
        )
        data += comp
    entries[-1] = replace(entries[-1], **changes)
    footer = Footer(
        blocks=tuple(entries),
        tombstones=(),
        replaces=(),
        created_s=1,
        runner="r1",
        writer="x",
    )
    data += padding
    return data + encode_footer(footer, offset=len(data))


ONE, TWO, THREE = (make_record("a", version) for version in ("1", "2", "3"))


def test_forged_segment_is_one_if_nothing_is_wrong():
    """The tests below fail for their own reason only."""
    data = forge([ONE], [TWO, THREE])

    assert decode_segment(data, segment=ID).records == (ONE, TWO, THREE)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(forge([TWO, ONE]), "not sorted", id="records"),
        pytest.param(forge([TWO], [ONE]), "not sorted", id="blocks"),
        pytest.param(forge([ONE], padding=b"x"), "do not end", id="gap"),
        pytest.param(forge([ONE], offset=0), "does not begin", id="offset"),
        pytest.param(forge([ONE], comp_bytes=5), "do not end", id="short"),
        pytest.param(forge([ONE], count=2), "records, not 2", id="count"),
        pytest.param(forge([ONE], count=0), "records, not 0", id="none"),
        pytest.param(forge([ONE], first_name="A"), "other names", id="first name"),
        pytest.param(forge([ONE], last_name="b"), "other names", id="last name"),
        pytest.param(forge([ONE], first_name="b"), "not sorted", id="name order"),
        pytest.param(forge([ONE], raw_bytes=1 << 20), "announce", id="raw bytes"),
        pytest.param(forge([ONE], raw_bytes=1 << 40), "out of range", id="huge block"),
        pytest.param(forge([ONE], count=1 << 30), "out of range", id="huge count"),
    ],
)
def test_segment_that_contradicts_itself_is_malformed(data, reason):
    """Right checksums do not make it right: whoever can write can forge them."""
    with pytest.raises(RecordMalformed, match=reason):
        decode_segment(data, segment=ID)


def test_largest_record_fits_into_a_block():
    """So no record that is allowed makes a segment that is not."""
    wide = chr(0x1F40D)  # four bytes
    texts = ("format_id", "kind", "tags")
    largest = make_record(
        **dict.fromkeys(texts, wide * MAX_TEXT_CHARS),
        hashes=(f"sha256:{'0' * 256}",) * 16,
        files={f"{n}{wide * 999}": bytes(MAX_FILES_BYTES // 16) for n in range(16)},
        needs={f"{n}{wide * 999}": wide * MAX_NEED_CHARS for n in range(64)},
    )

    assert decode_segment(encode(largest), segment=ID).records == (largest,)


def test_segment_of_many_empty_containers_is_refused_before_they_are_made():
    """One byte each in the file, eighty in memory."""
    data = forge_segment(make_record(), {"x": [[{}] * 4096] * 1000})
    tracemalloc.start()
    try:
        with pytest.raises(RecordMalformed, match="items in all"):
            decode_segment(data, segment=ID)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 32 << 20


def test_segment_with_too_many_tombstones_is_refused_before_they_are_made():
    """Neither written nor read."""
    tombs = [Tombstone(segment=A, number=n) for n in range(MAX_TOMBSTONES)]
    assert len(read_footer(encode(tombstones=tombs), segment=ID).tombstones) == len(
        tombs
    )
    tombs.append(Tombstone(segment=B, number=0))
    with pytest.raises(RecordMalformed, match="tombstones: more than"):
        encode(tombstones=tombs)


def test_segment_tells_the_latest_time_of_each_removal():
    """Sorted by identity."""
    first, second = sorted(make_record(name).identity for name in ("a", "b"))
    said = [Eviction(second, 3), Eviction(first, 9), Eviction(first, 5)]

    assert read_footer(encode(evicted=said), segment=ID).evicted == (
        Eviction(first, 9),
        Eviction(second, 3),
    )


@pytest.mark.parametrize(
    "evicted",
    [
        b"x" * 23,
        (b"b" * 16 + bytes(8)) * 2,
        b"b" * 16 + bytes(8) + b"a" * 16 + bytes(8),
        b"a" * 16 + b"\xff" * 8,
        bytes(24 * (MAX_EVICTIONS + 1)),
        [],
    ],
    ids=["odd size", "twice", "not sorted", "no time", "too many", "no bytes"],
)
def test_segment_with_malformed_removals_is_refused(evicted):
    """As a whole."""
    with pytest.raises(RecordMalformed, match="evicted"):
        read_footer(forge_footer({"evicted": evicted}), segment=ID)


def test_segment_that_would_decompress_to_too_much_is_malformed():
    """Small blocks that each unpack to the limit of a block add up."""
    entry = Block(
        offset=HEAD_BYTES,
        comp_bytes=0,
        raw_bytes=8 << 20,
        checksum=0,
        count=1,
        first_number=0,
        first_name="a",
        last_name="a",
    )
    footer = Footer(
        blocks=(entry,) * (MAX_RAW_BYTES // entry.raw_bytes + 1),
        tombstones=(),
        replaces=(),
        created_s=1,
        runner="r1",
        writer="x",
    )
    data = encode_head() + encode_footer(footer, offset=HEAD_BYTES)

    with pytest.raises(RecordMalformed, match="9 records of"):
        decode_segment(data, segment=ID)
