"""`pull --project` and its like: a lock that cannot be used harms no job."""

import json
from pathlib import Path

import pytest

from tests.fs.test_cli_deadline import Machine, machine

__all__ = ["machine"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with requirements; the store has one of them, from some index."""
    folder = tmp_path / "checkout"
    (folder / ".git").mkdir(parents=True)
    (folder / "uv.lock").write_text("version = 9")
    (folder / "requirements.txt").write_text("pure-wheel==1.0\ngone==2.0\n")
    return folder


def test_plan_is_told_by_package(machine: Machine, project: Path) -> None:
    """Each with what is done about it, and the sum as ever."""
    done = machine.run(
        "pull", "--python=3.12", "-r", f"{project}/requirements.txt", "--dry-run"
    )
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[0] == "package version what"
    assert "gone 2.0 not in store" in lines
    assert any(line.startswith("pure-wheel 1.0 to fetch, ") for line in lines)
    assert lines[-1].startswith("would pull 1 entry, ")


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--exclude=pure-*"], "its name matches an exclude pattern"),
        (["--max-bytes=1"], "beyond pull.max_bytes: "),
    ],
)
def test_package_that_a_rule_leaves_is_for_this_machine(
    machine: Machine, project: Path, flags: list[str], why: str
) -> None:
    """It could use it; what keeps it in the store is the administrator's to change."""
    requirements = f"{project}/requirements.txt"
    done = machine.run("pull", "--python=3.12", "-r", requirements, *flags, "--dry-run")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    told = f"pure-wheel 1.0 left in the store: {why}"
    assert [line for line in lines if line.startswith(told)]


def test_pythons_that_need_nothing_are_not_named(
    machine: Machine, project: Path
) -> None:
    """Or each package would be told to be for the others, where there is one too many."""
    text = (
        "pure-wheel==1.0; python_version < '3.13'\ngone==2.0; python_version < '3.12'"
    )
    (project / "requirements.txt").write_text(text)
    pythons = [f"--python={version}" for version in ("3.11", "3.12", "3.13")]
    done = machine.run(
        "pull", *pythons, "-r", f"{project}/requirements.txt", "--dry-run"
    )
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "gone 2.0 not in store (for CPython 3.11.0)" in lines
    assert not [line for line in lines if "pure-wheel" in line and "CPython" in line]
    assert "for CPython 3.11.0, CPython 3.12.0" in lines


def test_summary_stays_one_line(machine: Machine, project: Path) -> None:
    """With the number of packages that a job will have to get elsewhere."""
    done = machine.run(
        "pull", "--strict", "--python=3.12", "-r", f"{project}/requirements.txt"
    )
    assert (done.code, len(machine.restored)) == (0, 1)
    (line,) = (done.out + done.err).splitlines()
    assert line.startswith("pulled 1 of 1 entry, ")
    assert line.endswith("; 1 package is not in the store")


def test_pull_without_any_python_says_so(machine: Machine, project: Path) -> None:
    """Markers and tags cannot be judged then; a version can be named."""
    done = machine.run("pull", "-r", f"{project}/requirements.txt")
    assert (done.code, len(machine.restored)) == (0, 0)
    assert "set python.versions (--python), or python.paths" in done.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--project", "{}"], "uv.lock cannot be used: it has version 9"),
        (["--lock", "{}/gone.lock"], "cannot read"),
        (["-r", "{}/gone.txt"], "cannot read"),
        (["--project", "{}/gone"], "is no directory"),
        (["--lock", "{}"], "for the directory of a project there is --project"),
    ],
)
def test_broken_lock_is_one_warning(
    machine: Machine, project: Path, args: list[str], words: str
) -> None:
    """Nothing is pulled then, and the job goes on; `--strict` tells it by the code."""
    argv = [arg.format(project) for arg in args]
    done = machine.run("pull", *argv)
    assert (done.code, done.out, len(machine.restored)) == (0, "", 0)
    (line,) = done.err.splitlines()
    assert "the job can go on" in line
    assert words in line
    assert machine.run("pull", *argv, "--strict").code == 60


def test_project_without_a_lock_needs_nothing(machine: Machine, project: Path) -> None:
    """Jobs without Python have the same hook: no warning, and nothing is pulled."""
    (project / "uv.lock").unlink()
    done = machine.run("pull", "--strict", "--project", str(project))
    assert (done.code, done.err, len(machine.restored)) == (0, "", 0)
    (line,) = done.out.splitlines()
    assert line.startswith(
        f"nothing to pull: {project} has no lock: looked for uv.lock"
    )


@pytest.mark.parametrize(
    "args",
    [
        ["--extra", "x"],
        ["-c", "constraints.txt"],
        ["--project", ".", "--extra", "x", "--no-extras"],
        ["--project", ".", "--group", "x", "--no-groups"],
        ["--python", "/builds/.venv/bin/python"],
    ],
)
def test_flags_that_make_no_sense_are_wrong_usage(
    machine: Machine, args: list[str]
) -> None:
    """In every run, so that whoever writes the hook sees it in the first."""
    assert machine.run("pull", *args).code == 2


def test_status_counts_what_a_pull_would_bring(machine: Machine) -> None:
    """The store has a wheel for CPython 3.11 and a pure one."""
    machine.cache.mkdir()
    for python, number in (("3.11", 2), ("3.10", 1)):
        done = machine.run("status", f"--python={python}", "--json")
        formats = json.loads(done.out)["formats"]
        assert sum(item["to_pull"] for item in formats) == number
