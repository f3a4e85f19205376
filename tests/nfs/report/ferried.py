"""The job of the report with Wheelferry around it, as a runner's hooks have it."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tests.nfs.fleet import FerryRunner
from tests.nfs.report.jobs import Command, Done, Index, Job, make_job
from tests.support.uvs import Uv


def ferry_job(index: Index, runner: FerryRunner, uv: Uv) -> Job:
    """Check the project out where this runner has its cache."""
    return make_job(index, runner.machine, uv, runner.home)


def around(runner: FerryRunner, job: Job, *args: str) -> Sequence[Command]:
    """Return the commands of a job: pull, `uv sync` with some arguments, promote."""
    settings = {**runner.environment, "WHEELFERRY_UV_VERSIONS": job.uv.version}
    assert job.cache == settings["UV_CACHE_DIR"]
    # Only for these: uv would hand PYTHONPATH on to builds.
    program = ["env", *(f"{name}={value}" for name, value in settings.items())]
    program += [sys.executable, "-m", "wheelferry"]
    options = ("--strict", "--json")
    return (
        [*program, "pull", "--deadline=5m", *options],  # one CPU may be busy
        job.sync(*args),
        [*program, "promote", *options],
    )


def summaries(done: Done) -> list[Mapping[str, Any]]:
    """Return what the pull and the promotion said at their ends."""
    lines = map(json.loads, done.ran.stdout.splitlines())
    return [line for line in lines if line["type"] == "summary"]
