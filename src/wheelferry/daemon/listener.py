"""The sockets on which a daemon listens: made, watched, and taken away again."""

import errno
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from wheelferry.disk import Disk

BACKLOG: Final = 128
"""curl and others give up at once when there is no room."""

LOOPBACK: Final = "127.0.0.1"

_MODE: Final = 0o666


class Listener:
    """Listens on a socket.

    Args:
        bound: The socket, which has its address; it is closed with this.
        on_close: Called after that.
    """

    def __init__(
        self, bound: socket.socket, *, on_close: Callable[[], None] | None = None
    ) -> None:
        bound.settimeout(0)
        bound.listen(BACKLOG)
        self._socket = bound
        self._on_close = on_close

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
        """Listen no longer."""
        self._socket.close()
        if self._on_close is not None:
            self._on_close()


def listen_on_path(path: Path, *, disk: Disk) -> Listener:
    """Listen on a Unix socket, in a directory that is there.

    Whoever may enter the directory may connect: users of containers are no users of the
    host, so the socket itself is open to all.  It goes when the listener is closed, unless
    it is another's by then.

    Args:
        path: Of the socket; one that a daemon has left there is replaced.
        disk: What changes the disk.

    Raises:
        OSError: It cannot be made, or somebody listens there.
    """
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_dead(path, disk)
        bound.bind(str(path))
        disk.set_mode(path, _MODE)
        inode = path.lstat().st_ino
        return Listener(bound, on_close=partial(_remove_own, path, inode, disk))
    except OSError:
        bound.close()
        raise


def listen_on_port(port: int) -> Listener:
    """Listen on a TCP port of the loopback; raises OSError."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Else connections that have ended hold the port for another minute.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((LOOPBACK, port))
        return Listener(bound)
    except OSError:
        bound.close()
        raise


def _remove_own(path: Path, inode: int, disk: Disk) -> None:
    with suppress(OSError):
        if path.lstat().st_ino == inode:
            disk.unlink(path)


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
