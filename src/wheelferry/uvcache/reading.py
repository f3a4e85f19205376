"""Look at a cache that uv is working on: what vanishes is absent, links are not followed.

`os` and `str` instead of `Path`: a scan of 1,000 entries makes about 10,000 calls here.
"""

import errno
import os
import re
import stat
from pathlib import Path

_BUCKET = re.compile(r"(wheels|sdists)-v\d+")
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NO_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})


def find_buckets(root: Path) -> tuple[str, ...]:
    """Return the names of the wheel and sdist buckets in a cache, known or not."""
    try:
        names = os.listdir(root)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(sorted(name for name in names if _BUCKET.fullmatch(name)))


def walk_dirs(root: str, below: str, depth: int) -> list[str]:
    """Return the directories `depth` levels below `root/below`, relative to `root`."""
    found = [below]
    for _ in range(depth):
        found = [
            f"{path}/{name}"
            for path in found
            for name in list_names(f"{root}/{path}", only_directories=True)
        ]
    return found


def list_names(directory: str, *, only_directories: bool = False) -> list[str]:
    """Return what a directory holds, sorted, without what uv is still working on."""
    try:
        with os.scandir(directory) as found:
            return sorted(
                entry.name
                for entry in found
                if entry.name[0] != "."
                and not (only_directories and not entry.is_dir(follow_symlinks=False))
            )
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_plain_dir(path: str) -> bool:
    """Return whether it is a directory itself, and not a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def read_small(path: str, limit_bytes: int) -> bytes | None:
    """Return at most one byte more than the limit; None if there is no plain file.

    Never follows a link, and never waits for the other end of a pipe.
    """
    try:
        fd = os.open(path, _READ)
    except OSError as exc:
        if exc.errno in _NO_FILE:
            return None
        raise
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return None
        # One more than its size tells, in one read, that it has not grown since.
        wanted = min(status.st_size, limit_bytes) + 1
        data = os.read(fd, wanted)
        while wanted <= len(data) <= limit_bytes:
            wanted = limit_bytes + 1
            data += os.read(fd, wanted - len(data))
        return data
    finally:
        os.close(fd)


def open_plain(path: str) -> int:
    """Open a plain file for reading, and return its descriptor, which you close.

    Never follows a link, and never waits for the other end of a pipe.  Raises OSError,
    also for whatever is no plain file.
    """
    fd = os.open(path, _READ)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no plain file", path)
    return fd
