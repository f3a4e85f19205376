"""Which packages uv builds though the lock has a wheel that fits: `no-binary`.

uv's documentation, "Settings": `no-binary` and `no-binary-package` of the `uv.toml` beside
the lock, else of `[tool.uv]` in the `pyproject.toml` there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from wheelferry.errors import ProjectError
from wheelferry.project.files import load_toml
from wheelferry.project.table import Malformed, Table, flag, subtable, texts


class Builds(NamedTuple):
    """What is built in any case.

    Attributes:
        everything: Whether all packages are.
        names: Those that are, normalised.
    """

    everything: bool = False
    names: frozenset[str] = frozenset()

    def has(self, name: str) -> bool:
        """Return whether a package is built."""
        return self.everything or name in self.names


AS_NEEDED = Builds()


def read_builds(directory: Path, within: Sequence[Path] = ()) -> Builds:
    """Return what a project has built, from its settings beside the lock.

    Settings that cannot be read are for uv to complain of.

    Raises ProjectRefused: they are where none may be read.
    """
    try:
        if (path := directory / "uv.toml").is_file():
            return find_builds(load_toml(path, within))
        if (path := directory / "pyproject.toml").is_file():
            tool = subtable(load_toml(path, within), "tool")
            return find_builds(subtable(tool, "uv"))
    except (Malformed, ProjectError):
        pass
    return AS_NEEDED


def find_builds(settings: Table) -> Builds:
    """Return what settings of uv say; raises Malformed."""
    return Builds(
        flag(settings, "no-binary"),
        frozenset(map(canonicalize_name, texts(settings, "no-binary-package"))),
    )
