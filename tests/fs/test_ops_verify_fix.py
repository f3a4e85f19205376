"""What `verify --fix` makes of damage, and that it comes back whole."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cachetree import few, formats_of, make_cache, plan
from tests.support.disks import CountingDisk
from tests.support.forge import (
    add_object,
    add_segment,
    object_path,
    overwrite,
    read_only_segment,
    replace_records,
)
from tests.support.removing import DAY_S, age_trash, collect, trash
from tests.support.soundness import CacheJudge, catalog, damage, findings, objects
from tests.support.tiers import Ferry, make_store
from tests.support.verifying import mend
from wheelferry.ops.compact import compact
from wheelferry.ops.finding import Severity
from wheelferry.ops.verify import verify_store
from wheelferry.ops.verify_fix import QUARANTINE_S, fix_store
from wheelferry.store.compaction import SegmentFacts
from wheelferry.store.posix import PosixStore
from wheelferry.store.reading import Reads
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.segment import decode_segment, encode_segment
from wheelferry.store.tombstones import Eviction, Tombstone

ENTRIES = few()
FORMATS = formats_of(ENTRIES)


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """Return a runner that has promoted all that it has."""
    cache = make_cache(tmp_path / "cache", ENTRIES)
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))
    assert len(ferry.promote().promoted) == 2
    return ferry


def admin(ferry: Ferry) -> Ferry:
    """Return a runner with nothing of its own, to verify with."""
    return replace(ferry, cache=ferry.cache.with_name("admin"), runner="admin")


def holder(ferry: Ferry) -> Ferry:
    """Return another runner that has downloaded the same wheels, and never promoted."""
    cache = make_cache(ferry.cache.with_name("holder"), ENTRIES, first=7)
    return replace(ferry, cache=cache, runner="holder")


def aside(ferry: Ferry) -> list[str]:
    """Return the names in quarantine."""
    return sorted(path.name for path in ferry.store.glob("quarantine/*"))


def first_object(ferry: Ferry) -> Path:
    """Return the path of one pack."""
    return object_path(ferry.store, min(objects(ferry.store)))


def flipped(ferry: Ferry) -> tuple[int, int, int]:
    path = first_object(ferry)
    data = path.read_bytes()
    overwrite(path, data[:-1] + bytes([data[-1] ^ 1]))
    return 1, 0, 1


def shortened(ferry: Ferry) -> tuple[int, int, int]:
    overwrite(first_object(ferry), first_object(ferry).read_bytes()[:-1])
    return 1, 0, 1


def emptied(ferry: Ferry) -> tuple[int, int, int]:
    overwrite(first_object(ferry), b"")
    return 1, 0, 1


def missing(ferry: Ferry) -> tuple[int, int, int]:
    first_object(ferry).unlink()
    return 0, 0, 1


def all_missing(ferry: Ferry) -> tuple[int, int, int]:
    for path in ferry.store.glob("objects/*/*"):
        path.unlink()
    return 0, 0, 2


def damaged_segment(ferry: Ferry) -> tuple[int, int, int]:
    path, _ = read_only_segment(ferry.store)
    overwrite(path, path.read_bytes()[:-5])
    return 0, 1, 0


def record_of_another_tree(ferry: Ferry) -> tuple[int, int, int]:
    _, segment = read_only_segment(ferry.store)
    first, *rest = segment.records
    replace_records(ferry.store, [first._replace(tree_files=99), *rest])
    return 0, 0, 1


def record_of_another_size(ferry: Ferry) -> tuple[int, int, int]:
    _, segment = read_only_segment(ferry.store)
    first, *rest = segment.records
    replace_records(ferry.store, [first._replace(pack_bytes=7), *rest])
    return 0, 0, 1


DAMAGE = [
    flipped,
    shortened,
    emptied,
    missing,
    all_missing,
    damaged_segment,
    record_of_another_tree,
    record_of_another_size,
]
"""Each returns how many objects and segments go aside, and records are removed."""


@pytest.mark.parametrize("harm", DAMAGE, ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("is_other", [False, True], ids=["promoter", "holder"])
def test_what_was_mended_comes_back_with_the_next_promotion(
    ferry: Ferry, harm: Callable[[Ferry], tuple[int, int, int]], is_other: bool
) -> None:
    """Of whoever has it: who promoted it before, and missed nothing, or somebody else."""
    before = objects(ferry.store), catalog(ferry.store)
    expected = harm(ferry)
    found, fixed = mend(admin(ferry))

    assert not found.is_clean
    assert fixed.stopped_by is None
    assert (fixed.objects, fixed.segments, fixed.records) == expected
    assert damage(ferry.store) == [], "after the mending the store is sound"
    assert len(aside(ferry)) == 2 * (fixed.objects + fixed.segments)

    promoter = holder(ferry) if is_other else ferry
    report = promoter.promote()
    assert report.stopped_by is None
    assert len(report.promoted) >= 1
    assert (objects(ferry.store), catalog(ferry.store)) == before
    assert damage(ferry.store) == []
    other = replace(ferry, cache=ferry.cache.with_name("other"), runner="other")
    assert other.pull(FORMATS).failed == []
    assert CacheJudge(ENTRIES).usable(other.cache) == CacheJudge(ENTRIES).usable(
        ferry.cache
    )


def test_mended_store_costs_pulls_nothing_and_warns_of_nothing(ferry: Ferry) -> None:
    """A record without its pack is tried, and warned of; one that is removed is not."""
    flipped(ferry)
    mend(admin(ferry))
    report = replace(ferry, cache=ferry.cache.with_name("other")).pull(FORMATS)

    assert report.failed == []
    assert len(report.restored) == 1


def test_sound_store_is_left_as_it_is(ferry: Ferry) -> None:
    """Nothing is written but the file that tells the time."""
    before = {p: p.read_bytes() for p in ferry.store.rglob("*") if p.is_file()}
    found, fixed = mend(admin(ferry))

    assert found.is_clean
    assert fixed == type(fixed)()
    assert {p: p.read_bytes() for p in ferry.store.rglob("*") if p.is_file()} == before


def test_reason_says_what_was_where_and_who_found_it(ferry: Ferry) -> None:
    """For whoever looks into it weeks later."""
    flipped(ferry)
    path = first_object(ferry)
    mend(admin(ferry))
    (reason,) = ferry.store.glob("quarantine/*.json")

    said = json.loads(reason.read_text())
    assert said.keys() == {"schema", "path", "reason", "found_by", "found_s"}
    assert said["path"] == str(path.relative_to(ferry.store))
    assert said["found_by"] == "admin"
    assert "digest" in said["reason"]
    assert reason.name == f"{said['found_s']:010}-{path.name}.json"


def test_pull_that_finds_damage_moves_nothing(ferry: Ferry) -> None:
    """One runner with bad memory must not empty the store."""
    flipped(ferry)
    other = replace(ferry, cache=ferry.cache.with_name("other"), runner="other")

    assert len(other.pull(FORMATS).failed) == 1
    assert aside(ferry) == []
    assert first_object(ferry).exists()


def test_machine_whose_reads_differ_moves_nothing(ferry: Ferry) -> None:
    """Where a second read finds nothing, damage elsewhere may be of this machine too."""
    flipped(ferry)
    good = object_path(ferry.store, max(objects(ferry.store)))

    class Flaky(Reads):
        done = False

        def read_into(self, fd: int, buffer: memoryview) -> int:
            count = super().read_into(fd, buffer)
            if not self.done and Path(f"/proc/self/fd/{fd}").resolve() == good:
                self.done = True
                buffer[count - 1] ^= 1
            return count

    found, fixed = mend(admin(ferry), reads=Flaky())
    references = {finding.reference for finding in found.findings}
    assert references == {"object-corrupt", "read-unstable"}
    assert aside(ferry) == []
    assert fixed.records == 0
    assert "memory" in fixed.refused


def test_machine_that_reads_other_bytes_each_time_moves_nothing(ferry: Ferry) -> None:
    """Damage of a file is the same for each read: this is the machine's memory."""
    good = first_object(ferry)

    class Random(Reads):
        count = 0

        def read_into(self, fd: int, buffer: memoryview) -> int:
            count = super().read_into(fd, buffer)
            if count and Path(f"/proc/self/fd/{fd}").resolve() == good:
                self.count += 1
                buffer[count - 1] ^= self.count
            return count

    found, fixed = mend(admin(ferry), reads=Random())
    references = {finding.reference for finding in found.findings}
    assert references == {"object-corrupt", "read-unstable"}
    assert (fixed.objects, fixed.records, aside(ferry)) == (0, 0, [])
    assert "memory" in fixed.refused


