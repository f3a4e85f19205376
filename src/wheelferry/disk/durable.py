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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

StrPath: TypeAlias = str | Path
Buffer: TypeAlias = bytes | bytearray | memoryview

_NO_FSYNC = frozenset({errno.EINVAL, errno.ENOTSUP})
_HOLD = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Disk:
    """The real disk."""

    _confined: tuple[str, ...] = ()

    def confine(self, root: StrPath) -> None:
        """From now on, have no step lead out of `root` that is to happen below it.

        Others can put a link in the place of a directory there at any moment: a step that
        meets one raises NotADirectoryError.  `root` itself may be named by a link.
        """
        prefix = os.fspath(root).rstrip("/") + "/"
        if prefix not in self._confined:
            self._confined = (*self._confined, prefix)

    def make_dirs(self, path: StrPath, mode: int = 0o777) -> None:
        """Make `path` and its missing parents; fine if it is a directory already."""
        os.makedirs(path, mode=mode, exist_ok=True)

    def make_dir(self, path: StrPath, mode: int = 0o777) -> None:
        """Make one directory; raises FileExistsError if there is something."""
        with self._place(path) as (name, folder):
            os.mkdir(name, mode, dir_fd=folder)

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
        # All files of what a pull unpacks come here: what costs little counts.
        if not os.fspath(path).startswith(self._confined):
            return os.open(path, flags, mode)
        with self._place(path) as (name, folder):
            return os.open(name, flags, mode, dir_fd=folder)

    def open_unique(self, path: StrPath, mode: int = 0o666) -> int:
        """Open a new file whose name nobody else can have, and return its descriptor.

        As `open_new`, but without O_EXCL, which costs one RPC more on NFS.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with self._place(path) as (name, folder):
            return os.open(name, flags, mode, dir_fd=folder)

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
        with self._place(path) as (name, folder):
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            fd = os.open(name, flags, dir_fd=folder)
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
        with self._place(source) as (old, start), self._place(target) as (new, end):
            os.rename(old, new, src_dir_fd=start, dst_dir_fd=end)

    def link_new(self, source: StrPath, target: StrPath) -> bool:
        """Give `source` a second name unless `target` exists; return whether it did.

        link(2) is exact as create-if-absent on NFS too, where RENAME_NOREPLACE is not
        implemented.
        """
        try:
            with (
                self._place(source) as (old, start),
                self._place(target) as (new, end),
            ):
                os.link(
                    old, new, src_dir_fd=start, dst_dir_fd=end, follow_symlinks=False
                )
        except FileExistsError:
            return False
        return True

    def symlink(self, content: str, path: StrPath) -> None:
        """Make a symbolic link; raises FileExistsError if there is something."""
        with self._place(path) as (name, folder):
            os.symlink(content, name, dir_fd=folder)

    def unlink(self, path: StrPath) -> bool:
        """Remove a file or link; return False if there was none."""
        try:
            with self._place(path) as (name, folder):
                os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return False
        return True

    def remove_dir(self, path: StrPath) -> None:
        """Remove an empty directory."""
        with self._place(path) as (name, folder):
            os.rmdir(name, dir_fd=folder)

    def remove_tree(self, path: StrPath) -> None:
        """Remove a directory and all in it; never follows links; absent is fine."""
        import shutil  # noqa: PLC0415 - it loads five compression modules

        try:
            with self._place(path) as (name, folder):
                shutil.rmtree(name, dir_fd=folder)
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
        with self._place(path) as (name, folder):
            flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(name, flags, dir_fd=folder)
        try:
            if stat.S_ISLNK(os.fstat(fd).st_mode):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
            os.chmod(f"/proc/self/fd/{fd}", mode)
        finally:
            os.close(fd)

    def set_group(self, path: StrPath, gid: int) -> None:
        """Give a file to a group; of a link, itself."""
        with self._place(path) as (name, folder):
            os.chown(name, -1, gid, dir_fd=folder, follow_symlinks=False)

    def set_owner(self, path: StrPath, uid: int, gid: int) -> None:
        """Give a file to a user and a group; only root can, unless they have it.

        Of a link, itself.
        """
        with self._place(path) as (name, folder):
            os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)

    def touch(self, path: StrPath) -> None:
        """Set a file's times to the (server's) present; of a link, its own."""
        with self._place(path) as (name, folder):
            os.utime(name, dir_fd=folder, follow_symlinks=False)

    def make_dirs_in(self, root: StrPath, relative: Iterable[str]) -> None:
        """Make directories under `root`, given parents first, with mode 0o777 & ~umask."""
        prefix = os.fspath(root) + "/"
        for name in relative:
            os.mkdir(prefix + name)

    @contextmanager
    def _place(self, path: StrPath) -> Iterator[tuple[str, int | None]]:
        """Yield what to call `path`, and the open directory in which it is called so.

        That is the path itself and none, but below what is confined.
        """
        whole = os.fspath(path)
        root = next((root for root in self._confined if whole.startswith(root)), None)
        if root is None:
            yield whole, None
            return
        *parents, name = whole[len(root) :].split("/")
        folder = os.open(root, _HOLD)
        try:
            for number, parent in enumerate(parents, 1):
                try:
                    below = os.open(parent, _HOLD | os.O_NOFOLLOW, dir_fd=folder)
                except OSError as exc:
                    exc.filename = root + "/".join(parents[:number])
                    raise
                os.close(folder)
                folder = below
            try:
                yield name, folder
            except OSError as exc:
                if exc.filename == name:
                    exc.filename = whole
                if exc.filename2 == name:
                    exc.filename2 = whole
                raise
        finally:
            os.close(folder)
