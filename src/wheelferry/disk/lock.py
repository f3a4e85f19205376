"""Locks on files of the local disk, by flock(2), as uv takes them.

Never used on the store: NFS would turn them into LOCK operations, with leases and grace
periods (NFSv4), and into the waits that this project exists to avoid.
"""

import fcntl
import os
from pathlib import Path
from typing import NamedTuple, Self

# O_NONBLOCK: a FIFO in the place of a lock file must not hang us; files ignore it.
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class FileLock(NamedTuple):
    """A lock that is held; `close` or the end of a `with` block releases it."""

    path: Path
    fd: int

    def is_current(self) -> bool:
        """Return whether the path still names the file we locked.

        `uv cache clean` may have removed it; then this lock excludes nobody.
        """
        held = os.fstat(self.fd)
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)

    def close(self) -> None:
        """Release the lock."""
        os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def try_lock(path: Path, *, shared: bool, mode: int | None = 0o666) -> FileLock | None:
    """Take a lock without waiting; return None if another process holds it.

    Makes the lock file if need be, with `mode` less the umask; if `mode` is None it
    must be there.  Raises FileNotFoundError if it is not, or its directory is not; and
    OSError, ELOOP, for a link, through which a file could be made anywhere.
    """
    make = 0 if mode is None else os.O_CREAT
    fd = os.open(path, os.O_RDWR | make | _FLAGS, mode or 0)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return FileLock(path, fd)


def is_locked(path: Path) -> bool:
    """Return whether a lock of either kind is held; not so if it cannot be told.

    By taking it, exclusively, for some microseconds: whoever asks for it just then finds
    it held.  The file is only read, so nobody who watches it hears of a change.
    """
    try:
        fd = os.open(path, os.O_RDONLY | _FLAGS)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a filesystem without locks, or one that wants it writable
        return False
    finally:
        os.close(fd)
    return False
