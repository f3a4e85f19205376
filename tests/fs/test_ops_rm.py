"""rm: what an admin must get rid of is gone at once, and stays away until it is allowed."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.cachetree import formats_of, make_cache, plan
from tests.support.disks import Died, DyingDisk, FullDisk
from tests.support.parts import Around
from tests.support.removing import age_trash, collect, trash
from tests.support.soundness import findings, objects
from tests.support.tiers import Ferry, make_store
from wheelferry.cli.commands.rm import parse_ban
from wheelferry.config.load import WrongFlag
from wheelferry.errors import StoreFull
from wheelferry.ops.bans import REASON, Bans
from wheelferry.ops.gc import apply_gc, find_content, plan_gc
from wheelferry.ops.gc_due import is_due, note_looked
from wheelferry.ops.gc_plan import Budget
from wheelferry.ops.promote import plan_promote
from wheelferry.ops.pull import plan_pull
from wheelferry.ops.rm import allow, remove
from wheelferry.store.base import Store
from wheelferry.store.record import Digest
from wheelferry.store.tombstones import Ban

BAD, GOOD = plan("bad-wheel", version="1.0.0"), plan("bad-wheel", version="2.0")
OTHER = plan("other")
BAN = Ban("bad-wheel", "1.0")


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """Return a runner that has promoted two releases, and another wheel."""
    cache = make_cache(tmp_path / "cache", [BAD, GOOD, OTHER])
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))
    ferry.promote()
    return ferry


def rm(ferry: Ferry, ban: Ban = BAN) -> list[str]:
    """Remove; return what that were."""
    with ferry.open() as tiers:
        return list(remove(tiers, ban).releases)


def reader(ferry: Ferry) -> Ferry:
    """Return another runner."""
    return Ferry(cache=ferry.cache.with_name("b"), store=ferry.store, runner="b")


def test_a_release_is_gone_at_once_and_others_stay(ferry: Ferry) -> None:
    """No grace: the pack is nowhere in the store; and the store is clean."""
    assert rm(ferry) == ["bad-wheel 1.0.0"]

    assert (len(objects(ferry.store)), trash(ferry.store)) == (2, [])
    assert findings(ferry.store) == []
    pulled = reader(ferry).pull(formats_of([BAD]))
    assert sorted(r.version for r in pulled.restored) == ["1.0", "2.0"]


def test_all_of_a_package_goes_without_a_version(ferry: Ferry) -> None:
    """Of every release."""
    assert rm(ferry, Ban("bad-wheel", "")) == ["bad-wheel 1.0.0", "bad-wheel 2.0"]
    assert len(objects(ferry.store)) == 1


def test_nobody_promotes_it_again(ferry: Ferry, tmp_path: Path) -> None:
    """Not who had it, nor who has just installed it; and that says why."""
    rm(ferry)
    fresh = Ferry(cache=tmp_path / "c", store=ferry.store, runner="c")
    with fresh.open() as tiers:
        tiers.refresh()
    make_cache(fresh.cache, [BAD])

    assert ferry.promote().promoted == []
    with fresh.open() as tiers:
        found = plan_promote(tiers, fresh.rules)
    assert [left.reason for left in found.left] == [REASON]


def put_back(ferry: Ferry) -> None:
    """Remove, and have a promoter whose view did not know of the ban put it back."""
    late = Ferry(
        cache=make_cache(ferry.cache.with_name("late"), [BAD]),
        store=ferry.store,
        runner="late",
    )
    before = sorted(ferry.store.glob("catalog/*"))
    rm(ferry)
    hidden = [p for p in ferry.store.glob("catalog/*") if p not in before]
    for path in hidden:
        path.rename(ferry.store / path.name)
    for path in before:
        path.unlink()
    assert len(late.promote().promoted) == 1
    for path in hidden:
        (ferry.store / path.name).rename(path)
    assert len(objects(ferry.store)) == 3


def test_nobody_pulls_what_a_late_promoter_put_back(ferry: Ferry) -> None:
    """rm once more removes that."""
    put_back(ferry)
    other = reader(ferry)

    with other.open() as tiers:
        planned = plan_pull(tiers, other.rules, formats_of([BAD]))
    assert planned.wanted == ()
    assert [left.reason for left in planned.left] == [REASON]
    assert rm(ferry) == ["bad-wheel 1.0.0"]
    assert len(objects(ferry.store)) == 2


def test_gc_takes_what_a_late_promoter_put_back(ferry: Ferry) -> None:
    """Nobody has to run rm again; a daemon's gc sees at once that it is due."""
    put_back(ferry)
    gc = replace(ferry, runner="gc")
    with gc.open() as tiers:
        tiers.refresh()
        note_looked(tiers, plan_gc(find_content(tiers), Budget()))
        assert is_due(tiers, Budget())
        report = apply_gc(tiers, plan_gc(find_content(tiers), Budget()))
        assert not is_due(tiers, Budget())

    assert (report.discarded, report.records) == (1, 1)
    assert (len(objects(ferry.store)), len(trash(ferry.store))) == (2, 1)
    age_trash(ferry.store, 2)
    collect(gc)
    assert trash(ferry.store) == []


