"""Pointers of real uv, one of each format, and what a hostile store may send instead.

The files in tests/data/pointers were made by uv 0.5.14, 0.5.31, 0.6.0, 0.9.30, 0.11.33,
0.12.0, 0.12.24, 0.13.0 and 0.13.9 from an index on the loopback.
"""

import zlib
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.uvcache.entry import Hash
from wheelferry.uvcache.formats import Family, Format, Framing, find_format
from wheelferry.uvcache.pointer import (
    MAX_POINTER_BYTES,
    Pointer,
    PointerMalformed,
    decode_pointer,
)

FILES = {
    path.stem.replace("-array", "/array").replace("-map", "/map"): path.read_bytes()
    for path in sorted(Path(__file__).parents[1].glob("data/pointers/*.http"))
}
WHEEL = "native_wheel-1.0-cp311-cp311-linux_x86_64.whl"
each_file = pytest.mark.parametrize("format_id", FILES)


def row_of(format_id: str) -> Format:
    row = find_format(format_id)
    assert row is not None
    return row


def decode(format_id: str, data: bytes) -> Pointer:
    row = row_of(format_id)
    return decode_pointer(data, family=row.family, framing=row.framing)


def with_payload(payload: object) -> bytes:
    """Make a pointer of uv 0.12 with any payload."""
    policy = decode("wheels-v6/map", FILES["wheels-v6/map"]).policy
    packed: bytes = msgpack.packb(payload)
    return packed + policy + len(policy).to_bytes(8, "little")


def test_there_is_a_file_of_each_format():
    """No format with a pointer is left untested."""
    assert len(FILES) == 16


@each_file
def test_pointer_says_what_uv_recorded(format_id):
    """Id, digest and shape are read from each format; name and size where recorded."""
    pointer = decode(format_id, FILES[format_id])

    assert pointer.shape == format_id.partition("/")[2]
    assert len(pointer.target_id) in (16, 21)
    (digest,) = pointer.hashes
    assert digest.algorithm == "sha256"
    assert len(digest.value) == 64
    is_wheel = row_of(format_id).family is Family.WHEELS
    has_name = is_wheel and pointer.shape not in ("array2", "array3")
    assert pointer.filename == (WHEEL if has_name else None)
    bucket = format_id.partition("/")[0]
    has_size = pointer.shape in ("array5", "map") or (
        not is_wheel and pointer.shape == "array3"
    )
    assert (pointer.size_bytes is not None) == has_size, bucket


@each_file
def test_pointers_of_all_formats_agree_on_the_file(format_id):
    """All were made from the same two files, so they have the same two digests."""
    family = format_id.partition("-")[0]
    found = {
        decode(other, data).hashes
        for other, data in FILES.items()
        if other.startswith(family)
    }
    assert found == {decode(format_id, FILES[format_id]).hashes}


@each_file
def test_pointer_with_its_own_id_is_the_same_file(format_id):
    """Encoding is exact, byte for byte, checksum and padding included."""
    data = FILES[format_id]
    pointer = decode(format_id, data)
    assert pointer.with_id(pointer.target_id) == data


@each_file
@given(target_id=st.from_regex(r"[0-9a-zA-Z_-]{1,128}", fullmatch=True))
def test_pointer_with_another_id_differs_in_nothing_else(format_id, target_id):
    """The id may have any length; all else comes back as it was."""
    pointer = decode(format_id, FILES[format_id])
    again = decode(format_id, pointer.with_id(target_id))
    assert again.target_id == target_id
    assert again.with_id(pointer.target_id) == FILES[format_id]


@each_file
def test_pointer_tells_its_url_exactly(format_id):
    """A URL ends where it ends, though the next string touches it."""
    (url,) = decode(format_id, FILES[format_id]).find_urls()
    name = WHEEL if format_id.startswith("wheels") else "cext_sdist-1.0.tar.gz"
    assert url == f"http://127.0.0.1:18765/files/{name}"


@each_file
def test_truncated_pointer_is_malformed(format_id):
    """A file cut short anywhere is refused, and not taken for a newer format."""
    data = FILES[format_id]
    for size_bytes in range(len(data)):
        with pytest.raises(PointerMalformed) as caught:
            decode(format_id, data[:size_bytes])
        assert caught.value.shape is None


