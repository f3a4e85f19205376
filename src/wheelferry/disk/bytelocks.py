"""Any number of locks in one file of the local disk, a byte for each.

Nothing has to be removed, whoever is killed: the file stays empty.  As in `lock`, never
on the store.
"""

import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

MAX_OFFSET: Final = (1 << 62) - 1

_HELD: Final = frozenset({errno.EAGAIN, errno.EACCES})


class ByteLocks:
    """Exclusive locks on bytes of a file, which is made if need be; it may be no link.

    They are the open file's, not the process's (`F_OFD_SETLK`): released by `close`, or
    when the process ends, and seen by another `ByteLocks` of the same process.

    Raises OSError.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(path, flags, 0o666)

    def try_lock(self, offset: int) -> bool:
        """Take the lock of a byte without waiting; return whether it is ours now."""
        try:
            self._set(fcntl.F_WRLCK, offset)
        except OSError as exc:
            if exc.errno not in _HELD:
                raise
            return False
        return True

    def unlock(self, offset: int) -> None:
        """Release the lock of a byte."""
        self._set(fcntl.F_UNLCK, offset)

    def close(self) -> None:
        """Release all of them."""
        os.close(self._fd)

    def _set(self, kind: int, offset: int) -> None:
        # struct flock: type, whence, start, length, pid.
        wanted = struct.pack("hhqqi4x", kind, os.SEEK_SET, offset, 1, 0)
        fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, wanted)
