"""`verify --fix` beside promoters, gcs and itself: orders of their steps, and kills."""

import copy
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.crash.test_gc_steps import (
    FIRST,
    SECOND,
    lost,
    named,
)
from tests.support.cachetree import make_cache
from tests.support.courses import Course, Gate, some_courses
from tests.support.disks import CountingDisk, Died, DyingDisk
from tests.support.forge import object_path, overwrite
from tests.support.memory_store import MemoryStore
from tests.support.records import digest_of
from tests.support.soundness import catalog, damage, objects
from tests.support.stepping import collect, promote, tiers_of
from tests.support.tiers import Ferry, make_store
from tests.support.verifying import mend
from wheelferry.ops.gc_plan import Budget
from wheelferry.ops.verify import verify_store
from wheelferry.ops.verify_fix import fix_store
from wheelferry.store.base import Store

PROMOTER = ("put_object", "commit_segment", "look_again")
FIX = (
    "quarantine_object",
    "list_segments",
    "look_again",
    "list_trash",
    "recover_object",
    "commit_segment",
)
GC = ("list_segments", "commit_segment", "discard_object", "recover_object")
DAY_S = 24 * 3600


def verify(root: Path, store: Store, runner: str, judged: Store) -> None:
    """Judge one store, as long as nobody else moves, and mend it step by step."""
    with tiers_of(root, store, runner) as tiers:
        found = verify_store(judged, tiers.emit)
        report = fix_store(tiers, found)
    assert report.stopped_by is None


@pytest.fixture
def root(scratch: Path) -> Path:
    """Return a folder with the caches of two runners, whose wheels make one pack."""
    make_cache(scratch / "first", [FIRST])
    make_cache(scratch / "second", [SECOND])
    return scratch


@pytest.fixture
def origin(root: Path) -> MemoryStore:
    """Return a store with an old pack, which is damaged, and of the size that it had."""
    store = MemoryStore()
    assert promote(root, store, "first") == 1
    store.server_s = 1000 * DAY_S
    (digest,) = store.objects
    store.objects[digest] = b"x" * len(store.objects[digest])
    return store


def run(
    root: Path, store: MemoryStore, course: Course, *names: str, **dies: int
) -> None:
    """Have a promoter, a gc or verifiers take that course."""

    def act(name: str, gate: Gate) -> None:
        gate.dies_at = dies.get(name)
        if name == "second":
            promote(root, gate.wrap(store, PROMOTER), name)
        elif name == "gc":
            budget = Budget(max_age_s=90 * DAY_S)
            collect(root, gate.wrap(store, GC), name, budget)
        else:
            verify(root, gate.wrap(store, FIX), name, store)

    course.run({name: partial(act, name) for name in names})


def settle(root: Path, store: MemoryStore) -> None:
    """Have somebody verify and mend once more, and then all promote what they have."""
    verify(root, store, "settler", store)
    assert lost(root, store) == set()
    for runner in ("first", "second"):
        promote(root, store, runner)


def is_whole(root: Path, store: MemoryStore) -> bool:
    """Return whether all objects are what they should be, and both entries are there."""
    are_sound = all(digest_of(data) == name for name, data in store.objects.items())
    return are_sound and not lost(root, store) and named(root, store) == 2


def test_promoter_beside_a_mending(root: Path, origin: MemoryStore) -> None:
    """It leaves the damaged pack out; whatever comes first, all is whole in the end."""
    put_back = buried = 0
    for course in some_courses(20):
        store = copy.deepcopy(origin)
        run(root, store, course, "second", "fixer")
        put_back += course.log.count("second put_object") > 1
        buried += named(root, store) == 0
        settle(root, store)

        assert is_whole(root, store), course.log
    assert put_back, "the promoter looked again after the quarantine"
    assert buried, "the promoter looked before, and its record went with the others"


@pytest.mark.parametrize("step", range(4))
def test_promoter_beside_a_mending_that_is_killed(
    root: Path, origin: MemoryStore, step: int
) -> None:
    """The next verification does the rest."""
    died = 0
    for course in some_courses(8, seed=step):
        store = copy.deepcopy(origin)
        run(root, store, course, "second", "fixer", fixer=step)
        died += "fixer dies" in course.log
        settle(root, store)

        assert is_whole(root, store), course.log
    assert died