@pytest.mark.parametrize(
    "format_id", [f for f in FILES if row_of(f).framing is Framing.CHECKED]
)
def test_flipped_policy_byte_is_noticed_where_there_is_a_checksum(format_id):
    """From 0.13 on, nothing after the payload can change unseen."""
    data = FILES[format_id]
    payload_bytes = int.from_bytes(data[-8:], "little")
    for at in range(payload_bytes, len(data)):
        forged = bytearray(data)
        forged[at] ^= 0x10
        with pytest.raises(PointerMalformed):
            decode(format_id, bytes(forged))


def test_padding_that_is_not_empty_is_malformed():
    """Encoding could not give it back, though the checksum is right."""
    data = decode("wheels-v8/array5", FILES["wheels-v8/array5"]).with_id("short")
    payload_bytes = int.from_bytes(data[-8:], "little")
    assert payload_bytes % 16
    body = bytearray(data[:-12])
    body[payload_bytes] = 1
    checksum = zlib.crc32(body[payload_bytes:] + data[-8:]).to_bytes(4, "little")
    with pytest.raises(PointerMalformed, match="padding"):
        decode("wheels-v8/array5", bytes(body) + checksum + data[-8:])


@each_file
@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_pointer_or_malformed(format_id, data):
    """Hostile bytes never raise anything else."""
    for candidate in (data, data + FILES[format_id], FILES[format_id] + data):
        try:
            decode(format_id, candidate)
        except PointerMalformed:
            continue


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.just(msgpack.Timestamp(1)),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(
            st.text(max_size=8) | st.binary(max_size=3), inner, max_size=6
        )
    ),
    max_leaves=12,
)


@given(payload=JUNK)
def test_any_payload_is_a_pointer_or_malformed(payload):
    """Sound msgpack of any content never raises anything else."""
    with pytest.raises(PointerMalformed):
        decode("wheels-v6/map", with_payload(payload))


FIELDS = {
    "id": "some-archive",
    "hashes": [["Sha256", "1f" * 32]],
    "filename": "a-1-py3-none-any.whl",
    "version": 0,
    "size": 10,
}


def test_fields_of_a_map_are_read_by_name():
    """The payload that the cases below spoil is sound."""
    pointer = decode("wheels-v6/map", with_payload(FIELDS))
    assert pointer.target_id == "some-archive"
    assert pointer.hashes == (Hash(algorithm="sha256", value="1f" * 32),)
    assert pointer.size_bytes == 10


WRONG_VALUES: dict[str, list[object]] = {
    "id": [None, 1, "", ".", "..", "a/b", "/a", "a\0", "x" * 129],
    "hashes": [
        *(None, {}, "x", [1], [[]], [["Sha256"]], [{}]),
        [["Sha256", "1f" * 31]],
        [["Sha256", "zz" * 32]],
        [["Crc32", "1f" * 32]],
        [{"Sha256": "1f" * 32, "Md5": "1f" * 16}],
    ],
    "filename": [1, "x" * 513],
    "version": ["0", None],
    "size": [-1, True, 1.0, 2**63],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, bad) for field, values in WRONG_VALUES.items() for bad in values],
)
def test_field_with_a_wrong_value_is_malformed(field, value):
    """No id leaves the archive bucket, and no digest is of another form."""
    data = with_payload({**FIELDS, field: value})
    with pytest.raises(PointerMalformed) as caught:
        decode("wheels-v6/map", data)
    assert caught.value.shape is None


@pytest.mark.parametrize(
    ("payload", "shape"),
    [
        (["id", [], "name", 0, 1, 2], "array6"),
        ({**FIELDS, "more": 1}, "map(filename,hashes,id,more,size,version)"),
        ({"id": "x", "hashes": []}, "map(hashes,id)"),
        ({**FIELDS, "version": 1}, "map, archive version 1"),
        ([], "array0"),
    ],
)
def test_unknown_shape_is_named(payload, shape):
    """Sound msgpack of another shape is a newer uv's, and is reported as such."""
    with pytest.raises(PointerMalformed) as caught:
        decode("wheels-v6/map", with_payload(payload))
    assert caught.value.shape == shape


def test_large_pointer_is_refused_unread():
    """A pointer beyond the limit is refused by its size."""
    with pytest.raises(PointerMalformed, match="more than"):
        decode("wheels-v6/map", bytes(MAX_POINTER_BYTES + 1))
