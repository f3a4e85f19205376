"""Each single read of the store failing, in promote and in pull: right or missing."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cachetree import few, formats_of, make_cache
from tests.support.reads import CountingReads, FaultyReads
from tests.support.soundness import CacheJudge, catalog, damage, objects
from tests.support.tiers import (
    Ferry,
    empty_store,
    forget_runners,
    make_store,
    sweep_rest,
)
from wheelferry.errors import CacheError, StoreError
from wheelferry.events import Event, Level

ENTRIES = few()
FORMATS = formats_of(ENTRIES)
NUMBERS = (errno.EIO, errno.ENOSPC, errno.ESTALE, errno.EACCES, errno.EINTR)


def _run(
    act: Callable[[], CacheError | StoreError | None],
) -> CacheError | StoreError | None:
    """Return the error that a run raised, or was stopped by; no other one may be."""
    try:
        return act()
    except StoreError as exc:
        return exc


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_pull_with_any_read_failing(scratch: Path, number: int) -> None:
    """What was read wrong is missing, and said; the next pull completes."""
    store, judge = make_store(scratch / "store"), CacheJudge(ENTRIES)
    Ferry(cache=make_cache(scratch / "a", ENTRIES), store=store, runner="r0").promote()
    events: list[Event] = []
    ferry = Ferry(cache=scratch / "b", store=store, emit=events.append)
    counting = CountingReads()
    ferry.pull(FORMATS, reads=counting)
    silent: list[str] = []

    for step in range(1, counting.steps + 1):
        shutil.rmtree(ferry.cache)
        shutil.rmtree(ferry.state)
        forget_runners(store)
        events.clear()
        reads = FaultyReads(step, number)
        error = _run(lambda: ferry.pull(FORMATS, reads=reads).stopped_by)  # noqa: B023
        assert reads.failed is not None
        assert not judge.wrong(ferry.cache), reads.failed
        is_whole = len(judge.usable(ferry.cache)) == len(ENTRIES)
        warned = any(event.level >= Level.WARNING for event in events)
        if error is None and not warned and not is_whole:
            silent.append(f"{reads.failed}: not all was pulled, and nobody said why")
        if error is not None:
            assert error.hint, reads.failed
            assert str(store) in error.message, reads.failed
        if number == errno.ESTALE:
            assert is_whole, f"{reads.failed}: was not tried once more"
        ferry.pull(FORMATS)
        assert len(judge.usable(ferry.cache)) == len(ENTRIES), reads.failed
        assert not sweep_rest(ferry)

    assert not silent


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_promote_with_any_read_failing(scratch: Path, number: int) -> None:
    """The store stays clean, and the next promotion completes."""
    store = make_store(scratch / "store")
    ferry = Ferry(cache=make_cache(scratch / "a", ENTRIES), store=store)
    counting = CountingReads()
    ferry.promote(reads=counting)
    records, packs = catalog(store), objects(store)

    for step in range(1, counting.steps + 1):
        empty_store(store)
        shutil.rmtree(ferry.state)
        reads = FaultyReads(step, number)
        error = _run(lambda: ferry.promote(reads=reads).stopped_by)  # noqa: B023
        assert reads.failed is not None
        assert damage(store) == [], reads.failed
        if error is None:
            assert catalog(store) == records, reads.failed
        ferry.promote()
        assert catalog(store) == records, reads.failed
        assert objects(store) == packs, reads.failed
        assert not sweep_rest(ferry)
