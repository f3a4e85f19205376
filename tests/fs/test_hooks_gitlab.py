"""A real `.gitlab-ci.yml`, run by gitlab-ci-local with its shell executor."""

import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import gitlab
from tests.support.cachetree import make_cache, plan
from tests.support.hooked import STATES, Hooked
from tests.support.soundness import catalog

SNIPPETS = ("gitlab-runner.toml", "gitlab-docker.toml", "gitlab-ci.yml")

Run = Callable[..., str]
UNCHECKED = "--json-schema-validation=false"
"""For files that another test has had checked: that takes a second."""


@pytest.fixture
def run() -> Run:
    """Run the job of a `.gitlab-ci.yml`; return its log, whatever became of it."""
    program = gitlab.load_or_skip()

    def run(machine: Hooked, text: str, *flags: str) -> str:
        project = machine.project
        (project / ".gitlab-ci.yml").write_text(text)
        for argv in (
            ["init", "-q", "-b", "main"],
            ["remote", "add", "origin", "git@gitlab.example:group/project.git"],
            ["add", "."],
            ["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x"],
        ):
            subprocess.run(["git", *argv], cwd=project, check=True)
        command = [str(program), "--force-shell-executor", *flags, "test"]
        return machine.run(command, cwd=project, UV_CACHE_DIR=str(machine.cache)).stdout

    return run


def snippets(machine: Hooked) -> dict[str, str]:
    """Return what `hooks install gitlab` says goes where."""
    done = machine.install("gitlab", "--json")
    assert done.returncode == 0, done.stdout
    text = "\n".join(json.loads(done.stdout)["next"])
    parts = [part.partition(":\n")[2] for part in text.split("# For ")[1:]]
    return dict(zip(SNIPPETS, parts, strict=True))


JOB = """\
test:
  script:
    - echo "the job runs"
    - test -n "$CI_PROJECT_DIR"
"""


@pytest.mark.parametrize("state", STATES)
def test_gitlab_job_goes_on(tmp_path: Path, run: Run, state: str) -> None:
    """With the snippet for `.gitlab-ci.yml`, as it is shown."""
    machine = Hooked(tmp_path, state)
    text = snippets(machine)["gitlab-ci.yml"]
    for name in ("pre-job", "post-job"):
        machine.script(name)
    make_cache(machine.cache, [plan("new")], first=10)  # as if the job had made it

    log = run(machine, f"{text}\n{JOB}", *([UNCHECKED] if state != "healthy" else []))

    assert "the job runs" in log
    assert "PASS" in log
    assert "FAIL" not in log
    lines = [line for line in log.splitlines() if "wheelferry: " in line]
    assert len(lines) >= 2, log
    if state == "healthy":
        assert "wheelferry: pulled 2 of 2 entries" in lines[0]
        assert "wheelferry: promoted 1 of 1 entry" in lines[1]
        assert len(catalog(machine.store)) == 3


def test_gitlab_runner_command_does_what_it_says(tmp_path: Path, run: Run) -> None:
    """The commands for config.toml, where GitLab Runner runs them: around the script.

    It runs `post_get_sources_script` when the sources are there, and
    `post_build_script` after the script, in the shell of both.
    """
    machine = Hooked(tmp_path)
    found = tomllib.loads(snippets(machine)["gitlab-runner.toml"])["runners"][0]
    for name in ("pre-job", "post-job"):
        machine.script(name)
    pre, post = found["post_get_sources_script"], found["post_build_script"]

    log = run(
        machine,
        f"test:\n  before_script:\n    - {pre}\n  script:\n    - echo in\n    - {post}\n",
        UNCHECKED,
    )

    said = [line for line in log.splitlines() if "> " in line]
    assert "wheelferry: pulled 2 of 2 entries" in said[0]
    assert said[1].endswith("> in")
    assert "wheelferry: nothing to promote: 2 entries are in" in said[2]
    assert "PASS" in log


def test_gitlab_job_goes_on_without_the_scripts(tmp_path: Path, run: Run) -> None:
    """The directory of the scripts is not mounted, say: the shell says so, and goes on."""
    machine = Hooked(tmp_path)
    text = snippets(machine)["gitlab-ci.yml"]
    machine.scripts.rename(tmp_path / "elsewhere")

    log = run(machine, f"{text}\n{JOB}", UNCHECKED)

    assert "pre-job.sh: No such file" in log
    assert ("the job runs" in log, "PASS" in log) == (True, True)
