"""Promote and pull killed with SIGKILL at each of their steps, and what is left then."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.crash.child import Forker
from tests.support.cachetree import few, formats_of, make_cache, many
from tests.support.disks import CountingDisk, KilledDisk, Moment, unwrapped
from tests.support.restoring import snapshot
from tests.support.soundness import (
    CacheJudge,
    catalog,
    damage,
    findings,
    objects,
    staged_in,
)
from tests.support.tiers import (
    Ferry,
    empty_store,
    forget_runners,
    make_store,
    sweep_rest,
)

MONTH_S = 30 * 24 * 3600
_HALVED = ("write", "write_at", "remove_tree", "make_dirs")
HARMLESS = {"CACHEDIR.TAG", ".gitignore"}
"""What uv makes at the top of a cache, and no uv reads, may be cut short by a kill."""
ENTRIES = many()
FORMATS = formats_of(ENTRIES)


def positions(disk: CountingDisk) -> list[tuple[int, Moment]]:
    """Return each instant at which a kill can leave something else behind.

    Within each step, and before those that follow a step that can be taken by half.
    """
    found = [(1, Moment.BEFORE)]
    for number, name in enumerate(disk.names, start=1):
        found.append((number, Moment.WITHIN))
        if name in _HALVED and number < disk.steps:
            found.append((number + 1, Moment.BEFORE))
    return found


def files_of(store: Path) -> dict[str, str]:
    """Return all that readers look at in a store."""
    return {
        path: data
        for path, data in snapshot(store).items()
        if not path.startswith(("usage", "staging"))
    }


def test_disks_wrap_each_step() -> None:
    """A step that is added to Disk cannot be forgotten here."""
    assert unwrapped(CountingDisk) == []
    assert unwrapped(KilledDisk) == []


def test_promote_killed_at_any_step(scratch: Path, forker: Forker) -> None:
    """The store is clean, and the next promotion gives what an undisturbed one gives."""
    cache = make_cache(scratch / "cache", ENTRIES)
    entries = snapshot(cache)
    counting = CountingDisk()
    ferry = Ferry(cache=cache, store=make_store(scratch / "store"))
    undisturbed = ferry.promote(counting)
    assert (len(undisturbed.promoted), undisturbed.segments) == (len(ENTRIES), 1)
    records, packs = catalog(ferry.store), objects(ferry.store)
    seen = set()

    for number, moment in positions(counting):
        where = f"killed {moment} step {number}, {counting.log[number - 1]}"
        empty_store(ferry.store)
        shutil.rmtree(ferry.state)
        status = forker.run(ferry, step=number, moment=moment)

        assert status == -signal.SIGKILL, where
        assert damage(ferry.store) == [], where
        assert objects(ferry.store).items() <= packs.items(), where
        seen.add((len(objects(ferry.store)), len(catalog(ferry.store))))
        ferry.promote()
        assert catalog(ferry.store) == records, where
        assert objects(ferry.store) == packs, where
        assert findings(ferry.store) == [], where
        assert sweep_rest(ferry) == [], where

    assert ferry.promote().promoted == []
    assert snapshot(cache) == entries, "a promotion changes nothing in the cache"
    expected = {(count, 0) for count in range(len(packs) + 1)}
    assert seen == expected | {(len(packs), len(records))}


def test_promote_sweeps_what_a_killed_one_left(scratch: Path, forker: Forker) -> None:
    """A staged file that nobody has written to for a month is removed from the store."""
    cache = make_cache(scratch / "cache", ENTRIES)
    ferry = Ferry(cache=cache, store=make_store(scratch / "store"))
    counting = CountingDisk()
    Ferry(cache=cache, store=make_store(scratch / "counted")).promote(counting)
    shutil.rmtree(ferry.state)
    forker.run(ferry, step=counting.names.index("sync_file") + 1)
    (left,) = (ferry.store / "staging/r1").iterdir()
    os.utime(left, (left.stat().st_mtime - MONTH_S,) * 2)

    ferry.promote()

    assert staged_in(ferry.store) == []


def test_pull_killed_at_any_step(scratch: Path, forker: Forker) -> None:
    """uv trips over nothing, and the next pull gives what an undisturbed one gives."""
    store = make_store(scratch / "store")
    Ferry(cache=make_cache(scratch / "a", ENTRIES), store=store).promote()
    in_store = files_of(store)
    ferry = Ferry(cache=scratch / "b", store=store, runner="r2")
    counting = CountingDisk()
    assert len(ferry.pull(FORMATS, counting).restored) == len(ENTRIES)
    undisturbed = snapshot(ferry.cache)
    judge = CacheJudge(ENTRIES)
    seen = set()

    for number, moment in positions(counting):
        # The threads' steps come in another order each time; this is the order of one.
        where = f"killed {moment} step {number}, about {counting.log[number - 1]}"
        shutil.rmtree(ferry.cache, ignore_errors=True)
        shutil.rmtree(ferry.state)
        forget_runners(store)
        status = forker.run(ferry, FORMATS, step=number, moment=moment)

        assert status == -signal.SIGKILL, where
        assert judge.wrong(ferry.cache) == [], where
        seen.add(len(judge.usable(ferry.cache)))
        report = ferry.pull(FORMATS)
        assert report.failed == [], where
        again = snapshot(ferry.cache)
        assert {p for p in again if ".tmp" not in p} == undisturbed.keys(), where
        other = [p for p in undisturbed if again[p] != undisturbed[p]]
        assert set(other) <= HARMLESS, where
        assert sweep_rest(ferry) == [], where

    assert ferry.pull(FORMATS).restored == []
    assert judge.wrong(ferry.cache) == []
    assert files_of(store) == in_store, "a pull changes nothing in the store"
    assert seen == set(range(len(ENTRIES) + 1)), "each entry becomes visible by itself"


@pytest.mark.parametrize("verb", ["promote", "pull"])
def test_a_run_with_nothing_to_do_sweeps_what_a_killed_one_left(
    scratch: Path, verb: str
) -> None:
    """Staged trees of a dead run, up to 1 GiB, do not stay until there is work again."""
    ferry = Ferry(
        cache=make_cache(scratch / "cache", few()),
        store=make_store(scratch / "store"),
    )
    ferry.promote()
    left = ferry.state / "staging/1-0123456789abcdef"
    (left / "archive-1").mkdir(parents=True)

    if verb == "promote":
        assert ferry.promote().promoted == []
    else:
        assert ferry.pull(formats_of(few())).restored == []

    assert not left.exists()
