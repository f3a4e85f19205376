"""The pack format, version 1: its head and file table, as bytes and as values.

Pure.  `docs/pack-format.md` has the byte table.  Decoding treats its input as hostile:
every size is compared with a limit before anything of that size is allocated, and what
`decode_*` returns is consistent, so that readers need no checks of their own.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from wheelferry.errors import PackMalformed, StoreFormatUnsupported, UnsafePath
from wheelferry.pack import zstd
from wheelferry.pack.table import (
    MAX_FILES,
    MAX_FRAMES,
    FileEntry,
    Frame,
    Layout,
    Table,
    check_table,
)

Buffer: TypeAlias = bytes | memoryview

FORMAT_VERSION = 1
MAGIC = b"\x89WFPK\r\n\x1a"

MAX_TABLE_BYTES = 32 << 20

# magic, version, reserved (0), compressed and decompressed size of the table
_HEAD = struct.Struct("<8sHHII")
HEAD_BYTES = _HEAD.size

_SECTION = struct.Struct("<4sI")  # tag, size of what follows
_FRAME = struct.Struct("<II")
_DIGEST_BYTES = 32
_BLOCK_BYTES = 256 << 10
_TAGS = (b"PATH", b"SIZE", b"MODE", b"HASH", b"FRAM")
_EXECUTABLE = 1
_TABLE_LEVEL = 19  # mostly paths, and small: 2 ms for the largest of 60 wheels
_DECOMPRESSION: Mapping[int, int] = {
    # A frame's window is never larger than its content, which is at most 32 MiB.
    zstd.DecompressionParameter.window_log_max: (MAX_TABLE_BYTES - 1).bit_length()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The fixed part at the start of a pack.

    Attributes:
        table_comp_bytes: Of the zstd frame with the table, which follows the head.
        table_raw_bytes: Of the table.
    """

    table_comp_bytes: int
    table_raw_bytes: int


def encode_head(table: Table) -> bytes:
    """Return all of a pack that comes before its first frame.

    Raises:
        PackMalformed, UnsafePath: The table is not one that `decode_table` accepts.
    """
    check_table(table)
    raw = _encode_table(table)
    if len(raw) > MAX_TABLE_BYTES:
        raise PackMalformed(f"file table is larger than {MAX_TABLE_BYTES} bytes")
    comp = zstd.compress(raw, _TABLE_LEVEL)
    return _HEAD.pack(MAGIC, FORMAT_VERSION, 0, len(comp), len(raw)) + comp


def decode_head(data: Buffer) -> Head:
    """Decode the first HEAD_BYTES bytes of a pack.

    Raises:
        PackMalformed: Not a pack, or its sizes are beyond the limits.
        StoreFormatUnsupported: A pack of another version.
    """
    if len(data) < HEAD_BYTES:
        raise PackMalformed(f"pack ends within its head, after {len(data)} bytes")
    magic, version, reserved, comp_bytes, raw_bytes = _HEAD.unpack(data[:HEAD_BYTES])
    if magic != MAGIC:
        raise PackMalformed("not a pack: it does not begin with the magic bytes")
    if version != FORMAT_VERSION or reserved:
        raise StoreFormatUnsupported(
            f"pack has format version {version}{f'.{reserved}' if reserved else ''}; "
            f"this Wheelferry reads version {FORMAT_VERSION}",
            hint="upgrade Wheelferry on this machine, or promote with the older one",
        )
    if raw_bytes > MAX_TABLE_BYTES or comp_bytes > MAX_TABLE_BYTES:
        raise PackMalformed(
            f"file table claims {max(raw_bytes, comp_bytes)} bytes; "
            f"the limit is {MAX_TABLE_BYTES}"
        )
    return Head(table_comp_bytes=comp_bytes, table_raw_bytes=raw_bytes)


def decode_table(head: Head, data: Buffer) -> tuple[Table, Layout]:
    """Decode the compressed table that follows the head.

    Raises:
        PackMalformed: It contradicts itself or the limits.
        UnsafePath: Its paths do not make up one tree.
    """
    raw = decompress_exactly(data, head.table_raw_bytes)
    table = _decode_table(_split_sections(raw))
    return table, check_table(table)


def _encode_table(table: Table) -> bytes:
    count = len(table.files)
    sections = {
        b"PATH": b"".join(entry.path.encode() + b"\0" for entry in table.files),
        b"SIZE": struct.pack(f"<{count}Q", *(e.size_bytes for e in table.files)),
        b"MODE": bytes(_EXECUTABLE if e.executable else 0 for e in table.files),
        b"HASH": b"".join(entry.digest for entry in table.files),
        b"FRAM": b"".join(_FRAME.pack(f.raw_bytes, f.comp_bytes) for f in table.frames),
    }
    return b"".join(_SECTION.pack(t, len(d)) + d for t, d in sections.items())


