"""Entries become records and entries again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.entries import PACK, make_info
from wheelferry.errors import RecordMalformed
from wheelferry.ops.convert import (
    decode_entry,
    decode_hashes,
    decode_key,
    encode_record,
)
from wheelferry.store.record import Record
from wheelferry.store.record_map import decode_map, encode_map
from wheelferry.uvcache.entry import EntryInfo, Hash, Kind

HASHES = st.lists(
    st.builds(
        Hash,
        algorithm=st.sampled_from(["md5", "sha256", "sha512"]),
        value=st.text("0123456789abcdef", min_size=32, max_size=64),
    ),
    max_size=3,
    unique_by=str,
)
ENTRIES = st.builds(
    make_info,
    st.sampled_from(Kind),
    settings=st.sampled_from(["", "ab" * 8]),
    hashes=HASHES.map(tuple),
    metadata=st.binary(max_size=20),
)


def record_of(info: EntryInfo) -> Record:
    """Return the record of an entry whose pack has these sizes."""
    return encode_record(info, pack=PACK, pack_bytes=1, tree_bytes=2, tree_files=3)


@given(ENTRIES)
def test_entry_survives_the_way_through_a_record(info: EntryInfo) -> None:
    """All of it comes back, but for the order of its hashes."""
    through_the_store = decode_map(encode_map(record_of(info)), "test")
    back = decode_entry(through_the_store, through_the_store.files)
    assert set(back.hashes) == set(info.hashes)
    for name in ("format_id", "key", "name", "version", "tags", "size_bytes"):
        assert getattr(back, name) == getattr(info, name)
    assert (back.pointer, back.metadata) == (info.pointer, info.metadata)


@given(HASHES)
def test_identity_does_not_depend_on_the_order_of_hashes(hashes: list[Hash]) -> None:
    """uv may record them in any order."""
    there = record_of(make_info(hashes=tuple(hashes)))
    back = record_of(make_info(hashes=tuple(hashes[::-1])))
    assert there.identity == back.identity


def test_identity_is_not_that_of_one_runner() -> None:
    """Pack, sizes, pointer and metadata differ between runners; the identity does not."""
    mine = record_of(make_info(metadata=b"of mine"))
    yours = encode_record(
        make_info(metadata=b""),
        pack="ef" * 32,
        pack_bytes=9,
        tree_bytes=9,
        tree_files=9,
    )
    assert mine.identity == yours.identity


def test_what_an_entry_has_not_is_not_in_its_record() -> None:
    """A git entry has no pointer, and one may lack metadata."""
    assert record_of(make_info(Kind.GIT, metadata=b"")).files == {}


@pytest.mark.parametrize("kind", list(Kind))
def test_key_of_each_kind(kind: Kind) -> None:
    """The columns of a record spell the key."""
    key = make_info(kind).key
    assert decode_key(kind.value, key.shard, key.settings, key.stem) == key


def test_unknown_kind_says_what_to_do() -> None:
    """A newer runner's record is named, and the upgrade is."""
    with pytest.raises(RecordMalformed, match="'oci-wheel'") as caught:
        decode_key("oci-wheel", "pypi/demo", "", "1.0-py3-none-any")
    assert "pypi/demo" in caught.value.message
    assert caught.value.hint is not None
    assert "upgrade" in caught.value.hint


@given(HASHES)
def test_hashes_are_spelled_and_read(hashes: list[Hash]) -> None:
    """Decoding undoes `str`."""
    assert decode_hashes(tuple(map(str, hashes))) == tuple(hashes)
