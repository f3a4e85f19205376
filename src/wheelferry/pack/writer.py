"""Make a pack from a tree, reading each file once.

A pack's head holds the digests of its files, so it is known last: the frames go to a
spool file on the local disk, and `SpooledPack.chunks` puts the head before them.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from wheelferry.disk import Disk
from wheelferry.pack import zstd
from wheelferry.pack.format import encode_head
from wheelferry.pack.paths import check_paths, order_key
from wheelferry.pack.pool import Job, Pool
from wheelferry.pack.table import (
    FRAME_BYTES,
    Contents,
    FileEntry,
    Frame,
    Table,
    plan_frames,
)

LEVEL = 9
_CHUNK_BYTES = 1 << 20
_FRAMES_IN_FLIGHT = 4


def go_on() -> None:
    """A step that nothing holds up."""


class ChangedWhilePacking(OSError):
    """A file did not have the size that it was announced with."""


class SpoolFailed(OSError):
    """The spool cannot be written; whatever is packed next would meet the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file to be packed.

    Attributes:
        path: Relative to the tree, with `/`.
        size_bytes: What `open` will yield; anything else is `ChangedWhilePacking`.
        executable: Whether it has an x bit.
        open: Opens it for reading; the writer closes it.
    """

    path: str
    size_bytes: int
    executable: bool
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledPack:
    """A finished pack that is still on the local disk; `close` removes it.

    Attributes:
        digest: SHA-256 of all its bytes, lower-case hex: its name in a store.
        pack_bytes: Number of its bytes.
        table: What it holds, with the digest of every file as it was packed.
        head: Its bytes before the frames.
        spool: The file with its frames.
    """

    digest: str
    pack_bytes: int
    table: Table
    head: bytes
    spool: Path
    disk: Disk

    @property
    def tree_bytes(self) -> int:
        """Sum of the sizes of the files in it."""
        return self.table.tree_bytes

    @property
    def tree_files(self) -> int:
        """Number of files in it."""
        return len(self.table.files)

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes in blocks of about 1 MiB; may be called more than once."""
        return _chunks(self.head, self.spool)

    def close(self) -> None:
        """Remove the spool file."""
        self.disk.unlink(self.spool)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_pack(
    files: Iterable[SourceFile],
    spool: Path,
    *,
    disk: Disk,
    pool: Pool,
    level: int = LEVEL,
    step: Callable[[], None] = go_on,
) -> SpooledPack:
    """Pack `files`, in any order, into a new file in the directory `spool`.

    The same files make the same bytes, as long as the zstd library is the same.  Reads
    and hashes in the calling thread, compresses in the pool.  Holds about a dozen frames
    at a time, whatever the size of a file: less than 100 MB.  Calls `step`
    before each frame, which may block.

    Killed half way, it leaves one file `pack-*` in `spool`.

    Raises:
        UnsafePath, PackMalformed: The files cannot make up one pack.
        ChangedWhilePacking: A file was longer or shorter than announced.
        OSError: A file vanished or cannot be read.
        SpoolFailed: The spool cannot be written.
    """
    ordered = sorted(files, key=lambda file: order_key(file.path))
    check_paths([file.path for file in ordered])
    path = spool / f"pack-{os.urandom(16).hex()}"
    with _spooling(path):
        fd = disk.open_new(path, 0o600)
    try:
        try:
            spool_file = _SpoolFile(path, fd, disk)
            table = _write_frames(
                ordered, spool_file, pool=pool, level=level, step=step
            )
        finally:
            os.close(fd)
        head = encode_head(table)
        hasher, pack_bytes = sha256(), 0
        for chunk in _chunks(head, path):
            hasher.update(chunk)
            pack_bytes += len(chunk)
    except BaseException:
        disk.unlink(path)
        raise
    return SpooledPack(
        digest=hasher.hexdigest(),
        pack_bytes=pack_bytes,
        table=table,
        head=head,
        spool=path,
        disk=disk,
    )


@contextmanager
def _spooling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise SpoolFailed(exc.errno, exc.strerror, str(path)) from exc