def test_promoter_killed_beside_a_mending(root: Path, origin: MemoryStore) -> None:
    """As any promoter."""
    for step in range(3):
        for course in some_courses(4, seed=step):
            store = copy.deepcopy(origin)
            run(root, store, course, "second", "fixer", second=step)
            settle(root, store)

            assert is_whole(root, store), course.log


def test_two_mendings_at_once(root: Path, origin: MemoryStore) -> None:
    """One of them moves it; no record is left, and the next promotion brings it back."""
    for course in some_courses(8):
        store = copy.deepcopy(origin)
        run(root, store, course, "fixer1", "fixer2")

        assert store.objects == {}, course.log
        assert len(store.quarantine) == 1, course.log
        assert named(root, store) == 0, course.log
        settle(root, store)
        assert is_whole(root, store), course.log


def test_two_mendings_bring_back_what_a_gc_left_in_the_trash(root: Path) -> None:
    """One of them does it, and the other one takes it for lost no more."""
    origin = MemoryStore()
    promote(root, origin, "first")
    (digest,) = origin.objects
    origin.upkeep.discard_object(digest, at_s=1)
    both = 0
    for course in some_courses(20):
        store = copy.deepcopy(origin)
        run(root, store, course, "fixer1", "fixer2")

        both += all(f"fixer{n} recover_object" in course.log for n in (1, 2))
        assert list(store.objects) == [digest], course.log
        assert named(root, store) == 1, course.log
    assert both


def test_gc_beside_a_mending(root: Path, origin: MemoryStore) -> None:
    """The pack is in one of two places; it was removed, too, and waits for a use."""
    places = set()
    for course in some_courses(24):
        store = copy.deepcopy(origin)
        run(root, store, course, "gc", "fixer")

        assert store.objects == {}, course.log
        assert named(root, store) == 0, course.log
        places.add((len(store.trash), len(store.quarantine)))
    assert places == {(1, 0), (0, 1)}


def test_gc_and_promoter_beside_a_mending(root: Path, origin: MemoryStore) -> None:
    """Nothing is lost but what a gc has removed and nobody has used since."""
    for course in some_courses(12, seed=4):
        store = copy.deepcopy(origin)
        run(root, store, course, "second", "gc", "fixer")
        settle(root, store)

        assert lost(root, store) == set(), course.log
        assert named(root, store) >= 1, course.log
        are_sound = [digest_of(data) == name for name, data in store.objects.items()]
        assert all(are_sound), course.log


def test_mending_killed_after_any_step_on_a_disk(scratch: Path) -> None:
    """Nothing that was sound is lost, and the next one and a promotion heal the rest."""

    def load(name: str) -> Ferry:
        folder = scratch / name
        return Ferry(cache=folder / "cache", store=folder / "store")

    def admin(ferry: Ferry) -> Ferry:
        return replace(ferry, cache=ferry.cache.with_name("admin"), runner="admin")

    origin = load("origin")
    origin.cache.parent.mkdir()
    make_store(origin.store)
    make_cache(origin.cache, [FIRST, SECOND])
    origin.promote()
    whole, (digest,) = catalog(origin.store), objects(origin.store)
    path = object_path(origin.store, digest)
    overwrite(path, path.read_bytes()[::-1])
    shutil.copytree(scratch / "origin", scratch / "undisturbed")
    counting = CountingDisk()
    _, fixed = mend(admin(load("undisturbed")), counting)
    assert (fixed.objects, fixed.records) == (1, 2)
    for step in range(1, counting.steps + 1):
        shutil.copytree(scratch / "origin", scratch / f"step-{step}")
        ferry = load(f"step-{step}")
        where = f"killed in step {step}, {counting.log[step - 1]}"
        with pytest.raises(Died):
            mend(admin(ferry), DyingDisk(step))

        _, fixed = mend(admin(ferry))
        assert fixed.stopped_by is None, where
        assert damage(ferry.store) == [], where
        ferry.promote()
        assert damage(ferry.store) == [], where
        assert catalog(ferry.store) == whole, where
        assert digest_of(objects(ferry.store)[digest]) == digest, where
