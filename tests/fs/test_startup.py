"""What a run loads: `pull` is paid for before every job."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.cachetree import few, make_cache

NEEDED = (
    "click",
    "fcntl",
    "fnmatch",
    "mmap",
    "msgpack",
    "pathlib",
    "pwd",
    "select",
    "sqlite3",
    "zlib",
)
"""What a pull with nothing to do takes from elsewhere; these bring along their own."""

NEEDED_FOR_PROJECT = (*NEEDED, "packaging.markers", "tomllib")

NOT_FOR_PULL = (
    "daemon",
    "doctor",
    "hooks",
    "ops.past",
    "ops.promote",
    "ops.restoration",
    "pack",
    "project.inputs",
    "project.load",
    "project.need",
    "project.uvlock",
    "sample",
    "sealed",
    "store.isolated.parts",
    "store.isolated.stream",
    "store.segment",
    "store.upkeep",
    "store.usage_files",
    "systemd",
    "uvcache.indexkeys",
    "uvcache.restore",
    "uvcache.scan",
)
"""Of our own, what a pull with nothing to do has no use for, with all below it."""

MAX_OWN = 91
"""Modules of our own: each takes a pull 0.1 ms, and each class of values in it 0.2 ms."""

LOCK = """\
version = 1
requires-python = ">=3.11"

[[package]]
name = "pure-wheel"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://files.example/pure_wheel-1.0-py3-none-any.whl" }]

[[package]]
name = "app"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "pure-wheel", marker = "os_name == 'posix'" }]
"""

PROBE = """\
import os, sys
before = set(sys.modules)
from wheelferry.cli.app import run
code = run(sys.argv[1:], os.environ, system_file="/nonexistent")
sys.stdout.flush()
print(code, *sorted(set(sys.modules) - before))
"""


IMPORT = """\
import sys
before = set(sys.modules)
for name in sys.argv[1:]:
    __import__(name)
print(*sorted(set(sys.modules) - before))
"""


def load(argv: list[str], home: Path, **environ: str) -> set[str]:
    """Run a command line in a child process and return the modules that it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *argv],
        env={**os.environ, "HOME": str(home), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    code, *modules = done.stdout.splitlines()[-1].split()
    assert code == "0", done.stderr
    return set(modules)


def imports(names: Sequence[str]) -> set[str]:
    """Return what is loaded where only these modules are imported."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, *names],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())


def own(modules: set[str]) -> set[str]:
    """Return the names of our modules among these, without the package's."""
    start = "wheelferry."
    return {name.removeprefix(start) for name in modules if name.startswith(start)}


def foreign(modules: set[str]) -> set[str]:
    """Return the modules that are not ours."""
    return {name for name in modules if name.partition(".")[0] != "wheelferry"}


def test_switched_off_loads_next_to_nothing(tmp_path: Path) -> None:
    """WHEELFERRY_DISABLE is looked at before click, and before all of our own."""
    modules = load(["pull"], tmp_path, WHEELFERRY_DISABLE="1")
    assert "click" not in modules
    assert {name for name in modules if name.startswith("wheelferry")} == {
        "wheelferry",
        "wheelferry.cli",
        "wheelferry.cli.app",
        "wheelferry.cli.words",
        "wheelferry.config",
        "wheelferry.config.environment",
    }


def test_help_loads_no_command(tmp_path: Path) -> None:
    """Commands are listed without being imported."""
    modules = load(["--help"], tmp_path)
    rooms = {name.split(".")[1] for name in modules if name.startswith("wheelferry.")}
    assert not {n for n in modules if n.startswith("wheelferry.cli.commands.")}
    assert not rooms & {"ops", "uvcache", "pack", "sample"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a Python, a cache, and a store that has nothing more."""
    home = tmp_path_factory.mktemp("home")
    cache, programs = home / "cache", home / "bin"
    cache.mkdir()
    make_cache(cache, few())
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)
    (home / "uv.lock").write_text(LOCK)
    load(["init", str(home / "store")], home)
    assert "wheelferry.pack.writer" in load_pull(home, verb="promote")
    load_pull(home)  # asks the Python what it is, once
    return home


def load_pull(home: Path, *flags: str, verb: str = "pull") -> set[str]:
    """Return the modules that a pull loads, which has nothing to do."""
    tiers = ("--store", str(home / "store"), "--cache", str(home / "cache"))
    return load([verb, "--strict", *tiers, *flags], home, PATH=str(home / "bin"))


def test_pull_with_nothing_to_do_takes_little_from_elsewhere(home: Path) -> None:
    """Nothing of Python or of a dependency but what is named here, and what that loads."""
    assert foreign(load_pull(home)) - imports(NEEDED) == set()


def test_pull_with_nothing_to_do_loads_only_what_it_needs(home: Path) -> None:
    """It has not loaded what restores, what reads projects, or another command."""
    modules = own(load_pull(home))
    commands = {name for name in modules if name.startswith("cli.commands.")}
    assert commands == {"cli.commands.pull"}
    assert {
        name
        for name in modules
        for room in NOT_FOR_PULL
        if f"{name}.".startswith(f"{room}.")
    } == set()
    assert len(modules) <= MAX_OWN


def test_pull_for_a_project_loads_what_its_lock_takes(home: Path) -> None:
    """What reads other locks is not loaded, nor what it takes of others."""
    modules = load_pull(home, "--project", str(home))
    assert "project.uvlock" in own(modules)
    assert not own(modules) & {"project.pylock", "project.requirements", "project.tags"}
    assert foreign(modules) - imports(NEEDED_FOR_PROJECT) == set()


def test_toml_is_loaded_for_a_file_only(tmp_path: Path) -> None:
    """The TOML reader is not needed where there is no file."""
    file = tmp_path / "config.toml"
    file.write_text("")
    assert "tomllib" not in load(["config", "show"], tmp_path)
    assert "tomllib" in load(["config", "show", "--config", str(file)], tmp_path)


@pytest.mark.parametrize("flag", ["--json", None])
def test_json_is_loaded_on_request(tmp_path: Path, flag: str | None) -> None:
    """The JSON writer is not needed where people read."""
    argv = ["config", "show", *([flag] if flag else [])]
    assert ("json" in load(argv, tmp_path)) is (flag is not None)
