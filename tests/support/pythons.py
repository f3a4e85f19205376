"""The Python interpreters on this machine.

Standard library only.  `python -m tests.support.pythons` lists what there is besides the
interpreter that runs it, and fails if that is nothing.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HOW_TO = (
    "install another Python with headers, such as: apt-get install -y pypy3 pypy3-dev"
)

_PLACES = (
    "/usr/bin",
    "/usr/local/bin",
    "/opt/*/bin",
    f"{Path.home()}/.pyenv/versions/*/bin",
    f"{Path.home()}/.local/share/uv/python/*/bin",
)
_NAMES = ("python3.[0-9]*", "pypy3", "pypy3.[0-9]*")

_PROBE = """
import json, os, sys, sysconfig
include = sysconfig.get_path("include")
print(json.dumps([
    sys.implementation.name, list(sys.version_info[:2]),
    os.path.exists(os.path.join(include, "Python.h")), os.path.realpath(sys.executable),
]))
"""


@dataclass(frozen=True, slots=True, order=True)
class Python:
    """One interpreter."""

    implementation: str
    release: tuple[int, int]
    executable: Path
    has_headers: bool

    def __str__(self) -> str:
        return f"{self.implementation} {self.release[0]}.{self.release[1]}"


@cache
def this_python() -> Python:
    """Return the interpreter that runs the tests, outside its virtual environment."""
    executable = getattr(sys, "_base_executable", None) or sys.executable
    python = _probe(Path(executable))
    assert python is not None, f"{executable} cannot say what it is"
    return python


@cache
def other_pythons() -> tuple[Python, ...]:
    """Return one interpreter with headers per other version: nearest CPython first."""
    mine = this_python()
    found: dict[tuple[str, tuple[int, int]], Python] = {}
    for candidate in _candidates():
        python = _probe(candidate)
        if python is not None and python.has_headers and python.release >= (3, 8):
            found.setdefault((python.implementation, python.release), python)
    found.pop((mine.implementation, mine.release), None)
    return tuple(
        sorted(
            found.values(),
            key=lambda python: (
                python.implementation != "cpython",
                abs(python.release[1] - mine.release[1]),
                python,
            ),
        )
    )


def _candidates() -> list[Path]:
    places = [Path(part) for part in os.environ.get("PATH", "").split(":") if part]
    for pattern in _PLACES:
        places += Path("/").glob(pattern.lstrip("/"))
    candidates: dict[Path, None] = {}
    for place in places:
        if place.name == "shims":  # scripts that choose; what they choose is elsewhere
            continue
        for name in _NAMES:
            for path in sorted(place.glob(name)):
                if shutil.which(path) and "config" not in path.name:
                    candidates[path.resolve()] = None
    return list(candidates)


def _probe(executable: Path) -> Python | None:
    try:
        done = subprocess.run(
            [executable, "-I", "-c", _PROBE],
            capture_output=True,
            timeout=20,
            check=True,
            text=True,
        )
        name, release, has_headers, real = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None  # such as a shim for a version that is not selected
    return Python(name, (release[0], release[1]), Path(real), has_headers)


def main() -> int:
    """List the other interpreters."""
    for python in other_pythons():
        print(f"{python}  {python.executable}")
    if not other_pythons():
        print(f"no other Python; {HOW_TO}")
    return 0 if other_pythons() else 1


if __name__ == "__main__":
    raise SystemExit(main())
