"""What a pack holds, as values, and what follows from them.

Pure.  The sizes of the files and of the frames say where each file is, so the places are
not stored: `check_table` derives them, and refuses a table that contradicts itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wheelferry.errors import PackMalformed
from wheelferry.pack.paths import check_paths

FRAME_BYTES = 2 << 20
MAX_FILES = 200_000
MAX_FRAMES = 200_000
MAX_FRAME_BYTES = 16 << 20
MAX_TREE_BYTES = 16 << 30


class FileEntry(NamedTuple):
    """One file of the tree.

    A named tuple, because thousands are made per restore: it takes a third of the time
    of a frozen dataclass.

    Attributes:
        path: Relative to the tree, with `/`.
        size_bytes: Of its content.
        executable: Whether it has the x bit; no other part of a mode is kept.
        digest: SHA-256 of its content, 32 bytes.
    """

    path: str
    size_bytes: int
    executable: bool
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One zstd frame.

    Attributes:
        raw_bytes: Of its content.
        comp_bytes: Of itself in the pack.
    """

    raw_bytes: int
    comp_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What one frame holds: files `first` to `last - 1`, or a piece of file `first`.

    Attributes:
        first, last: Indexes in `Table.files`; equal if the frame holds a piece.
        offset: Of the piece in its file.
    """

    first: int
    last: int
    offset: int = 0

    @property
    def is_piece(self) -> bool:
        """Whether the frame is one of several that make up one file."""
        return self.first == self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a pack holds, in the order of its bytes."""

    files: tuple[FileEntry, ...]
    frames: tuple[Frame, ...]

    @property
    def tree_bytes(self) -> int:
        """Sum of the sizes of the files."""
        return sum(entry.size_bytes for entry in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What follows from a table, and is therefore not stored.

    Attributes:
        directories: Of the tree, parents first.
        contents: Of each frame.
    """

    directories: tuple[str, ...]
    contents: tuple[Contents, ...]


def plan_frames(sizes: Sequence[int]) -> Iterator[Contents]:
    """Yield what each frame is to hold, for files of these sizes in this order.

    A frame ends before the file that would make it longer than FRAME_BYTES; a file
    longer than that is cut into frames of its own.  Empty files need no frame.
    """
    first, filled_bytes = 0, 0
    for index, size_bytes in enumerate(sizes):
        if filled_bytes and filled_bytes + size_bytes > FRAME_BYTES:
            yield Contents(first=first, last=index)
            filled_bytes = 0
        if size_bytes > FRAME_BYTES:
            for offset in range(0, size_bytes, FRAME_BYTES):
                yield Contents(first=index, last=index, offset=offset)
            continue
        if not filled_bytes:
            first = index
        filled_bytes += size_bytes
    if filled_bytes:
        yield Contents(first=first, last=len(sizes))


def check_table(table: Table) -> Layout:
    """Compare a table with the limits and with itself; return what follows from it.

    Raises:
        PackMalformed: Its sums do not agree, a limit is passed, or a frame ends where
            no frame may end.
        UnsafePath: Its paths do not make up one tree.
    """
    if len(table.files) > MAX_FILES or len(table.frames) > MAX_FRAMES:
        raise PackMalformed(
            f"file table has {len(table.files)} files in {len(table.frames)} frames; "
            f"the limits are {MAX_FILES} and {MAX_FRAMES}"
        )
    if table.tree_bytes > MAX_TREE_BYTES:
        raise PackMalformed(
            f"tree claims {table.tree_bytes} bytes; the limit is {MAX_TREE_BYTES}"
        )
    directories = check_paths([entry.path for entry in table.files])
    return Layout(directories=tuple(directories), contents=_locate(table))


def _locate(table: Table) -> tuple[Contents, ...]:
    """Return what each frame holds, from the sizes alone.

    A frame holds whole files, or a piece of one: never the end of one file and the
    start of another.
    """
    sizes = [entry.size_bytes for entry in table.files]
    contents: list[Contents] = []
    file, offset = 0, 0
    for frame in table.frames:
        while file < len(sizes) and not sizes[file]:
            file += 1
        left = frame.raw_bytes
        if not 0 < left <= MAX_FRAME_BYTES or not 0 < frame.comp_bytes < 2 * left + 64:
            raise PackMalformed(
                f"a frame claims {left} bytes, compressed to {frame.comp_bytes}; "
                f"the limit is {MAX_FRAME_BYTES}"
            )
        first, start = file, offset
        if offset or (file < len(sizes) and sizes[file] > left):
            offset += left
            if file >= len(sizes) or offset > sizes[file]:
                raise PackMalformed("a frame goes on after the end of its file")
            contents.append(Contents(first=first, last=first, offset=start))
            if offset == sizes[file]:
                file, offset = file + 1, 0
            continue
        while file < len(sizes) and sizes[file] <= left:
            left -= sizes[file]
            file += 1
        if left:
            raise PackMalformed("a frame ends within a file that it does not begin")
        contents.append(Contents(first=first, last=file))
    if any(sizes[file:]):
        raise PackMalformed("the frames end before the files do")
    return tuple(contents)
