"""The files that say what a job needs: found, bounded, and never more than read."""

import os
import time
from pathlib import Path

import pytest

from wheelferry.disk import Disk
from wheelferry.errors import ProjectError, ProjectRefused
from wheelferry.project.builds import AS_NEEDED, Builds, read_builds
from wheelferry.project.files import load_toml, read_text
from wheelferry.project.find import NoLock, find_locks
from wheelferry.project.inputs import Inputs
from wheelferry.project.interpreter import Request
from wheelferry.project.load import find_requests, load_demand
from wheelferry.project.pythons import assume_python, find_pythons, read_pythons


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


@pytest.mark.parametrize(
    ("present", "found"),
    [
        (["uv.lock", "a/uv.lock", "a/pylock.toml"], ["a/uv.lock"]),
        (["uv.lock", "a/b/x"], ["uv.lock"]),
        (["uv.lock", "a/pylock.toml"], ["uv.lock"]),
        (["a/pylock.toml", "a/pylock.dev.toml"], ["a/pylock.toml"]),
        (
            ["a/pylock.dev.toml", "a/pylock.docs.toml", "a/x.py.lock"],
            ["a/pylock.dev.toml", "a/pylock.docs.toml"],
        ),
        (
            ["a/x.py.lock", "a/y.py.lock", "a/poetry.lock"],
            ["a/x.py.lock", "a/y.py.lock"],
        ),
    ],
)
def test_lock_is_found(tmp_path: Path, present: list[str], found: list[str]) -> None:
    """uv's own before others, and in a directory above, as of a workspace."""
    make(tmp_path, ".git/x", "a/x", *present)
    locks = find_locks(tmp_path / "a")
    assert [path.relative_to(tmp_path).as_posix() for path in locks] == found


def test_nothing_is_looked_for_above_a_repository(tmp_path: Path) -> None:
    """And what was looked for is said."""
    make(tmp_path, "uv.lock", "checkout/.git/x", "checkout/a/x")
    with pytest.raises(NoLock, match=r"looked for uv\.lock in .*pylock\.\*\.toml"):
        find_locks(tmp_path / "checkout/a")
    with pytest.raises(ProjectError, match="is no directory"):
        find_locks(tmp_path / "gone")


def test_nothing_is_read_outside_of_what_is_served(tmp_path: Path) -> None:
    """By links of a checkout that has no repository of its own, or above it."""
    make(tmp_path, "uv.lock", ".python-version", "builds/a/x", "builds/b/x")
    served = [tmp_path / "builds"]
    with pytest.raises(NoLock, match=r"/builds, and there for"):
        find_locks(tmp_path / "builds/a", served)
    assert find_requests([tmp_path / "builds/a"], served) == ()
    for name in ("uv.lock", ".python-version"):
        (tmp_path / "builds/b" / name).symlink_to(tmp_path / name)
    project = [tmp_path / "builds/b"]
    with pytest.raises(ProjectRefused, match=r"/b/uv\.lock' leads out of"):
        load_demand(Inputs(projects=project, within=served), [])
    with pytest.raises(ProjectRefused, match=r"/b/\.python-version' leads out of"):
        find_requests(project, served)


def test_settings_beside_the_lock_say_what_is_built(tmp_path: Path) -> None:
    """Those of `uv.toml` alone, if there is one; broken ones say nothing."""
    assert read_builds(tmp_path) == AS_NEEDED
    project, settings = tmp_path / "pyproject.toml", tmp_path / "uv.toml"
    project.write_text("[tool.uv]\nno-binary-package = ['a']")
    assert read_builds(tmp_path) == Builds(names=frozenset({"a"}))
    settings.write_text("no-binary = true")
    assert read_builds(tmp_path) == Builds(everything=True)
    settings.write_text("no-binary = 1")
    assert read_builds(tmp_path) == AS_NEEDED
    settings.write_text("[")
    assert read_builds(tmp_path) == AS_NEEDED


