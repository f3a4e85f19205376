"""gc on a store in a directory: what goes, what stays, what comes back."""

import errno
from pathlib import Path

import pytest

from tests.support.cachetree import formats_of, make_cache, plan
from tests.support.disks import FailingDisk
from tests.support.forge import add_object, add_segment
from tests.support.records import make_record
from tests.support.removing import DAY_S, age, age_trash, collect, look, trash
from tests.support.soundness import damage, findings, objects
from tests.support.tiers import Ferry, make_store
from wheelferry.errors import StoreReadOnly, StoreUnavailable
from wheelferry.ops.gc import apply_gc, find_content, plan_gc
from wheelferry.ops.gc_plan import Budget, Why
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.segment import encode_segment

OLD, NEW = plan("old-wheel"), plan("new-wheel")


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """Return a runner that has promoted a wheel 100 days ago, and one today."""
    cache = make_cache(tmp_path / "cache", [OLD])
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))
    ferry.promote()
    age(ferry.store, 100)
    make_cache(cache, [NEW], first=1)
    ferry.promote()
    return ferry


def reader(ferry: Ferry, tmp_path: Path, name: str = "reader") -> Ferry:
    """Return another runner."""
    return Ferry(cache=tmp_path / name, store=ferry.store, runner=name)


def test_gc_removes_what_is_too_old_and_its_record(
    ferry: Ferry, tmp_path: Path
) -> None:
    """The store is clean after that; a runner that pulls gets what is left."""
    before = objects(ferry.store)
    report = collect(ferry, max_age_s=90 * DAY_S)

    assert (report.discarded, report.records, report.purged) == (1, 1, 0)
    assert len(trash(ferry.store)) == 1
    assert objects(ferry.store).keys() == before.keys() - set(trash(ferry.store))
    assert findings(ferry.store) == []
    pulled = reader(ferry, tmp_path).pull(formats_of([OLD]))
    assert [record.name for record in pulled.restored] == ["new-wheel"]


def test_gc_frees_the_room_after_the_grace(ferry: Ferry) -> None:
    """Not before; and a second gc has nothing to do."""
    collect(ferry, max_age_s=90 * DAY_S)
    again = collect(ferry, max_age_s=90 * DAY_S)
    assert (again.discarded, again.purged, len(trash(ferry.store))) == (0, 0, 1)

    age_trash(ferry.store, 1)
    last = collect(ferry, max_age_s=90 * DAY_S)

    assert (last.purged, trash(ferry.store)) == (1, [])
    assert last.purged_bytes > 0


def test_gc_keeps_what_a_runner_holds(ferry: Ferry, tmp_path: Path) -> None:
    """However long ago it was promoted: a pack that nobody pulls any more is in use."""
    reader(ferry, tmp_path).pull(formats_of([OLD]))

    assert look(ferry, max_age_s=90 * DAY_S).victims == ()
    age(ferry.store, 91)
    assert len(look(ferry, max_age_s=90 * DAY_S).victims) == 2


@pytest.mark.parametrize("years", [-10, 10])
def test_ages_are_by_the_clock_of_the_server(ferry: Ferry, years: int) -> None:
    """Whatever this host's says."""
    with ferry.open() as tiers:
        wrong_s = tiers.now() + years * 365 * DAY_S
        content = find_content(tiers._replace(now=lambda: wrong_s))

    found = plan_gc(content, Budget(max_age_s=90 * DAY_S))
    assert [victim.subject for victim in found.victims] == ["old-wheel 1.0"]


def test_gc_takes_the_least_recently_needed_for_the_size(ferry: Ferry) -> None:
    """And nothing that is not beyond it."""
    total = sum(map(len, objects(ferry.store).values()))
    found = look(ferry, max_bytes=total - 1)

    assert [(v.subject, v.why) for v in found.victims] == [("old-wheel 1.0", Why.SIZE)]
    assert look(ferry, max_bytes=total).victims == ()


def test_gc_keeps_a_pack_for_the_sake_of_one_record(ferry: Ferry) -> None:
    """A segment of today that names an old pack makes it one of today."""
    (light,) = look(ferry).content.packs[:1]
    record = make_record(pack=light.digest, pack_bytes=light.size_bytes)
    add_segment(ferry.store, encode_segment([record], runner="r9", created_s=1))

    subjects = [v.subject for v in look(ferry, max_age_s=90 * DAY_S).victims]
    assert light.subject not in subjects


def test_a_segment_that_merges_others_makes_nothing_young(ferry: Ferry) -> None:
    """Or a store that is compacted now and then would keep what nobody needs."""
    packs = look(ferry).content.packs
    records = [
        make_record(pack=pack.digest, pack_bytes=pack.size_bytes) for pack in packs
    ]
    segments = [SegmentId(path.stem) for path in ferry.store.glob("catalog/*")]
    data = encode_segment(records, runner="r9", created_s=1, replaces=segments)
    add_segment(ferry.store, data)

    assert len(look(ferry, max_age_s=90 * DAY_S).victims) == 1


