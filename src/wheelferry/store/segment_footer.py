"""The fixed parts and the footer of a segment: where its blocks are, and what else it says.

Pure.  `docs/store-format.md` has the byte tables; `tombstones` has what a footer says is
gone.  The footer is at the end, so that a writer need not know it in advance and a reader
can fetch it without the blocks.
"""

import struct
from dataclasses import dataclass
from typing import Final

import msgpack

from wheelferry.errors import RecordMalformed, StoreFormatUnsupported
from wheelferry.pack import zstd
from wheelferry.store.bounded import (
    as_array,
    as_digest,
    as_int,
    as_map,
    as_text,
    checksum,
    decompress,
    unpack,
)
from wheelferry.store.layout import MAX_RUNNER_CHARS, MAX_SEGMENT_BYTES, is_runner
from wheelferry.store.record import SegmentId
from wheelferry.store.record_map import MAX_TEXT_CHARS
from wheelferry.store.tombstones import (
    MAX_LISTED_SEGMENTS,
    MAX_RECORDS,
    TIME_BELOW,
    Ban,
    Eviction,
    Tombstone,
    decode_bans,
    decode_evictions,
    decode_tombstones,
    encode_evictions,
    encode_tombstones,
)

FORMAT_VERSION: Final = 1
MAGIC: Final = b"\x89WFSG\r\n\x1a"

MAX_BLOCKS: Final = 4096
MAX_BLOCK_BYTES: Final = 8 << 20
"""The largest record that `record_map` allows fits in."""
MAX_BLOCK_RECORDS: Final = 4096
MAX_RAW_BYTES: Final = 64 << 20
"""Of all blocks of a segment together, decompressed."""
MAX_FOOTER_BYTES: Final = 8 << 20

ZSTD_LEVEL: Final = 9

_FIELDS: Final = frozenset(
    {"blocks", "tombstones", "replaces", "created", "runner", "writer", "evicted"}
)

# magic, version
_HEAD = struct.Struct("<8sI")
HEAD_BYTES: Final = _HEAD.size
# footer offset, footer bytes, footer raw bytes, footer checksum, version, magic
_TRAILER = struct.Struct("<QIIQI8s")
TRAILER_BYTES: Final = _TRAILER.size


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
        "tombstones": encode_tombstones(footer.tombstones),
        "replaces": [bytes.fromhex(segment) for segment in footer.replaces],
        "created": as_int(footer.created_s, where, below=TIME_BELOW),
        "runner": footer.runner,
        "writer": footer.writer,
    }
    if footer.evicted:
        value["evicted"] = encode_evictions(footer.evicted)
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
        tombstones=decode_tombstones(fields.get("tombstones"), f"{where}: tombstones"),
        replaces=tuple(
            SegmentId(as_digest(item, f"{where}: replaces"))
            for item in as_array(
                fields.get("replaces"), where, max_items=MAX_LISTED_SEGMENTS
            )
        ),
        created_s=as_int(fields.get("created"), f"{where}: created", below=TIME_BELOW),
        runner=runner,
        writer=as_text(fields.get("writer"), f"{where}: writer", max_chars=64),
        is_plain=fields.keys() <= _FIELDS,
        evicted=decode_evictions(fields.get("evicted", b""), f"{where}: evicted"),
        bans=decode_bans(fields.get("bans", []), f"{where}: bans"),
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
