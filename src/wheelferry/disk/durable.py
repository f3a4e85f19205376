"""The steps by which a disk is changed, each one call of a `Disk`.

Everything that writes takes a `Disk`, so that a test can make any single step fail, or
kill the process there.  Methods raise plain `OSError`: the caller knows whether it was
the store or the cache, and translates once.

Nothing here is a transaction.  Callers order the steps, and say in their docstring what
a kill after each one leaves behind.
"""

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

StrPath: TypeAlias = str | Path
Buffer: TypeAlias = bytes | bytearray | memoryview

_NO_FSYNC = frozenset({errno.EINVAL, errno.ENOTSUP})


class Disk:
    """The real disk."""

    def make_dirs(self, path: StrPath, mode: int = 0o777) -> None:
        """Make `path` and its missing parents; fine if it is a directory already."""
        os.makedirs(path, mode=mode, exist_ok=True)

    def make_dir(self, path: StrPath, mode: int = 0o777) -> None:
        """Make one directory; raises FileExistsError if there is something."""
        os.mkdir(path, mode)

    def create_file(self, path: StrPath, data: Buffer, mode: int = 0o666) -> None:
        """Write a new file, not synced; raises FileExistsError if there is one.

        `mode` is subject to the umask.  Killed half way, it leaves a short file: only
        for staging directories.
        """
        fd = self.open_new(path, mode)
        try:
            self.write(fd, data)
        finally:
            os.close(fd)

    def open_new(self, path: StrPath, mode: int = 0o666) -> int:
        """Open a new file for writing and return its descriptor, which you close."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(path, flags, mode)

    def open_unique(self, path: StrPath, mode: int = 0o666) -> int:
        """Open a new file whose name nobody else can have, and return its descriptor.

        As `open_new`, but without O_EXCL, which costs one RPC more on NFS.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(path, flags, mode)

    def open_append(self, path: StrPath, mode: int = 0o666) -> int:
        """Open a file, made if need be, for writes at its end; return its descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(path, flags, mode)

    def write(self, fd: int, data: Buffer) -> None:
        """Write all of `data` at the descriptor's position."""
        view = memoryview(data).cast("B")
        while view:
            view = view[os.write(fd, view) :]

    def write_at(self, fd: int, data: Buffer, offset: int) -> None:
        """Write all of `data` at `offset` bytes from the start of the file."""
        view = memoryview(data).cast("B")
        while view:
            written = os.pwrite(fd, view, offset)
            view, offset = view[written:], offset + written

    def sync_file(self, fd: int) -> None:
        """Make a file's content durable; on NFS, errors of earlier writes appear here."""
        os.fsync(fd)

    def sync_dir(self, path: StrPath) -> None:
        """Make the names in a directory durable, where the filesystem can."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        except OSError as exc:
            if exc.errno not in _NO_FSYNC:  # some network and FUSE mounts refuse this
                raise
        finally:
            os.close(fd)

    def sync_filesystem(self, path: StrPath) -> None:
        """Make all that was written to `path`'s filesystem durable, by one syncfs(2)."""
        import ctypes  # noqa: PLC0415 - 3 ms, for restores only

        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.syncfs(fd) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), os.fspath(path))
        finally:
            os.close(fd)

    def rename(self, source: StrPath, target: StrPath) -> None:
        """Rename, replacing a file or an empty directory at `target`."""
        os.rename(source, target)

    def link_new(self, source: StrPath, target: StrPath) -> bool:
        """Give `source` a second name unless `target` exists; return whether it did.

        link(2) is exact as create-if-absent on NFS too, where RENAME_NOREPLACE is not
        implemented.
        """
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            return False
        return True

    def symlink(self, content: str, path: StrPath) -> None:
        """Make a symbolic link; raises FileExistsError if there is something."""
        os.symlink(content, path)

    def unlink(self, path: StrPath) -> bool:
        """Remove a file or link; return False if there was none."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return False
        return True

    def remove_dir(self, path: StrPath) -> None:
        """Remove an empty directory."""
        os.rmdir(path)

    def remove_tree(self, path: StrPath) -> None:
        """Remove a directory and all in it; never follows links; absent is fine."""
        import shutil  # noqa: PLC0415 - it loads five compression modules

        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return

    def set_mode(self, path: StrPath | int, mode: int) -> None:
        """Set permission bits, of what a descriptor or a path is of.

        Raises OSError, ELOOP, for a link: whoever can put one there must not have us
        open other files to all.
        """
        if isinstance(path, int):
            os.fchmod(path, mode)
            return
        # Linux has no chmod that does not follow links before 6.6.
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if stat.S_ISLNK(os.fstat(fd).st_mode):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
            os.chmod(f"/proc/self/fd/{fd}", mode)
        finally:
            os.close(fd)

    def set_group(self, path: StrPath, gid: int) -> None:
        """Give a file to a group; of a link, itself."""
        os.chown(path, -1, gid, follow_symlinks=False)

    def set_owner(self, path: StrPath, uid: int, gid: int) -> None:
        """Give a file to a user and a group; only root can, unless they have it.

        Of a link, itself.
        """
        os.chown(path, uid, gid, follow_symlinks=False)

    def touch(self, path: StrPath) -> None:
        """Set a file's times to the (server's) present; of a link, its own."""
        os.utime(path, follow_symlinks=False)

    def make_dirs_in(self, root: StrPath, relative: Iterable[str]) -> None:
        """Make directories under `root`, given parents first, with mode 0o777 & ~umask."""
        prefix = os.fspath(root) + "/"
        for name in relative:
            os.mkdir(prefix + name)