@pytest.mark.parametrize("number", [5, 13])
def test_file_that_cannot_be_read_is_not_moved(ferry: Ferry, number: int) -> None:
    """It may be this user, or this mount, and not the file."""
    bad = first_object(ferry)

    class BadSector(Reads):
        def open_file(self, path: Path) -> int:
            if path == bad:
                raise OSError(number, "injected", str(path))
            return super().open_file(path)

    found, fixed = mend(admin(ferry), reads=BadSector())
    assert not found.is_clean
    assert (fixed.objects, fixed.records, aside(ferry)) == (0, 0, [])


def test_pack_that_is_none_loses_its_records(ferry: Ferry) -> None:
    """It has the bytes of its name, so nobody could put better ones in its place."""
    data = b"this is no pack at all, though it has the right name"
    digest = add_object(ferry.store, data)
    _, segment = read_only_segment(ferry.store)
    record = segment.records[0]._replace(pack=digest, pack_bytes=len(data))
    replace_records(ferry.store, [record, *segment.records])

    _, fixed = mend(admin(ferry))
    assert (fixed.objects, fixed.records) == (0, 1)
    left = findings(ferry.store)
    assert {f.reference for f in left} == {"object-orphan", "pack-malformed"}
    assert all(f.severity is not Severity.ERROR for f in left)


