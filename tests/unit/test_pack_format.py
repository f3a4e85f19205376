"""The head and the file table of a pack, as bytes."""

import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.errors import (
    IntegrityError,
    PackMalformed,
    StoreFormatUnsupported,
    UnsafePath,
)
from wheelferry.pack.format import (
    HEAD_BYTES,
    MAGIC,
    MAX_TABLE_BYTES,
    decode_head,
    decode_table,
    decompress_exactly,
    encode_head,
)
from wheelferry.pack.table import FileEntry, Frame, Layout, Table
from wheelferry.pack.zstd import zstd

TABLE = Table(
    files=(
        FileEntry(path="a/x.py", size_bytes=10, executable=False, digest=b"1" * 32),
        FileEntry(path="a/run", size_bytes=5, executable=True, digest=b"2" * 32),
        FileEntry(path="empty", size_bytes=0, executable=False, digest=b"3" * 32),
    ),
    frames=(Frame(raw_bytes=15, comp_bytes=20),),
)


def decode(data: bytes) -> tuple[Table, Layout]:
    head = decode_head(data[:HEAD_BYTES])
    return decode_table(head, data[HEAD_BYTES:])


def sections_of(table: Table) -> dict[bytes, bytes]:
    """Return the sections of an encoded table, in their order."""
    raw = zstd.decompress(encode_head(table)[HEAD_BYTES:])
    found: dict[bytes, bytes] = {}
    while raw:
        tag, size = struct.unpack("<4sI", raw[:8])
        found[tag], raw = raw[8 : 8 + size], raw[8 + size :]
    return found


def build(
    sections: Iterable[tuple[bytes, bytes]],
    *,
    version: int = 1,
    magic: bytes = MAGIC,
    raw_size: int | None = None,
) -> bytes:
    """Return a head with any sections at all."""
    raw = b"".join(struct.pack("<4sI", tag, len(d)) + d for tag, d in sections)
    comp = zstd.compress(raw)
    size = len(raw) if raw_size is None else raw_size
    return struct.pack("<8sHHII", magic, version, 0, len(comp), size) + comp


def test_table_survives_encoding():
    """Decoding gives what was encoded, and where it is."""
    table, layout = decode(encode_head(TABLE))
    assert table == TABLE
    assert layout.directories == ("a",)
    assert [(c.first, c.last, c.is_piece) for c in layout.contents] == [(0, 3, False)]


def test_table_of_an_empty_tree_survives_encoding():
    """A tree without files is a pack without frames."""
    table, layout = decode(encode_head(Table(files=(), frames=())))
    assert (table.files, table.frames, layout.directories) == ((), (), ())


def test_head_of_another_version_is_refused_by_its_number():
    """The message names the version, so that the reader knows what to upgrade."""
    with pytest.raises(StoreFormatUnsupported, match="version 7") as caught:
        decode(build([], version=7))
    assert caught.value.hint


@pytest.mark.parametrize(
    "data",
    [b"", MAGIC, encode_head(TABLE)[: HEAD_BYTES - 1], build([], magic=b"PK\3\4abcd")],
)
def test_head_that_is_none_is_refused(data):
    """Something else, or too little of it, is not taken for a pack."""
    with pytest.raises(PackMalformed):
        decode_head(data[:HEAD_BYTES])


@pytest.mark.parametrize("field", [12, 16])
def test_head_with_a_huge_table_is_refused_before_it_is_read(field):
    """Neither size of the table may pass the limit."""
    data = bytearray(encode_head(TABLE))
    data[field : field + 4] = struct.pack("<I", MAX_TABLE_BYTES + 1)
    with pytest.raises(PackMalformed, match="limit"):
        decode_head(bytes(data[:HEAD_BYTES]))


def test_unknown_section_in_lower_case_is_ignored():
    """A later version can add what older readers may do without."""
    sections = [*sections_of(TABLE).items(), (b"note", b"\xff\x00")]
    assert decode(build(sections))[0] == TABLE


def test_unknown_section_in_upper_case_is_refused():
    """A later version can add what older readers must not do without."""
    sections = [*sections_of(TABLE).items(), (b"LINK", b"")]
    with pytest.raises(StoreFormatUnsupported, match="LINK"):
        decode(build(sections))


