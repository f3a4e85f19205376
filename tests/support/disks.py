"""Disks that fail or die at a given step, to be passed in instead of a real one."""

import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from wheelferry.disk import Disk
from wheelferry.disk.durable import Buffer, StrPath

P = ParamSpec("P")
R = TypeVar("R")


class Died(BaseException):
    """Stands for SIGKILL: nothing of the process happens after it."""


class DyingDisk(Disk):
    """A real disk until step `last_step`; then the process is dead.

    A write that is the last step happens by half.  Steps are counted from 1; `steps`
    says how many there were, in the order of `names`.
    """

    def __init__(self, last_step: int | None = None) -> None:
        self.names: list[str] = []
        self._last_step = last_step

    @property
    def steps(self) -> int:
        return len(self.names)

    def write(self, fd: int, data: Buffer) -> None:
        """Write; half of it if this is the last step."""
        if self._is_last("write"):
            super().write(fd, memoryview(data).cast("B")[: len(data) // 2])
            raise Died
        super().write(fd, data)

    def _is_last(self, name: str) -> bool:
        if self._last_step is not None and self.steps >= self._last_step:
            raise Died
        self.names.append(name)
        return self.steps == self._last_step


def _counted(name: str, real: Callable[P, R]) -> Callable[P, R]:
    def step(*args: P.args, **kwargs: P.kwargs) -> R:
        disk: Any = args[0]
        last = disk._is_last(name)
        result = real(*args, **kwargs)
        if last:
            raise Died
        return result

    return step


# `create_file` is made of the steps below it.
for _name in (
    "make_dir",
    "open_new",
    "sync_file",
    "sync_dir",
    "sync_filesystem",
    "rename",
    "link_new",
    "symlink",
    "unlink",
    "remove_dir",
    "remove_tree",
    "set_mode",
    "set_group",
    "touch",
):
    setattr(DyingDisk, _name, _counted(_name, getattr(Disk, _name)))


class FailingDisk(Disk):
    """A disk whose named step raises an OSError, every time."""

    def __init__(self, step: str, number: int) -> None:
        self.number = number

        def fail(*args: object, **_: object) -> None:
            path = next((a for a in args if isinstance(a, StrPath)), None)
            raise OSError(number, os.strerror(number), path and os.fspath(path))

        assert callable(getattr(Disk, step))
        setattr(self, step, fail)
