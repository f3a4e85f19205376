"""`wheelferry stats --textfile`: the figures of a runner that has no daemon."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import promtool
from tests.support.cachetree import few, make_cache
from tests.support.scrapes import read_samples
from tests.support.tiers import Ferry, make_store
from wheelferry.disk import Disk, clock
from wheelferry.ops.ledger import Run, note_run


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """Return a runner that has promoted two entries, and pulled some."""
    cache = make_cache(tmp_path / "cache", few())
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))
    ferry.promote()
    for days, pulled in ((0, 5), (1000, 70)):
        now_s = clock.now_s() - days * 24 * 3600
        note_run(ferry.state, Run(0.0), {"pulled": pulled}, now_s=now_s, disk=Disk())
    return ferry


def write(ferry: Ferry, path: Path, *argv: str) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    places = ("--store", ferry.store, "--cache", ferry.cache, "--runner", "r1")
    command = ("stats", *map(str, places), "--textfile", str(path), *argv)
    return subprocess.run(
        [sys.executable, "-m", "wheelferry", *command],
        env={
            **os.environ,
            "HOME": str(ferry.cache.parent),
            "WHEELFERRY_GC_MAX_SIZE": "2G",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_file_has_what_the_runner_knows(ferry: Ferry) -> None:
    """Of the store and of itself, this year; while the share is away too."""
    path = ferry.cache.parent / "text" / "wf.prom"
    path.parent.mkdir()
    ferry.store.rename(ferry.store.with_name("away"))

    done = write(ferry, path)

    assert done.returncode == 0, done.stderr
    found = read_samples(path.read_text(), runner="r1")
    assert found["wheelferry_store_packs"] == 2
    assert found["wheelferry_store_max_bytes"] == 2 << 30
    assert found["wheelferry_pulled_entries_total"] == 5
    assert not [name for name in found if "daemon" in name or "task" in name]
    assert [file.name for file in path.parent.iterdir()] == ["wf.prom"]
    checked = promtool.run_or_skip("check", "metrics", stdin=path.read_text())
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_name_that_the_collector_does_not_read_is_wrong_usage(ferry: Ferry) -> None:
    """It would be ignored without a word."""
    done = write(ferry, ferry.cache.parent / "wf.txt")

    assert done.returncode == 2
    assert "must end in .prom" in done.stderr


def test_machines_are_told_where_it_is(ferry: Ferry) -> None:
    """With its size."""
    path = ferry.cache.parent / "wf.prom"
    found = json.loads(write(ferry, path, "--json").stdout)
    assert (found["textfile"], found["size_bytes"]) == (str(path), path.stat().st_size)
