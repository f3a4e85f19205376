"""Disks that count, fail or die at a given step, to be passed in instead of a real one."""

import errno
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from wheelferry.disk import Disk
from wheelferry.disk.durable import Buffer, StrPath

_NO_STEPS = frozenset({"confine"})
_NEW = frozenset({"open_unique", "open_new", "make_dir", "make_dirs"})


class Died(BaseException):
    """Stands for SIGKILL: nothing of the process happens after it."""


class Step(NamedTuple):
    """One step: the method's name, and its paths, or that of its descriptor."""

    name: str
    paths: tuple[str, ...]


class CountingDisk(Disk):
    """A disk that writes down its steps, in `log`, and does not sync.

    What a kill leaves does not depend on syncs, and they are most of what a test waits
    for.  `create_file` and `make_dirs_in` are made of the steps below them, and count as
    those.  Steps of several threads are taken one after the other, so that the log is
    the order in which they happened.
    """

    def __init__(self) -> None:
        self.log: list[Step] = []
        self._one_at_a_time = threading.RLock()

    @property
    def names(self) -> list[str]:
        """The methods, in order."""
        return [step.name for step in self.log]

    @property
    def steps(self) -> int:
        """How many there were."""
        return len(self.log)

    def before(self, step: Step) -> None:
        """Be told of a step that is about to be taken; it is counted already."""

    def after(self, step: Step) -> None:
        """Be told of a step that was taken, or tried."""

    def half(self, step: Step) -> bool:
        """Return whether only a half of that step is to be taken."""
        del step
        return False

    @contextmanager
    def _step(self, name: str, *targets: StrPath | int) -> Iterator[Step]:
        paths = tuple(
            str(Path(f"/proc/self/fd/{target}").readlink())
            if isinstance(target, int)
            else os.fspath(target)
            for target in targets
        )
        with self._one_at_a_time:
            step = Step(name, paths)
            self.log.append(step)
            self.before(step)
            try:
                yield step
            finally:
                self.after(step)

    def make_dirs(self, path: StrPath, mode: int = 0o777) -> None:
        with self._step("make_dirs", path):
            super().make_dirs(path, mode)

    def make_dir(self, path: StrPath, mode: int = 0o777) -> None:
        with self._step("make_dir", path):
            super().make_dir(path, mode)

    def create_file(self, path: StrPath, data: Buffer, mode: int = 0o666) -> None:
        super().create_file(path, data, mode)

    def open_new(self, path: StrPath, mode: int = 0o666) -> int:
        with self._step("open_new", path):
            return super().open_new(path, mode)

    def open_unique(self, path: StrPath, mode: int = 0o666) -> int:
        with self._step("open_unique", path):
            return super().open_unique(path, mode)

    def open_append(self, path: StrPath, mode: int = 0o666) -> int:
        with self._step("open_append", path):
            return super().open_append(path, mode)

    def write(self, fd: int, data: Buffer) -> None:
        view = memoryview(data).cast("B")
        if not view:  # no call is made for nothing
            return
        with self._step("write", fd) as step:
            super().write(fd, view[: len(view) // 2] if self.half(step) else view)

    def write_at(self, fd: int, data: Buffer, offset: int) -> None:
        with self._step("write_at", fd) as step:
            view = memoryview(data).cast("B")
            part = view[: len(view) // 2] if self.half(step) else view
            super().write_at(fd, part, offset)

    def sync_file(self, fd: int) -> None:
        with self._step("sync_file", fd):
            os.fstat(fd)

    def sync_dir(self, path: StrPath) -> None:
        with self._step("sync_dir", path):
            Path(path).stat()

    def sync_filesystem(self, path: StrPath) -> None:
        with self._step("sync_filesystem", path):
            Path(path).stat()

    def rename(self, source: StrPath, target: StrPath) -> None:
        with self._step("rename", source, target):
            super().rename(source, target)

    def set_owner(self, path: StrPath, uid: int, gid: int) -> None:
        with self._step("set_owner", path):
            super().set_owner(path, uid, gid)

    def link_new(self, source: StrPath, target: StrPath) -> bool:
        with self._step("link_new", source, target):
            return super().link_new(source, target)

    def symlink(self, content: str, path: StrPath) -> None:
        with self._step("symlink", content, path):
            super().symlink(content, path)

    def unlink(self, path: StrPath) -> bool:
        with self._step("unlink", path):
            return super().unlink(path)

    def remove_dir(self, path: StrPath) -> None:
        with self._step("remove_dir", path):
            super().remove_dir(path)

    def remove_tree(self, path: StrPath) -> None:
        with self._step("remove_tree", path) as step:
            if self.half(step):
                _remove_half(Path(path))
            else:
                super().remove_tree(path)

    def set_mode(self, path: StrPath | int, mode: int) -> None:
        with self._step("set_mode", path):
            super().set_mode(path, mode)

    def set_group(self, path: StrPath, gid: int) -> None:
        with self._step("set_group", path):
            super().set_group(path, gid)

    def touch(self, path: StrPath) -> None:
        with self._step("touch", path):
            super().touch(path)

    def make_dirs_in(self, root: StrPath, relative: Iterable[str]) -> None:
        for name in relative:
            self.make_dir(f"{os.fspath(root)}/{name}")


def _remove_half(root: Path) -> None:
    """Remove every other file below `root`, and no directory."""
    files = sorted(p for p in root.rglob("*") if p.is_symlink() or p.is_file())
    for file in files[::2]:
        file.unlink()


class DyingDisk(CountingDisk):
    """A disk until step `last_step`; then the process is dead, as far as it sees.

    Of a write, or the removal of a tree, that is the last step a half happens.  Steps
    are counted from 1; the process goes on only in `finally` blocks that use no disk.
    """

    def __init__(self, last_step: int | None = None) -> None:
        super().__init__()
        self._last_step = last_step

    def before(self, step: Step) -> None:
        del step
        if self._last_step is not None and self.steps > self._last_step:
            self.log.pop()
            raise Died

    def half(self, step: Step) -> bool:
        del step
        return self.steps == self._last_step

    def after(self, step: Step) -> None:
        del step
        if self.steps == self._last_step:
            raise Died


class Moment(StrEnum):
    """When, in a step, the process is killed."""

    BEFORE = "before"
    WITHIN = "within"
    """After a half of it, if it has halves; after all of it otherwise."""


class KilledDisk(CountingDisk):
    """A disk whose process is killed with SIGKILL before or within one step."""

    def __init__(self, step: int, moment: Moment) -> None:
        super().__init__()
        self._step_number = step
        self._moment = moment

    def before(self, step: Step) -> None:
        del step
        if self._moment is Moment.BEFORE and self.steps == self._step_number:
            _die()

    def half(self, step: Step) -> bool:
        del step
        return self.steps == self._step_number

    def after(self, step: Step) -> None:
        del step
        if self.steps == self._step_number:
            _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class FaultyDisk(CountingDisk):
    """A disk that raises one OSError at one step; before and after it works.

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
            text = os.strerror(self._number)
            if step.name in ("write", "write_at", "sync_file"):
                raise OSError(self._number, text)  # of a descriptor: no path is known
            other = step.paths[1] if len(step.paths) > 1 else None
            raise OSError(self._number, text, step.paths[0], None, other)


class FailingDisk(Disk):
    """A disk whose named step raises an OSError, every time."""

    def __init__(self, step: str, number: int) -> None:
        self.number = number

        def fail(*args: object, **_: object) -> None:
            path = next((a for a in args if isinstance(a, StrPath)), None)
            raise OSError(number, os.strerror(number), path and os.fspath(path))

        assert callable(getattr(Disk, step))
        setattr(self, step, fail)


class FullDisk(CountingDisk):
    """A disk whose share takes nothing new before so many objects were removed for good.

    Renames and removals work, as they do on a file server that is full; and so does what
    is not on the share: what is there is told by names of directories of a store.

    Args:
        removals: Of objects in the trash.
        spares: So many new files find room before.

    Attributes:
        refused: How many found none.
    """

    def __init__(self, removals: int, *, spares: int = 0) -> None:
        super().__init__()
        self.refused = 0
        self._missing = removals
        self._spares = spares

    def before(self, step: Step) -> None:
        (path, *_) = step.paths
        if step.name == "unlink" and "/trash/" in path:
            self._missing -= 1
        if not (step.name in _NEW and "/store/" in path and self._missing > 0):
            return
        if self._spares:
            self._spares -= 1
            return
        self.refused += 1
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def unwrapped(disk: type[CountingDisk]) -> list[str]:
    """Return the public methods of `Disk` that a subclass has not got of its own."""
    methods: Iterator[tuple[str, Callable[..., object]]] = (
        (name, value) for name, value in vars(Disk).items() if callable(value)
    )
    return sorted(
        name
        for name, value in methods
        if not (name.startswith("_") or name in _NO_STEPS)
        and getattr(disk, name) is value
    )
