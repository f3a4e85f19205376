"""What a runner says of the packs it uses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.errors import RecordMalformed, StoreFormatUnsupported
from wheelferry.store.record import Digest
from wheelferry.store.usage import (
    KEPT_S,
    Usage,
    advance_usage,
    decode_usage,
    encode_usage,
)

A, B, C = (Digest(letter * 64) for letter in "abc")
digests = st.binary(min_size=32, max_size=32).map(lambda raw: Digest(raw.hex()))
packs = st.lists(digests, max_size=5).map(tuple)
times = st.tuples(st.integers(0, 1 << 39), packs)
usages = st.builds(Usage, held=packs, before=st.lists(times, max_size=4).map(tuple))


@given(usages)
def test_usage_survives_encoding(usage: Usage) -> None:
    """What is written is what is read."""
    assert decode_usage(encode_usage(usage), where="x.use") == usage


@given(usages, st.data())
def test_damaged_usage_is_refused(usage: Usage, data: st.DataObject) -> None:
    """A flipped byte or a cut is seen, wherever it is."""
    whole = encode_usage(usage)
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :]

    for damaged in (flipped, whole[:at]):
        with pytest.raises((RecordMalformed, StoreFormatUnsupported), match=r"x\.use"):
            decode_usage(damaged, where="x.use")


def test_usage_of_another_version_says_what_to_do() -> None:
    """A newer file is refused with its version."""
    data = encode_usage(Usage(held=(A,)))

    with pytest.raises(StoreFormatUnsupported, match="usage format 7") as caught:
        decode_usage(data[:8] + b"\7\0\0\0" + data[12:], where="x.use")

    assert caught.value.hint == "upgrade wheelferry on this machine"


def test_pack_that_is_given_up_keeps_the_time_it_was_last_held() -> None:
    """A pack is as old as the last file that held it, and young again if it returns."""
    first = advance_usage(Usage(held=()), 0, [A, B])
    second = advance_usage(first, 100, [B])
    third = advance_usage(second, 200, [C])
    fourth = advance_usage(third, 300, [A, C])

    assert first == Usage(held=(A, B))
    assert second == Usage(held=(B,), before=((100, (A,)),))
    assert third == Usage(held=(C,), before=((200, (B,)), (100, (A,))))
    assert fourth == Usage(held=(A, C), before=((200, (B,)),))


def test_pack_that_was_not_held_for_long_is_forgotten() -> None:
    """The file does not grow for ever."""
    usage = Usage(held=(), before=((10, (A,)), (5, (B,))))

    assert advance_usage(usage, KEPT_S + 7, []) == Usage(held=(), before=((10, (A,)),))
