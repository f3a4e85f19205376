"""`wheelferry report` as a process: the page of a real store, and what becomes of a file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cachetree import few, make_cache
from tests.support.records import make_record
from tests.support.removing import age
from tests.support.reports import Page
from tests.support.tiers import Ferry, make_store
from wheelferry.disk import Disk, clock
from wheelferry.ops.handover import hand_over
from wheelferry.ops.ledger import Run, note_run
from wheelferry.store.segment import encode_segment


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """Return a runner whose store has two packs, of 100 days ago."""
    cache = make_cache(tmp_path / "cache", few())
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))
    ferry.promote()
    age(ferry.store, 100)
    return ferry


def report(ferry: Ferry, *argv: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the command, in the folder that has the cache."""
    places = ("--store", ferry.store, "--cache", ferry.cache, "--runner", "r1")
    return subprocess.run(
        [sys.executable, "-m", "wheelferry", "report", *map(str, (*places, *argv))],
        env={**os.environ, "HOME": str(ferry.cache.parent)},
        cwd=ferry.cache.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def page_of(ferry: Ferry, *argv: str) -> Page:
    """Return the page that it writes."""
    target = ferry.cache.parent / "page.html"
    done = report(ferry, "--output", target, *argv)
    assert done.returncode == 0, done.stderr
    return Page(target.read_text())


def listing(root: Path) -> list[tuple[str, int]]:
    """Return all names below a directory, with the times of files."""
    return sorted(
        (str(path.relative_to(root)), path.stat().st_mtime_ns * path.is_file())
        for path in root.rglob("*")
    )


def did(ferry: Ferry, runner: str, **sums: float) -> None:
    """Have a run noted that did so much, of another runner too."""
    other = Ferry(
        cache=ferry.cache.parent / runner / "cache", store=ferry.store, runner=runner
    )
    state = ferry.state if runner == ferry.runner else other.state
    state.mkdir(parents=True, exist_ok=True)
    note_run(state, Run(0.0), sums, now_s=clock.now_s(), disk=Disk())
    if runner != ferry.runner:
        with other.open() as tiers:
            hand_over(tiers, ())


def test_page_shows_what_the_store_has_and_would_give_up(ferry: Ferry) -> None:
    """Packages with sizes and ages, and the victims of the budget that is given."""
    found = page_of(ferry, "--max-age", "90d")

    assert "2 entries of 2 packages, in 2 packs" in found.words
    assert "100 days ago" in found.words
    assert "90 to 365 days ago" in found.words
    assert "2 objects of" in found.words
    assert "not needed for too long" in found.words
    assert "No runner has told the store yet" in found.words


def test_savings_are_those_of_all_runners(ferry: Ferry) -> None:
    """What others have said in the store, and what this one has not said there yet."""
    did(ferry, "r1", pulls=1, avoided_bytes=5 << 20, builds=1, build_s=70.0)
    did(ferry, "r2", pulls=2, avoided_bytes=3 << 20, untimed=1, builds=1)

    found = page_of(ferry)

    assert "by what 2 runners said" in found.words
    assert "8.0 MiB less came from an index" in found.words
    assert "Build time avoided 1 min 10 s where they were seen" in found.words
    assert found.values("role").count("img") == 2


def test_hostile_names_of_a_store_are_text(ferry: Ferry) -> None:
    """Whoever may write to the store, may not write the page."""
    name = "<script>alert(1)</script>"
    record = make_record(name, shard="pypi/x")
    data = encode_segment([record], runner="r1", created_s=1)
    path = ferry.store / "objects" / record.pack[:2] / record.pack
    path.write_bytes(b"pack")
    with ferry.open() as tiers:
        tiers.store.commit_segment(data)

    plain = page_of(ferry).tags["script"]
    found = page_of(ferry)

    assert plain == found.tags["script"] == 0
    assert found.text.count(name) >= 2, "among the packages, and those that go next"


def test_nothing_is_changed_but_the_file(ferry: Ferry) -> None:
    """Neither the store nor the cache, and no state directory is made."""
    before = listing(ferry.store), listing(ferry.cache)
    bare = Ferry(cache=ferry.cache.parent / "none", store=ferry.store)

    done = report(bare)

    assert done.returncode == 0, done.stderr
    assert not bare.state.exists()
    assert (listing(ferry.store), listing(ferry.cache)) == before
    assert (ferry.cache.parent / "wheelferry-report.html").is_file()


def test_file_is_replaced_as_a_whole(ferry: Ferry) -> None:
    """Whoever reads it reads the old page on; a link to it stays, and leads to the new."""
    folder = ferry.cache.parent / "www"
    folder.mkdir()
    target, link = folder / "page.html", folder / "link.html"
    target.write_text("old")
    link.symlink_to(target)

    with target.open() as old:
        done = report(ferry, "--output", link)
        assert done.returncode == 0, done.stderr
        assert old.read() == "old"

    assert link.is_symlink()
    assert target.read_text().startswith("<!doctype html>")
    assert target.stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in folder.iterdir()) == ["link.html", "page.html"]


@pytest.mark.parametrize("name", ["gone/page.html", "store", "pipe"])
def test_place_that_cannot_be_written_is_an_error(ferry: Ferry, name: str) -> None:
    """A directory that is missing, and what is no file: least of all a device goes."""
    root = ferry.cache.parent
    os.mkfifo(root / "pipe")

    done = report(ferry, "--output", root / name)

    assert done.returncode == 74
    assert "hint: give" in done.stderr
    assert (root / "store").is_dir()
    assert (root / "pipe").is_fifo()


def test_machines_are_told_where_the_page_is(ferry: Ferry) -> None:
    """With its size."""
    done = report(ferry, "--json", "--output", "page.html")

    found = json.loads(done.stdout)
    target = ferry.cache.parent / "page.html"
    assert found["schema"] == "wheelferry/report/1"
    assert (found["page"], found["size_bytes"]) == (str(target), target.stat().st_size)


def test_store_that_is_away_leaves_the_page_before(ferry: Ferry) -> None:
    """It fails loudly; an old page is better than none."""
    target = ferry.cache.parent / "page.html"
    target.write_text("old")
    (ferry.store / "wheelferry.json").unlink()

    done = report(ferry, "--output", target)

    assert done.returncode == 21
    assert target.read_text() == "old"
