"""What a runner says of the packs it uses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.errors import RecordMalformed, StoreFormatUnsupported
from wheelferry.store.record import Digest
from wheelferry.store.usage import (
    KEPT_S,
    Usage,
    UsageFile,
    advance_usage,
    decode_usage,
    encode_usage,
    find_last_uses,
    find_replaced,
    fold_usages,
)

NOW_S = 1_700_000_000
DAY_S = 24 * 3600

A, B, C = (Digest(letter * 64) for letter in "abc")
digests = st.binary(min_size=32, max_size=32).map(lambda raw: Digest(raw.hex()))
packs = st.lists(digests, max_size=5).map(tuple)
times = st.tuples(st.integers(0, 1 << 39), packs)
names = st.text("abc.-_", max_size=9)
usages = st.builds(
    Usage,
    held=packs,
    before=st.lists(times, max_size=4).map(tuple),
    figures=st.binary(max_size=9),
    replaces=st.lists(names, max_size=3).map(tuple),
)


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
    second = advance_usage(first, 1 * DAY_S, [B])
    third = advance_usage(second, 2 * DAY_S, [C])
    fourth = advance_usage(third, 3 * DAY_S, [A, C])

    assert first == Usage(held=(A, B))
    assert second == Usage(held=(B,), before=((1 * DAY_S, (A,)),))
    assert third == Usage(held=(C,), before=((2 * DAY_S, (B,)), (1 * DAY_S, (A,))))
    assert fourth == Usage(held=(A, C), before=((2 * DAY_S, (B,)),))


def test_file_that_many_carry_on_keeps_all_packs_of_half_a_year() -> None:
    """Every job gives up what the one before held; times are right to a day."""
    step_s = KEPT_S // 3000
    usage = Usage(held=())
    for job in range(2000):
        usage = advance_usage(usage, job * step_s, [Digest(f"{job:064x}")])
    uses = find_last_uses([UsageFile("r", 2000 * step_s, 0, usage)])

    assert len(uses) == 2000
    for job in range(1999):
        told_s = uses[Digest(f"{job:064x}")]
        assert 0 <= told_s - (job + 1) * step_s < DAY_S
    assert decode_usage(encode_usage(usage), where="x.use") == usage


def test_pack_that_was_not_held_for_long_is_forgotten() -> None:
    """The file does not grow for ever."""
    usage = Usage(held=(), before=((10, (A,)), (5, (B,))))

    assert advance_usage(usage, KEPT_S + 7, []) == Usage(held=(), before=((10, (A,)),))


def make_file(
    name: str, written_s: int, *held: Digest, before: object = (), **more: object
) -> UsageFile:
    usage = Usage(held=held, before=before, **more)  # type: ignore[arg-type]
    return UsageFile(name, written_s, written_s, usage)


def test_last_use_is_the_latest_of_all_files() -> None:
    """Held, or given up: whoever says the later time."""
    one = make_file("one", 100, A, before=((90, (B,)),))
    two = make_file("two", 80, B, C)

    assert find_last_uses([one, two]) == {A: 100, B: 90, C: 80}


def test_file_that_is_carried_on_is_known() -> None:
    """Also if it is there still."""
    files = [make_file("two", 1, replaces=("one",)), make_file("one", 1)]

    assert find_replaced(files) == {"one"}


written = st.integers(0, KEPT_S).map(lambda age_s: NOW_S - age_s)
files = st.lists(
    st.builds(
        UsageFile,
        st.just("x"),
        written,
        st.just(0),
        packs.map(lambda held: Usage(held=held)),
    ),
    max_size=5,
)


@given(files)
def test_fold_says_of_each_pack_when_it_was_used_to_the_day(
    files: list[UsageFile],
) -> None:
    """Never earlier than it was, and less than a day later; all of them."""
    folded = fold_usages(files, NOW_S)
    together = find_last_uses(
        UsageFile(str(n), NOW_S, NOW_S, usage) for n, usage in enumerate(folded)
    )
    expected = find_last_uses(files)

    assert together.keys() == expected.keys()
    assert all(0 <= together[p] - expected[p] < 24 * 3600 for p in expected)
    assert not any(usage.held for usage in folded)
    again = [UsageFile("f", NOW_S, NOW_S, usage) for usage in folded]
    assert fold_usages(again, NOW_S) == folded


def test_fold_that_no_file_can_hold_is_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is lost, and each is within its limits."""
    monkeypatch.setattr("wheelferry.store.usage.MAX_PACKS", 2)
    folded = fold_usages([make_file("x", NOW_S, A, B), make_file("y", 0, C)], NOW_S)

    assert [sum(len(p) for _, p in usage.before) for usage in folded] == [2]
    folded = fold_usages([make_file("x", NOW_S, A, B, C)], NOW_S)
    assert [sum(len(p) for _, p in usage.before) for usage in folded] == [2, 1]


def test_fold_forgets_what_was_not_used_for_long() -> None:
    """As good as never used; a fold of nothing is one that says nothing."""
    old = make_file("x", NOW_S - KEPT_S - 1, A)

    assert fold_usages([old], NOW_S) == [Usage(held=())]
