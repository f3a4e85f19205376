"""A view remembers what its cache has had, for as long as that means anything."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.memory_store import MemoryStore
from tests.support.records import make_record
from wheelferry.disk import Disk
from wheelferry.store.record import Identity, Record
from wheelferry.store.segment import encode_segment
from wheelferry.store.view import View
from wheelferry.store.view_file import read_store_id

ATTRS, NUMPY = make_record("attrs", "25.1"), make_record("numpy", "2.1.0")
BOTH = frozenset({ATTRS.identity, NUMPY.identity})
CACHE, NEXT = "the cache", "the next cache"


@pytest.fixture
def store() -> MemoryStore:
    """A store with two entries."""
    store = MemoryStore()
    commit(store, ATTRS, NUMPY)
    return store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the view's file is."""
    return tmp_path / "view.sqlite"


@pytest.fixture
def view(store: MemoryStore, path: Path) -> Iterator[View]:
    """A view that is up to date."""
    with open_view(path) as opened:
        opened.refresh(store)
        yield opened


def open_view(path: Path, store_id: str = "a" * 32, **more: float) -> View:
    """Open the view in `path`."""
    return View.open(path, store_id=store_id, disk=Disk(), **more)


def commit(store: MemoryStore, *records: Record) -> str:
    """Commit a segment of `records`."""
    number = len(store.segments)
    data = encode_segment(records, runner="r1", created_s=number)
    return store.commit_segment(data)


def test_what_a_cache_had_outlives_the_process(view, path):
    """It adds up over the notes."""
    assert view.memory.had(CACHE) == frozenset()
    view.memory.note_had(CACHE, [ATTRS.identity])
    view.memory.note_had(CACHE, [ATTRS.identity, NUMPY.identity])
    with open_view(path) as other:
        assert other.memory.had(CACHE) == BOTH


def test_another_cache_has_had_nothing(view):
    """What the one before it had is forgotten with the first note of the next."""
    view.memory.note_had(CACHE, BOTH)
    assert view.memory.had(NEXT) == frozenset()
    assert view.memory.had(CACHE) == BOTH
    view.memory.note_had(NEXT, [ATTRS.identity])
    assert view.memory.had(NEXT) == {ATTRS.identity}
    assert view.memory.had(CACHE) == frozenset()


def test_what_the_catalog_has_no_more_is_forgotten(view, store):
    """With the last segment that names it: the table is never larger than the catalog."""
    view.memory.note_had(CACHE, [*BOTH, Identity("0" * 32)])
    assert view.memory.had(CACHE) == BOTH, "nobody would ever forget the third"
    first = next(iter(store.segments))
    second = commit(store, ATTRS)
    del store.segments[first]
    view.refresh(store)
    assert view.memory.had(CACHE) == {ATTRS.identity}, "a merge takes nothing away"
    del store.segments[second]
    view.refresh(store)
    assert view.memory.had(CACHE) == frozenset()
    commit(store, ATTRS)
    view.refresh(store)
    assert view.memory.had(CACHE) == frozenset(), "what comes again is new"


def test_view_of_another_store_has_had_nothing(view, path):
    """It is another file then."""
    view.memory.note_had(CACHE, BOTH)
    view.close()
    with open_view(path, "b" * 32) as other:
        assert other.memory.had(CACHE) == frozenset()


def test_note_is_lost_while_another_process_writes(view, path):
    """A pull neither fails nor waits for long because of it."""
    with open_view(path, busy_timeout_s=0.01) as busy:
        view._access._db.execute("BEGIN IMMEDIATE")
        busy.memory.note_had(CACHE, BOTH)
        view._access._db.execute("ROLLBACK")
        assert busy.memory.had(CACHE) == frozenset()


def test_what_was_trimmed_is_a_part_of_what_a_cache_had(view, path):
    """Also of what it was known to have before; and it is forgotten with that."""
    view.memory.note_had(CACHE, [ATTRS.identity])
    assert view.memory.trimmed(CACHE) == frozenset()
    view.memory.note_trimmed(CACHE, [*BOTH, Identity("0" * 32)])
    view.memory.note_had(CACHE, BOTH)
    with open_view(path) as other:
        assert (other.memory.trimmed(CACHE), other.memory.had(CACHE)) == (BOTH, BOTH)
        assert other.memory.trimmed(NEXT) == frozenset()
    view.memory.forget_trimmed(NEXT, BOTH)
    view.memory.forget_trimmed(CACHE, [ATTRS.identity])
    assert view.memory.trimmed(CACHE) == BOTH - {ATTRS.identity}
    assert view.memory.had(CACHE) == BOTH
    view.memory.note_had(NEXT, BOTH)
    assert (view.memory.trimmed(NEXT), view.memory.had(NEXT)) == (frozenset(), BOTH)


def test_store_of_a_view_can_be_told_without_the_store(path, tmp_path):
    """As long as there is one that can be read; and nothing is made by asking."""
    open_view(path).close()
    assert read_store_id(path) == "a" * 32
    assert read_store_id(tmp_path / "absent") is None
    (tmp_path / "other").write_text("no view")
    assert read_store_id(tmp_path / "other") is None
    assert not (tmp_path / "absent").exists()
