"""The fixed parts and the footer of a segment: where its blocks are, and what it removes.

Pure.  `docs/store-format.md` has the byte tables.  The footer is at the end, so that a
writer need not know it in advance and a reader can fetch it without the blocks.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final, NamedTuple

import msgpack

from wheelferry.errors import RecordMalformed, StoreFormatUnsupported
from wheelferry.pack import zstd
from wheelferry.store.bounded import (
    as_array,
    as_bytes,
    as_digest,
    as_int,
    as_map,
    as_text,
    checksum,
    decompress,
    unpack,
)
from wheelferry.store.layout import MAX_RUNNER_CHARS, MAX_SEGMENT_BYTES, is_runner
from wheelferry.store.record import Identity, SegmentId
from wheelferry.store.record_map import MAX_TEXT_CHARS

FORMAT_VERSION: Final = 1
MAGIC: Final = b"\x89WFSG\r\n\x1a"

MAX_BLOCKS: Final = 4096
MAX_BLOCK_BYTES: Final = 8 << 20
"""The largest record that `record_map` allows fits in."""
MAX_BLOCK_RECORDS: Final = 4096
MAX_RECORDS: Final = 1 << 20
MAX_RAW_BYTES: Final = 64 << 20
"""Of all blocks of a segment together, decompressed."""
MAX_FOOTER_BYTES: Final = 8 << 20
MAX_LISTED_SEGMENTS: Final = 4096
"""How many segments a footer may name in `tombstones`, and again in `replaces`."""
MAX_TOMBSTONES: Final = 1 << 16
MAX_EVICTIONS: Final = 1 << 16
MAX_BANS: Final = 1024

ZSTD_LEVEL: Final = 9

_CREATED_BELOW: Final = 1 << 40
_FIELDS: Final = frozenset(
    {"blocks", "tombstones", "replaces", "created", "runner", "writer", "evicted"}
)

# magic, version
_HEAD = struct.Struct("<8sI")
HEAD_BYTES: Final = _HEAD.size
# footer offset, footer bytes, footer raw bytes, footer checksum, version, magic
_TRAILER = struct.Struct("<QIIQI8s")
TRAILER_BYTES: Final = _TRAILER.size
# identity, time
_EVICTION = struct.Struct("<16sQ")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Tombstone:
    """Says that one record of one segment is dead; other occurrences are not.

    Attributes:
        segment: The segment that holds the record.
        number: Of the record in it, counted from 0 over all blocks.
    """

    segment: SegmentId
    number: int


class Eviction(NamedTuple):
    """Says that an entry was removed from the store.

    It outlives the record and its tombstone, so that who missed both knows it too.

    Attributes:
        identity: Of its records.
        at_s: When, by the clock of whoever removed it, seconds since the epoch.
    """

    identity: Identity
    at_s: int


class Ban(NamedTuple):
    """A package that nobody may promote or restore, for as long as the segment is there.

    Attributes:
        name: Normalised.
        version: Of the release; "" for all of them.
    """

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One run of records, compressed by itself.

    Attributes:
        offset: From the start of the segment, in bytes.
        comp_bytes: In the segment.
        raw_bytes: Decompressed.
        checksum: xxh3 of the compressed bytes.
        count: Number of records.
        first_number: Number of its first record in the segment.
        first_name, last_name: Package names of its first and last record.
    """

    offset: int
    comp_bytes: int
    raw_bytes: int
    checksum: int
    count: int
    first_number: int
    first_name: str
    last_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """All of a segment but its records.

    Attributes:
        blocks: In the order of their bytes; sorted by name.
        tombstones: What this segment removes from the catalog, sorted.
        replaces: Segments whose living records this one holds.
        created_s: By the clock of the runner that wrote it, seconds since the epoch.
        runner: Which runner that was.
        writer: Its version of Wheelferry.
        is_plain: Whether it says no more than that; what else it says would be lost if
            the segment were merged.
        evicted: What was removed, by identity, each once.
        bans: What this segment forbids.
    """

    blocks: tuple[Block, ...]
    tombstones: tuple[Tombstone, ...]
    replaces: tuple[SegmentId, ...]
    created_s: int
    runner: str
    writer: str
    is_plain: bool = True
    evicted: tuple[Eviction, ...] = ()
    bans: tuple[Ban, ...] = ()

    @property
    def record_count(self) -> int:
        """Number of records in all blocks."""
        return sum(block.count for block in self.blocks)

    @property
    def raw_bytes(self) -> int:
        """Size of all blocks together, decompressed."""
        return sum(block.raw_bytes for block in self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trailer:
    """The fixed part at the end of a segment: where the footer is.

    Attributes:
        offset: Of the footer, from the start of the segment.
        comp_bytes, raw_bytes: Of the footer, in the segment and decompressed.
        checksum: xxh3 of the footer's compressed bytes.
    """

    offset: int
    comp_bytes: int
    raw_bytes: int
    checksum: int

    @property
    def tail_bytes(self) -> int:
        """How many bytes at the end of the segment `decode_footer` needs."""
        return self.comp_bytes + TRAILER_BYTES


def encode_head() -> bytes:
    """Return the fixed part at the start of a segment."""
    return _HEAD.pack(MAGIC, FORMAT_VERSION)


def check_head(data: bytes, *, segment: SegmentId) -> None:
    """Check the start of a segment.

    Raises:
        RecordMalformed: Not a segment.
        StoreFormatUnsupported: One of another version.
    """
    if len(data) < HEAD_BYTES + TRAILER_BYTES:
        raise RecordMalformed(f"segment {segment}: ends after {len(data)} bytes")
    magic, version = _HEAD.unpack_from(data)
    _check_version(magic, version, segment)


def encode_footer(footer: Footer, *, offset: int) -> bytes:
    """Return the footer, to be written at `offset`, and the trailer.

    Raises:
        RecordMalformed: It is beyond the limits.
    """
    where = "segment footer"
    value: dict[str, object] = {
        "blocks": [
            [
                block.offset,
                block.comp_bytes,
                block.raw_bytes,
                block.checksum,
                block.count,
                block.first_name,
                block.last_name,
            ]
            for block in footer.blocks
        ],
        "tombstones": _encode_tombstones(footer.tombstones),
        "replaces": [bytes.fromhex(segment) for segment in footer.replaces],
        "created": as_int(footer.created_s, where, below=_CREATED_BELOW),
        "runner": footer.runner,
        "writer": footer.writer,
    }
    if footer.evicted:
        value["evicted"] = b"".join(
            _EVICTION.pack(
                bytes.fromhex(identity), as_int(at_s, where, below=_CREATED_BELOW)
            )
            for identity, at_s in footer.evicted
        )
    if footer.bans:
        value["bans"] = [list(ban) for ban in footer.bans]
    raw: bytes = msgpack.packb(value)
    comp = zstd.compress(raw, ZSTD_LEVEL)
    trailer = _TRAILER.pack(
        offset, len(comp), len(raw), checksum(comp), FORMAT_VERSION, MAGIC
    )
    return comp + trailer


def decode_trailer(tail: bytes, *, size_bytes: int, segment: SegmentId) -> Trailer:
    """Decode the last bytes of a segment of `size_bytes`.

    Raises:
        RecordMalformed: Not a segment, or its sizes are beyond the limits.
        StoreFormatUnsupported: A segment of another version.
    """
    if size_bytes > MAX_SEGMENT_BYTES:
        raise RecordMalformed(f"segment {segment}: {size_bytes} bytes are too many")
    if len(tail) < TRAILER_BYTES or size_bytes < HEAD_BYTES + TRAILER_BYTES:
        raise RecordMalformed(f"segment {segment}: ends after {size_bytes} bytes")
    offset, comp_bytes, raw_bytes, check, version, magic = _TRAILER.unpack_from(
        tail, len(tail) - TRAILER_BYTES
    )
    _check_version(magic, version, segment)
    if comp_bytes > MAX_FOOTER_BYTES or raw_bytes > MAX_FOOTER_BYTES:
        raise RecordMalformed(f"segment {segment}: footer is too large")
    if offset < HEAD_BYTES or offset + comp_bytes + TRAILER_BYTES != size_bytes:
        raise RecordMalformed(f"segment {segment}: footer is not where it should be")
    return Trailer(
        offset=offset, comp_bytes=comp_bytes, raw_bytes=raw_bytes, checksum=check
    )


def decode_footer(tail: bytes, *, size_bytes: int, segment: SegmentId) -> Footer:
    """Decode the footer from the last bytes of a segment.

    `tail` holds at least `Trailer.tail_bytes` bytes; it may be the whole segment.

    Raises:
        RecordMalformed: It contradicts itself, its checksum or the limits.
        StoreFormatUnsupported: A segment of another version.
    """
    trailer = decode_trailer(tail, size_bytes=size_bytes, segment=segment)
    where = f"segment {segment}: footer"
    if len(tail) < trailer.tail_bytes:
        raise RecordMalformed(f"{where}: needs the last {trailer.tail_bytes} bytes")
    comp = tail[len(tail) - trailer.tail_bytes : len(tail) - TRAILER_BYTES]
    if checksum(comp) != trailer.checksum:
        raise RecordMalformed(f"{where}: checksum does not match")
    raw = decompress(comp, raw_bytes=trailer.raw_bytes, where=where)
    fields = as_map(unpack(raw, max_items=MAX_LISTED_SEGMENTS, where=where), where)
    runner = as_text(fields.get("runner"), where, max_chars=MAX_RUNNER_CHARS)
    if not is_runner(runner):
        raise RecordMalformed(f"{where}: {runner!r} is not the name of a runner")
    return Footer(
        blocks=_decode_blocks(fields.get("blocks"), trailer.offset, where),
        tombstones=_decode_tombstones(fields.get("tombstones"), where),
        replaces=tuple(
            SegmentId(as_digest(item, f"{where}: replaces"))
            for item in as_array(
                fields.get("replaces"), where, max_items=MAX_LISTED_SEGMENTS
            )
        ),
        created_s=as_int(
            fields.get("created"), f"{where}: created", below=_CREATED_BELOW
        ),
        runner=runner,
        writer=as_text(fields.get("writer"), f"{where}: writer", max_chars=64),
        is_plain=fields.keys() <= _FIELDS,
        evicted=_decode_evicted(fields.get("evicted", b""), f"{where}: evicted"),
        bans=_decode_bans(fields.get("bans", []), f"{where}: bans"),
    )


def _check_version(magic: bytes, version: int, segment: SegmentId) -> None:
    if magic != MAGIC:
        raise RecordMalformed(f"segment {segment}: not a segment, by its magic bytes")
    if version != FORMAT_VERSION:
        raise StoreFormatUnsupported(
            f"segment {segment} has format version {version}; "
            f"this Wheelferry reads version {FORMAT_VERSION}",
            hint="upgrade Wheelferry on this machine to the version of the runner "
            "that promoted it",
        )


def _decode_blocks(value: object, end: int, where: str) -> tuple[Block, ...]:
    blocks: list[Block] = []
    offset, number, name = HEAD_BYTES, 0, ""
    for item in as_array(value, f"{where}: blocks", max_items=MAX_BLOCKS):
        at = f"{where}: block {len(blocks)}"
        fields = as_array(item, at, max_items=7)
        if len(fields) != 7:
            raise RecordMalformed(f"{at}: {len(fields)} fields instead of 7")
        block = Block(
            offset=as_int(fields[0], at, below=MAX_SEGMENT_BYTES),
            comp_bytes=as_int(fields[1], at, below=MAX_BLOCK_BYTES + 1),
            raw_bytes=as_int(fields[2], at, below=MAX_BLOCK_BYTES + 1),
            checksum=as_int(fields[3], at, below=1 << 64),
            count=as_int(fields[4], at, below=MAX_BLOCK_RECORDS + 1),
            first_number=number,
            first_name=as_text(fields[5], at, max_chars=MAX_TEXT_CHARS),
            last_name=as_text(fields[6], at, max_chars=MAX_TEXT_CHARS),
        )
        if block.offset != offset:
            raise RecordMalformed(f"{at}: does not begin where the last one ends")
        if not name <= block.first_name <= block.last_name:
            raise RecordMalformed(f"{at}: names are not sorted")
        blocks.append(block)
        offset += block.comp_bytes
        number += block.count
        name = block.last_name
    raw_bytes = sum(block.raw_bytes for block in blocks)
    if number > MAX_RECORDS or raw_bytes > MAX_RAW_BYTES:
        raise RecordMalformed(f"{where}: {number} records of {raw_bytes} bytes")
    if offset != end:
        raise RecordMalformed(f"{where}: blocks do not end where the footer begins")
    return tuple(blocks)


def _decode_evicted(value: object, where: str) -> tuple[Eviction, ...]:
    packed = as_bytes(value, where, max_bytes=MAX_EVICTIONS * _EVICTION.size)
    if len(packed) % _EVICTION.size:
        raise RecordMalformed(f"{where}: takes {len(packed)} bytes")
    found = tuple(
        Eviction(Identity(raw.hex()), as_int(at_s, where, below=_CREATED_BELOW))
        for raw, at_s in _EVICTION.iter_unpack(packed)
    )
    if any(first.identity >= second.identity for first, second in pairwise(found)):
        raise RecordMalformed(f"{where}: not sorted, or one comes twice")
    return found


def _decode_bans(value: object, where: str) -> tuple[Ban, ...]:
    bans: list[Ban] = []
    for item in as_array(value, where, max_items=MAX_BANS):
        pair = as_array(item, where, max_items=2)
        if len(pair) != 2:
            raise RecordMalformed(f"{where}: {len(pair)} fields instead of 2")
        name = as_text(pair[0], where, max_chars=MAX_TEXT_CHARS)
        bans.append(Ban(name, as_text(pair[1], where, max_chars=MAX_TEXT_CHARS)))
    return tuple(bans)


def _encode_tombstones(tombstones: Iterable[Tombstone]) -> list[list[bytes]]:
    grouped = groupby(sorted(set(tombstones)), key=lambda item: item.segment)
    return [
        [bytes.fromhex(segment), _encode_numbers([item.number for item in items])]
        for segment, items in grouped
    ]


def _encode_numbers(numbers: Sequence[int]) -> bytes:
    for number in numbers:
        as_int(number, "tombstone", below=MAX_RECORDS)
    return struct.pack(f"<{len(numbers)}I", *numbers)


def _decode_tombstones(value: object, where: str) -> tuple[Tombstone, ...]:
    where = f"{where}: tombstones"
    found: list[Tombstone] = []
    for item in as_array(value, where, max_items=MAX_LISTED_SEGMENTS):
        pair = as_array(item, where, max_items=2)
        if len(pair) != 2:
            raise RecordMalformed(f"{where}: {len(pair)} fields instead of 2")
        segment = SegmentId(as_digest(pair[0], where))
        packed = as_bytes(pair[1], where, max_bytes=MAX_FOOTER_BYTES)
        if len(packed) % 4:
            raise RecordMalformed(f"{where}: numbers take {len(packed)} bytes")
        if len(found) + len(packed) // 4 > MAX_TOMBSTONES:
            raise RecordMalformed(f"{where}: more than {MAX_TOMBSTONES}")
        for (number,) in struct.iter_unpack("<I", packed):
            as_int(number, where, below=MAX_RECORDS)
            found.append(Tombstone(segment=segment, number=number))
    if any(first >= second for first, second in pairwise(found)):
        raise RecordMalformed(f"{where}: not sorted, or one comes twice")
    return tuple(found)
