"""A directory for one process's temporary files, and the end of those left by dead ones.

Whether its process lives is told exactly, by a lock that the kernel releases when it
dies; not by a pid, which is reused, nor by age, which a slow process reaches too.
"""

import contextlib
import os
import re
from pathlib import Path
from typing import Self

from wheelferry.disk.durable import Disk
from wheelferry.disk.lock import FileLock, try_lock

_LOCK = "lock"
_NAME = r"(?a)[0-9]+-[0-9a-f]{16}"
"""Of the directories that are made here.  No other is removed, wherever `parent` is."""


class WorkDir:
    """A fresh directory of this process's own; the end of the `with` block removes it.

    Killed, it stays behind until another process opens a `WorkDir` beside it.
    """

    def __init__(self, path: Path, lock: FileLock, disk: Disk) -> None:
        self.path = path
        self._lock = lock
        self._disk = disk

    @classmethod
    def open(cls, parent: Path, *, disk: Disk) -> Self:
        """Make a directory in `parent` (made too, if missing), and sweep dead ones.

        The caller's files belong into subdirectories or under names of their own; the
        name `lock` is taken.
        """
        disk.make_dirs(parent, 0o700)
        sweep(parent, disk=disk)
        while True:
            path = parent / f"{os.getpid()}-{os.urandom(8).hex()}"
            disk.make_dir(path, 0o700)
            try:
                lock = try_lock(path / _LOCK, shared=False, mode=0o600)
            except FileNotFoundError:
                continue  # a sweep came between: it saw a directory without a holder
            if lock is None:
                continue
            if lock.is_current():
                return cls(path, lock, disk)
            lock.close()

    def close(self) -> None:
        """Remove the directory and all in it."""
        try:
            self._disk.remove_tree(self.path)
        finally:
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def sweep(parent: Path, *, disk: Disk) -> int:
    """Remove the directories in `parent` whose process is dead; return how many."""
    with os.scandir(parent) as found:
        names = [
            entry.name
            for entry in found
            if re.fullmatch(_NAME, entry.name) and entry.is_dir(follow_symlinks=False)
        ]
    removed = 0
    for name in names:
        # Another user's, such as root's, or on a bad disk: it may stop nobody.
        with contextlib.suppress(OSError):
            removed += _remove_if_dead(parent / name, disk)
    return removed


def _remove_if_dead(path: Path, disk: Disk) -> bool:
    for _ in range(2):
        try:
            lock = try_lock(path / _LOCK, shared=False, mode=None)
        except FileNotFoundError:
            try:
                # Killed before it had a lock; or about to take it, then it begins anew.
                disk.remove_dir(path)
            except OSError:
                continue  # not empty: it has its lock by now, or has it no more
            return True
        if lock is None:
            return False
        with lock:
            disk.remove_tree(path)
        return True
    # Not empty, and still without a lock, which comes first: killed while it, or another
    # sweep, removed it.
    disk.remove_tree(path)
    return True
