"""Crash tests make thousands of small files, and judge them: in memory if there is any."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.child import Forker

_MEMORY = "/dev/shm"


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A temporary directory from which nothing is executed; on a tmpfs if possible."""
    if not os.access(_MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=_MEMORY, prefix="wheelferry-") as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    """A process without threads that forks the children that are killed."""
    with Forker() as forker:
        yield forker
