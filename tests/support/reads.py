"""Reads of a store that count, or fail at a given step, to be passed in."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.support.disks import Step
from wheelferry.store.reading import Entry, FileFacts, Reads

T = TypeVar("T")


class CountingReads(Reads):
    """Reads that write down their steps, in `log`."""

    def __init__(self) -> None:
        self.log: list[Step] = []
        self._one_at_a_time = threading.RLock()

    @property
    def steps(self) -> int:
        """How many there were."""
        return len(self.log)

    def before(self, step: Step) -> None:
        """Be told of a step that is about to be taken; it is counted already."""

    def _step(self, name: str, path: Path | str, call: Callable[[], T]) -> T:
        with self._one_at_a_time:
            step = Step(name, (str(path),))
            self.log.append(step)
            self.before(step)
            return call()

    def open_file(self, path: Path) -> int:
        real = super().open_file
        return self._step("open_file", path, lambda: real(path))

    def look_into(self, directory: Path) -> None:
        real = super().look_into
        self._step("look_into", directory, lambda: real(directory))

    def list_names(self, directory: Path) -> list[str]:
        real = super().list_names
        return self._step("list_names", directory, lambda: real(directory))

    def list_entries(self, directory: Path) -> list[Entry]:
        real = super().list_entries
        return self._step("list_entries", directory, lambda: real(directory))

    def file_facts(self, path: Path) -> FileFacts | None:
        real = super().file_facts
        return self._step("file_facts", path, lambda: real(path))

    def is_directory(self, path: Path) -> bool:
        real = super().is_directory
        return self._step("is_directory", path, lambda: real(path))

    def read_into(self, fd: int, buffer: memoryview) -> int:
        real = super().read_into
        path = Path(f"/proc/self/fd/{fd}").readlink()
        return self._step("read_into", path, lambda: real(fd, buffer))


class FaultyReads(CountingReads):
    """Reads that raise one OSError at one step; before and after it they work.

    `failed` is that step, once it was reached.
    """

    def __init__(self, step: int, number: int) -> None:
        super().__init__()
        self.failed: Step | None = None
        self._step_number = step
        self._number = number

    def before(self, step: Step) -> None:
        if self.steps == self._step_number:
            self.failed = step
            raise OSError(self._number, os.strerror(self._number), step.paths[0])
