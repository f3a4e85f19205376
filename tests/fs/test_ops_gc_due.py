"""When a removal in the background looks at all of the store."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cachetree import few, make_cache
from tests.support.daemons import RunningDaemon, eventually
from tests.support.forge import add_segment
from tests.support.reads import CountingReads
from tests.support.records import digest_of, make_record
from tests.support.removing import DAY_S, age_trash, collect, trash
from tests.support.soundness import objects
from tests.support.tiers import Ferry, make_store
from wheelferry.ops.gc import apply_gc, find_content, plan_gc
from wheelferry.ops.gc_due import is_due, note_looked
from wheelferry.ops.gc_plan import Budget, GcPlan
from wheelferry.store.record import Digest
from wheelferry.store.segment import encode_segment


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """Return a runner that has looked at all of a store with two packs."""
    cache = make_cache(tmp_path / "cache", few())
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))
    ferry.promote()
    with ferry.open() as tiers:
        note_looked(tiers, plan_gc(find_content(tiers), Budget()))
    return ferry


def due(ferry: Ferry, **budget: float) -> bool:
    """Return whether it is time for another look."""
    with ferry.open() as tiers:
        return is_due(tiers, Budget(**budget))  # type: ignore[arg-type]


def test_nothing_is_due_in_a_store_that_is_within_its_budget(ferry: Ferry) -> None:
    """And that is found out by a few calls."""
    reads = CountingReads()
    with ferry.open(reads=reads) as tiers:
        assert not is_due(tiers, Budget(max_bytes=1 << 40, max_age_s=DAY_S))

    assert reads.steps < 10


def test_a_store_over_its_size_is_due(ferry: Ferry) -> None:
    """As far as the catalog tells."""
    total = sum(map(len, objects(ferry.store).values()))

    assert not due(ferry, max_bytes=total)
    assert due(ferry, max_bytes=total - 1)


def test_a_share_that_is_too_full_is_due(ferry: Ferry) -> None:
    """Whoever fills it."""
    assert due(ferry, keep_free_bytes=1 << 60)
    assert not due(ferry, keep_free_bytes=1)


def test_trash_is_due_when_its_grace_is_over(ferry: Ferry) -> None:
    """Not before."""
    collect(replace(ferry, runner="gc"), max_bytes=1)
    assert len(trash(ferry.store)) == 2

    assert not due(ferry)
    age_trash(ferry.store, 2)
    assert due(ferry)


def test_trash_that_a_record_names_is_due(ferry: Ferry) -> None:
    """Whoever took it away was killed."""
    with ferry.open() as tiers:
        digest = Digest(min(objects(ferry.store)))
        tiers.store.upkeep.discard_object(digest, at_s=tiers.store.upkeep.clock_s())

    assert due(ferry)


def test_all_of_the_store_is_looked_at_once_a_day(ferry: Ferry) -> None:
    """For what is too old, and for what no record names."""
    with ferry.open() as tiers:
        now_s = tiers.now()
        today = tiers._replace(now=lambda: now_s + DAY_S - 60)
        tomorrow = tiers._replace(now=lambda: now_s + DAY_S + 60)
        found = [is_due(today, Budget()), is_due(tomorrow, Budget())]

    assert found == [False, True]


def look_all(ferry: Ferry, **budget: float) -> GcPlan:
    """Look at all of the store, do what is due, and remember it, as the daemon does."""
    with ferry.open() as tiers:
        plan = plan_gc(find_content(tiers), Budget(**budget))  # type: ignore[arg-type]
        assert apply_gc(tiers, plan).stopped_by is None
        note_looked(tiers, plan)
    return plan


def claim(ferry: Ferry, number: int) -> None:
    """Have a record say that its pack, which is not there, is very large."""
    record = make_record(f"n{number}", pack=digest_of(str(number)), pack_bytes=1 << 40)
    add_segment(ferry.store, encode_segment([record], runner="r9", created_s=1))


def test_records_that_claim_too_much_are_no_reason_for_ever(ferry: Ferry) -> None:
    """Once it was seen that there is nothing to remove; another claim is looked into."""
    claim(ferry, 1)
    for number in (2, 3):
        assert due(ferry, max_bytes=1 << 30)
        assert look_all(ferry, max_bytes=1 << 30).is_empty
        assert not due(ferry, max_bytes=1 << 30)
        claim(ferry, number)


def test_another_budget_is_a_reason_to_look(ferry: Ferry) -> None:
    """What was in vain for one size need not be for another."""
    claim(ferry, 1)
    look_all(ferry, max_bytes=1 << 30)

    assert due(ferry, max_bytes=1 << 29)


def test_a_share_that_others_fill_is_no_reason_for_ever(ferry: Ferry) -> None:
    """All that is here was needed today."""
    assert due(ferry, keep_free_bytes=1 << 60)
    assert look_all(ferry, keep_free_bytes=1 << 60).is_empty
    assert not due(ferry, keep_free_bytes=1 << 60)


def test_trash_that_has_to_stay_is_no_reason_for_ever(ferry: Ferry) -> None:
    """While a part of the catalog cannot be read; what expires then is looked into."""
    collect(replace(ferry, runner="gc"), max_bytes=1)
    add_segment(ferry.store, b"no segment")
    (first, second) = sorted(ferry.store.glob("trash/*"))
    for path in (first, second):
        since_s, _, digest = path.name.partition("-")
        path.rename(path.with_name(f"{int(since_s) - 2 * DAY_S:010}-{digest}"))
        assert due(ferry)
        assert look_all(ferry).is_empty
        assert not due(ferry)


def test_a_look_that_found_something_is_none_in_vain(ferry: Ferry) -> None:
    """There may be more to do at once."""
    claim(ferry, 1)
    assert not look_all(ferry, max_bytes=1).is_empty

    assert due(ferry, max_bytes=1)


def test_daemon_with_a_budget_keeps_to_it(ferry: Ferry) -> None:
    """It says what it removed; the cache keeps what it has, and does not bring it back."""
    with RunningDaemon(
        ferry.cache,
        ferry.store,
        WHEELFERRY_GC_MAX_SIZE="1",
        WHEELFERRY_GC_INTERVAL="0.2s",
        WHEELFERRY_GC_GRACE="1s",
    ) as daemon:
        daemon.wait_ready()
        daemon.wait_said("removed 2 objects")
        eventually(lambda: not any(ferry.store.glob("trash/*")), what=daemon.said)
        assert objects(ferry.store) == {}
        account = daemon.account()
        assert daemon.stop() == 0

    assert account is not None
    assert "removed 2 objects" in account.tasks["gc"].last_did
    assert set(account.carried) == {"promote", "pull"}
    assert account.removed["gc"].number == 2
    assert account.removed["gc"].size_bytes > 0
    assert account.removed["gc"].excess_bytes == 0


def test_daemon_without_a_budget_removes_nothing(ferry: Ferry) -> None:
    """There is no such task."""
    with RunningDaemon(
        ferry.cache, ferry.store, WHEELFERRY_GC_INTERVAL="0.1s"
    ) as daemon:
        daemon.wait_idle()
        account = daemon.account()

    assert account is not None
    assert set(account.tasks) == {"promote", "pull"}
