"""Prometheus' `promtool`, of Debian's package `prometheus`, kept in the checkout.

The package is fetched and that one program taken out of it, so that no service is
installed.  `python -m tests.support.promtool` does it.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import pytest

PLACE: Final = Path(__file__).parents[2] / ".promtool"
PROGRAM: Final = PLACE / "promtool"
MEMBER: Final = "./usr/bin/promtool"
TOOLS: Final = ("apt-get", "dpkg-deb", "tar")

HOW_TO: Final = "on Debian, run: python -m tests.support.promtool (20 MB)"


def find() -> str | None:
    """Return the program, if it is here or installed."""
    return str(PROGRAM) if PROGRAM.exists() else shutil.which("promtool")


def run_or_skip(*argv: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Run it, or skip the test that wants it."""
    program = find()
    if program is None:
        pytest.skip(f"promtool is not here; {HOW_TO}")
    return subprocess.run(
        [program, *argv],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def main() -> int:
    """Fetch it, if there is an apt; say nothing if it is here."""
    if find():
        return 0
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        print(f"no promtool without {', '.join(missing)}")
        return 1
    print("fetching promtool", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        fetched = subprocess.run(
            ["apt-get", "download", "-qq", "prometheus"], cwd=scratch, check=False
        )
        found = list(Path(scratch).glob("*.deb"))
        if fetched.returncode or not found:
            print("no promtool: apt has no package prometheus")
            return 1
        _unpack(found[0], Path(scratch))
        PLACE.mkdir(exist_ok=True)
        shutil.move(Path(scratch, MEMBER), PROGRAM)
    return 0


def _unpack(package: Path, target: Path) -> None:
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE
    ) as tar:
        subprocess.run(
            ["tar", "-x", "-C", target, MEMBER], stdin=tar.stdout, check=True
        )


if __name__ == "__main__":
    raise SystemExit(main())
