"""The Unix socket of a daemon: made, watched, and taken away again."""

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from wheelferry.disk import Disk

BACKLOG: Final = 128
"""curl and others give up at once when there is no room."""

_MODE: Final = 0o666


class Listener:
    """Listens on a path, in a directory that is there.

    Whoever may enter the directory may connect: users of containers are no users of the
    host, so the socket itself is open to all.

    Args:
        path: Of the socket; one that a daemon has left there is replaced.
        disk: What changes the disk.

    Raises:
        OSError: It cannot be made, or somebody listens there.
    """

    def __init__(self, path: Path, *, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(0)
            _remove_dead(path, disk)
            self._socket.bind(str(path))
            disk.set_mode(path, _MODE)
            self._socket.listen(BACKLOG)
            self._inode = path.lstat().st_ino
        except OSError:
            self._socket.close()
            raise

    @property
    def fd(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def accept(self) -> socket.socket | None:
        """Return the next connection, if one waits; raises OSError if there are too many."""
        try:
            found, _ = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return None
        found.settimeout(0)
        return found

    def close(self) -> None:
        """Listen no longer, and remove the socket unless it is another's by now."""
        self._socket.close()
        with suppress(OSError):
            if self._path.lstat().st_ino == self._inode:
                self._disk.unlink(self._path)


def _remove_dead(path: Path, disk: Disk) -> None:
    """Remove a socket on which nobody listens; raises OSError for anything else."""
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            disk.unlink(path)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), str(path))
