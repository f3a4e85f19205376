"""gc on a share that has no room for anything: it makes some."""

import errno
import os
from pathlib import Path

import pytest

from tests.support.cachetree import few, make_cache
from tests.support.disks import CountingDisk, Step
from tests.support.removing import age, age_trash, collect, trash
from tests.support.soundness import damage, objects, staged_in
from tests.support.tiers import Ferry, make_store
from wheelferry.errors import StoreFull

DAY_S = 24 * 3600


class FullDisk(CountingDisk):
    """A disk that takes nothing new before so many files were removed for good.

    Renames and removals work, as they do on a file server that is full.
    """

    def __init__(self, removals: int) -> None:
        super().__init__()
        self._missing = removals

    def before(self, step: Step) -> None:
        (path, *_) = step.paths
        if step.name == "unlink" and "/trash/" in path:
            self._missing -= 1
        if step.name in ("open_unique", "open_new") and self._missing > 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """Return a runner whose store has two packs, of 100 days ago."""
    cache = make_cache(tmp_path / "cache", few())
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))
    ferry.promote()
    age(ferry.store, 100)
    return ferry


def put_into_trash(ferry: Ferry, number: int, days: float) -> None:
    """Have something in the trash."""
    path = ferry.store / "trash" / f"0000000000-{number:064x}"
    path.write_bytes(b"dead")
    now_s = int((ferry.store / "wheelferry.json").stat().st_mtime)
    path.rename(path.with_name(f"{int(now_s - days * DAY_S):010}-{number:064x}"))


def test_what_is_expired_is_freed_first(ferry: Ferry) -> None:
    """That needs no room, and makes enough."""
    put_into_trash(ferry, 1, days=2)
    report = collect(ferry, FullDisk(1), max_age_s=90 * DAY_S)

    assert report.stopped_by is None
    assert (report.purged, report.early, report.discarded) == (1, 0, 2)
    assert len(trash(ferry.store)) == 2


def test_trash_goes_early_where_that_is_not_enough(ferry: Ferry) -> None:
    """Before anything that records name."""
    put_into_trash(ferry, 1, days=0.1)
    report = collect(ferry, FullDisk(1), max_age_s=90 * DAY_S)

    assert report.stopped_by is None
    assert (report.early, report.discarded) == (1, 2)


def test_victims_go_at_once_where_nothing_else_is_left(ferry: Ferry) -> None:
    """Their records are killed as soon as there is room to say so."""
    report = collect(ferry, FullDisk(1), max_age_s=90 * DAY_S)

    assert report.stopped_by is None
    assert report.early >= 1
    assert report.discarded == 2
    assert objects(ferry.store) == {}
    assert damage(ferry.store) == []


def test_a_share_that_stays_full_is_an_error_and_has_lost_only_victims(
    ferry: Ferry,
) -> None:
    """What records name and is gone is a miss; the next gc buries it."""
    report = collect(ferry, FullDisk(99), max_age_s=90 * DAY_S)

    assert isinstance(report.stopped_by, StoreFull)
    assert report.purged == 2
    assert staged_in(ferry.store) == []
    again = collect(ferry, max_age_s=90 * DAY_S)
    assert again.stopped_by is None


def test_next_gc_after_that_finds_its_grace(ferry: Ferry) -> None:
    """A removal on a full share is one as any."""
    put_into_trash(ferry, 1, days=0.1)
    collect(ferry, FullDisk(1), max_age_s=90 * DAY_S)
    age_trash(ferry.store, 2)

    assert collect(ferry).purged == 2
    assert trash(ferry.store) == []
