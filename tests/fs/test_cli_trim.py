"""`wheelferry trim` as a process: what cron, a hook and the daemon see of it."""

import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cachetree import few, make_cache
from tests.support.restoring import snapshot
from tests.support.trimming import archives, size_of, state_of
from wheelferry.cli.commands.daemon import _settle_tasks
from wheelferry.cli.commands.trim import run_trim
from wheelferry.cli.output import Form
from wheelferry.cli.session import Process, Session
from wheelferry.config.load import Loaded, load_config
from wheelferry.config.model import Config
from wheelferry.daemon.schedule import Task
from wheelferry.disk import try_lock

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with a downloaded wheel and a built one."""
    return make_cache(tmp_path / "cache", few())


@pytest.fixture
def run(tmp_path: Path, cache: Path) -> Run:
    """Run the program, without any store."""

    def run(*argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "wheelferry", "trim", "--cache", str(cache), *argv],
            env={**os.environ, "HOME": str(tmp_path), **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def configure(cache: Path, **environ: str) -> Config:
    """Return the configuration of a runner with that cache."""
    environ = {"HOME": str(cache.parent), "UV_CACHE_DIR": str(cache), **environ}
    return load_config(environ, {}, system_file="/nonexistent").config


def run_job(cache: Path) -> tuple[int, dict[str, object]]:
    """Trim as the daemon does; return the exit code and the summary."""
    config = configure(cache, WHEELFERRY_TRIM_MAX_SIZE="1K")
    done = subprocess.run(
        [sys.executable, "-m", "wheelferry.cli.job", "trim"],
        input=pickle.dumps(config),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (summary,) = (line for line in lines if line["type"] == "summary")
    return done.returncode, summary


def test_plan_is_a_table_and_changes_nothing(run: Run, cache: Path) -> None:
    """Each entry with its size and last use, what is left to uv, and the sum."""
    pages = cache / "simple-v28/numpy.rkyv"
    pages.parent.mkdir()
    pages.write_bytes(b"x" * 50_000)
    before = snapshot(cache.parent)

    done = run("--max-size", "1K", "--dry-run")

    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert lines[0] == "entry size last use in the store"
    assert {line.split()[0] for line in lines[1:3]} == {"pure-wheel", "built"}
    assert all(line.endswith(" no") for line in lines[1:3])
    assert any(
        line.startswith("left to uv: ") and "simple-v28" in line for line in lines
    )
    assert lines[-1].startswith("would remove 2 entries, ")
    assert snapshot(cache.parent) == before


def test_trim_says_what_it_did_in_one_line(run: Run, cache: Path) -> None:
    """What is gone, and how large the cache is now; a second one has nothing to do."""
    budget = size_of(cache) - 1
    done = run("--strict", WHEELFERRY_TRIM_MAX_SIZE=str(budget))
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith("removed 1 entry, ")
    assert "; the cache has " in line
    assert len(archives(cache)) == 1

    again = run("--strict", "--max-size", str(budget))
    assert again.returncode == 0
    assert again.stdout.startswith("nothing to trim: the cache has ")
    assert not (state_of(cache) / "view.sqlite").exists(), "no store is known"


def test_cache_that_stays_too_large_is_told_by_the_exit_code(run: Run) -> None:
    """Only with `--strict`: there is nothing that a job could do about it."""
    assert run("--max-size", "1").returncode == 0
    done = run("--max-size", "1", "--strict")
    assert done.returncode == 3
    assert "none of it wheels; `uv cache prune`" in done.stdout


def test_job_goes_on_where_nothing_can_be_trimmed(
    run: Run, cache: Path, tmp_path: Path
) -> None:
    """Without a size, without a cache, or beside uv: one warning, or a code."""
    absent = ("--max-size", "1K", "--cache", str(tmp_path / "absent"))
    lock = try_lock(cache / ".lock", shared=True)
    assert lock is not None
    with lock:
        for argv, code, said in (
            ((), 2, "set max_size under [trim]"),
            (absent, 11, "there is no uv cache in"),
            (("--max-size", "1K"), 13, "is in use: uv, or a pull, holds its lock"),
        ):
            done = run(*argv)
            assert (done.returncode, done.stdout) == (0, "")
            assert done.stderr.startswith("warning: trim gave up, the job can go on: ")
            assert said in done.stderr
            assert run(*argv, "--strict").returncode == code
    assert len(archives(cache)) == 2


def test_daemon_spares_what_was_just_used(cache: Path) -> None:
    """A job may be about to need it; the summary says how many entries there are."""
    code, summary = run_job(cache)

    assert code == 3  # still too large, which is no failure of the run
    assert (summary["spared"], summary["removed"], summary["unsettled"]) == (2, 0, 0)
    assert "all in use a moment ago" in str(summary["text"])
    assert len(archives(cache)) == 2


def test_daemon_takes_a_cache_in_use_for_unsettled(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at again soon, and no failure."""
    monkeypatch.setattr("wheelferry.cli.commands.trim.SPARE_S", 0.0)
    monkeypatch.setattr("wheelferry.ops.trim.LOCK_WAIT_S", 0.1)
    config = configure(cache, WHEELFERRY_TRIM_MAX_SIZE="1K")
    stdout, stderr = io.StringIO(), io.StringIO()
    process = Process(environ={}, system_file="", stdout=stdout, stderr=stderr)
    session = Session(
        output=process.open_output("trim", form=Form.LINES, verbosity=0),
        loaded=Loaded(config, (), ()),
        is_strict=True,
        process=process,
    )
    lock = try_lock(cache / ".lock", shared=True)
    assert lock is not None

    with lock:
        code = run_trim(session, is_background=True)

    summary = json.loads(stdout.getvalue())
    assert (code, summary["unsettled"], summary["stopped_by"]) == (0, 1, "cache-locked")
    assert (summary["removed"], stderr.getvalue()) == (0, "")


def test_daemon_trims_if_there_is_a_budget(cache: Path) -> None:
    """Whatever else it is told to do."""
    both = {Task.PROMOTE, Task.PULL}
    assert _settle_tasks(configure(cache)) == both
    budget = {"WHEELFERRY_TRIM_MAX_SIZE": "20G"}
    assert _settle_tasks(configure(cache, **budget)) == {*both, Task.TRIM}
    pull = configure(cache, WHEELFERRY_DAEMON_TASKS="pull", **budget)
    assert _settle_tasks(pull) == {Task.PULL, Task.TRIM}
