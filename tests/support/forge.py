"""Segments and records as no Wheelferry writes them, and the damaging of files."""

import hashlib
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgpack

from tests.support.records import segment_id_of
from wheelferry.pack import zstd
from wheelferry.store.bounded import checksum
from wheelferry.store.record import Digest, Record
from wheelferry.store.record_map import encode_map
from wheelferry.store.segment import Segment, decode_segment, encode_segment
from wheelferry.store.segment_footer import (
    HEAD_BYTES,
    MAGIC,
    TRAILER_BYTES,
    Block,
    Footer,
    encode_footer,
    encode_head,
)


def digest_of(data: bytes) -> str:
    """Return the name of a file with these bytes."""
    return hashlib.sha256(data).hexdigest()


def overwrite(path: Path, data: bytes) -> None:
    """Change a file that nobody may change."""
    path.chmod(0o644)
    path.write_bytes(data)


def object_path(store: Path, digest: str) -> Path:
    """Return where an object is."""
    return store / "objects" / digest[:2] / digest


def add_object(store: Path, data: bytes, digest: str | None = None) -> Digest:
    """Write an object, under the digest that it has or another one; return that."""
    digest = digest or digest_of(data)
    object_path(store, digest).write_bytes(data)
    return Digest(digest)


def add_segment(store: Path, data: bytes) -> str:
    """Write a segment under the digest that it has; return its path in the store."""
    path = f"catalog/{digest_of(data)}.seg"
    (store / path).write_bytes(data)
    return path


def read_only_segment(store: Path) -> tuple[Path, Segment]:
    """Return the only segment of a store."""
    (path,) = store.glob("catalog/*.seg")
    data = path.read_bytes()
    return path, decode_segment(data, segment=segment_id_of(data))


def replace_records(store: Path, records: Sequence[Record]) -> str:
    """Put these in the place of the catalog; return the segment's path in the store."""
    for path in store.glob("catalog/*.seg"):
        path.unlink()
    return add_segment(store, encode_segment(records, runner="r1", created_s=0))


def forge_segment(record: Record, changes: Mapping[str, object]) -> bytes:
    """Return a segment with one record that no writer would write."""
    raw = msgpack.packb([{**encode_map(record), **changes}])
    comp = zstd.compress(raw, 3)
    block = Block(
        offset=HEAD_BYTES,
        comp_bytes=len(comp),
        raw_bytes=len(raw),
        checksum=checksum(comp),
        count=1,
        first_number=0,
        first_name=record.name,
        last_name=record.name,
    )
    footer = Footer(
        blocks=(block,),
        tombstones=(),
        replaces=(),
        created_s=0,
        runner="r1",
        writer="0",
    )
    offset = HEAD_BYTES + len(comp)
    return encode_head() + comp + encode_footer(footer, offset=offset)


def forge_footer(more: Mapping[str, object]) -> bytes:
    """Return a segment of no records whose footer says more than this version knows."""
    whole = encode_segment([], runner="r1", created_s=0)
    footer = zstd.ZstdDecompressor().decompress(whole[HEAD_BYTES:-TRAILER_BYTES])
    raw = msgpack.packb({**msgpack.unpackb(footer), **more})
    comp = zstd.compress(raw, 3)
    trailer = struct.pack(
        "<QIIQI8s", HEAD_BYTES, len(comp), len(raw), checksum(comp), 1, MAGIC
    )
    return whole[:HEAD_BYTES] + comp + trailer
