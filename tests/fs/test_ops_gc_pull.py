"""A pull whose packs gc takes away while it reads them: right, or a miss."""

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from tests.support.cachetree import few, formats_of, make_cache
from tests.support.removing import age, age_trash, collect, trash
from tests.support.soundness import CacheJudge, objects
from tests.support.tiers import Ferry, make_store
from wheelferry.store.base import Store
from wheelferry.store.reading import Reads

ENTRIES = few()
DAY_S = 24 * 3600


class Opened:
    """A store that has something done right after each object was opened.

    Whole, whichever of the threads that read comes first.
    """

    def __init__(self, store: Store, then: Callable[[], object]) -> None:
        self._store = store
        self._then = then
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def open_object(self, digest: str) -> BinaryIO | None:
        found = self._store.open_object(digest)  # type: ignore[arg-type]
        with self._lock:
            self._then()
        return found


class ForgetfulReads(Reads):
    """Reads of a server that keeps no removed file open."""

    def read_into(self, fd: int, buffer: memoryview) -> int:
        if os.fstat(fd).st_nlink == 0:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return super().read_into(fd, buffer)


@pytest.fixture
def promoter(tmp_path: Path) -> Ferry:
    """Return a runner that has promoted two wheels, 100 days ago."""
    cache = make_cache(tmp_path / "cache", ENTRIES)
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))
    ferry.promote()
    age(ferry.store, 100)
    return ferry


def puller(promoter: Ferry, then: Callable[[], object]) -> Ferry:
    """Return another runner; `then` is done right after it has opened a pack."""
    return Ferry(
        cache=promoter.cache.with_name("other"),
        store=promoter.store,
        runner="other",
        wrap=lambda store: cast("Store", Opened(store, then)),
    )


def take_away(promoter: Ferry) -> None:
    """Have gc remove all packs."""
    collect(replace(promoter, runner="gc"), max_age_s=90 * DAY_S)


def take_away_for_good(promoter: Ferry) -> None:
    """And then have the grace end."""
    take_away(promoter)
    age_trash(promoter.store, 2)
    collect(replace(promoter, runner="gc"))


def test_a_pack_that_is_in_the_trash_by_now_is_read_to_its_end(promoter: Ferry) -> None:
    """By whoever has opened it; what was not opened yet is a miss."""
    other = puller(promoter, lambda: take_away(promoter))
    report = other.pull(formats_of(ENTRIES))

    assert objects(promoter.store) == {}
    assert len(trash(promoter.store)) == 2
    assert len(report.restored) >= 1
    assert CacheJudge(ENTRIES).wrong(other.cache) == []


def test_a_pack_that_is_purged_by_now_is_read_to_its_end(promoter: Ferry) -> None:
    """Where the server, or the client, keeps it open."""
    other = puller(promoter, lambda: take_away_for_good(promoter))
    report = other.pull(formats_of(ENTRIES))

    assert list(promoter.store.glob("trash/*")) == []
    assert len(report.restored) >= 1
    assert CacheJudge(ENTRIES).wrong(other.cache) == []


def test_a_pack_that_the_server_forgot_is_a_miss(promoter: Ferry) -> None:
    """ESTALE: each is said, and nothing of it is in the cache."""
    other = puller(promoter, lambda: take_away_for_good(promoter))
    report = other.pull(formats_of(ENTRIES), reads=ForgetfulReads())

    assert report.restored == []
    assert report.stopped_by is None
    reasons = {left.reason for left in report.failed}
    assert any("removed while it was read" in reason for reason in reasons)
    assert CacheJudge(ENTRIES).wrong(other.cache) == []


def test_a_pack_that_the_server_forgot_and_a_promoter_brought_is_read(
    promoter: Ferry,
) -> None:
    """The name is opened again: it always stands for the same bytes."""
    packs = objects(promoter.store)

    def bring() -> None:
        take_away_for_good(promoter)
        for digest, data in packs.items():
            (promoter.store / "objects" / digest[:2] / digest).write_bytes(data)

    other = puller(promoter, bring)
    report = other.pull(formats_of(ENTRIES), reads=ForgetfulReads())

    assert len(report.restored) == 2
    assert CacheJudge(ENTRIES).wrong(other.cache) == []
