"""What was removed from a cache stays away, unless a job asks for it."""

import shutil
from pathlib import Path

import pytest

from tests.support.cachetree import few, formats_of, make_cache, plan
from tests.support.soundness import CacheJudge
from tests.support.tiers import Ferry, make_store
from tests.support.trimming import trim
from wheelferry.ops.past import TRIMMED, recall
from wheelferry.ops.pull import PullPlan, apply_pull, plan_pull
from wheelferry.ops.rules import Rules
from wheelferry.ops.target import Target
from wheelferry.ops.tiers import VIEW
from wheelferry.project.interpreter import parse_request
from wheelferry.project.need import ANY_INDEX, Demand, File, FileKind, Need
from wheelferry.project.pythons import assume_python

ENTRIES = few()
FORMATS = formats_of(ENTRIES)
JUDGE = CacheJudge(ENTRIES)
REASON = "it was removed from this cache; a job's pull brings it"


@pytest.fixture
def b(tmp_path: Path) -> Ferry:
    """A runner without a cache, and a store with two wheels."""
    store = make_store(tmp_path / "store")
    Ferry(cache=make_cache(tmp_path / "a", ENTRIES), store=store).promote()
    return Ferry(cache=tmp_path / "b", store=store, runner="r2")


def pull(ferry: Ferry, *, is_background: bool) -> list[str]:
    """Pull, and return the packages that were restored."""
    report = ferry.pull(FORMATS, is_background=is_background)
    assert report.failed == []
    return sorted(record.name for record in report.restored)


def look(ferry: Ferry, *, is_background: bool = True) -> PullPlan:
    """Return what a pull would do."""
    with ferry.open() as tiers:
        return plan_pull(tiers, Rules(), FORMATS, is_background=is_background)


def remove(cache: Path, *names: str, with_archives: bool = True) -> None:
    """Remove packages from a cache as `uv cache clean NAME` does."""
    for name in names:
        (path,) = cache.glob(f"*/index/*/{name}")
        for link in [p for p in path.rglob("*") if p.is_symlink()]:
            if with_archives:
                shutil.rmtree(link.resolve())
        shutil.rmtree(path)


def test_removed_entry_is_not_brought_back_unasked(b: Ferry) -> None:
    """In the background it stays away, and says so; a job's pull brings it."""
    assert pull(b, is_background=True) == ["built", "pure-wheel"]
    remove(b.cache, "pure-wheel")
    planned = look(b)
    assert (planned.wanted, planned.present) == ((), 1)
    assert [(left.subject.split()[0], left.reason) for left in planned.left] == [
        ("pure-wheel", REASON)
    ]
    assert planned.faults == ()
    assert pull(b, is_background=True) == []

    assert pull(b, is_background=False) == ["pure-wheel"]
    remove(b.cache, "pure-wheel", "built", with_archives=False)
    assert pull(b, is_background=True) == []
    assert pull(b, is_background=False) == ["built", "pure-wheel"]


def test_what_a_job_pulled_and_uv_removed_stays_away(b: Ferry) -> None:
    """A pull before a job remembers what it restored."""
    assert pull(b, is_background=False) == ["built", "pure-wheel"]
    remove(b.cache, "built")
    assert pull(b, is_background=True) == []


def test_what_was_promoted_and_removed_stays_away(tmp_path: Path, b: Ferry) -> None:
    """An entry may go before the first pull has seen it; what others have may come."""
    a = Ferry(cache=tmp_path / "a", store=b.store, runner="r1")
    other = plan("other")
    Ferry(cache=make_cache(tmp_path / "c", [other]), store=b.store).promote()
    remove(a.cache, "pure-wheel", "built")
    assert pull(a, is_background=True) == ["other"]


def test_what_the_store_had_already_is_remembered(tmp_path: Path, b: Ferry) -> None:
    """A promotion notes too what others had promoted before it."""
    c = Ferry(cache=make_cache(tmp_path / "c", ENTRIES), store=b.store, runner="r3")
    assert c.promote().promoted == []
    remove(c.cache, "pure-wheel", "built")
    assert pull(c, is_background=True) == []


def test_cache_that_was_made_again_is_filled_again(b: Ferry) -> None:
    """Whether uv made the new one already, or nobody has."""
    assert len(pull(b, is_background=True)) == 2
    shutil.rmtree(b.cache)
    assert len(pull(b, is_background=True)) == 2
    assert JUDGE.wrong(b.cache) == []
    shutil.rmtree(b.cache)
    b.cache.mkdir()
    make_cache(b.cache, ())
    assert len(pull(b, is_background=True)) == 2
    remove(b.cache, "built")
    assert pull(b, is_background=True) == [], "what came since counts for the new one"


def test_part_that_uv_can_do_without_is_mended(b: Ferry) -> None:
    """An entry that is in use was not removed, whatever else it lacks."""
    assert len(pull(b, is_background=True)) == 2
    (wheel,) = b.cache.glob("sdists-*/index/*/built/1.0/*/*.whl")
    wheel.unlink()
    assert pull(b, is_background=True) == ["built"]
    assert wheel.exists()


def test_lost_memory_costs_one_pull(b: Ferry) -> None:
    """With the view's file it is gone; then the removed entry comes once more."""
    assert len(pull(b, is_background=True)) == 2
    remove(b.cache, "built")
    for path in b.state.glob(f"{VIEW}*"):
        path.unlink()
    assert pull(b, is_background=True) == ["built"]
    remove(b.cache, "built")
    assert pull(b, is_background=True) == []


def test_pull_with_nothing_to_do_remembers_nothing(tmp_path: Path, b: Ferry) -> None:
    """It must not get slower: only what it restores is noted before a job."""
    c = Ferry(cache=make_cache(tmp_path / "c", ENTRIES), store=b.store, runner="r3")
    assert pull(c, is_background=False) == []
    with c.open() as tiers:
        assert recall(tiers).identities == frozenset()
    assert pull(c, is_background=True) == []
    with c.open() as tiers:
        assert len(recall(tiers).identities) == 2


def test_trimmed_entry_comes_only_if_a_job_names_it(tmp_path: Path, b: Ferry) -> None:
    """Not by a plain pull, which brings what uv removed; the rest comes as ever."""
    assert len(pull(b, is_background=False)) == 2
    _, report = trim(b.cache, 1)
    assert len(report.removed) == 2
    assert all(group.is_in_store for group in report.removed)

    planned = look(b, is_background=False)
    assert (planned.wanted, planned.faults) == ((), ())
    assert {left.reason for left in planned.left} == {TRIMMED}
    assert {left.reason for left in look(b).left} == {REASON}
    other = plan("other")
    Ferry(cache=make_cache(tmp_path / "c", [other]), store=b.store).promote()
    assert pull(b, is_background=False) == ["other"]

    need = Need("pure-wheel", "1.0", ANY_INDEX, File(FileKind.ANY), (0,))
    request = parse_request("3.12")
    assert request is not None
    python = assume_python(request)
    assert python is not None
    target = Target((python,), Demand((need,)))
    with b.open() as tiers:
        asked = plan_pull(tiers, Rules(), FORMATS, target=target)
        assert [record.name for record in asked.wanted] == ["pure-wheel"]
        assert len(apply_pull(tiers, asked).restored) == 1
    remove(b.cache, "pure-wheel")
    assert pull(b, is_background=False) == ["pure-wheel"], "uv removed it, not a trim"