@pytest.mark.parametrize("tag", [b"PATH", b"SIZE", b"MODE", b"HASH", b"FRAM"])
@pytest.mark.parametrize("damage", ["missing", "twice", "short", "long", "empty"])
def test_section_that_does_not_fit_is_refused(tag, damage):
    """Every section is there once, and as long as the others say."""
    known = sections_of(TABLE)
    changed = {
        "missing": [],
        "twice": [known[tag]] * 2,
        "short": [known[tag][:-1]],
        "long": [known[tag] + b"\0"],
        "empty": [b""],
    }[damage]
    rest = [(name, data) for name, data in known.items() if name != tag]
    with pytest.raises(PackMalformed):
        decode(build([*rest, *((tag, data) for data in changed)]))


@pytest.mark.parametrize(
    ("paths", "error"),
    [
        (b"../x\0a/run\0empty\0", UnsafePath),
        (b"/x\0a/run\0empty\0", UnsafePath),
        (b"empty\0a/run\0empty\0", UnsafePath),
        (b"a\0a/run\0empty\0", UnsafePath),
        (b"\xff\0a/run\0empty\0", UnsafePath),
        (b"\0\0\0", UnsafePath),
    ],
)
def test_table_with_unsafe_paths_is_refused(paths, error):
    """No table gives out a path that could leave the tree."""
    sections = sections_of(TABLE) | {b"PATH": paths}
    with pytest.raises(error):
        decode(build(sections.items()))


@pytest.mark.parametrize(
    "sizes", [(10, 6, 0), (10, 4, 0), (2**64 - 1, 5, 0), (9, 5, 0)]
)
def test_table_whose_sizes_disagree_is_refused(sizes):
    """The files are as long as the frames, and within the limits."""
    sections = sections_of(TABLE) | {b"SIZE": struct.pack("<3Q", *sizes)}
    with pytest.raises(PackMalformed):
        decode(build(sections.items()))


@pytest.mark.parametrize(
    "frame", [(0, 20), (15, 0), (2**32 - 1, 20), (15, 2**32 - 1), (14, 20), (16, 20)]
)
def test_table_with_an_impossible_frame_is_refused(frame):
    """A frame is neither empty nor huge, and holds the files exactly."""
    sections = sections_of(TABLE) | {b"FRAM": struct.pack("<2I", *frame)}
    with pytest.raises(PackMalformed):
        decode(build(sections.items()))


def test_table_that_lies_about_its_size_is_refused():
    """What zstd would give is compared with the head before it is made."""
    with pytest.raises(PackMalformed, match="announce"):
        decode(build([(b"note", b"\0" * 10_000)], raw_size=100))


def test_bomb_without_a_size_is_refused():
    """A frame that keeps its size to itself is not decompressed at all."""
    compressor = zstd.ZstdCompressor()
    bomb = compressor.compress(b"\0" * 50_000_000) + compressor.flush()
    with pytest.raises(PackMalformed, match="announce"):
        decompress_exactly(bomb, 1000)


@pytest.mark.parametrize("change", ["tail", "cut", "two", "none", "open"])
def test_frame_is_one_whole_frame(change):
    """Trailing bytes, a second frame and a cut one are refused."""
    frame = zstd.compress(b"hello" * 1000)
    options: dict[int, int] = {zstd.CompressionParameter.checksum_flag: 1}
    checked = zstd.compress(b"hello" * 1000, options=options)
    data = {
        "tail": frame + b"\0",
        "cut": frame[:-1],
        "two": frame + frame,
        "none": b"",
        "open": checked[:-2],  # all of the content, and half of zstd's checksum
    }[change]
    with pytest.raises(PackMalformed):
        decompress_exactly(data, 5000)


@given(st.binary(max_size=300))
def test_any_bytes_as_a_table_raise_only_our_errors(data):
    """No input gets through to a bare struct.error, IndexError or MemoryError."""
    comp = zstd.compress(data)
    head = struct.pack("<8sHHII", MAGIC, 1, 0, len(comp), len(data))
    with pytest.raises((IntegrityError, StoreFormatUnsupported)):
        decode(head + comp)


@given(st.binary(max_size=60))
def test_any_bytes_as_a_frame_raise_only_our_errors(data):
    """zstd's own errors are translated."""
    with pytest.raises(PackMalformed):
        decompress_exactly(data, 1 << 20)
