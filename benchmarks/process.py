"""Run programs and see what they took; the environment that they run in."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_NOT_PASSED_ON = ("UV_", "WHEELFERRY_", "XDG_", "PYTHON")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one process took, and those that it waited for."""

    elapsed_s: float
    cpu_s: float
    peak_bytes: int


def make_environ(home: Path) -> dict[str, str]:
    """Return an environment like that of a job, with a home of its own.

    Without `PYTHON*`: where `PYTHONDONTWRITEBYTECODE` is set, every start would compile.
    The programs of this interpreter's environment come first in `PATH`.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_NOT_PASSED_ON)
    }
    bin_dir = os.path.dirname(sys.executable)  # noqa: PTH120 - not resolved
    path = f"{bin_dir}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return {**kept, "HOME": str(home), "PATH": path}


def find_wheelferry() -> str:
    """Return the console script that was installed beside this interpreter."""
    script = Path(sys.executable).with_name("wheelferry")
    if not script.exists():
        raise SystemExit(f"there is no {script}: install this checkout first")
    return str(script)


def is_installed(command: Sequence[str]) -> bool:
    """Return whether there is such a program."""
    return shutil.which(command[0]) is not None


def run(command: Sequence[str], environ: Mapping[str, str] | None = None) -> Usage:
    """Run a program to its end; what it prints is shown only if it fails.

    The peak is at least that of this process: the kernel counts what a process was
    before it became another program.
    """
    start_s = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    elapsed_s = time.perf_counter() - start_s
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed: {errors.decode(errors='replace')}")
    return Usage(
        elapsed_s=elapsed_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss * 1024,
    )