def test_rm_finds_what_was_put_back_while_it_ran(ferry: Ferry) -> None:
    """Someone brings the pack back between discard and purge, since records name it."""

    class Meddled(Around):
        is_done = False

        def discard_object(self, digest: Digest, *, at_s: int) -> bool:
            done: bool = self._inner.discard_object(digest, at_s=at_s)
            if not self.is_done:
                self.is_done = True
                (trashed,) = self._inner.list_trash(only={digest})
                assert self._inner.recover_object(trashed)
            return done

    def meddle(store: Store) -> Store:
        return Around(store, upkeep=Meddled(store.upkeep))

    admin = replace(ferry, wrap=meddle)
    assert rm(admin) == ["bad-wheel 1.0.0"]

    assert (len(objects(ferry.store)), trash(ferry.store)) == (2, [])
    assert findings(ferry.store) == []


@pytest.mark.parametrize("has_trash", [True, False])
def test_rm_frees_a_full_share(ferry: Ferry, *, has_trash: bool) -> None:
    """What is in the trash goes before the ban is there, or the packs themselves."""
    if has_trash:
        (ferry.store / "trash" / f"0000000001-{'cd' * 32}").write_bytes(b"dead")
    with ferry.open(FullDisk(1)) as tiers:
        remove(tiers, BAN)

    assert (len(objects(ferry.store)), trash(ferry.store)) == (2, [])
    assert findings(ferry.store) == []
    assert ferry.promote().promoted == [], "it is forbidden"


def test_rm_on_a_share_that_stays_full_can_be_run_again(ferry: Ferry) -> None:
    """The bytes are gone, and it says that it could not forbid them."""
    with ferry.open(FullDisk(99)) as tiers, pytest.raises(StoreFull):
        remove(tiers, BAN)
    assert (len(objects(ferry.store)), trash(ferry.store)) == (2, [])

    assert rm(ferry) == ["bad-wheel 1.0.0"]
    assert findings(ferry.store) == []


def test_allowed_again_it_comes_with_the_next_use(ferry: Ferry) -> None:
    """By the name that it was removed by, however its version is spelled."""
    rm(ferry)
    with ferry.open() as tiers:
        assert allow(tiers, Ban("bad-wheel", "2.0")) == 0
        assert allow(tiers, Ban("bad-wheel", "1.0.0")) == 1
    for path in ferry.cache.glob("archive-v0/*/**/*"):
        if path.is_file():  # what a job does that installs it
            os.utime(path, (time.time() + 5,) * 2)

    assert len(ferry.promote().promoted) == 1


def test_rm_again_changes_nothing(ferry: Ferry) -> None:
    """There is one ban."""
    rm(ferry)
    segments = sorted(ferry.store.glob("catalog/*"))

    assert rm(ferry) == []
    assert sorted(ferry.store.glob("catalog/*")) == segments


def test_rm_killed_at_any_step_can_be_run_again(ferry: Ferry) -> None:
    """And what it did stays."""
    for step in range(2, 40):
        try:
            with ferry.open(DyingDisk(step)) as tiers:
                remove(tiers, BAN)
        except Died:
            continue
        break
    else:
        pytest.fail("it never ends")
    assert (len(objects(ferry.store)), trash(ferry.store)) == (2, [])
    assert findings(ferry.store) == []


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.0", True),
        ("1.0.0", True),
        ("1", True),
        ("1.0+cu118", True),
        ("v1.0", True),
        ("1.0.1", False),
        ("1.0rc1", False),
        ("odd", False),
        ("", False),
    ],
)
def test_a_ban_knows_a_version_however_it_is_spelled(
    version: str, *, expected: bool
) -> None:
    """And its local versions; no other."""
    assert bool(Bans([("a", "1.0.0")]).refuse("a", version)) is expected
    assert Bans([("a", "")]).refuse("a", version) == REASON
    assert Bans([("a", "1.0.0")]).refuse("b", version) is None


@pytest.mark.parametrize("text", ["", "==1", "a==", "a==x", "a>=1", "a b", "../a", "ä"])
def test_what_is_no_package_is_wrong_usage(text: str) -> None:
    """And what is, is normalised."""
    with pytest.raises(WrongFlag):
        parse_ban(text)
    assert parse_ban("Bad_Wheel == 1.0") == BAN


def run(ferry: Ferry, *argv: str) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    places = ("--store", ferry.store, "--cache", ferry.cache, "--runner", "r1")
    return subprocess.run(
        [sys.executable, "-m", "wheelferry", "rm", *map(str, places), *argv],
        env={**os.environ, "HOME": str(ferry.cache.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_rm_says_what_stays_in_caches_and_how_to_clean_them(ferry: Ferry) -> None:
    """The store is not all: jobs use what their caches have."""
    dry = run(ferry, "bad-wheel==1.0", "--dry-run")
    assert "would remove 1 pack" in dry.stdout
    assert len(objects(ferry.store)) == 3
    done = run(ferry, "bad-wheel==1.0")
    assert done.returncode == 0, done.stderr
    assert "removed 1 pack" in done.stdout
    assert "bad-wheel 1.0.0" in done.stdout
    assert "`uv cache clean bad-wheel`" in done.stdout
    assert "wheelferry rm --allow 'bad-wheel==1.0'" in done.stdout

    dry = run(ferry, "bad-wheel==1.0", "--allow", "--dry-run")
    assert "would allow bad-wheel==1.0 again" in dry.stdout

    found: dict[str, Any] = json.loads(
        run(ferry, "bad-wheel==1.0", "--allow", "--json").stdout
    )
    assert (found["schema"], found["allowed"]) == ("wheelferry/rm/1", 1)
    assert run(ferry, "a>1").returncode == 2
