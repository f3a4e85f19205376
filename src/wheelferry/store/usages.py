"""Read the files in `usage/`, take one over, let it go, remove one that is carried on.

A file is written once.  Whoever carries it on gives it a name of their own first: of two
that want to, such as a runner that comes back and a host that folds what it left, one has
it, and what it says is counted once.  Functions raise plain OSError.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from wheelferry.disk import Disk
from wheelferry.errors import RecordMalformed, StoreFormatUnsupported
from wheelferry.store import layout
from wheelferry.store.reading import Reads, read_current
from wheelferry.store.usage import (
    MAX_USAGE_BYTES,
    UsageFile,
    decode_usage,
)

_GONE = frozenset({errno.ENOENT, errno.ESTALE})
_MAX_ROUNDS = 16


def read_all(
    list_names: Callable[[], list[str]], read_one: Callable[[str], UsageFile | None]
) -> Iterator[UsageFile]:
    """Yield all usage files, also those that get other names meanwhile.

    One of them can have what a whole fleet uses.  So where one was gone, the directory is
    listed again, and what is new in it is read.

    Args:
        list_names: Returns the names in the directory.
        read_one: As `read`.
    """
    tried: set[str] = set()
    found: set[str] = set()
    for _ in range(_MAX_ROUNDS):
        is_complete = True
        for name in parse_names(list_names()):
            # Released since it was read, it has another name, and is the same.
            if name in tried or layout.mark_usage(name, "") in found:
                continue
            tried.add(name)
            file = read_one(name)
            if file is None:
                is_complete = False
            else:
                found.add(layout.mark_usage(name, ""))
                yield file
        if is_complete:
            return


def parse_names(names: Iterable[str]) -> list[str]:
    """Return the usage files among the names in the directory, sorted."""
    parsed = map(layout.parse_usage_name, sorted(names))
    return [name for name in parsed if name is not None]


def read(root: Path, name: str, *, reads: Reads) -> UsageFile | None:
    """Return a usage file; None if it is gone, or cannot be read."""
    path = root / layout.usage_path(name)
    found = read_current(reads, path, max_bytes=MAX_USAGE_BYTES)
    if found is None:
        return None
    data, status = found
    try:
        usage = decode_usage(data, where=str(path))
    except (RecordMalformed, StoreFormatUnsupported):
        return None  # its runner begins a new one, and leaves it where it is
    return UsageFile(name, int(status.st_mtime), int(status.st_ctime), usage)


def claim(root: Path, name: str, *, disk: Disk, reads: Reads) -> UsageFile | None:
    """Rename a usage file to a new name of the same runner, and read it.

    The one step: killed after it, the file counts under its new name.
    """
    unique = os.urandom(8).hex()
    fresh = layout.usage_name(layout.usage_runner(name), unique)
    claimed = layout.mark_usage(fresh, layout.OLD_USAGE)
    if not _rename(root, name, claimed, disk):
        return None
    return read(root, claimed, reads=reads)


def release(root: Path, name: str, *, disk: Disk) -> bool:
    """Give a usage file the name under which it can be claimed; False if it is gone."""
    return _rename(root, name, layout.mark_usage(name, ""), disk)


def remove(root: Path, name: str, *, disk: Disk) -> bool:
    """Remove a usage file; return False if it is gone already."""
    try:
        return disk.unlink(root / layout.usage_path(name))
    except OSError as exc:
        if exc.errno != errno.ESTALE:
            raise
        return False


def _rename(root: Path, name: str, target: str, disk: Disk) -> bool:
    try:
        disk.rename(root / layout.usage_path(name), root / layout.usage_path(target))
    except OSError as exc:
        if exc.errno not in _GONE:
            raise
        return False
    return True
