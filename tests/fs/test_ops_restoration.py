"""Restoring while what is staged already gets synced."""

import errno
from pathlib import Path

import pytest

from tests.support.cachetree import few, formats_of, make_cache
from tests.support.disks import CountingDisk, Step
from tests.support.tiers import Ferry, make_store
from wheelferry.errors import CacheError
from wheelferry.ops import fetch

ENTRIES = few()


class BadFirstSync(CountingDisk):
    """A disk whose first syncfs(2) tells of a write that failed, and the next do not."""

    def before(self, step: Step) -> None:
        if step.name == "sync_filesystem" and self.names.count(step.name) == 1:
            raise OSError(errno.EIO, "Input/output error", step.paths[0])


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """Make a runner with an empty cache, and a store that has something for it."""
    store = make_store(tmp_path / "store")
    Ferry(cache=make_cache(tmp_path / "a", ENTRIES), store=store).promote()
    return Ferry(cache=tmp_path / "b", store=store, runner="r2")


def test_error_of_an_early_sync_keeps_everything_out_of_the_cache(ferry, monkeypatch):
    """The kernel tells of a lost write once; whoever hears it must not publish."""
    monkeypatch.setattr(fetch, "SYNC_BYTES", 1)
    report = ferry.pull(formats_of(ENTRIES), BadFirstSync())
    assert isinstance(report.stopped_by, CacheError)
    assert report.restored == []
    assert not list(ferry.cache.rglob("*.http"))
    assert not list(ferry.cache.glob("archive-v0/*"))


def test_staged_trees_are_synced_before_the_last_one_is_read(ferry, monkeypatch):
    """Beside the one sync that all wait for, there are earlier ones."""
    monkeypatch.setattr(fetch, "SYNC_BYTES", 1)
    disk = CountingDisk()
    assert len(ferry.pull(formats_of(ENTRIES), disk).restored) == len(ENTRIES)
    last_sync = len(disk.names) - disk.names[::-1].index("sync_filesystem")
    assert disk.names.count("sync_filesystem") > 1
    assert "rename" not in disk.names[disk.names.index("sync_filesystem") : last_sync]
