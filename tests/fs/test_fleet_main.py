"""`python -m benchmarks.fleet`: what is kept of a run that has not ended."""

from collections.abc import Iterator
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

    (tmp_path / "files").mkdir()
    inputs = Inputs(
        files=tmp_path / "files", projects={}, packages={Lock.BASE: 3}, sdists=1
    )
    monkeypatch.setattr(fleet, "load_real", lambda _folder: inputs)
    monkeypatch.setattr(fleet, "installed_uv", lambda: "of no interest")
    monkeypatch.setattr(Course, "run", run)
    monkeypatch.setattr("sys.argv", ["fleet", f"--json={path}", f"--folder={tmp_path}"])

    fleet.PART.main()

    assert kept == [1, 2, 3]
    assert load_run(path).samples == jobs
    assert not list(tmp_path.glob(".*.tmp"))
