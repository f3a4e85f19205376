"""A folder on the share to try things out in, in the process that works on the store.

All of it is below `staging/<runner>/`, where this runner may write and nobody reads.
Arguments and results are of built-in types, as they come from and go to another process.
Each step ends by itself at the moment `until_s`, with what it has by then.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from wheelferry.bench.archive import unpack_archive, write_archive
from wheelferry.bench.flow import Flow
from wheelferry.bench.trees import read_files, write_files
from wheelferry.disk import Disk, clock
from wheelferry.store import layout
from wheelferry.store.beats import beat
from wheelferry.store.create import create_store
from wheelferry.store.posix import PosixStore
from wheelferry.store.trial import FOLDER_MODE, remove_folder

BLOCK_BYTES: Final = 1 << 20
ABANDONED_S: Final = 3600
"""Age at which a folder of this runner's belongs to nobody: no run takes so long."""

_PROBE: Final = "probe"
_ARCHIVE: Final = "cache.tar.zst"
_TREE: Final = "tree"
_STORE: Final = "store"


class Yard(PosixStore):
    """The store in a directory, and a folder of our own on the same share."""

    def __init__(self, root: Path, *, disk: Disk, runner: str) -> None:
        super().__init__(root, disk=disk, runner=runner)
        self._work = threading.Lock()  # held while something goes on in the folder
        self._folder: Path | None = None
        self._made_parent = False
        self._tree_bytes = 0
        self._raw_bytes = 0
        self._is_over = False

    def make_folder(self, unique: str) -> None:
        """Make the folder, once what killed runs have left is gone.

        Args:
            unique: A UUID's 32 hex digits.
        """
        parent = self._staging.directory
        with self._changing("make a folder in", parent):
            self._staging.sweep(older_than_s=ABANDONED_S)
            self._made_parent = self._staging.make_directory()
            folder = self._root / layout.trial_path(self._runner, unique)
            self._disk.make_dir(folder, FOLDER_MODE)
            self._folder = folder

    def remove_folder(self) -> None:
        """End what goes on in the folder, and remove it; without one, do nothing."""
        self._is_over = True
        with self._work:
            folder = self._folder
        if folder is None:
            return
        with self._changing("remove", folder):
            remove_folder(folder, self._disk)
            self._folder = None
            if self._made_parent:
                with suppress(OSError):  # somebody else uses it by now
                    self._disk.remove_dir(folder.parent)

    def write_probe(
        self, size_bytes: int, rate_bytes_s: int | None, until_s: float
    ) -> tuple[int, float]:
        """Write one large file and sync it; return its size and the seconds it took."""
        flow = self._flow(rate_bytes_s, until_s)
        with self._changing("write", self._in(_PROBE)):
            began_s = clock.monotonic_s()
            fd = self._disk.open_unique(self._in(_PROBE))
            written = 0
            try:
                while written < size_bytes and flow.goes_on():
                    flow.wait_for(BLOCK_BYTES)
                    self._disk.write(fd, os.urandom(BLOCK_BYTES))
                    written += BLOCK_BYTES
                self._disk.sync_file(fd)
            finally:
                os.close(fd)
            return written, clock.monotonic_s() - began_s

    def read_probe(self, rate_bytes_s: int | None, until_s: float) -> tuple[int, float]:
        """Read it from the server, and remove it; return as `write_probe`."""
        flow = self._flow(rate_bytes_s, until_s)
        with self._changing("read", self._in(_PROBE)):
            forget_pages(self._in(_PROBE))
            began_s = clock.monotonic_s()
            count = 0
            with self._open(_PROBE) as file:
                while flow.goes_on() and (block := file.read(BLOCK_BYTES)):
                    flow.wait_for(len(block))
                    count += len(block)
            took_s = clock.monotonic_s() - began_s
            self._disk.unlink(self._in(_PROBE))
            return count, took_s

    def write_tree(
        self,
        root: str,
        names: Sequence[str],
        rate_bytes_s: int | None,
        until_s: float,
    ) -> tuple[int, int, float]:
        """Copy files of this machine, one by one; return their number, bytes, seconds."""
        flow = self._flow(rate_bytes_s, until_s)
        with self._changing("write to", self._in(_TREE)):
            written = write_files(Path(root), names, self._in(_TREE), self._disk, flow)
            self._tree_bytes = written[1]
            return written

    def read_tree(
        self,
        names: Sequence[str],
        target: str,
        rate_bytes_s: int | None,
        until_s: float,
    ) -> tuple[int, int, float]:
        """Copy the first of them back, several at a time; return as `write_tree`."""
        flow = self._flow(rate_bytes_s, until_s)
        with self._changing("read", self._in(_TREE)):
            return read_files(
                self._in(_TREE),
                names,
                Path(target),
                max_bytes=self._tree_bytes,
                reads=self._reads,
                disk=self._disk,
                flow=flow,
            )

    def forget_tree(self, names: Sequence[str]) -> None:
        """Have the kernel forget what it holds of these files."""
        with self._changing("open", self._in(_TREE)):
            for name in names:
                forget_pages(self._in(_TREE) / name)
                beat()

    def write_archive(
        self,
        root: str,
        names: Sequence[str],
        max_bytes: int,
        rate_bytes_s: int | None,
        until_s: float,
    ) -> int:
        """Write directories below `root` as one archive; return its size.

        0 if it would be larger than `max_bytes`, or took too long.
        """
        flow = self._flow(rate_bytes_s, until_s)
        path = self._in(_ARCHIVE)
        with self._changing("write", path):
            size_bytes, self._raw_bytes = write_archive(
                path, Path(root), names, max_bytes=max_bytes, disk=self._disk, flow=flow
            )
            if size_bytes:
                forget_pages(path)
            return size_bytes

    def unpack_archive(
        self, target: str, tar: str, rate_bytes_s: int | None, until_s: float
    ) -> tuple[bool, float]:
        """Read and unpack it; return whether all was, and the seconds it took."""
        flow = self._flow(rate_bytes_s, until_s)
        with self._changing("read", self._in(_ARCHIVE)):
            began_s = clock.monotonic_s()
            with self._open(_ARCHIVE) as file:
                is_whole = unpack_archive(
                    file, Path(target), tar, max_bytes=self._raw_bytes, flow=flow
                )
            return is_whole, clock.monotonic_s() - began_s

    def forget_store(self, digests: Sequence[str]) -> None:
        """Have the kernel forget what it holds of the catalog and of these packs."""
        names = [layout.object_path(layout.check_digest(d)) for d in digests]
        names += map(layout.segment_path, self.list_segments())
        for name in names:
            # What cannot be opened is no worse for being held.
            with suppress(OSError):
                forget_pages(self._root / name)
            beat()

    def make_store(self) -> tuple[str, str]:
        """Make another store in the folder; return where it is, and its id."""
        path = self._in(_STORE)
        created = create_store(path, disk=self._disk, now_s=clock.now_s())
        return str(path), created.info.id

    def _in(self, name: str) -> Path:
        if self._folder is None:
            raise RuntimeError("there is no folder")
        return self._folder / name

    def _open(self, name: str) -> BinaryIO:
        """Open a file of the folder: not through a link, nor what never answers."""
        fd: int = self._reads.open_file(self._in(name))
        return open(fd, "rb", buffering=0)

    def _flow(self, rate_bytes_s: int | None, until_s: float) -> Flow:
        return Flow(rate_bytes_s, until_s, is_over=lambda: self._is_over)

    @contextmanager
    def _changing(self, operation: str, path: Path) -> Iterator[None]:
        """Do something in the folder; an OSError of the share becomes a StoreError."""
        with self._work:
            try:
                yield
            except OSError as exc:
                if exc.filename and not str(exc.filename).startswith(str(self._root)):
                    raise  # of this machine's disk
                raise self._faults.of_write(exc, operation, path) from exc


def forget_pages(path: Path) -> None:
    """Have the kernel forget what it holds of a file's content; it has to be synced."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    fd = os.open(path, flags)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
