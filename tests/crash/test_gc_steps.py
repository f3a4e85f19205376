"""gc beside promoters and other gcs: every order of their steps, and a kill at each."""

import copy
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.support.cachetree import make_cache, make_files, plan
from tests.support.courses import Course, Gate, all_courses, some_courses
from tests.support.memory_store import MemoryStore
from tests.support.stepping import DAY_S, collect, promote, tiers_of
from wheelferry.ops.gc_plan import Budget
from wheelferry.store.record import Digest

FILES = make_files("pure-wheel")
FIRST = plan("pure-wheel", files=FILES, format_id="wheels-v6/map")
SECOND = plan("pure-wheel", files=FILES)
"""Two entries of one pack: a runner that has the second leaves the pack out."""

PROMOTER = ("put_object", "commit_segment", "look_again")
GC = ("list_segments", "commit_segment", "discard_object", "recover_object")
GC_ALL = (*GC, "read_all", "list_objects", "list_trash", "purge_object")


@pytest.fixture
def root(scratch: Path) -> Path:
    """Return a folder with the caches of two runners."""
    make_cache(scratch / "first", [FIRST])
    make_cache(scratch / "second", [SECOND])
    return scratch


@pytest.fixture
def origin(root: Path) -> MemoryStore:
    """Return a store with an old pack that nobody needs."""
    store = MemoryStore()
    assert promote(root, store, "first") == 1
    store.server_s = 1000 * DAY_S
    return store


def lost(root: Path, store: MemoryStore) -> set[Digest]:
    """Return the packs that living records name, and that are not there."""
    with tiers_of(root, store, "judge") as tiers:
        tiers.refresh()
        return {pack.digest for pack in tiers.view.packs()} - store.objects.keys()


def named(root: Path, store: MemoryStore) -> int:
    """Return how many records live."""
    with tiers_of(root, store, "judge") as tiers:
        tiers.refresh()
        return tiers.view.totals().records


def settle(root: Path, store: MemoryStore) -> None:
    """Have gcs run until every grace is over."""
    for _ in range(3):
        store.server_s += 2 * DAY_S
        collect(root, store, "settler", Budget())


def run(
    root: Path,
    store: MemoryStore,
    course: Course,
    *names: str,
    steps: Sequence[str] = GC,
    **dies: int,
) -> None:
    """Have a promoter, or gcs, take that course."""

    def act(name: str, gate: Gate) -> None:
        gate.dies_at = dies.get(name)
        if name == "second":
            assert promote(root, gate.wrap(store, PROMOTER), name) == 1
        else:
            collect(root, gate.wrap(store, steps), name)

    course.run({name: partial(act, name) for name in names})


def test_promoter_beside_gc(root: Path, origin: MemoryStore) -> None:
    """The pack that the one leaves out, and the other takes away, is there in the end."""
    courses = 0
    recovered = put_back = 0
    for course in all_courses():
        courses += 1
        store = copy.deepcopy(origin)
        run(root, store, course, "second", "gc1")

        assert lost(root, store) == set(), course.log
        assert named(root, store) >= 1, course.log
        recovered += "gc1 recover_object" in course.log
        put_back += course.log.count("second put_object") > 1
    assert courses > 100
    assert recovered > 0, "gc looked again"
    assert put_back > 0, "the promoter looked again"


@pytest.mark.parametrize("step", range(5))
def test_promoter_beside_a_gc_that_is_killed(
    root: Path, origin: MemoryStore, step: int
) -> None:
    """Whatever it leaves, the gcs after it lose nothing, and clear up."""
    died = 0
    for course in all_courses():
        store = copy.deepcopy(origin)
        run(root, store, course, "second", "gc1", gc1=step)
        died += "gc1 dies" in course.log
        settle(root, store)

        assert lost(root, store) == set(), course.log
        assert named(root, store) >= 1, course.log
        assert store.trash == {}, course.log
    assert died


def test_two_gcs_with_the_same_victims(root: Path, origin: MemoryStore) -> None:
    """One of them takes it away; it is in the trash once, and no record is left."""
    for course in all_courses():
        store = copy.deepcopy(origin)
        run(root, store, course, "gc1", "gc2")

        assert store.objects == {}, course.log
        assert len(store.trash) == 1, course.log
        assert named(root, store) == 0, course.log
        settle(root, store)
        assert store.trash == {}


def test_two_gcs_bring_nothing_back(root: Path, origin: MemoryStore) -> None:
    """What one has buried since the other looked at the catalog stays where it is."""
    for course in some_courses(150, seed=2):
        store = copy.deepcopy(origin)
        run(root, store, course, "gc1", "gc2", steps=GC_ALL)

        assert store.objects == {}, course.log


def test_two_gcs_and_a_promoter(root: Path, origin: MemoryStore) -> None:
    """What one gc took away, the other may find wanted; and one of them may die."""
    recovered = 0
    for number, course in enumerate(some_courses(100)):
        store = copy.deepcopy(origin)
        dies = {"gc2": number % 11} if number % 2 else {}
        run(root, store, course, "second", "gc1", "gc2", steps=GC_ALL, **dies)
        recovered += any("recover" in step for step in course.log)
        settle(root, store)

        assert lost(root, store) == set(), course.log
        assert named(root, store) >= 1, course.log
        assert store.trash == {}, course.log
    assert recovered > 0
