"""Reads as NFS wants them: current where it matters, and past a stale handle.

A client remembers that a name is missing for up to half a minute, and believes that a
directory is unchanged for as long.  Opening the directory makes it ask the server, so a
miss counts only after that.  Hits are believed at once: objects never change.
"""

import errno
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from wheelferry.errors import ObjectCorrupt
from wheelferry.store.beats import beat
from wheelferry.store.faults import Faults

# O_NONBLOCK: a FIFO in the place of an object must not hang us; files ignore it.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_LOOK = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY

MAX_NAMES = 1 << 20
"""Of one directory: a list of so many takes 100 MB, and no store has nearly as many."""

_MAX_READ_BYTES = 4 << 20
"""Of one call, so that a large segment over a slow line is several steps."""

_FORGOTTEN = frozenset({errno.ESTALE, errno.EBADF})
"""What reads of a file give that the server no longer knows to be open.

Linux says EBADF of one that was removed, once a restarted NFSv4 server has refused to
open it for us again.
"""


T = TypeVar("T")


class Entry(NamedTuple):
    """A name in a directory, and what has it: a link is neither file nor directory."""

    name: str
    is_file: bool
    is_directory: bool


class FileFacts(NamedTuple):
    """Of a regular file: its size, and when it was written, on the server's clock."""

    size_bytes: int
    written_s: float


class Reads:
    """The calls by which a store is read; a test can make any of them fail.

    Methods raise plain OSError, and tell of each step that is done (`beats`).
    """

    def open_file(self, path: Path) -> int:
        """Open a file, not through a link, and return its descriptor."""
        fd = os.open(path, _READ)
        beat()
        return fd

    def look_into(self, directory: Path) -> None:
        """Open a directory and close it: what is then said of its names is current."""
        os.close(os.open(directory, _LOOK))
        beat()

    def list_names(self, directory: Path) -> list[str]:
        """Return the names in a directory, as the server has them now.

        Raises OSError, EFBIG, if there are more than MAX_NAMES.
        """
        with os.scandir(directory) as entries:
            names = [entry.name for entry in _bounded(entries, directory)]
        beat()
        return names

    def list_entries(self, directory: Path) -> list[Entry]:
        """Return the same, and what each is of; that costs no call."""
        with os.scandir(directory) as entries:
            found = [
                Entry(
                    entry.name,
                    entry.is_file(follow_symlinks=False),
                    entry.is_dir(follow_symlinks=False),
                )
                for entry in _bounded(entries, directory)
            ]
        beat()
        return found

    def file_facts(self, path: Path) -> FileFacts | None:
        """Look at a regular file; return None for anything else."""
        found = os.lstat(path)
        beat()
        if not stat.S_ISREG(found.st_mode):
            return None
        return FileFacts(found.st_size, found.st_mtime)

    def is_directory(self, path: Path) -> bool:
        """Return whether there is a directory, and no link to one."""
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return False
        beat()
        return stat.S_ISDIR(found.st_mode)

    def read_into(self, fd: int, buffer: memoryview) -> int:
        """Read at the descriptor's position; return how many bytes, 0 at the end."""
        count = os.readv(fd, [buffer[:_MAX_READ_BYTES]])
        beat()
        return count


def open_current(reads: Reads, path: Path) -> tuple[int, os.stat_result] | None:
    """Open a regular file, and return its descriptor and status; None if missing now.

    Raises OSError, FileNotFoundError among them: then the directory is missing too.
    """
    fd = _open_or_miss(reads, path)
    if fd is None:
        reads.look_into(path.parent)
        fd = _open_or_miss(reads, path)
    if fd is None:
        return None
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode):
        return fd, status
    os.close(fd)
    return None


def read_current(
    reads: Reads, path: Path, *, max_bytes: int
) -> tuple[bytes, os.stat_result] | None:
    """Return a regular file's bytes and status, or None if it is missing now.

    Of a file that is larger than `max_bytes`, one byte more than that is returned.
    Raises OSError as `open_current`.
    """
    for is_last in (False, True):
        found = open_current(reads, path)
        if found is None:
            return None
        fd, status = found
        try:
            return _fill(reads, fd, min(status.st_size, max_bytes + 1)), status
        except OSError as exc:
            # Forgotten by the server, and perhaps there again under its name.
            if exc.errno not in _FORGOTTEN or is_last:
                raise
        finally:
            os.close(fd)
    return None