def test_hostile_files_are_refused(tmp_path: Path) -> None:
    """A pipe, a device, a directory, one that is too large, one that is no text."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "large").write_bytes(b"#" * 101)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("pipe", "zero", "large", "binary", "gone", "."):
        with pytest.raises(ProjectError):
            read_text(tmp_path / name, 100)
    with pytest.raises(ProjectError, match="is larger than 100 bytes"):
        read_text(tmp_path / "large", 100)


@pytest.mark.parametrize("text", ["a = ", "a = " + "[" * 100_000, "a = 1\na = 2"])
def test_broken_toml_is_told(tmp_path: Path, text: str) -> None:
    """However deep it nests."""
    (tmp_path / "uv.lock").write_text(text)
    with pytest.raises(ProjectError, match="is no valid TOML"):
        load_toml(tmp_path / "uv.lock")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("uv.lock", "version = 2", "only version 1 is known"),
        ("script.py.lock", "version = 1\npackage = 3", "package is no array"),
        (
            "pylock.toml",
            'lock-version = "9.0"\ncreated-by = "x"\npackages = []',
            "9.0",
        ),
        ("pylock.x.toml", "", "lock-version"),
    ],
)
def test_lock_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    """With the cause."""
    (tmp_path / name).write_text(text)
    with pytest.raises(ProjectError, match=f"{name} cannot be used: .*{message}"):
        load_demand(Inputs(locks=[tmp_path / name]), [])


def test_python_versions_are_read_and_paths_are_not(tmp_path: Path) -> None:
    """The nearest file, up to the repository; what a project names is never run."""
    make(tmp_path, ".git/x", "a/b/x")
    text = "# ours\n3.12\n/builds/.venv/bin/python\npypy3.10 # too\n"
    (tmp_path / ".python-version").write_text(text)
    found = find_requests([tmp_path / "a/b"])
    assert found == (Request("", (3, 12)), Request("pypy", (3, 10)))


def make_script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_pythons_of_projects_are_not_run(tmp_path: Path) -> None:
    """Nothing in a checkout, nor a link into it, nor what only looks like a Python."""
    project = tmp_path / "checkout"
    evil = make_script(project / ".venv/bin/python3", "exit 1")
    good = make_script(tmp_path / "bin/python3.12", "exit 1")
    for name in ("python", "python2", "python3-config", "python3.12-dbg", "pythonw3"):
        make_script(tmp_path / "bin" / name, "exit 1")
    (tmp_path / "bin/python3.11").symlink_to(evil)
    (tmp_path / "link").symlink_to(evil.parent)
    directories = [evil.parent, tmp_path / "link", tmp_path / "gone", good.parent]
    assert find_pythons(directories, [project]) == (good,)
    assert set(find_pythons(directories, [])) == {evil, good}


def test_pythons_say_what_they_are_once(tmp_path: Path) -> None:
    """One that fails is left out; the others are not started for the next pull."""
    bin_, log = tmp_path / "bin", tmp_path / "log"
    real = os.path.realpath("/proc/self/exe")
    make_script(bin_ / "python3", f'echo x >> {log}\nexec {real} "$@"')
    make_script(bin_ / "python3.9", "exit 1")

    def read() -> list[str]:
        pythons = read_pythons(
            find_pythons([bin_], []),
            memory=tmp_path / "state/pythons",
            disk=Disk(),
            now_s=time.time(),
        )
        return [str(python) for python in pythons]

    (mine,) = read()
    assert read() == [mine]
    assert log.read_text() == "x\n"


def test_tags_are_those_of_packaging(tmp_path: Path) -> None:
    """Of this interpreter, the same as it would say itself; so too where it is assumed."""
    import sys

    from packaging.tags import sys_tags

    real = tmp_path / "python3"
    real.symlink_to(getattr(sys, "_base_executable", sys.executable))
    (python,) = read_pythons(
        [real], memory=tmp_path / "memory", disk=Disk(), now_s=time.time()
    )
    mine = [str(tag) for tag in sys_tags()]
    assert sorted(python.ranks) == sorted(mine)
    first = next(iter(python.ranks))
    assert first.startswith(f"cp{sys.version_info[0]}{sys.version_info[1]}-")
    # As in uv's order, a wheel that names no C library comes after those that do.
    platforms = [
        t for t in python.ranks if t.startswith(first.rpartition("-")[0] + "-")
    ]
    assert platforms[-1].rpartition("-")[2].startswith("linux_")
    assumed = assume_python(Request("", sys.version_info[:2]))
    assert assumed is not None
    assert list(assumed.ranks) == list(python.ranks)
    assert assume_python(Request("pypy", (3, 10))) is None
    assert assume_python(Request("", (3,))) is None
