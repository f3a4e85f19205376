"""A view remembers what was removed, until it comes again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.memory_store import MemoryStore
from tests.support.records import make_record
from wheelferry.disk import Disk
from wheelferry.store.record import Record, SegmentId
from wheelferry.store.segment import encode_segment
from wheelferry.store.segment_footer import Tombstone
from wheelferry.store.view import View

THEN_S = int(time.time()) - 5000
ATTRS, NUMPY = make_record("attrs", "25.1"), make_record("numpy", "2.1.0")


@pytest.fixture
def store() -> MemoryStore:
    """An empty store."""
    return MemoryStore()


@pytest.fixture
def view(tmp_path: Path) -> Iterator[View]:
    """A view that knows nothing."""
    with View.open(tmp_path / "view.sqlite", store_id="a" * 32, disk=Disk()) as view:
        yield view


def commit(store: MemoryStore, *records: Record, runner: str = "r1") -> SegmentId:
    """Commit records."""
    return store.commit_segment(encode_segment(records, runner=runner, created_s=1))


def bury(store: MemoryStore, segment: SegmentId, at_s: int = THEN_S) -> SegmentId:
    """Kill the first record, at a time that is told so."""
    tombstone = Tombstone(segment=segment, number=0)
    data = encode_segment([], runner="gc", created_s=at_s, tombstones=[tombstone])
    return store.commit_segment(data)


@pytest.mark.parametrize("is_known", [True, False])
def test_what_is_removed_is_remembered_with_the_time(
    view: View, store: MemoryStore, *, is_known: bool
) -> None:
    """Also by a view that never had it alive; what lives is not."""
    segment = commit(store, ATTRS, NUMPY)
    if is_known:
        view.refresh(store)
    assert view.memory.evicted() == {}
    bury(store, segment)
    view.refresh(store)
    view.refresh(store)

    assert view.memory.evicted() == {ATTRS.identity: THEN_S + 1}


def test_a_removal_is_never_of_the_future(view: View, store: MemoryStore) -> None:
    """Whatever the clock of another host says."""
    bury(store, commit(store, ATTRS), at_s=1 << 39)
    before_s = time.time()
    view.refresh(store)

    removed_s = view.memory.evicted()[ATTRS.identity]
    assert before_s - 0.01 <= removed_s <= time.time() + 0.01


def test_one_occurrence_of_several_is_no_removal(
    view: View, store: MemoryStore
) -> None:
    """A duplicate lives, or a build for another machine."""
    segment = commit(store, ATTRS)
    commit(store, ATTRS, runner="r2")
    commit(store, ATTRS._replace(pack=NUMPY.pack), runner="r3")
    bury(store, segment)
    view.refresh(store)

    assert view.memory.evicted() == {}


def test_what_comes_again_is_forgotten(view: View, store: MemoryStore) -> None:
    """And may be removed again."""
    bury(store, commit(store, ATTRS))
    view.refresh(store)
    again = commit(store, ATTRS, runner="r2")
    view.refresh(store)
    assert view.memory.evicted() == {}

    bury(store, again, at_s=THEN_S + 2000)
    view.refresh(store)
    assert view.memory.evicted() == {ATTRS.identity: THEN_S + 2001}


def test_removal_outlives_the_segments_that_tell_of_it(
    view: View, store: MemoryStore
) -> None:
    """A merge drops the dead record and its tombstone, and makes nothing new of it."""
    segment = commit(store, ATTRS, NUMPY)
    tombstone = bury(store, segment)
    view.refresh(store)
    data = encode_segment([NUMPY], runner="r9", created_s=1, replaces=[segment])
    store.commit_segment(data)
    del store.segments[segment], store.segments[tombstone]
    view.refresh(store)

    assert view.memory.evicted().keys() == {ATTRS.identity}
