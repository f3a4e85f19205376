"""A segment of the catalog, format 1: records in sorted, compressed blocks.

Pure.  A segment is immutable and the catalog is a union of segments, so a damaged one is
refused as a whole, whatever is wrong with it: half a segment would be neither what its
writer meant nor what its digest names.  A reader that needs only some packages decodes
only the blocks whose names span them; `decode_block` vouches for that block alone.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import msgpack

from wheelferry import __version__
from wheelferry.errors import RecordMalformed
from wheelferry.pack import zstd
from wheelferry.store.bounded import as_array, checksum, decompress, unpack
from wheelferry.store.layout import check_digest, is_runner
from wheelferry.store.record import Record, SegmentId
from wheelferry.store.record_map import decode_map, encode_map
from wheelferry.store.segment_footer import (
    HEAD_BYTES,
    MAX_BLOCK_BYTES,
    MAX_BLOCK_RECORDS,
    ZSTD_LEVEL,
    Block,
    Footer,
    check_head,
    decode_footer,
    encode_footer,
    encode_head,
)
from wheelferry.store.tombstones import Ban, Eviction, Tombstone

BLOCK_TARGET_BYTES: Final = 32 << 10
"""A block is closed before its raw bytes exceed this; one record may exceed it alone.

Smaller ones take more room (3 % more than with 256 KiB), and who wants a few packages
decodes less: a quarter.  Within it any records are, together, within the limits of a block.
"""

_SortKey: TypeAlias = tuple[str | tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A whole segment.

    Attributes:
        records: In the order of their numbers, which begin at 0.
        footer: What it removes and replaces, who wrote it and when.
    """

    records: tuple[Record, ...]
    footer: Footer


class Packed(NamedTuple):
    """A record, and the bytes that it has in a segment: unknown keys included."""

    record: Record
    data: bytes


def sort_key(record: Record) -> _SortKey:
    """Return the key by which the records of a segment are sorted: name first."""
    return (
        record.name,
        record.version,
        record.kind,
        record.shard,
        record.settings,
        record.stem,
        record.format_id,
        record.tags,
        record.hashes,
        record.pack,
    )


def encode_segment(
    records: Iterable[Record],
    *,
    runner: str,
    created_s: int,
    tombstones: Iterable[Tombstone] = (),
    replaces: Iterable[SegmentId] = (),
    evicted: Iterable[Eviction] = (),
    bans: Iterable[Ban] = (),
    writer: str = __version__,
) -> bytes:
    """Return the bytes of a segment; the same arguments always give the same.

    Args:
        records: In any order; they are numbered in sorted order.
        runner: Name of the runner that writes it.
        created_s: Its clock, in seconds since the epoch.
        tombstones: What the segment removes from the catalog.
        replaces: Segments whose living records are among `records`.
        evicted: What was removed, and when; of several times of one the latest counts.
        bans: What it forbids.
        writer: Version of Wheelferry, for people who look into it.

    Raises:
        RecordMalformed: A record or the whole is beyond the limits that readers accept.
    """
    packed = (Packed(record, _encode_record(record)) for record in records)
    return join_segment(
        packed,
        runner=runner,
        created_s=created_s,
        tombstones=tombstones,
        replaces=replaces,
        evicted=evicted,
        bans=bans,
        writer=writer,
    )


def join_segment(
    packed: Iterable[Packed],
    *,
    runner: str,
    created_s: int,
    tombstones: Iterable[Tombstone] = (),
    replaces: Iterable[SegmentId] = (),
    evicted: Iterable[Eviction] = (),
    bans: Iterable[Ban] = (),
    writer: str = __version__,
) -> bytes:
    """Return the bytes of a segment of records that have their bytes already.

    See `encode_segment`.
    """
    if not is_runner(runner):
        raise RecordMalformed(f"segment: {runner!r} is not the name of a runner")
    tombs = tuple(sorted(set(tombstones)))
    inputs = tuple(sorted(set(replaces)))
    for segment in (*inputs, *(tomb.segment for tomb in tombs)):
        check_digest(segment)
    parts = [encode_head()]
    blocks: list[Block] = []
    offset, number = HEAD_BYTES, 0
    ordered = sorted(packed, key=lambda item: sort_key(item.record))
    for names, raw in _join_blocks(ordered):
        comp = zstd.compress(raw, ZSTD_LEVEL)
        block = Block(
            offset=offset,
            comp_bytes=len(comp),
            raw_bytes=len(raw),
            checksum=checksum(comp),
            count=len(names),
            first_number=number,
            first_name=names[0],
            last_name=names[-1],
        )
        blocks.append(block)
        parts.append(comp)
        offset += len(comp)
        number += len(names)
    footer = Footer(
        blocks=tuple(blocks),
        tombstones=tombs,
        replaces=inputs,
        created_s=created_s,
        runner=runner,
        writer=writer,
        evicted=tuple(Eviction(*item) for item in dict(sorted(evicted)).items()),
        bans=tuple(sorted(set(bans))),
    )
    parts.append(encode_footer(footer, offset=offset))
    data = b"".join(parts)
    # What readers would refuse (too large in one way or another) must not be written.
    decode_footer(data, size_bytes=len(data), segment=SegmentId("(new)"))
    return data


def decode_segment(data: bytes, *, segment: SegmentId) -> Segment:
    """Decode a whole segment; `segment` is its name, for messages.

    Raises:
        RecordMalformed: Anything at all in it is not as the format says.
        StoreFormatUnsupported: A segment of another version.
    """
    footer = read_footer(data, segment=segment)
    blocks = iter_blocks(data, footer, segment=segment)
    records = tuple(record for block in blocks for record in block)
    return Segment(records=records, footer=footer)


