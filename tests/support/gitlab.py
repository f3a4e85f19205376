"""GitLab's CI on this machine: `gitlab-ci-local`, from npm, kept in the checkout.

It reads a `.gitlab-ci.yml` as GitLab does, and runs jobs in a shell executor.
`python -m tests.support.gitlab` fetches it.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

VERSION: Final = "4.61.1"
"""Runs on node 18, which Debian 12 has; the newest want 22."""

PLACE: Final = Path(__file__).parents[2] / ".gitlab-ci-local-npm"
PROGRAM: Final = PLACE / "node_modules" / ".bin" / "gitlab-ci-local"
TOOLS: Final = ("node", "npm", "git", "rsync")
"""What it takes: rsync and git are what it copies a checkout with."""

HOW_TO: Final = (
    "run: apt-get install -y nodejs npm git rsync; python -m tests.support.gitlab"
)


def find_missing() -> tuple[str, ...]:
    """Return the tools that are not there."""
    return tuple(tool for tool in TOOLS if not shutil.which(tool))


def load_or_skip() -> Path:
    """Return the program, or skip the test that wants it."""
    if missing := find_missing():
        pytest.skip(f"no gitlab-ci-local without {', '.join(missing)}; {HOW_TO}")
    if not PROGRAM.exists():
        pytest.skip(f"gitlab-ci-local is not here; {HOW_TO}")
    return PROGRAM


def main() -> int:
    """Fetch it, if npm is there; say nothing if it is here."""
    if PROGRAM.exists():
        return 0
    if missing := find_missing():
        print(f"no gitlab-ci-local without {', '.join(missing)}")
        return 1
    print(f"fetching gitlab-ci-local {VERSION}", flush=True)
    argv = [
        "npm",
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(PLACE),
    ]
    done = subprocess.run([*argv, f"gitlab-ci-local@{VERSION}"], check=False)
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