def test_gc_kills_each_occurrence_of_a_record(ferry: Ferry) -> None:
    """Duplicates in other segments too, of which readers show one."""
    names = {pack.subject: pack for pack in look(ferry).content.packs}
    old = names["old-wheel 1.0"]
    record = make_record(pack=old.digest, pack_bytes=old.size_bytes)
    for runner in ("r8", "r9"):
        add_segment(ferry.store, encode_segment([record], runner=runner, created_s=1))
    age(ferry.store, 200)

    assert collect(ferry, max_age_s=90 * DAY_S).records == 4
    assert catalog_alive(ferry) == 0


def catalog_alive(ferry: Ferry) -> int:
    """Return how many records a new runner sees."""
    with Ferry(
        cache=ferry.cache.with_name("fresh"), store=ferry.store, runner="fresh"
    ).open() as tiers:
        tiers.refresh()
        return tiers.view.totals().records


def test_what_is_promoted_again_lives(ferry: Ferry, tmp_path: Path) -> None:
    """A tombstone kills what was there, and not what comes."""
    collect(ferry, max_age_s=90 * DAY_S)
    other = Ferry(cache=tmp_path / "other", store=ferry.store, runner="r2")
    with other.open() as tiers:
        tiers.refresh()
    make_cache(other.cache, [OLD])

    assert len(other.promote().promoted) == 1
    assert catalog_alive(ferry) == 2
    assert damage(ferry.store) == []


def test_gc_kills_no_record_that_came_since_it_looked(ferry: Ferry) -> None:
    """Also if this runner's view has it: its daemon may promote at any moment."""
    with ferry.open() as tiers:
        found = plan_gc(find_content(tiers), Budget(max_age_s=90 * DAY_S))
        (victim,) = found.victims
        record = make_record(pack=victim.digest, pack_bytes=victim.size_bytes)
        add_segment(ferry.store, encode_segment([record], runner="r9", created_s=1))
        tiers.refresh()
        report = apply_gc(tiers, found)

    assert (report.discarded, report.recovered, report.records) == (1, 1, 1)
    assert catalog_alive(ferry) == 2
    assert len(objects(ferry.store)) == 2


def test_gc_takes_orphans_after_the_grace(ferry: Ferry) -> None:
    """What a promoter left that was killed; not what one has just put there."""
    orphan = add_object(ferry.store, b"nobody names me")
    assert collect(ferry).discarded == 0
    age(ferry.store, 2)

    assert collect(ferry).discarded == 1
    assert trash(ferry.store) == [orphan]


def test_gc_leaves_orphans_where_the_catalog_is_damaged(ferry: Ferry) -> None:
    """They may be what the damaged part names."""
    orphan = add_object(ferry.store, b"somebody may name me")
    age(ferry.store, 2)
    add_segment(ferry.store, b"no segment")
    found = look(ferry)

    assert not found.content.is_whole
    assert orphan not in {victim.digest for victim in found.victims}


def test_what_a_killed_gc_took_away_comes_back(ferry: Ferry) -> None:
    """It was killed before it looked again: a record names what is in the trash."""
    before = objects(ferry.store)
    with ferry.open() as tiers:
        tiers.store.upkeep.discard_object(Digest(min(before)), at_s=1)  # long ago
    report = collect(ferry)

    assert (report.recovered, report.purged) == (1, 0)
    assert objects(ferry.store) == before


def test_what_a_killed_gc_took_away_has_a_grace_when_it_goes_again(
    ferry: Ferry,
) -> None:
    """From then on, and not since that gc: its records were there until now."""
    packs = {pack.subject: pack.digest for pack in look(ferry).content.packs}
    old = packs["old-wheel 1.0"]
    with ferry.open() as tiers:
        tiers.store.upkeep.discard_object(old, at_s=1)  # long ago
    first = collect(ferry, max_age_s=90 * DAY_S)
    second = collect(ferry, max_age_s=90 * DAY_S)

    assert (first.recovered, first.discarded, first.records) == (1, 1, 1)
    assert (first.purged, second.purged) == (0, 0)
    assert trash(ferry.store) == [old]


def test_dry_look_changes_nothing(ferry: Ferry) -> None:
    """No file is made, removed or renamed."""
    before = sorted(str(p) for p in ferry.store.rglob("*"))
    look(ferry, max_bytes=1, max_age_s=1)

    assert sorted(str(p) for p in ferry.store.rglob("*")) == before


def test_gc_that_fails_says_so(ferry: Ferry) -> None:
    """What it could do is done, and the next one goes on."""
    report = collect(ferry, FailingDisk("rename", errno.EIO), max_bytes=1)
    assert isinstance(report.stopped_by, StoreUnavailable)
    assert len(objects(ferry.store)) == 2

    assert collect(ferry, max_bytes=1).stopped_by is None
    assert objects(ferry.store) == {}
    assert catalog_alive(ferry) == 0


def test_gc_says_that_the_share_may_not_be_written(ferry: Ferry) -> None:
    """A runner that only pulls can look, and no more."""
    with ferry.open(FailingDisk("open_unique", errno.EROFS)) as tiers:
        found = plan_gc(find_content(tiers), Budget(max_bytes=1))
        report = apply_gc(tiers, found)

    assert len(found.victims) == 2
    assert isinstance(report.stopped_by, StoreReadOnly)
    assert len(objects(ferry.store)) == 2
