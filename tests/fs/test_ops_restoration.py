"""Restoring batch by batch: one is published while the next is read."""

import errno
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.support.cachetree import formats_of, make_cache, plan
from tests.support.disks import CountingDisk, Step
from tests.support.tiers import Ferry, make_store
from wheelferry.errors import CacheError
from wheelferry.ops import restoration
from wheelferry.store.base import Store
from wheelferry.store.record import Digest

ENTRIES = (plan("one"), plan("two"), plan("three"))
FORMATS = formats_of(ENTRIES)
PATIENCE_S = 20
"""How long a thread waits for another before a test fails."""


class Gate:
    """A store whose n-th object, from 0, is opened only when a test lets it.

    Attributes:
        opened: Set when it was asked for.
        may_open: To be set.
    """

    def __init__(self, number: int) -> None:
        self.opened = threading.Event()
        self.may_open = threading.Event()
        self._number = number
        self._lock = threading.Lock()

    def __call__(self, inner: Store) -> Store:
        self._inner = inner
        return self  # type: ignore[return-value]

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def open_object(self, digest: Digest) -> BinaryIO | None:
        with self._lock:
            number, self._number = self._number, self._number - 1
        if number == 0:
            self.opened.set()
            assert self.may_open.wait(PATIENCE_S)
        return self._inner.open_object(digest)


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """Make a runner with an empty cache, and a store that has something for it."""
    store = make_store(tmp_path / "store")
    Ferry(cache=make_cache(tmp_path / "a", ENTRIES), store=store).promote()
    return Ferry(cache=tmp_path / "b", store=store, runner="r2")


def gated(ferry: Ferry, gate: Gate) -> Ferry:
    """Return the same runner behind a gate."""
    return Ferry(cache=ferry.cache, store=ferry.store, runner="r2", wrap=gate)


def is_publication(step: Step) -> bool:
    """Return whether an archive comes into the cache by this step."""
    return step.name == "rename" and "/archive-v0/" in step.paths[1]


def _is_begin(step: Step) -> bool:
    number = Path(step.paths[0]).name.removeprefix("archive-")
    return step.name == "make_dir" and number.isdigit()


class PublishingDisk(CountingDisk):
    """A disk that publishes a first archive once the second pack is being read.

    Attributes:
        ahead: How many packs had been begun by then.
    """

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.ahead = 0
        self._gate = gate

    def before(self, step: Step) -> None:
        if is_publication(step) and not self.ahead:
            assert self._gate.opened.wait(PATIENCE_S)
            self.ahead = sum(map(_is_begin, self.log))
            self._gate.may_open.set()


def test_next_batch_is_read_while_one_is_published(ferry, monkeypatch):
    """1. The first is published. 2. By then the second is being read, and no third."""
    monkeypatch.setattr(restoration, "BATCH_BYTES", 1)
    gate = Gate(1)
    disk = PublishingDisk(gate)
    assert len(gated(ferry, gate).pull(FORMATS, disk).restored) == 3
    assert disk.ahead == 2


def test_batches_are_synced_before_they_are_published(ferry, monkeypatch):
    """One sync for each, and what it is for comes after it."""
    monkeypatch.setattr(restoration, "BATCH_BYTES", 1)
    disk = CountingDisk()
    assert len(ferry.pull(FORMATS, disk).restored) == 3
    order = [
        "publish" if is_publication(step) else "sync"
        for step in disk.log
        if is_publication(step) or step.name == "sync_filesystem"
    ]
    assert order == ["sync", "publish"] * 3


class FullDisk(CountingDisk):
    """A disk that is full once something was published."""

    def before(self, step: Step) -> None:
        if step.name == "open_new" and "/archive-2/" in step.paths[0]:
            raise OSError(errno.ENOSPC, "No space left on device", step.paths[0])


def test_local_disk_that_is_full_keeps_what_was_published(ferry, monkeypatch):
    """Batches before the one that found no room stay; those after it are not begun."""
    monkeypatch.setattr(restoration, "BATCH_BYTES", 1)
    report = ferry.pull(FORMATS, FullDisk())
    assert isinstance(report.stopped_by, CacheError)
    assert "free some space" in (report.stopped_by.hint or "")
    assert len(report.restored) == 1
    assert list((ferry.state / "staging").iterdir()) == []


class SyncingDisk(CountingDisk):
    """A disk whose first syncfs(2) lets the last pack come."""

    def __init__(self, gate: Gate, *, is_bad: bool) -> None:
        super().__init__()
        self._gate = gate
        self._is_bad = is_bad

    def before(self, step: Step) -> None:
        if step.name == "sync_filesystem" and self.names.count(step.name) == 1:
            self._gate.may_open.set()
            if self._is_bad:
                raise OSError(errno.EIO, "Input/output error", step.paths[0])


def test_staged_trees_are_synced_while_more_is_waited_for(ferry, monkeypatch):
    """1. The last pack takes its time. 2. What is there gets synced. 3. It comes."""
    monkeypatch.setattr(restoration, "SYNC_BYTES", 1)
    gate = Gate(2)
    disk = SyncingDisk(gate, is_bad=False)
    assert len(gated(ferry, gate).pull(FORMATS, disk).restored) == 3
    assert disk.names.count("sync_filesystem") > 1


def test_error_of_an_early_sync_keeps_everything_out_of_the_cache(ferry, monkeypatch):
    """The kernel tells of a lost write once; whoever hears it must not publish."""
    monkeypatch.setattr(restoration, "SYNC_BYTES", 1)
    gate = Gate(2)
    report = gated(ferry, gate).pull(FORMATS, SyncingDisk(gate, is_bad=True))
    assert isinstance(report.stopped_by, CacheError)
    assert report.restored == []
    assert not list(ferry.cache.rglob("*.http"))
    assert not list(ferry.cache.glob("archive-v0/*"))
