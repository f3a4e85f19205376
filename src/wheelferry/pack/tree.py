"""Write the tree of a pack, frame by frame, as its frames arrive."""

import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Self

from wheelferry.disk import Disk
from wheelferry.pack.format import Buffer, iter_decompressed
from wheelferry.pack.pool import Job, Pool
from wheelferry.pack.table import Contents, FileEntry, Layout, Table


class TreeWriter:
    """One tree that is being written, by the threads of a pool.

    Args:
        table: Of the pack.
        target: An empty directory.
        disk: Makes the files and directories.
        pool: Decompresses and writes the frames.
    """

    def __init__(self, table: Table, target: Path, disk: Disk, pool: Pool) -> None:
        self._files = table.files
        self._prefix = os.fspath(target) + "/"
        self._target = target
        self._disk = disk
        self._pool = pool
        self._jobs: list[Job[None]] = []
        self._large: _LargeFile | None = None
        self.failed = False

    def make_directories(self, layout: Layout) -> None:
        """Make the directories, and the files that no frame has to be read for."""
        self._disk.make_dirs_in(self._target, layout.directories)
        for entry in self._files:
            if not entry.size_bytes:
                path = self._prefix + entry.path
                self._disk.create_file(path, b"", _mode(entry))

    def submit(self, comp: Buffer, raw_bytes: int, contents: Contents) -> None:
        """Have one frame decompressed and written."""
        if contents.is_piece:
            if not contents.offset:
                self._open_large(self._files[contents.first])
            assert self._large is not None
            call = partial(
                self._write_piece,
                self._large.share(),
                comp,
                raw_bytes,
                contents.offset,
            )
        else:
            files = self._files[contents.first : contents.last]
            call = partial(self._write_files, files, comp, raw_bytes)
        weight_bytes = len(comp) + raw_bytes
        self._jobs.append(self._pool.submit(call, weight_bytes=weight_bytes))

    def settle(self) -> None:
        """Block until nothing is written any more and every file is closed."""
        if self._large is not None:
            self._large.release()
            self._large = None
        for job in self._jobs:
            job.wait()

    def raise_failure(self) -> None:
        """Raise the error of the first frame that could not be written, if any."""
        for job in self._jobs:
            job.result()

    def _write_files(
        self, files: tuple[FileEntry, ...], comp: Buffer, raw_bytes: int
    ) -> None:
        if self.failed:
            return
        try:
            self._write_blocks(iter(files), iter_decompressed(comp, raw_bytes))
        except BaseException:
            self.failed = True
            raise

    def _write_blocks(
        self, files: Iterator[FileEntry], blocks: Iterator[bytes]
    ) -> None:
        disk, prefix = self._disk, self._prefix
        fd, left_bytes = -1, 0  # the file that goes on in the next block
        try:
            for block in blocks:
                view = memoryview(block)
                if left_bytes:
                    disk.write(fd, view[:left_bytes])
                    if left_bytes > len(view):
                        left_bytes -= len(view)
                        continue
                    view = view[left_bytes:]
                    left_bytes = 0
                    closing, fd = fd, -1
                    os.close(closing)
                while view:
                    entry = next(files)
                    size_bytes = entry.size_bytes
                    path = prefix + entry.path
                    if size_bytes > len(view):
                        fd = disk.open_new(path, _mode(entry))
                        disk.write(fd, view)
                        left_bytes = size_bytes - len(view)
                        break
                    if size_bytes:
                        disk.create_file(path, view[:size_bytes], _mode(entry))
                        view = view[size_bytes:]
        finally:
            if fd >= 0:
                os.close(fd)

    def _write_piece(
        self, file: "_LargeFile", comp: Buffer, raw_bytes: int, offset: int
    ) -> None:
        try:
            if not self.failed:
                for block in iter_decompressed(comp, raw_bytes):
                    self._disk.write_at(file.fd, block, offset)
                    offset += len(block)
        except BaseException:
            self.failed = True
            raise
        finally:
            file.release()

    def _open_large(self, entry: FileEntry) -> None:
        if self._large is not None:
            self._large.release()
            self._large = None
        path = self._prefix + entry.path
        self._large = _LargeFile(self._disk.open_new(path, _mode(entry)))


def _mode(entry: FileEntry) -> int:
    return 0o755 if entry.executable else 0o644


class _LargeFile:
    """A file that several frames are written to; the last one to release it closes it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._users = 1
        self._lock = threading.Lock()

    def share(self) -> Self:
        """Add a user, who has to release it."""
        with self._lock:
            self._users += 1
        return self

    def release(self) -> None:
        """Drop a user."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
        os.close(self.fd)
