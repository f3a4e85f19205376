"""The files in `usage/`: write one, read all, take one over, let it go, remove it.

A file is written once.  Whoever carries it on gives it a name of their own first: of two
that want to, such as a runner that comes back and a host that folds what it left, one has
it, and what it says is counted once.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from wheelferry.errors import RecordMalformed, StoreFormatUnsupported
from wheelferry.store import layout
from wheelferry.store.faults import Faults
from wheelferry.store.reading import list_current, read_current
from wheelferry.store.removal import unlink_there
from wheelferry.store.site import Site
from wheelferry.store.usage import (
    MAX_USAGE_BYTES,
    Usage,
    UsageFile,
    decode_usage,
    encode_usage,
)

_GONE = frozenset({errno.ENOENT, errno.ESTALE})
_MAX_ROUNDS = 16


class PosixUsage:
    """The usage files of a store; `usage_files.UsageFiles` has the contracts."""

    def __init__(self, site: Site) -> None:
        self._root, self._disk, self._reads, self._staging = site
        self._faults = Faults(self._root)

    def write(self, name: str, usage: Usage) -> None:
        """Write a usage file; see `UsageFiles.write`.

        1. *stage*.  2. *commit*: a link, unless the name is there.  Killed before it: a
        staged file, and what the file was to replace still counts.
        """
        target = self._path(name)
        with self._faults.writing("write", target):
            staged = self._staging.write([encode_usage(usage)])
        with self._faults.writing("commit", target):
            self._staging.commit_new(staged, target)

    def read_all(self) -> Iterator[UsageFile]:
        """Yield all usage files, also those that get other names meanwhile.

        One of them can have what a whole fleet uses.  So where one was gone, the directory
        is listed again, and what is new in it is read.
        """
        tried: set[str] = set()
        found: set[str] = set()
        for _ in range(_MAX_ROUNDS):
            is_complete = True
            for name in self._list():
                # Released since it was read, it has another name, and is the same.
                if name in tried or layout.mark_usage(name, "") in found:
                    continue
                tried.add(name)
                with self._faults.reading("read", self._path(name)):
                    file = self._read(name)
                if file is None:
                    is_complete = False
                else:
                    found.add(layout.mark_usage(name, ""))
                    yield file
            if is_complete:
                return

    def list_free(self, runner: str) -> list[str]:
        """Return the files of that name which can be claimed."""
        return [
            name
            for name in self._list()
            if layout.usage_runner(name) == runner and not layout.usage_mark(name)
        ]

    def claim(self, name: str) -> UsageFile | None:
        """Rename a usage file to a new name of the same runner, and read it.

        The one step: killed after it, the file counts under its new name.
        """
        with self._faults.writing("take over", self._path(name)):
            unique = os.urandom(8).hex()
            fresh = layout.usage_name(layout.usage_runner(name), unique)
            claimed = layout.mark_usage(fresh, layout.OLD_USAGE)
            return self._read(claimed) if self._rename(name, claimed) else None

    def release(self, name: str) -> bool:
        """Give a usage file the name under which it can be claimed."""
        with self._faults.writing("release", self._path(name)):
            return self._rename(name, layout.mark_usage(name, ""))

    def remove(self, name: str) -> bool:
        """Remove a usage file."""
        path = self._path(name)
        with self._faults.writing("remove", path):
            return unlink_there(path, disk=self._disk)

    def _path(self, name: str) -> Path:
        return self._root / layout.usage_path(name)

    def _list(self) -> list[str]:
        """Return the names of the usage files, sorted."""
        directory = self._root / layout.USAGE
        with self._faults.reading("list", directory):
            names = sorted(list_current(self._reads, directory))
        return list(filter(None, map(layout.parse_usage_name, names)))

    def _read(self, name: str) -> UsageFile | None:
        """Return a usage file; None if it is gone, or cannot be read."""
        path = self._path(name)
        found = read_current(self._reads, path, max_bytes=MAX_USAGE_BYTES)
        if found is None:
            return None
        data, status = found
        try:
            usage = decode_usage(data, where=str(path))
        except (RecordMalformed, StoreFormatUnsupported):
            return None  # its runner begins a new one, and leaves it where it is
        return UsageFile(name, int(status.st_mtime), int(status.st_ctime), usage)

    def _rename(self, name: str, target: str) -> bool:
        try:
            self._disk.rename(self._path(name), self._path(target))
        except OSError as exc:
            if exc.errno not in _GONE:
                raise
            return False
        return True
