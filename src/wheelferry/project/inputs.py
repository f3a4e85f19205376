"""Which files are to say what a job needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wheelferry.project.need import EVERYTHING, Narrowing

__all__ = ["Inputs", "Narrowing"]


class Inputs(NamedTuple):
    """What a pull is to read.

    Attributes:
        projects: Directories with a lock.
        locks: Locks.
        requirements: Requirements files.
        constraints: Files that pin versions for these.
        narrowing: What a job installs of it.
        within: Directories, if any, in which the files of projects have to be; without
            links in their paths.
    """

    projects: Sequence[Path] = ()
    locks: Sequence[Path] = ()
    requirements: Sequence[Path] = ()
    constraints: Sequence[Path] = ()
    narrowing: Narrowing = EVERYTHING
    within: Sequence[Path] = ()
