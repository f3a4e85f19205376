"""`wheelferry stats` as a process, and what pulls and promotions note for it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cachetree import few, make_cache
from tests.support.tiers import Ferry, make_store
from wheelferry.disk import Disk, clock
from wheelferry.ops.figures_file import FILE
from wheelferry.ops.ledger import LOG, Run, note_run


class Home:
    """A home with a store and two runners, of which one promotes and one pulls."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = make_store(path / "store")
        self.cache = make_cache(path / "a", few())

    def run(
        self, verb: str, runner: str, *argv: str, store: Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        places = ("--store", store or self.store, "--cache", self.path / runner)
        return subprocess.run(
            [
                *(sys.executable, "-m", "wheelferry", verb),
                *map(str, places),
                *("--runner", runner, *argv),
            ],
            env={**os.environ, "HOME": str(self.path), "PATH": str(self.path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def stats(self, runner: str, *argv: str) -> dict[str, Any]:
        done = self.run("stats", runner, "--json", *argv)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def note(self, runner: str, *, days_ago: int = 0, **sums: float) -> None:
        """Have a run in a runner's figures."""
        now_s = clock.now_s() - days_ago * 24 * 3600
        note_run(self.state(runner), Run(0.0), sums, now_s=now_s, disk=Disk())

    def state(self, runner: str) -> Path:
        return self.path / f"{runner}.wheelferry"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home where `a` has promoted 2 entries."""
    home = Home(tmp_path)
    Ferry(cache=home.cache, store=home.store, runner="a").promote()
    home.note("a", promoted=2)
    return home


def test_pulls_and_promotions_are_counted(tmp_path: Path) -> None:
    """Of a runner at once, of the fleet once it has said so."""
    home = Home(tmp_path)
    assert home.run("promote", "a", "--strict").returncode == 0
    assert home.run("pull", "b", "--strict").returncode == 0
    assert home.run("pull", "b", "--strict").returncode == 0
    a, b = home.stats("a", "--local"), home.stats("b")

    assert a["runner"]["promoted"] == 2
    assert a["runner"]["promoted_bytes"] > 0
    assert a["fleet"] is None
    own, fleet = b["runner"], b["fleet"]
    assert (own["pulls"], own["pulled"], own["builds"]) == (2, 2, 1)
    assert own["pulled_bytes"] == a["runner"]["promoted_bytes"]
    assert own["avoided_bytes"] == own["ahead_bytes"] > 0
    assert own["build_s"] is None
    assert 0 < own["waited_s"] < 60
    assert {package["name"] for package in own["largest"]} == {"pure-wheel", "built"}
    # Said with the first pull, and the next time in a day.
    assert (fleet["pulls"], fleet["pulled"]) == (1, 2)
    assert [runner["runner"] for runner in fleet["runners"]] == ["b"]


def test_runner_that_only_promotes_is_of_the_fleet(tmp_path: Path) -> None:
    """From its second day on; with the run that says so."""
    home = Home(tmp_path)
    home.state("a").mkdir()
    home.note("a", days_ago=1, failed=1)
    assert home.run("promote", "a", "--strict").returncode == 0
    fleet = home.stats("b")["fleet"]

    assert [runner["runner"] for runner in fleet["runners"]] == ["a"]
    assert (fleet["promoted"], fleet["failed"], fleet["pulls"]) == (2, 1, 0)
    assert fleet["promoted_bytes"] > 0


def test_people_see_both(home: Home) -> None:
    """What is unknown is said to be."""
    home.run("pull", "b")
    done = home.run("stats", "b")

    assert "this runner (b), " in done.stdout
    assert f"all runners (1), as they have said in {home.store}, " in done.stdout
    assert "1 avoided: how long they take is unknown" in done.stdout


def test_store_that_is_away_leaves_this_runner(home: Home) -> None:
    """Its figures are shown, and then the error."""
    away = home.path / "away"
    done = home.run("stats", "a", store=away)

    assert done.returncode == 21
    assert "2 entries, " in done.stdout
    assert "store-not-initialised" in done.stderr
    assert home.run("stats", "a", "--local", store=away).returncode == 0


def test_pull_that_fails_counts_with_what_it_cost(home: Home) -> None:
    """A job waited for it all the same; where there is a state directory already."""
    assert home.run("pull", "a", store=home.path / "away").returncode == 0
    assert home.run("pull", "new", store=home.path / "away").returncode == 0
    own = home.stats("a", "--local")["runner"]

    assert (own["pulls"], own["failed"]) == (1, 1)
    assert own["waited_s"] > 0
    assert not (home.state("new") / LOG).exists()


def test_dry_run_is_not_counted(home: Home) -> None:
    """It leaves no trace."""
    home.run("pull", "b", "--dry-run")

    assert home.stats("b", "--local")["runner"]["pulls"] == 0


def test_days_before_the_last_are_left_out(home: Home) -> None:
    """Today is one of them."""
    home.note("a", days_ago=2, pulled=100)

    two = home.stats("a", "--local", "--since", "2")
    assert (two["runner"]["pulled"], two["runner"]["promoted"]) == (0, 2)
    assert home.stats("a", "--local", "--since", "3")["runner"]["pulled"] == 100


def test_damaged_figures_break_no_pull(home: Home) -> None:
    """They are begun anew, with a warning."""
    home.state("b").mkdir()
    (home.state("b") / FILE).write_bytes(b"damaged")
    (home.state("b") / LOG).write_bytes(b"damaged")
    done = home.run("pull", "b", "--strict")

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: ") == 2
    assert "this runner's figures are begun anew" in done.stderr
    assert home.stats("b")["runner"]["pulled"] == 2


def test_figures_that_cannot_be_written_break_no_pull(home: Home) -> None:
    """A directory in the place of each file stands for a disk that refuses."""
    for name in (FILE, LOG, "usage.lock"):
        (home.state("b") / name).mkdir(parents=True)
    done = home.run("pull", "b", "--strict")

    assert done.returncode == 0, done.stderr
    assert "pulled 2 of 2 entries" in done.stdout
