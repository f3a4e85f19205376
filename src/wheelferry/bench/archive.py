"""The same files in one compressed archive, as CI systems cache directories."""

import io
import os
import subprocess
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from wheelferry.bench.flow import Flow
from wheelferry.disk import Disk
from wheelferry.pack.zstd import ZstdDecompressor, zstd

_LEVEL: Final = 3
_BLOCK_BYTES: Final = 1 << 20


class _TooMuch(Exception):
    """The archive is larger than it may be, or takes too long."""


class _Sink:
    """Where the archive goes; writes in large blocks."""

    def __init__(self, fd: int, max_bytes: int, disk: Disk, flow: Flow) -> None:
        self.size_bytes = 0
        self._fd = fd
        self._max_bytes = max_bytes
        self._disk = disk
        self._flow = flow
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        """Take some bytes."""
        self._waiting += data
        if len(self._waiting) >= _BLOCK_BYTES:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Write what was taken."""
        self.size_bytes += len(self._waiting)
        if self.size_bytes > self._max_bytes or not self._flow.goes_on():
            raise _TooMuch
        self._flow.wait_for(len(self._waiting))
        self._disk.write(self._fd, self._waiting)
        self._waiting.clear()


def write_archive(
    path: Path,
    root: Path,
    names: Sequence[str],
    *,
    max_bytes: int,
    disk: Disk,
    flow: Flow,
) -> tuple[int, int]:
    """Write directories below `root` to the new file `path`.

    Returns:
        Its size, and that of what is in it; 0 for both, and no file, if it would be more
        than `max_bytes` or there was no time.
    """
    fd = disk.open_unique(path)
    try:
        sink = _Sink(fd, max_bytes, disk, flow)
        packer = zstd.ZstdCompressor(level=_LEVEL)
        packed = _Packed(sink, packer)
        with tarfile.open(fileobj=packed, mode="w|") as tar:
            for name in names:
                tar.add(root / name, arcname=name)
        sink.write(packer.flush())
        sink.flush()
        disk.sync_file(fd)
    except _TooMuch:
        disk.unlink(path)
        return 0, 0
    finally:
        os.close(fd)
    return sink.size_bytes, packed.raw_bytes


class _Packed(io.RawIOBase):
    """A file object for tarfile that compresses."""

    def __init__(self, sink: _Sink, packer: "zstd.ZstdCompressor") -> None:
        self.raw_bytes = 0
        self._sink = sink
        self._packer = packer

    def write(self, data: Any) -> int:
        """Compress some bytes and pass them on."""
        self.raw_bytes += len(data)
        self._sink.write(self._packer.compress(data))
        return len(data)


def unpack_archive(
    file: BinaryIO, target: Path, tar: str, *, max_bytes: int, flow: Flow
) -> bool:
    """Unpack an archive with the program `tar`; return whether all was.

    That program touches only `target`: the archive is read here.  Whatever the archive
    is by now, no more than a block of it is in memory, and no more than `max_bytes` come
    out of it.
    """
    unpacker = ZstdDecompressor()
    with subprocess.Popen(  # noqa: S603 - found on this machine's PATH
        [tar, "-x", "-f", "-", "-C", str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has failed, and its code says so
            while not unpacker.eof and flow.goes_on() and max_bytes >= 0:
                block = b""
                if unpacker.needs_input:
                    if not (block := file.read(_BLOCK_BYTES)):
                        break
                    flow.wait_for(len(block))
                raw = unpacker.decompress(block, _BLOCK_BYTES)
                max_bytes -= len(raw)
                process.stdin.write(raw)
        is_whole = unpacker.eof and max_bytes >= 0
        if not is_whole:
            process.kill()
    return is_whole and process.returncode == 0
