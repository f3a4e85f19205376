"""What a run loads: `pull` is paid for before every job."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

NOT_FOR_PULL = {
    "argparse",
    "asyncio",
    "concurrent.futures",
    "difflib",
    "email",
    "http",
    "importlib.metadata",
    "logging",
    "multiprocessing",
    "pydoc",
    "rich",
    "shlex",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "tomllib",
    "traceback",
    "unittest",
    "urllib.request",
    "watchdog",
    "zipfile",
}
"""Modules that a pull with nothing to do has no use for."""

PROBE = """\
import os, sys
before = set(sys.modules)
from wheelferry.cli.app import run
code = run(sys.argv[1:], os.environ, system_file="/nonexistent")
sys.stdout.flush()
print(code, *sorted(set(sys.modules) - before))
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


def test_pull_with_nothing_to_do_loads_only_what_it_needs(tmp_path: Path) -> None:
    """A pull that finds nothing to do has not loaded what only others need."""
    store = tmp_path / "store"
    load(["init", str(store)], tmp_path)
    argv = ["pull", "--strict", "--store", str(store), "--cache", str(tmp_path / "c")]
    load(argv, tmp_path)  # asks each uv here for its version, once
    modules = load(argv, tmp_path)
    assert "wheelferry.ops.pull" in modules
    assert not modules & NOT_FOR_PULL
    others = {"promote", "verify", "status", "init", "demo", "config"}
    assert not modules & {f"wheelferry.cli.commands.{name}" for name in others}


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