def size_current(reads: Reads, path: Path) -> int | None:
    """Return a regular file's size in bytes; None if it is missing now.

    Raises OSError as `open_current`.
    """
    found = facts_current(reads, path)
    return None if found is None else found.size_bytes


def facts_current(reads: Reads, path: Path) -> FileFacts | None:
    """Return what there is to see of a regular file; None if it is missing now.

    Raises OSError as `open_current`.
    """
    for attempt in range(2):
        if attempt:
            reads.look_into(path.parent)
        try:
            return reads.file_facts(path)
        except OSError as exc:
            if exc.errno not in (errno.ENOENT, errno.ESTALE):
                raise
    return None


def list_current(reads: Reads, directory: Path) -> list[str]:
    """Return the names in a directory; raises OSError.

    If the server has forgotten it since it was opened, it is opened by name once more.
    """
    return _list_again(reads.list_names, directory)


def entries_current(reads: Reads, directory: Path) -> list[Entry]:
    """Return the same, and what each is of."""
    return _list_again(reads.list_entries, directory)


def _list_again(list_it: Callable[[Path], list[T]], directory: Path) -> list[T]:
    try:
        return list_it(directory)
    except OSError as exc:
        if exc.errno != errno.ESTALE:
            raise
    return list_it(directory)


def _bounded(items: Iterable[T], directory: Path) -> Iterator[T]:
    for count, item in enumerate(items):
        if count == MAX_NAMES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(directory))
        yield item


def _fill(reads: Reads, fd: int, size_bytes: int) -> bytes:
    data = bytearray(size_bytes)
    done = 0
    with memoryview(data) as view:
        while done < size_bytes and (count := reads.read_into(fd, view[done:])):
            done += count
    return bytes(data[:done])


def _open_or_miss(reads: Reads, path: Path) -> int | None:
    try:
        return reads.open_file(path)
    except OSError as exc:
        # ESTALE: removed on the server since the name was looked up.  ELOOP and ENXIO:
        # a link or a socket, which is nothing of ours.
        if exc.errno in (errno.ENOENT, errno.ESTALE, errno.ELOOP, errno.ENXIO):
            return None
        raise


class ObjectReader(io.FileIO):
    """An object opened for reading: unbuffered, seekable, errors translated.

    When the server has forgotten the open file, the name is opened once more and reading
    goes on where it was: one name always has the same content.
    """

    def __init__(self, fd: int, path: Path, *, reads: Reads, faults: Faults) -> None:
        super().__init__(fd, "rb", closefd=True)
        self._path = path
        self._reads = reads
        self._faults = faults

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]
        """Read into `buffer`; return the number of bytes, 0 at the end.

        Raises:
            ObjectCorrupt: The object was removed, and the server did not keep it open.
            StoreUnavailable: The store failed.
        """
        view = memoryview(buffer).cast("B")
        try:
            return self._read_or_reopen(view)
        except OSError as exc:
            raise self._faults.of_read(exc, "read", self._path) from exc

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes, or all that are left if it is negative or None."""
        if size is None or size < 0:
            return self.readall()
        block = bytearray(size)
        count = self.readinto(block)
        return bytes(memoryview(block)[:count])

    def readall(self) -> bytes:
        """Return all that is left; only for objects known to be small."""
        blocks: list[bytes] = []
        while block := self.read(1 << 20):
            blocks.append(block)
        return b"".join(blocks)

    def _read_or_reopen(self, view: memoryview) -> int:
        try:
            return self._reads.read_into(self.fileno(), view)
        except OSError as exc:
            if exc.errno not in _FORGOTTEN:
                raise
            position = self.tell()
            found = open_current(self._reads, self._path)
            if found is None:
                raise ObjectCorrupt(
                    f"object {self._path} was removed while it was read",
                    hint="the next promotion of a runner that missed it brings it back",
                ) from exc
            fresh, _ = found
        try:
            os.dup2(fresh, self.fileno(), inheritable=False)
        finally:
            os.close(fresh)
        self.seek(position)
        return self._reads.read_into(self.fileno(), view)
