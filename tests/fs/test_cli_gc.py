"""`wheelferry gc` as a process: the table, the numbers, the exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cachetree import few, make_cache
from tests.support.removing import age, age_trash, trash
from tests.support.soundness import objects
from tests.support.tiers import Ferry, make_store


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """Return a runner whose store has two packs, of 100 days ago."""
    cache = make_cache(tmp_path / "cache", few())
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))
    ferry.promote()
    age(ferry.store, 100)
    return ferry


def gc(ferry: Ferry, *argv: str) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    places = ("--store", ferry.store, "--cache", ferry.cache, "--runner", "r1")
    return subprocess.run(
        [sys.executable, "-m", "wheelferry", "gc", *map(str, places), *argv],
        env={**os.environ, "HOME": str(ferry.cache.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def gc_json(ferry: Ferry, *argv: str) -> dict[str, Any]:
    """Return what it says to machines."""
    done = gc(ferry, "--json", *argv)
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    return found


def test_dry_run_shows_a_table_and_does_nothing(ferry: Ferry) -> None:
    """Each victim with its size, its age and why."""
    done = gc(ferry, "--max-age", "90d", "--dry-run")
    plan = gc_json(ferry, "--max-age", "90d", "--dry-run")

    assert done.returncode == 0
    header, first, *_ = done.stdout.splitlines()
    assert header.split() == ["pack", "of", "size", "not", "needed", "for", "why"]
    assert "100 days" in first
    assert "not needed for too long" in first
    assert "would remove 2 objects" in done.stdout
    assert "the room is free in 24 h 00 min, with the next gc" in done.stdout
    assert (plan["schema"], len(plan["victims"])) == ("wheelferry/gc-plan/1", 2)
    assert plan["victims"][0]["reason"] == "age"
    assert len(objects(ferry.store)) == 2


def test_gc_says_what_it_freed_and_what_rests_until_when(ferry: Ferry) -> None:
    """What is removed is not free yet; the next one after the grace says that it is."""
    first = gc(ferry, "--max-age", "90d")
    assert first.returncode == 0, first.stderr
    assert "freed 0 B of" in first.stdout
    assert "removed 2 objects" in first.stdout
    assert len(trash(ferry.store)) == 2

    second = gc(ferry, "--max-age", "90d")
    assert "in the trash: 2 objects" in second.stdout
    assert "h 59 min more" in second.stdout or "24 h" in second.stdout

    age_trash(ferry.store, 1)
    last = gc_json(ferry, "--max-age", "90d")
    assert (last["purged"], last["is_reached"]) == (2, True)
    assert trash(ferry.store) == []


def test_what_comes_back_and_goes_again_is_taken_off_once(ferry: Ferry) -> None:
    """A pack that a killed gc has left in the trash is no part of what was there."""
    (first, *_) = sorted(ferry.store.glob("objects/*/*"))
    first.rename(ferry.store / "trash" / f"{1:010}-{first.name}")
    planned = gc(ferry, "--max-age", "90d", "--dry-run")
    done = gc(ferry, "--max-age", "90d")

    assert "would bring back 1 object" in planned.stdout
    assert ": 0 B of " in planned.stdout
    assert "removed 2 objects" in done.stdout
    assert ": 0 B stay" in done.stdout


def test_without_a_budget_it_says_how_to_set_one(ferry: Ferry) -> None:
    """And removes nothing that is named."""
    done = gc(ferry)

    assert done.returncode == 0
    assert "there is no budget: set max_size" in done.stdout
    assert len(objects(ferry.store)) == 2


def test_a_budget_that_cannot_be_reached_is_told(ferry: Ferry) -> None:
    """By the exit code, and by what to do."""
    age(ferry.store, -100)
    done = gc(ferry, "--keep-free", "4000T")

    assert done.returncode == 3
    assert "BUDGET NOT REACHED" in done.stdout
    assert "look what else fills the share" in done.stdout
    assert len(objects(ferry.store)) == 2


@pytest.mark.parametrize("value", ["0", "521w", "-1", "1y"])
def test_an_age_that_is_none_is_wrong_usage(ferry: Ferry, value: str) -> None:
    """And nothing is done."""
    done = gc(ferry, f"--max-age={value}")

    assert done.returncode == 2
    assert "520w" in done.stderr


def test_a_store_that_is_away_is_an_error(ferry: Ferry) -> None:
    """A removal fails loudly."""
    (ferry.store / "wheelferry.json").unlink()

    assert gc(ferry).returncode == 21