class _SpoolFile(NamedTuple):
    path: Path
    fd: int
    disk: Disk

    def write(self, data: bytes) -> None:
        with _spooling(self.path):
            self.disk.write(self.fd, data)


def _write_frames(
    files: Sequence[SourceFile],
    spool_file: _SpoolFile,
    *,
    pool: Pool,
    level: int,
    step: Callable[[], None],
) -> Table:
    pending: deque[tuple[int, Job[bytes]]] = deque()
    frames: list[Frame] = []

    def write_oldest() -> None:
        raw_bytes, job = pending.popleft()
        comp = job.result()
        spool_file.write(comp)
        frames.append(Frame(raw_bytes=raw_bytes, comp_bytes=len(comp)))

    reader = _Reader(files)
    try:
        for contents in plan_frames([file.size_bytes for file in files]):
            step()
            raw = reader.read(contents)
            job = pool.submit(
                partial(zstd.compress, raw, level),
                weight_bytes=2 * len(raw),
            )
            pending.append((len(raw), job))
            if len(pending) > _FRAMES_IN_FLIGHT:
                write_oldest()
        while pending:
            write_oldest()
        return Table(files=reader.finish(), frames=tuple(frames))
    finally:
        reader.close()


class _Reader:
    """Reads and hashes files one after another, frame by frame."""

    def __init__(self, files: Sequence[SourceFile]) -> None:
        self._files = files
        self._digests: dict[int, bytes] = {}
        self._piece_of: BinaryIO | None = None
        self._hasher = sha256()

    def read(self, contents: Contents) -> bytes | bytearray:
        """Return what a frame is to hold; frames are asked for in their order."""
        if contents.is_piece:
            return self._read_piece(contents.first, contents.offset)
        raw = bytearray()
        for index in range(contents.first, contents.last):
            raw += self._read_file(index)
        return raw

    def finish(self) -> tuple[FileEntry, ...]:
        """Read the files that are in no frame (the empty ones); return all entries."""
        for index in range(len(self._files)):
            if index not in self._digests:
                self._read_file(index)
        return tuple(
            FileEntry(
                path=file.path,
                size_bytes=file.size_bytes,
                executable=file.executable,
                digest=self._digests[index],
            )
            for index, file in enumerate(self._files)
        )

    def close(self) -> None:
        """Close the file that was being read, if reading stopped within one."""
        if self._piece_of is not None:
            self._piece_of.close()

    def _read_file(self, index: int) -> bytes:
        file = self._files[index]
        with file.open() as stream:
            data = _read_exactly(stream, file.size_bytes, file.path)
            _expect_end(stream, file.path)
        self._digests[index] = sha256(data).digest()
        return data

    def _read_piece(self, index: int, offset: int) -> bytes:
        file = self._files[index]
        if self._piece_of is None:
            self._piece_of = file.open()
            self._hasher = sha256()
        size_bytes = min(FRAME_BYTES, file.size_bytes - offset)
        data = _read_exactly(self._piece_of, size_bytes, file.path)
        self._hasher.update(data)
        if offset + size_bytes == file.size_bytes:
            _expect_end(self._piece_of, file.path)
            self._piece_of.close()
            self._piece_of = None
            self._digests[index] = self._hasher.digest()
        return data


def _read_exactly(stream: BinaryIO, size_bytes: int, path: str) -> bytes:
    data = stream.read(size_bytes)
    while len(data) < size_bytes:
        more = stream.read(size_bytes - len(data))
        if not more:
            raise ChangedWhilePacking(f"{path} became shorter while it was packed")
        data += more
    return data


def _expect_end(stream: BinaryIO, path: str) -> None:
    if stream.read(1):
        raise ChangedWhilePacking(f"{path} became longer while it was packed")


def _chunks(head: bytes, spool: Path) -> Iterator[bytes]:
    with spool.open("rb", buffering=0) as stream:
        # The head and the start of the frames in one block: most packs are one block.
        block = head + stream.read(max(1, _CHUNK_BYTES - len(head)))
        while block:
            yield block
            block = stream.read(_CHUNK_BYTES)