def test_what_this_version_does_not_know_stays(ferry: Ferry) -> None:
    """A newer Wheelferry made it: segment, pack, and kind of entry."""
    path, segment = read_only_segment(ferry.store)
    data = bytearray(path.read_bytes())
    data[8] = data[-12] = 2
    newer = add_segment(ferry.store, bytes(data))
    pack = first_object(ferry).read_bytes()
    digest = add_object(ferry.store, pack[:8] + b"\x02" + pack[9:])
    strange = segment.records[0]._replace(pack=digest, kind="by-drone")
    more = encode_segment([strange], runner="r9", created_s=5)
    added = add_segment(ferry.store, more)

    found, fixed = mend(admin(ferry))
    assert {f.severity for f in found.findings} == {Severity.WARNING, Severity.ERROR}
    assert (fixed.objects, fixed.segments, fixed.records) == (0, 0, 0)
    assert "catalog cannot be read" in fixed.refused
    assert aside(ferry) == []
    for name in (newer, added):
        assert (ferry.store / name).exists()


def test_records_stay_while_a_part_of_the_catalog_cannot_be_read(ferry: Ferry) -> None:
    """A tombstone might be in it: what was removed is not what was lost."""
    missing(ferry)
    path, _ = read_only_segment(ferry.store)
    tomb = Tombstone(segment=SegmentId(path.stem), number=0)
    hidden = encode_segment([], runner="gc", created_s=5, tombstones=[tomb])
    bad = ferry.store / add_segment(ferry.store, hidden)

    class BadSector(Reads):
        def open_file(self, path: Path) -> int:
            if path == bad:
                raise OSError(5, "injected", str(path))
            return super().open_file(path)

    _, fixed = mend(admin(ferry), reads=BadSector())
    assert fixed.records == 0
    assert fixed.refused


def test_what_was_removed_is_not_taken_for_lost(ferry: Ferry) -> None:
    """gc took it, and its tombstone says so: it stays away from the store until it is used."""
    collect(replace(ferry, runner="gc"), max_bytes=1)
    assert objects(ferry.store) == {}
    _, fixed = mend(admin(ferry))

    assert fixed.records == 0
    assert ferry.promote().promoted == []


def test_lost_and_removed_is_removed(ferry: Ferry) -> None:
    """Two tombstones for one record: it does not come back by itself."""
    path, segment = read_only_segment(ferry.store)
    removed = Eviction(segment.records[0].identity, 4_000_000_000)
    for number, evicted in ((0, []), (0, [removed]), (1, [])):
        tomb = Tombstone(segment=SegmentId(path.stem), number=number)
        data = encode_segment(
            [], runner="r9", created_s=1, tombstones=[tomb], evicted=evicted
        )
        add_segment(ferry.store, data)

    promoted = ferry.promote().promoted
    assert [record.name for record in promoted] == [segment.records[1].name]


def test_merge_makes_no_removal_of_what_was_lost(ferry: Ferry) -> None:
    """It drops the record and its tombstone; whoever has the entry promotes it again."""
    flipped(ferry)
    mend(admin(ferry))
    with admin(ferry).open() as tiers:
        report = compact(
            tiers, plan=lambda facts: [f.segment for f in facts if f.is_free]
        )

    assert (report.merged, report.written) == (2, 1)
    assert len(ferry.promote().promoted) == 1


def test_pack_in_the_trash_that_records_name_is_brought_back(ferry: Ferry) -> None:
    """A gc was killed before it could: nothing has to be promoted."""
    with ferry.open() as tiers:
        digest = min(objects(ferry.store))
        tiers.store.upkeep.discard_object(Digest(digest), at_s=int(tiers.now()))
    before = catalog(ferry.store)
    found, fixed = mend(admin(ferry))

    assert [f.reference for f in found.findings] == ["object-missing"]
    assert (fixed.recovered, fixed.records) == (1, 0)
    assert trash(ferry.store) == []
    assert damage(ferry.store) == []
    assert catalog(ferry.store) == before


