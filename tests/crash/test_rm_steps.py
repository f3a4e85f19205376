"""rm beside a promoter that does not know of the ban, and a gc: nothing of it is left."""

import copy
from functools import partial
from pathlib import Path

import pytest

from tests.support.cachetree import make_cache, make_files, plan
from tests.support.courses import Course, Gate, some_courses
from tests.support.memory_store import MemoryStore
from tests.support.stepping import DAY_S, collect, promote, tiers_of
from wheelferry.ops.gc_plan import Budget
from wheelferry.ops.rm import remove
from wheelferry.store.base import Store
from wheelferry.store.tombstones import Ban

FILES = make_files("pure-wheel")
FIRST = plan("pure-wheel", files=FILES, format_id="wheels-v6/map")
SECOND = plan("pure-wheel", files=FILES)
"""Two entries of one pack: a runner that has the second leaves the pack out."""

RM = ("commit_segment", "discard_object", "purge_object", "list_segments")
PROMOTER = ("put_object", "commit_segment", "look_again")
GC = ("list_segments", "list_objects", "list_trash", "recover_object", "discard_object")


def rm(root: Path, store: Store, runner: str) -> None:
    """Remove the package that all of this is about."""
    with tiers_of(root, store, runner) as tiers:
        remove(tiers, Ban("pure-wheel", ""))


@pytest.fixture
def root(scratch: Path) -> Path:
    """Return a folder with the caches of two runners."""
    make_cache(scratch / "first", [FIRST])
    make_cache(scratch / "second", [SECOND])
    return scratch


@pytest.fixture
def origin(root: Path) -> MemoryStore:
    """Return a store that has the package."""
    store = MemoryStore()
    assert promote(root, store, "first") == 1
    return store


def run(root: Path, store: MemoryStore, course: Course, *names: str) -> None:
    """Have an admin, a promoter that knows of no ban, and a gc take that course."""

    def act(name: str, gate: Gate) -> None:
        if name == "rm":
            rm(root, gate.wrap(store, RM), name)
        elif name == "second":
            promote(root, gate.wrap(store, PROMOTER), name)
        else:
            collect(root, gate.wrap(store, GC), name, Budget())

    course.run({name: partial(act, name) for name in names})


def settle(root: Path, store: MemoryStore) -> None:
    """Have gcs run until every grace is over."""
    for _ in range(3):
        store.server_s += 2 * DAY_S
        collect(root, store, "settler", Budget())


def is_gone(root: Path, store: MemoryStore) -> bool:
    """Return whether nothing of the package is left: no record, and no bytes."""
    with tiers_of(root, store, "judge") as tiers:
        tiers.refresh()
        named = tiers.view.totals().records
    return not (named or store.objects or store.trash)


def test_rm_beside_a_gc(root: Path, origin: MemoryStore) -> None:
    """One that finds the pack in the trash, and records that name it, leaves it there."""
    saw = 0
    for course in some_courses(120, seed=2):
        store = copy.deepcopy(origin)
        run(root, store, course, "gc", "rm")
        at = course.log.index("gc list_trash")
        saw += course.log[at - 1 :].count("rm purge_object") and (
            "rm discard_object" in course.log[:at]
        )

        assert "gc recover_object" not in course.log
        assert is_gone(root, store), course.log
    assert saw


def test_rm_beside_a_promoter_that_is_late(root: Path, origin: MemoryStore) -> None:
    """What rm does not see any more, the next gc takes."""
    late = 0
    for course in some_courses(50):
        store = copy.deepcopy(origin)
        run(root, store, course, "rm", "second")
        late += bool(store.objects)
        settle(root, store)

        assert is_gone(root, store), course.log
    assert late


def test_rm_beside_a_promoter_and_a_gc(root: Path, origin: MemoryStore) -> None:
    """In any order."""
    for course in some_courses(50, seed=3):
        store = copy.deepcopy(origin)
        run(root, store, course, "rm", "second", "gc")
        settle(root, store)

        assert is_gone(root, store), course.log
