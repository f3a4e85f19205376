"""gc on a share that has no room for anything: it makes some."""

import itertools
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cachetree import few, formats_of, make_cache
from tests.support.disks import Died, FullDisk, Step
from tests.support.forge import add_segment
from tests.support.records import make_record
from tests.support.removing import age, age_trash, collect, trash
from tests.support.soundness import CacheJudge, damage, objects, staged_in
from tests.support.tiers import Ferry, make_store
from wheelferry.errors import StoreFull
from wheelferry.events import Event, Level
from wheelferry.ops.compact import compact, tend
from wheelferry.ops.gc import apply_gc, find_content, plan_gc
from wheelferry.ops.gc_due import is_due, note_looked
from wheelferry.ops.gc_plan import Budget
from wheelferry.store.compaction import MAX_SMALL, SegmentFacts
from wheelferry.store.record import SegmentId
from wheelferry.store.segment import encode_segment

DAY_S = 24 * 3600


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


class DyingFullDisk(FullDisk):
    """One whose process is killed before a step."""

    def __init__(self, last_step: int) -> None:
        super().__init__(1)
        self._last_step = last_step

    def before(self, step: Step) -> None:
        if self.steps > self._last_step:
            raise Died
        super().before(step)


def test_gc_killed_on_a_full_share_has_lost_only_victims(
    ferry: Ferry, tmp_path: Path
) -> None:
    """After whichever step: others pull what is there, and the next gc does the rest."""
    formats, origin = formats_of(few()), ferry.store.with_name("origin")
    ferry.store.rename(origin)
    misses = set()
    for step in itertools.count(2):  # the view has its folder
        shutil.rmtree(ferry.store, ignore_errors=True)
        shutil.copytree(origin, ferry.store)
        gc = Ferry(cache=tmp_path / f"gc{step}", store=ferry.store)
        try:
            collect(gc, DyingFullDisk(step), max_age_s=90 * DAY_S)
        except Died:
            pass
        else:
            break
        other = Ferry(cache=tmp_path / f"o{step}", store=ferry.store, runner="other")
        misses.add(len(other.pull(formats).failed))
        assert CacheJudge(few()).wrong(other.cache) == [], step
        for path in ferry.store.glob("usage/*"):
            path.unlink()
        for _ in range(2):
            assert collect(gc, max_age_s=90 * DAY_S).stopped_by is None
            age_trash(ferry.store, 2)
        assert (objects(ferry.store), trash(ferry.store)) == ({}, []), step
        assert damage(ferry.store) == [], step
    assert misses == {0, 1, 2}


def test_next_gc_after_that_finds_its_grace(ferry: Ferry) -> None:
    """A removal on a full share is one as any."""
    put_into_trash(ferry, 1, days=0.1)
    collect(ferry, FullDisk(1), max_age_s=90 * DAY_S)
    age_trash(ferry.store, 2)

    assert collect(ferry).purged == 2
    assert trash(ferry.store) == []


@pytest.mark.parametrize("spares", [1, 2])
def test_each_write_of_a_gc_may_find_the_share_full(ferry: Ferry, spares: int) -> None:
    """After the look at the clock: tombstones, and those for what was copied meanwhile."""
    add_records(ferry, 3)
    put_into_trash(ferry, 1, days=0.1)
    other = replace(ferry, cache=ferry.cache.with_name("b"), runner="r2")
    with (
        ferry.open(disk := FullDisk(1, spares=spares)) as tiers,
        other.open() as theirs,
    ):
        planned = plan_gc(find_content(tiers), Budget(max_age_s=90 * DAY_S))
        assert compact(theirs, plan=all_free).written == 1
        report = apply_gc(tiers, planned)

    assert disk.refused == 1
    assert report.stopped_by is None
    assert (report.discarded, report.early) == (2, 1)
    assert damage(ferry.store) == []


def all_free(catalog: Iterable[SegmentFacts]) -> list[SegmentId]:
    """Plan to merge whatever may be."""
    return [facts.segment for facts in catalog if facts.is_free]


def add_records(ferry: Ferry, number: int) -> None:
    """Have so many promotions in the catalog of entries that share a pack of the store."""
    with ferry.open() as tiers:
        tiers.refresh()
        (light, *_) = tiers.view.light_records()
    for place in range(number):
        record = make_record(f"n{place}", pack=light.pack, pack_bytes=light.pack_bytes)
        add_segment(ferry.store, encode_segment([record], runner="r9", created_s=1))
    age(ferry.store, 100)


def test_gc_in_the_background_starts_on_a_full_share(ferry: Ferry) -> None:
    """Of a runner that has written nothing there yet, and so cannot ask for the time."""
    put_into_trash(ferry, 1, days=2)
    fresh = replace(ferry, cache=ferry.cache.with_name("fresh"), runner="fresh")
    with fresh.open() as tiers:
        note_looked(tiers, plan_gc(find_content(tiers), Budget()))
    (ferry.store / "staging" / "fresh").rmdir()
    with fresh.open(FullDisk(1)) as tiers:
        assert is_due(tiers, Budget())
        report = apply_gc(tiers, plan_gc(find_content(tiers), Budget()))

    assert (report.stopped_by, report.purged) == (None, 1)


def test_compaction_on_a_full_share_loses_nothing(ferry: Ferry) -> None:
    """It says so, and the next one does it."""
    add_records(ferry, MAX_SMALL + 1)
    before = sorted(ferry.store.glob("catalog/*"))
    events: list[Event] = []
    with replace(ferry, emit=events.append).open(FullDisk(1)) as tiers:
        tiers.refresh()
        tend(tiers)
    assert [(event.name, event.level) for event in events] == [
        ("compaction.failed", Level.WARNING)
    ]
    assert sorted(ferry.store.glob("catalog/*")) == before
    assert staged_in(ferry.store) == []

    with ferry.open() as tiers:
        tend(tiers)
    assert len(list(ferry.store.glob("catalog/*"))) == len(before) + 1


def test_usage_on_a_full_share_is_left_for_tomorrow(ferry: Ferry) -> None:
    """The pull gets what it came for, and warns of nothing."""
    events: list[Event] = []
    reader = Ferry(
        cache=ferry.cache.with_name("reader"),
        store=ferry.store,
        runner="reader",
        emit=events.append,
    )
    report = reader.pull(formats_of(few()), FullDisk(1))

    assert len(report.restored) == 2
    assert not list(ferry.store.glob("usage/*reader*"))
    assert "usage.refused" in [event.name for event in events]
    assert not [event for event in events if event.level is Level.WARNING]
