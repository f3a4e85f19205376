"""What a verification reads: everything, the rest of it, a sample, or what is new."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.records import digest_of
from wheelferry.ops.verify_scope import Choice, Scope, choose
from wheelferry.store.record import Digest
from wheelferry.store.upkeep import Dated

EVERYTHING = Scope()
NAMES = sorted(digest_of(str(number)) for number in range(10))
TEN = [
    Dated(name, size_bytes=10, written_s=100 * number)
    for number, name in enumerate(NAMES)
]


def pick(scope: Scope = EVERYTHING, **more: object) -> Choice:
    """Choose of ten objects of ten bytes, at the time 1000."""
    given = {"read_s": {}, "began_s": 0.0, "now_s": 1000.0, **more}
    return choose(TEN, scope, **given)  # type: ignore[arg-type]


def test_everything_is_read_by_default() -> None:
    """Be it for the first time or not."""
    read_s = dict.fromkeys(NAMES[:3], 5.0)
    assert {item.digest for item in pick(read_s=read_s, began_s=6.0).wanted} == {*NAMES}


def test_run_that_was_cut_off_is_gone_on_with() -> None:
    """What was read since it was begun is not read again."""
    read_s = {**dict.fromkeys(NAMES[:3], 7.0), NAMES[3]: 5.0}
    choice = pick(read_s=read_s, began_s=6.0)
    assert {item.digest for item in choice.wanted} == {*NAMES[3:]}
    assert choice.resumed == 3


@pytest.mark.parametrize(
    ("share", "count"), [(0.05, 1), (0.3, 3), (0.31, 4), (1.0, 10)]
)
def test_sample_is_of_bytes_and_never_empty(share: float, count: int) -> None:
    """At least so much, and not an object more than that takes."""
    assert len(pick(Scope(share=share)).wanted) == count


def test_sample_of_an_empty_store_is_empty() -> None:
    """There is nothing to read."""
    choice = choose([], Scope(share=0.1), read_s={}, began_s=0.0, now_s=0.0)
    assert choice == Choice(wanted=())


def test_samples_one_after_the_other_read_everything() -> None:
    """Each reads what was read the longest ago."""
    read_s: dict[Digest, float] = {}
    for day in range(5):
        for item in pick(Scope(share=0.2), read_s=read_s).wanted:
            assert item.digest not in read_s
            read_s[item.digest] = float(day)
    assert read_s.keys() == {*NAMES}
    again = pick(Scope(share=0.2), read_s=read_s).wanted
    assert {read_s[item.digest] for item in again} == {0.0}


def test_since_reads_what_is_new() -> None:
    """By the times of the objects, on the server's clock."""
    found = pick(Scope(since_s=300.0)).wanted
    assert [item.written_s for item in found] == [700, 800, 900]
    assert len(pick(Scope(since_s=300.0, share=0.5)).wanted) == 2


def test_only_everything_is_whole() -> None:
    """What is less is not gone on with."""
    assert Scope().is_whole
    assert not Scope(share=0.5).is_whole
    assert not Scope(since_s=1.0).is_whole
    assert pick(Scope(share=0.5), read_s=dict.fromkeys(NAMES, 9.0)).resumed == 0


@given(
    sizes=st.lists(st.integers(0, 100), max_size=20),
    share=st.floats(0.01, 1.0),
    since_s=st.sampled_from([math.inf, 5.0]),
)
def test_sample_is_of_what_there_is(
    sizes: list[int], share: float, since_s: float
) -> None:
    """Each at most once, as many bytes as were asked for, and no object too many."""
    objects = [
        Dated(digest_of(str(number)), size, number) for number, size in enumerate(sizes)
    ]
    choice = choose(
        objects, Scope(share=share, since_s=since_s), read_s={}, began_s=0, now_s=10
    )
    within = [item for item in objects if item.written_s >= 10 - since_s]
    assert len({*choice.wanted}) == len(choice.wanted)
    assert {*choice.wanted} <= {*within}
    if within:
        goal = share * sum(item.size_bytes for item in within)
        chosen = [item.size_bytes for item in choice.wanted]
        assert sum(chosen) >= min(goal, sum(i.size_bytes for i in within))
        if not Scope(share=share, since_s=since_s).is_whole:
            assert len(chosen) == 1 or sum(chosen[:-1]) < goal
