"""Records as maps: hostile ones are refused by name, unknown fields are not minded."""

from typing import Any

import msgpack
import pytest

from tests.support.records import make_record
from wheelferry.errors import RecordMalformed
from wheelferry.store.bounded import decompress, unpack
from wheelferry.store.record_map import decode_map, encode_map

RECORD = make_record(needs={"libc": "glibc 2.17"})
FIELDS = encode_map(RECORD)
OPTIONAL = {"size", "files", "needs"}


def test_record_map_survives_msgpack():
    """What a segment holds of a record is all of it."""
    packed = msgpack.packb(FIELDS)

    assert decode_map(unpack(packed, max_items=99, where="x"), "x") == RECORD


def test_record_map_ignores_unknown_fields():
    """A later version may add fields, and older runners go on reading."""
    value = FIELDS | {"signature": b"x" * 64, "origin": [1, 2], "7": None}

    assert decode_map(value, "x") == RECORD


@pytest.mark.parametrize("field", sorted(FIELDS.keys() - OPTIONAL))
def test_record_map_without_a_field_is_malformed(field):
    """The message says which record and which field."""
    value = {key: FIELDS[key] for key in FIELDS if key != field}

    with pytest.raises(RecordMalformed, match=f"record 3: {field}"):
        decode_map(value, "record 3")


@pytest.mark.parametrize("field", sorted(FIELDS))
@pytest.mark.parametrize(
    "value", [-1, True, 1.5, b"\0", "\n", [None], {"a": None}, {1: b""}], ids=repr
)
def test_record_map_checks_the_type_of_every_field(field, value):
    """No field takes a value of another type, or one out of range."""
    with pytest.raises(RecordMalformed):
        decode_map(FIELDS | {field: value}, "record 3")


@pytest.mark.parametrize("value", [None, 1, "x", [], [1]], ids=repr)
def test_record_must_be_a_map(value):
    """Anything else in a block is malformed."""
    with pytest.raises(RecordMalformed, match="not a map"):
        decode_map(value, "record 3")


def test_record_map_refuses_unsorted_hashes():
    """One record has one encoding."""
    hashes = ["sha512:" + "0" * 128, "sha256:" + "0" * 64]

    with pytest.raises(RecordMalformed, match="sorted"):
        decode_map(FIELDS | {"hashes": hashes}, "x")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xc1", id="reserved"),
        pytest.param(b"\x00\x00", id="two values"),
        pytest.param(b"\x92\x00", id="short array"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="huge array"),
        pytest.param(b"\xdf\xff\xff\xff\xff", id="huge map"),
        pytest.param(b"\xdb\xff\xff\xff\xff", id="huge string"),
        pytest.param(b"\xc6\xff\xff\xff\xff", id="huge bytes"),
        pytest.param(b"\xa1\xff", id="not UTF-8"),
        pytest.param(b"\x81\xc0\xc0", id="key is nil"),
        pytest.param(b"\x81\x90\x00", id="key is an array"),
        pytest.param(b"\xd6\xff\x00\x00\x00\x00", id="timestamp"),
        pytest.param(b"\x91" * 5000, id="deep"),
        pytest.param(b"\xdc\x00\x64" * 2000, id="deep arrays of 100"),
    ],
)
def test_unpack_refuses_hostile_msgpack(raw):
    """Nothing in it can make us allocate, recurse or crash."""
    with pytest.raises(RecordMalformed, match="here"):
        unpack(raw, max_items=100, where="here")


def test_decompress_refuses_a_frame_of_another_size():
    """The size in the footer is a promise, and the frame's own has to agree."""
    from wheelferry.pack import zstd

    bomb: Any = zstd.compress(bytes(1 << 24), 3)

    with pytest.raises(RecordMalformed, match="size"):
        decompress(bomb, raw_bytes=100, where="x")
    with pytest.raises(RecordMalformed):
        decompress(bomb + b"x", raw_bytes=1 << 24, where="x")
    with pytest.raises(RecordMalformed):
        decompress(b"noise", raw_bytes=5, where="x")
