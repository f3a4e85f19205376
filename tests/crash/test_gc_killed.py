"""gc killed after each step that it does on a disk, and what the next one makes of it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cachetree import few, formats_of, make_cache, plan
from tests.support.disks import CountingDisk, Died, DyingDisk
from tests.support.forge import add_object
from tests.support.packing import pack_tree
from tests.support.removing import DAY_S, age, age_trash, collect, trash
from tests.support.soundness import CacheJudge, damage, objects
from tests.support.tiers import Ferry, make_store
from wheelferry.pack.pool import Pool

ENTRIES = few()
NEW = plan("new-wheel")


def prepare(root: Path, name: str) -> Ferry:
    """Return a runner whose store has an orphan and two packs of 100 days ago, and a new one.

    In the trash is one whose grace is over.
    """
    cache = make_cache(root / name, ENTRIES)
    ferry = Ferry(cache=cache, store=make_store(root / f"{name}-store"))
    ferry.promote()
    spool = root / f"{name}-spool"
    spool.mkdir()
    with Pool() as pool:
        add_object(ferry.store, pack_tree({"file": (b"", False)}, spool, pool))
    age(ferry.store, 100)
    (ferry.store / "trash" / f"0000000001-{'cd' * 32}").write_bytes(b"dead")
    make_cache(cache, [NEW], first=2)
    ferry.promote()
    return ferry


def test_gc_killed_after_any_step(scratch: Path) -> None:
    """No record that lives names a pack that is gone, and the next gcs do the rest."""
    undisturbed = prepare(scratch, "undisturbed")
    counting = CountingDisk()
    first = replace(undisturbed, runner="gc")
    assert collect(first, counting, max_age_s=90 * DAY_S).discarded == 3
    kept = objects(undisturbed.store)
    assert len(kept) == 1
    origin = prepare(scratch, "origin")
    formats = formats_of([*ENTRIES, NEW])
    seen = set()

    for step in range(1, counting.steps + 1):
        where = f"killed in step {step}, {counting.log[step - 1]}"
        shutil.rmtree(scratch / "store", ignore_errors=True)
        shutil.copytree(origin.store, scratch / "store")
        ferry = Ferry(cache=origin.cache, store=scratch / "store", runner="gc")
        with pytest.raises(Died):
            collect(ferry, DyingDisk(step), max_age_s=90 * DAY_S)

        assert damage(ferry.store) == [], where
        seen.add((len(objects(ferry.store)), len(trash(ferry.store))))
        other = Ferry(cache=scratch / "other", store=ferry.store, runner="other")
        assert other.pull(formats).failed == [], where
        assert CacheJudge([*ENTRIES, NEW]).wrong(other.cache) == [], where
        shutil.rmtree(other.cache)
        shutil.rmtree(other.state)
        for path in ferry.store.glob("usage/*"):
            path.unlink()
        collect(ferry, max_age_s=90 * DAY_S)
        age_trash(ferry.store, 2)
        collect(ferry, max_age_s=90 * DAY_S)
        assert objects(ferry.store) == kept, where
        assert trash(ferry.store) == [], where

    assert seen >= {(4, 0), (3, 1), (2, 2), (1, 3)}
