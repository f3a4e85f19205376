"""`python -m benchmarks.fleet`: what is kept of a run that has not ended."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.fleet import __main__ as fleet
from benchmarks.fleet.course import Course
from benchmarks.fleet.inputs import Inputs, Lock
from benchmarks.fleet.sample import Sample, load_run
from tests.support.jobs import make_run


def test_each_job_is_written_as_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the run, nothing before that is lost, and reports can be made of it."""
    path = tmp_path / "run.json"
    jobs = make_run()[:3]
    kept: list[int] = []

    def run(_course: Course, _rounds: int) -> Iterator[Sample]:
        for job in jobs:
            yield job
            kept.append(len(load_run(path).samples))

    _start(monkeypatch, tmp_path, run, f"--json={path}")

    assert kept == [1, 2, 3]
    assert load_run(path).samples == jobs
    assert not list(tmp_path.glob(".*.tmp"))


def test_interrupted_run_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is complete is told and kept, and the exit code is that of Ctrl-C."""
    path = tmp_path / "run.json"
    job = make_run()[0]

    def run(_course: Course, _rounds: int) -> Iterator[Sample]:
        yield job
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        _start(monkeypatch, tmp_path, run, f"--json={path}")

    assert ended.value.code == 130
    assert job.way in capsys.readouterr().out
    assert load_run(path).samples == [job]


def _start(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    run: Callable[[Course, int], Iterator[Sample]],
    *words: str,
) -> None:
    (folder / "files").mkdir()
    inputs = Inputs(
        files=folder / "files", projects={}, packages={Lock.BASE: 3}, sdists=1
    )
    monkeypatch.setattr(fleet, "load_real", lambda _folder: inputs)
    monkeypatch.setattr(fleet, "installed_uv", lambda: "of no interest")
    monkeypatch.setattr(Course, "run", run)
    monkeypatch.setattr("sys.argv", ["fleet", f"--folder={folder}", *words])
    fleet.PART.main()
