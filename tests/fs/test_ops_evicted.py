"""What gc took out of the store does not come back by itself, and does when it is used."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.cachetree import formats_of, make_cache, make_files, plan
from tests.support.disks import CountingDisk
from tests.support.removing import DAY_S, age, collect, look, trash
from tests.support.soundness import findings, objects
from tests.support.tiers import Ferry, make_store
from wheelferry.ops.compact import compact
from wheelferry.ops.promote import plan_promote
from wheelferry.ops.promote_plan import EVICTED
from wheelferry.store.compaction import SegmentFacts
from wheelferry.store.record import SegmentId
from wheelferry.uvcache.entry import Kind

CPYTHON = "cp311-cp311-linux_x86_64"


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """Return a runner whose only wheel was promoted, and evicted since."""
    cache = make_cache(tmp_path / "cache", [plan("pure-wheel")])
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))
    ferry.promote()
    age(ferry.store, 100)
    assert collect(ferry, max_age_s=90 * DAY_S).discarded == 1
    return ferry


def left(ferry: Ferry) -> list[str]:
    """Return why entries stay in the cache."""
    with ferry.open() as tiers:
        return [entry.reason for entry in plan_promote(tiers, ferry.rules).left]


def all_free(catalog: Iterable[SegmentFacts]) -> list[SegmentId]:
    """Plan to merge whatever may be, if it is more than one."""
    free = [facts.segment for facts in catalog if facts.is_free]
    return free if len(free) > 1 else []


def use(ferry: Ferry) -> None:
    """Do what uv does when it installs: link each file but RECORD."""
    began_s, link = time.time(), ferry.cache.parent / "link"
    for path in ferry.cache.glob("archive-v0/*/**/*"):
        # The clock of files ticks: some milliseconds may have one time.
        while (
            path.is_file() and path.name != "RECORD" and path.stat().st_ctime <= began_s
        ):
            os.link(path, link)
            link.unlink()


def test_what_was_evicted_is_left_alone(ferry: Ferry) -> None:
    """Whoever has it, and however often a promotion looks; and that says why."""
    assert ferry.promote().promoted == []
    assert ferry.promote().promoted == []
    assert left(ferry) == [EVICTED]
    assert objects(ferry.store) == {}


def test_what_a_job_uses_again_comes_back_by_rename(ferry: Ferry) -> None:
    """Its pack is in the trash still, and is not written anew."""
    use(ferry)
    disk = CountingDisk()
    report = ferry.promote(disk)

    assert len(report.promoted) == 1
    assert (report.bytes_written, report.packs_shared) == (0, 1)
    assert trash(ferry.store) == []
    assert len(objects(ferry.store)) == 1
    assert findings(ferry.store) == []


def test_what_a_job_uses_after_the_grace_is_written_anew(ferry: Ferry) -> None:
    """As any."""
    for path in ferry.store.glob("trash/*"):
        path.unlink()
    use(ferry)

    assert ferry.promote().bytes_written > 0
    assert findings(ferry.store) == []


def test_what_is_recovered_damaged_is_replaced(ferry: Ferry) -> None:
    """One with another size than the pack has."""
    (path,) = ferry.store.glob("trash/*")
    path.chmod(0o644)
    path.write_bytes(b"short")
    use(ferry)

    assert ferry.promote().bytes_written > 0
    assert findings(ferry.store) == []


def test_a_runner_that_unpacked_it_since_promotes_it(
    ferry: Ferry, tmp_path: Path
) -> None:
    """Its job had to download it: that is a use."""
    other = Ferry(cache=tmp_path / "other", store=ferry.store, runner="other")
    other.cache.mkdir()
    assert other.promote().promoted == []
    make_cache(other.cache, [plan("pure-wheel")])

    assert len(other.promote().promoted) == 1


@pytest.mark.parametrize("is_merged", [True, False])
def test_a_runner_that_slept_through_removal_and_compaction_leaves_it(
    tmp_path: Path, *, is_merged: bool
) -> None:
    """It had the record alive, and is told by a segment that stays for weeks."""
    cache = make_cache(tmp_path / "cache", [plan("pure-wheel")])
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))
    ferry.promote()
    before = set(ferry.store.glob("catalog/*"))
    age(ferry.store, 100)
    other = Ferry(cache=tmp_path / "other", store=ferry.store, runner="other")
    assert collect(other, max_age_s=90 * DAY_S).discarded == 1
    for _ in range(3):
        with other.open() as tiers:
            compact(tiers, plan=all_free if is_merged else lambda _: ())
        age(ferry.store, 1)
    after = set(ferry.store.glob("catalog/*"))

    assert (len(after), before & after) == (1, set())
    assert ferry.promote().promoted == []
    assert left(ferry) == [EVICTED]


def test_what_came_back_by_rename_is_young_after_a_merge_too(ferry: Ferry) -> None:
    """Its object is old, and a merge forgets when it was promoted again.

    Its runner says so at once, though it has said today what it held.
    """
    ferry.pull(formats_of([plan("pure-wheel")]))
    use(ferry)
    assert ferry.promote().packs_shared == 1
    forget_promotions(ferry)

    assert look(ferry, max_age_s=90 * DAY_S).victims == ()


def test_what_another_runner_promotes_too_is_young_after_a_merge(
    tmp_path: Path,
) -> None:
    """It finds the pack in the store, under a record of another format."""
    files = make_files("pure-wheel")
    store = make_store(tmp_path / "store")
    ferries = []
    for name, format_id in (("a", "wheels-v6/map"), ("b", "wheels-v8/array5")):
        planned = plan("pure-wheel", files=files, format_id=format_id)
        cache = make_cache(tmp_path / name, [planned])
        ferries.append(Ferry(cache=cache, store=store, runner=name))
        ferries[-1].promote()
        age(store, 100 if name == "a" else 0)
    assert len(objects(store)) == 1
    forget_promotions(ferries[0])

    assert look(ferries[0], max_age_s=90 * DAY_S).victims == ()


def forget_promotions(ferry: Ferry) -> None:
    """Merge all segments, and have an hour go by until their inputs are removed."""
    other = Ferry(cache=ferry.cache.with_name("m"), store=ferry.store, runner="m")
    for _ in range(3):
        with other.open() as tiers:
            compact(tiers, plan=all_free)
        for path in ferry.store.glob("catalog/*"):
            os.utime(path, (time.time() - 3700,) * 2)
    assert len(list(ferry.store.glob("catalog/*"))) == 1


def test_what_was_only_built_is_told_by_its_wheel(tmp_path: Path) -> None:
    """Nothing of it is installed, so nothing is linked."""
    built = plan("resolved", Kind.REGISTRY_SDIST, tags=CPYTHON, is_unpacked=False)
    cache = make_cache(tmp_path / "cache", [built])
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))
    ferry.promote()
    age(ferry.store, 100)
    collect(ferry, max_age_s=90 * DAY_S)

    assert ferry.promote().promoted == []
    (wheel,) = cache.rglob("*.whl")
    time.sleep(0.05)
    wheel.chmod(0o600)
    assert len(ferry.promote().promoted) == 1
