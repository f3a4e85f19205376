"""Find the lock of a project from its directory."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from wheelferry.errors import ProjectError

UV_LOCK: Final = "uv.lock"
PYLOCK: Final = "pylock.toml"
_MAX_ABOVE: Final = 32
_MAX_LOCKS: Final = 64


class NoLock(Exception):
    """A project has no lock.  No error: a runner has jobs without Python, too."""


def find_locks(directory: Path, within: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Return the locks of the project in a directory.

    The nearest `uv.lock`, also above it, since a workspace has one at its root; else
    `pylock.toml`; else all `pylock.*.toml`; else the locks of all scripts
    (`*.py.lock`).  Nothing is looked for above a repository, nor outside of `within`,
    if that names any directories.

    Raises:
        NoLock: There is none.
        ProjectError: There is no such directory.
    """
    if not directory.is_dir():
        raise ProjectError(
            f"{directory} is no directory",
            hint="--project takes the directory of the checkout",
        )
    above = list(_above(directory, within))
    for folder in above:
        if (lock := folder / UV_LOCK).is_file():
            return (lock,)
    for pattern in (PYLOCK, "pylock.*.toml", "*.py.lock"):
        found = sorted(path for path in directory.glob(pattern) if path.is_file())
        if found:
            return tuple(found[:_MAX_LOCKS])
    where = f"{directory} and above it, to {above[-1]}" if above[1:] else f"{directory}"
    raise NoLock(
        f"{directory} has no lock: looked for {UV_LOCK} in {where}, and there for"
        f" {PYLOCK}, pylock.*.toml and *.py.lock"
    )


def find_python_versions(directory: Path, within: Sequence[Path] = ()) -> Path | None:
    """Return the nearest `.python-version`, looked for as `uv.lock` is."""
    for folder in _above(directory, within):
        if (path := folder / ".python-version").is_file():
            return path
    return None


def _above(directory: Path, within: Sequence[Path]) -> Iterator[Path]:
    """Yield a directory and those above it, up to the root of its repository."""
    start = directory.resolve()
    for folder in (start, *start.parents)[:_MAX_ABOVE]:
        if within and not any(map(folder.is_relative_to, within)):
            return
        yield folder
        if (folder / ".git").exists():
            return
