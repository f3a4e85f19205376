"""A view remembers what was removed, until it comes again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.memory_store import MemoryStore
from tests.support.records import make_record
from wheelferry.disk import Disk
from wheelferry.store.compaction import merge
from wheelferry.store.record import Record, SegmentId
from wheelferry.store.segment import encode_segment
from wheelferry.store.tombstones import Eviction, Tombstone
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
    """Kill the first record, which is that of attrs, at a time that is told so."""
    data = encode_segment(
        [],
        runner="gc",
        created_s=at_s,
        tombstones=[Tombstone(segment=segment, number=0)],
        evicted=[Eviction(ATTRS.identity, at_s)],
    )
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


def test_merge_that_tells_it_again_is_no_news(view: View, store: MemoryStore) -> None:
    """By a clock that is ahead, it would be of now each time, and hide a use between."""
    inputs = [commit(store, ATTRS, NUMPY)]
    inputs.append(bury(store, inputs[0], at_s=1 << 39))
    view.refresh(store)
    told = view.memory.evicted()
    time.sleep(0.01)
    dead = [Tombstone(segment=inputs[0], number=0)]
    data = {name: store.segments[name] for name in inputs}
    store.commit_segment(merge(data, dead=dead, standing=()))
    for name in inputs:
        store.upkeep.remove_segment(name)
    view.refresh(store)

    assert view.memory.evicted() == told


def test_second_removal_within_a_second_is_news(view: View, store: MemoryStore) -> None:
    """By a clock that is ahead, too: what came again between them is gone again."""
    bury(store, commit(store, ATTRS), at_s=1 << 39)
    view.refresh(store)
    first = view.memory.evicted()[ATTRS.identity]
    time.sleep(0.01)
    bury(store, commit(store, ATTRS, runner="r2"), at_s=1 << 39)
    view.refresh(store)

    assert view.memory.evicted()[ATTRS.identity] > first


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
    """A view that has read it remembers it, whatever becomes of the catalog."""
    bury(store, commit(store, ATTRS, NUMPY))
    view.refresh(store)
    store.segments.clear()
    view.refresh(store)

    assert view.memory.evicted() == {ATTRS.identity: THEN_S + 1}
    assert view._access.rows("SELECT * FROM removals") == [], "of no segment any more"


def test_who_slept_through_removal_and_merge_knows_of_it(
    view: View, store: MemoryStore
) -> None:
    """It had the record alive, and meets neither its tombstone nor its segment again."""
    segment = commit(store, ATTRS, NUMPY)
    view.refresh(store)
    tombstone = bury(store, segment)
    inputs = {name: store.segments[name] for name in (segment, tombstone)}
    dead = [Tombstone(segment=segment, number=0)]
    store.commit_segment(merge(inputs, dead=dead, standing=inputs))
    del store.segments[segment], store.segments[tombstone]
    view.refresh(store)

    assert [light.name for light in view.light_records()] == ["numpy"]
    assert view.memory.evicted() == {ATTRS.identity: THEN_S + 1}


def test_the_latest_removal_counts(view: View, store: MemoryStore) -> None:
    """In whatever order the segments are read."""
    for number, at_s in enumerate((THEN_S, THEN_S + 9, THEN_S + 5)):
        bury(store, commit(store, ATTRS, runner=f"r{number}"), at_s)
        view.refresh(store)

    assert view.memory.evicted() == {ATTRS.identity: THEN_S + 10}


def test_a_segment_that_just_disappears_is_no_removal(
    view: View, store: MemoryStore
) -> None:
    """It was damaged, and someone deleted it: what it named is to come again."""
    commit(store, ATTRS)
    view.refresh(store)
    store.segments.clear()
    view.refresh(store)

    assert view.memory.evicted() == {}


def test_view_for_one_job_remembers_nothing(tmp_path: Path, store: MemoryStore) -> None:
    """It is gone with the job, and nobody promotes by it."""
    bury(store, commit(store, ATTRS))
    path = tmp_path / "new" / "view.sqlite"
    with View.open(path, store_id="a" * 32, disk=Disk()) as view:
        view.refresh(store, names=["numpy"])
        assert view.memory.evicted() == {}