def read_footer(data: bytes, *, segment: SegmentId) -> Footer:
    """Decode the footer of a segment that is in memory as a whole.

    Raises as `decode_segment`.
    """
    check_head(data, segment=segment)
    return decode_footer(data, size_bytes=len(data), segment=segment)


def iter_blocks(
    data: bytes, footer: Footer, *, segment: SegmentId
) -> Iterator[tuple[Record, ...]]:
    """Yield a segment's records, by number, block by block.

    Raises as `decode_segment`, from any step: take none before you have all.
    """
    for records, _ in _iter_blocks(data, footer, segment=segment):
        yield records


def iter_spanning(
    data: bytes, footer: Footer, names: Collection[str], *, segment: SegmentId
) -> Iterator[tuple[int, tuple[Record, ...]]]:
    """Yield the blocks that records of these packages are in, with their first numbers.

    The others are not looked at.  Raises as `iter_blocks`.
    """
    ordered = sorted(names)
    view = memoryview(data)
    for block in footer.blocks:
        at = bisect_left(ordered, block.first_name)
        if at < len(ordered) and ordered[at] <= block.last_name:
            comp = view[block.offset : block.offset + block.comp_bytes]
            yield block.first_number, decode_block(comp, block, segment=segment)


def iter_packed(
    data: bytes, footer: Footer, *, segment: SegmentId
) -> Iterator[tuple[Packed, ...]]:
    """Yield the same, each record with its bytes.  Raises as `iter_blocks`."""
    for records, raw in _iter_blocks(data, footer, segment=segment):
        pieces = zip(records, _split(raw), strict=True)
        yield tuple(Packed(record, piece) for record, piece in pieces)


def _iter_blocks(
    data: bytes, footer: Footer, *, segment: SegmentId
) -> Iterator[tuple[tuple[Record, ...], bytes]]:
    last: _SortKey = ()
    view = memoryview(data)
    for block in footer.blocks:
        comp = view[block.offset : block.offset + block.comp_bytes]
        raw = _decompress_block(comp, block, segment=segment)
        records = _decode_records(raw, block, segment=segment)
        if last > sort_key(records[0]):
            raise RecordMalformed(f"segment {segment}: blocks are not sorted")
        last = sort_key(records[-1])
        yield records, raw


def decode_block(
    data: bytes | memoryview, block: Block, *, segment: SegmentId
) -> tuple[Record, ...]:
    """Decode one block, whose bytes were read as the footer says.

    Raises as `decode_segment`.
    """
    raw = _decompress_block(data, block, segment=segment)
    return _decode_records(raw, block, segment=segment)


def _decompress_block(
    data: bytes | memoryview, block: Block, *, segment: SegmentId
) -> bytes:
    where = f"segment {segment}: block at {block.offset}"
    if len(data) != block.comp_bytes or checksum(data) != block.checksum:
        raise RecordMalformed(f"{where}: checksum does not match")
    return decompress(data, raw_bytes=block.raw_bytes, where=where)


def _decode_records(
    raw: bytes, block: Block, *, segment: SegmentId
) -> tuple[Record, ...]:
    where = f"segment {segment}: block at {block.offset}"
    value = unpack(raw, max_items=MAX_BLOCK_RECORDS, where=where)
    items = as_array(value, where, max_items=MAX_BLOCK_RECORDS)
    if not items or len(items) != block.count:
        raise RecordMalformed(f"{where}: {len(items)} records, not {block.count}")
    records = tuple(
        decode_map(item, f"segment {segment}: record {number}")
        for number, item in enumerate(items, start=block.first_number)
    )
    keys = [sort_key(record) for record in records]
    if keys != sorted(keys):
        raise RecordMalformed(f"{where}: records are not sorted")
    if (records[0].name, records[-1].name) != (block.first_name, block.last_name):
        raise RecordMalformed(f"{where}: holds other names than the footer says")
    return records


def _split(raw: bytes) -> Iterator[bytes]:
    """Yield the bytes of each item of a block that was decoded before."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(raw))
    unpacker.feed(raw)
    count = unpacker.read_array_header()
    begin: int = unpacker.tell()
    for _ in range(count):
        unpacker.skip()
        end: int = unpacker.tell()
        yield raw[begin:end]
        begin = end


def _join_blocks(items: Iterable[Packed]) -> Iterator[tuple[list[str], bytes]]:
    names: list[str] = []
    packed: list[bytes] = []
    size_bytes = 0
    for record, data in items:
        full = size_bytes + len(data) > BLOCK_TARGET_BYTES
        if names and (full or len(names) == MAX_BLOCK_RECORDS):
            yield names, _join(packed)
            names, packed, size_bytes = [], [], 0
        names.append(record.name)
        packed.append(data)
        size_bytes += len(data)
    if names:
        yield names, _join(packed)


def _encode_record(record: Record) -> bytes:
    try:
        data: bytes = msgpack.packb(encode_map(record))
    except UnicodeEncodeError as exc:
        raise RecordMalformed(f"record of {record.name!r} is not UTF-8") from exc
    return data


def _join(packed: list[bytes]) -> bytes:
    header: bytes = msgpack.Packer().pack_array_header(len(packed))
    raw = header + b"".join(packed)
    if len(raw) > MAX_BLOCK_BYTES:
        raise RecordMalformed(f"a block of {len(raw)} bytes is beyond the limit")
    return raw