def test_gc_leaves_the_quarantine_alone(ferry: Ferry) -> None:
    """It is for people; `verify --fix` empties it, after a month."""
    flipped(ferry)
    mend(admin(ferry))
    kept = aside(ferry)
    collect(replace(ferry, runner="gc"), max_bytes=1)
    age_trash(ferry.store, 100)
    collect(replace(ferry, runner="gc"), max_bytes=1)
    assert aside(ferry) == kept

    _, fixed = mend(admin(ferry))
    assert (fixed.purged, aside(ferry)) == (0, kept)
    for path in ferry.store.glob("quarantine/*"):
        since_s, _, rest = path.name.partition("-")
        path.rename(path.with_name(f"{int(since_s) - QUARANTINE_S - 60:010}-{rest}"))
    _, fixed = mend(admin(ferry))
    assert (fixed.purged, aside(ferry)) == (1, [])


def test_leftovers_of_runners_that_are_gone_are_removed(ferry: Ferry) -> None:
    """Only what nobody has written to for a day."""
    home = ferry.store / "staging/gone"
    home.mkdir()
    old, young = home / f"{'ab' * 16}.tmp", home / f"{'cd' * 16}.tmp"
    for path, age_s in ((old, 2 * DAY_S), (young, DAY_S / 2)):
        path.write_bytes(b"half")
        then_s = path.stat().st_mtime - age_s
        os.utime(path, (then_s, then_s))
    found, fixed = mend(admin(ferry))

    assert [f.reference for f in found.findings] == ["staging-leftover"]
    assert fixed.leftovers == 1
    assert [path.exists() for path in (old, young)] == [False, True]


def test_orphans_are_for_gc(ferry: Ferry) -> None:
    """A promoter may be about to name it."""
    digest = add_object(ferry.store, first_object(ferry).read_bytes(), "ab" * 32)
    mend(admin(ferry))
    assert not object_path(ferry.store, digest).exists(), "it was not what it should be"

    _, segment = read_only_segment(ferry.store)
    replace_records(ferry.store, segment.records[1:])
    before = objects(ferry.store)
    mend(admin(ferry))
    assert objects(ferry.store) == before


def test_wheel_of_another_package_is_not_touched(ferry: Ferry) -> None:
    """Only what is damaged goes, whatever else is in its segment."""
    make_cache(ferry.cache, [plan("third-wheel")], first=9)
    ferry.promote()
    expected = catalog(ferry.store)
    path = first_object(ferry)
    flipped(ferry)
    mend(admin(ferry))

    with ferry.open() as tiers:
        tiers.refresh()
        living = {(r.identity, r.pack) for r in tiers.view.light_records()}
    assert living == {pair for pair in expected if pair[1] != path.name}


def test_segment_with_tombstones_that_is_damaged(ferry: Ferry) -> None:
    """Records that it had killed live again, and their packs are missing: they go, too."""
    gc = replace(ferry, runner="gc")
    collect(gc, max_bytes=1)
    age_trash(ferry.store, 2)
    collect(gc, max_bytes=1)
    for path in ferry.store.glob("catalog/*"):
        data = path.read_bytes()
        if decode_segment(data, segment=SegmentId(path.stem)).footer.tombstones:
            overwrite(path, data[:-1])
    _, fixed = mend(admin(ferry))

    assert (fixed.segments, fixed.records) == (1, 2)
    assert damage(ferry.store) == []


def test_copies_that_a_merge_makes_meanwhile_are_removed_too(ferry: Ferry) -> None:
    """It has read the records before they were removed, and commits them after."""
    make_cache(ferry.cache, [plan("third-wheel")], first=9)
    ferry.promote()
    flipped(ferry)
    other = replace(ferry, cache=ferry.cache.with_name("other"), runner="other")
    before = len(list(ferry.store.glob("catalog/*")))

    class Merging(PosixStore):
        is_merged = False

        def commit_segment(self, data: bytes) -> SegmentId:
            if not self.is_merged:
                self.is_merged = True
                with other.open() as tiers:
                    compact(tiers, plan=merge_all_once)
            return super().commit_segment(data)

    def merge_all_once(catalog: Iterable[SegmentFacts]) -> list[SegmentId]:
        found = [facts.segment for facts in catalog]
        return found if len(found) == before else []

    merging = Merging(ferry.store, disk=CountingDisk(), runner="admin")
    _, fixed = mend(replace(admin(ferry), wrap=lambda _: merging))
    assert merging.is_merged
    assert fixed.records == 2
    assert damage(ferry.store) == []
    assert len(ferry.promote().promoted) == 1


def test_report_of_a_store_that_takes_no_more(ferry: Ferry) -> None:
    """What was moved is moved; what ended it is in the report."""
    flipped(ferry)
    with admin(ferry).open() as tiers:
        found = verify_store(tiers.store, tiers.emit)
        (ferry.store / "catalog").chmod(0o555)
        overwrite(ferry.store / "wheelferry.json", b"")
        (ferry.store / "catalog").chmod(0o755)
        (ferry.store / "catalog").rename(ferry.store / "gone")
        fixed = fix_store(tiers, found)

    assert fixed.objects == 1
    assert fixed.stopped_by is not None
