"""Make git repositories that are the same on every machine."""

import os
import subprocess
from pathlib import Path

from tests.support.packages import write_tree

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Sample",
    "GIT_AUTHOR_EMAIL": "sample@example.invalid",
    "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "Sample",
    "GIT_COMMITTER_EMAIL": "sample@example.invalid",
    "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def make_repository(path: Path, tree: dict[str, bytes], *, tag: str = "v1.0") -> str:
    """Make a bare repository with one tagged commit, and return the commit.

    Ready to be served over plain HTTP by `Index.mount`.
    """
    work = path.with_name(f"{path.name}.work")
    write_tree(work, tree)
    _git(work, "init", "--quiet", "--initial-branch=main")
    _git(work, "add", "--all", "--force")
    _git(work, "commit", "--quiet", "--message=One")
    _git(work, "tag", tag)
    _git(work.parent, "clone", "--quiet", "--bare", work.name, path.name)
    _git(path, "update-server-info")
    return _git(path, "rev-parse", "HEAD")


def _git(cwd: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", *args],
        cwd=cwd,
        env={**os.environ, **_IDENTITY},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()
