"""What an entry's archive consists of: the files that a pack is made from.

Either the unpacked archive, or, where uv has built a wheel and not installed it, the
members of the `.whl`, as uv would unpack them.
"""

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from wheelferry.pack.writer import SourceFile
from wheelferry.uvcache.cached import CachedEntry
from wheelferry.uvcache.reading import open_plain
from wheelferry.uvcache.wheelrecord import (
    MAX_RECORD_BYTES,
    find_dist_info,
    find_record,
)

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

_X_BITS = 0o111  # any of them makes uv set all of them
_MAX_DEPTH = 64


class NotPackable(Exception):
    """An entry's tree holds something that no wheel does."""


def list_tree(entry: CachedEntry) -> list[SourceFile]:
    """Return the files of an entry's tree, unopened.

    Empty directories are left out: no wheel needs one, and RECORD cannot list it.

    Raises:
        NotPackable: There is something else than files and directories, or no RECORD of
            that package, or the `.whl` is no sound zip file.
        OSError: The tree vanished, or cannot be read.
    """
    if entry.archive is not None:
        files = list(_list_directory(str(entry.archive), "", _MAX_DEPTH))
    else:
        assert entry.wheel_file is not None
        files = _list_wheel(entry.wheel_file)
    if find_record((file.path for file in files), entry.info.name) is None:
        raise NotPackable(f"there is no RECORD of {entry.info.name} in it")
    return files


def stamp_tree(entry: CachedEntry) -> str:
    """Return a text that changes when an entry does, without reading its tree.

    It is made of inodes, sizes and times of modification.  Not of change times: to link
    a file into an environment changes those.

    Raises OSError: the tree vanished, or cannot be read.
    """
    hasher = hashlib.sha256(repr(entry.stamp).encode(errors="surrogateescape"))
    waiting = [] if entry.archive is None else [str(entry.archive)]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            for item in sorted(found, key=lambda item: item.name):
                status = item.stat(follow_symlinks=False)
                facts = status.st_ino, status.st_size, status.st_mtime_ns
                hasher.update(
                    f"{item.path}\0{facts}\0".encode(errors="surrogateescape")
                )
                if item.is_dir(follow_symlinks=False):
                    waiting.append(item.path)
    return hasher.hexdigest()


def read_record(files: Sequence[SourceFile]) -> bytes | None:
    """Return the content of a tree's RECORD, or None if it has none.

    Raises NotPackable, OSError.
    """
    dist_info = find_dist_info(file.path for file in files)
    for file in files:
        if file.path == f"{dist_info}/RECORD":
            return _read_all(file)
    return None


def _read_all(file: SourceFile) -> bytes:
    content = bytearray()
    with file.open() as stream:
        while block := stream.read(1 << 20):
            content += block
            if len(content) > MAX_RECORD_BYTES:
                raise NotPackable(f"{file.path} has over {MAX_RECORD_BYTES} bytes")
    return bytes(content)


def _list_directory(root: str, below: str, depth: int) -> Iterator[SourceFile]:
    if not depth:
        raise NotPackable(f"{below} is more than {_MAX_DEPTH} directories deep")
    with os.scandir(f"{root}/{below}") as found:
        for entry in found:
            path = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _list_directory(root, f"{path}/", depth - 1)
                continue
            status = entry.stat(follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                raise NotPackable(f"{path} is neither a file nor a directory")
            yield SourceFile(
                path=path,
                size_bytes=status.st_size,
                executable=bool(status.st_mode & _X_BITS),
                open=partial(_open_file, entry.path),
            )


def _open_file(path: str) -> BinaryIO:
    # A pipe could have taken the file's place since.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        # To read an archive for the store is no use of it: trim goes by access times.
        fd = os.open(path, flags | os.O_NOATIME)
    except PermissionError:  # another user's file
        fd = os.open(path, flags)
    return open(fd, "rb", buffering=0)


def _list_wheel(path: Path) -> list[SourceFile]:
    # Hardly any promotion comes here.
    from zipfile import BadZipFile, ZipFile  # noqa: PLC0415

    fd = open_plain(str(path))
    try:
        # Closed with the last of the files below, which hold it: to open it again for
        # each member would read the zip's directory as often.
        wheel = ZipFile(f"/proc/self/fd/{fd}")
    except (BadZipFile, NotImplementedError, ValueError) as exc:
        raise NotPackable(f"{path.name} is no sound zip file: {exc}") from exc
    finally:
        os.close(fd)
    members = [member for member in wheel.infolist() if not member.is_dir()]
    for member in members:
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise NotPackable(f"{member.filename} in {path.name} is not a file")
    return [
        SourceFile(
            path=member.filename,
            size_bytes=member.file_size,
            executable=bool(member.external_attr >> 16 & _X_BITS),
            open=partial(_open_member, wheel, member),
        )
        for member in members
    ]


def _open_member(wheel: "ZipFile", member: "ZipInfo") -> BinaryIO:
    opened = _translated(member.filename, lambda: wheel.open(member))
    return cast("BinaryIO", _Member(member.filename, cast("BinaryIO", opened)))


class _Member(io.RawIOBase):
    """A zip member that raises NotPackable where it is damaged."""

    def __init__(self, name: str, member: BinaryIO) -> None:
        super().__init__()
        self._name = name
        self._member = member

    def read(self, size: int = -1) -> bytes:
        data = _translated(self._name, lambda: self._member.read(size))
        return cast("bytes", data)

    def close(self) -> None:
        self._member.close()
        super().close()


def _translated(name: str, step: Callable[[], object]) -> object:
    import zlib  # noqa: PLC0415
    from zipfile import BadZipFile  # noqa: PLC0415

    try:
        return step()
    except (BadZipFile, zlib.error, EOFError, RuntimeError) as exc:
        # RuntimeError: encrypted, or (NotImplementedError) compressed in an unknown way.
        raise NotPackable(f"{name} in the .whl cannot be read: {exc}") from exc