def _split_sections(raw: bytes) -> Mapping[bytes, bytes]:
    """Return sections by tag; those that may be ignored, and are unknown, are left out."""
    sections: dict[bytes, bytes] = {}
    at = 0
    while at < len(raw):
        if len(raw) - at < _SECTION.size:
            raise PackMalformed("file table ends within the head of a section")
        tag, size_bytes = _SECTION.unpack_from(raw, at)
        at += _SECTION.size
        if len(raw) - at < size_bytes:
            raise PackMalformed(f"section {tag!r} is longer than the file table")
        if tag in sections:
            raise PackMalformed(f"section {tag!r} comes twice")
        if tag in _TAGS:
            sections[tag] = raw[at : at + size_bytes]
        elif not tag[:1].islower():
            raise StoreFormatUnsupported(
                f"pack has a section {tag!r} that this Wheelferry does not know",
                hint="upgrade Wheelferry on this machine",
            )
        at += size_bytes
    for tag in _TAGS:
        if tag not in sections:
            raise PackMalformed(f"file table has no section {tag!r}")
    return sections


def _decode_table(sections: Mapping[bytes, bytes]) -> Table:
    modes = sections[b"MODE"]
    count = len(modes)
    frames_bytes = len(sections[b"FRAM"])
    if count > MAX_FILES or frames_bytes > MAX_FRAMES * _FRAME.size:
        raise PackMalformed(
            f"file table has {count} files in {frames_bytes // _FRAME.size} frames; "
            f"the limits are {MAX_FILES} and {MAX_FRAMES}"
        )
    paths = sections[b"PATH"]
    digests = sections[b"HASH"]
    if (
        paths.count(b"\0") != count
        or paths[-1:] != b"\0"[: len(paths)]
        or len(sections[b"SIZE"]) != 8 * count
        or len(digests) != _DIGEST_BYTES * count
        or frames_bytes % _FRAME.size
    ):
        raise PackMalformed("the sections of the file table differ in length")
    sizes = struct.unpack(f"<{count}Q", sections[b"SIZE"])
    return Table(
        files=tuple(
            map(
                FileEntry,
                _decode_paths(paths),
                sizes,
                [bool(mode & _EXECUTABLE) for mode in modes],
                [
                    digests[at : at + _DIGEST_BYTES]
                    for at in range(0, len(digests), _DIGEST_BYTES)
                ],
            )
        ),
        frames=tuple(
            Frame(raw_bytes=raw_bytes, comp_bytes=comp_bytes)
            for raw_bytes, comp_bytes in _FRAME.iter_unpack(sections[b"FRAM"])
        ),
    )


def _decode_paths(data: bytes) -> Sequence[str]:
    try:
        return data.decode().split("\0")[:-1]
    except UnicodeDecodeError as exc:
        raise UnsafePath(f"a path is not UTF-8: {exc}") from exc


def decompress_exactly(data: Buffer, raw_bytes: int) -> bytes:
    """Decompress one zstd frame that must hold exactly `raw_bytes` bytes.

    Memory is bounded by `raw_bytes`, which the caller has compared with a limit.

    Raises:
        PackMalformed: It is not such a frame.
    """
    return b"".join(iter_decompressed(data, raw_bytes))


def iter_decompressed(data: Buffer, raw_bytes: int) -> Iterator[bytes]:
    """Yield the content of a zstd frame that must hold exactly `raw_bytes` bytes.

    In blocks of up to 256 KiB: they stay in the processor's cache, and memory of that
    size is used again, where whole frames of 2 MiB are mapped and cleared by the kernel
    each time (measured: that took a third of the CPU time of a restore).

    Raises:
        PackMalformed: It is not such a frame; perhaps after some blocks.
    """
    left_bytes = raw_bytes
    try:
        if zstd.get_frame_info(data).decompressed_size != raw_bytes:
            raise PackMalformed(f"a frame does not announce its {raw_bytes} bytes")
        decompressor = zstd.ZstdDecompressor(options=_DECOMPRESSION)
        block = decompressor.decompress(data, _BLOCK_BYTES)
        while block:
            left_bytes -= len(block)
            if left_bytes < 0:
                break
            yield block
            if decompressor.eof or decompressor.needs_input:
                break
            block = decompressor.decompress(b"", _BLOCK_BYTES)
    except zstd.ZstdError as exc:
        raise PackMalformed(f"a zstd frame cannot be decompressed: {exc}") from exc
    if left_bytes or not decompressor.eof or decompressor.unused_data:
        raise PackMalformed(f"a frame does not hold exactly {raw_bytes} bytes")
