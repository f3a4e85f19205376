"""Which part of the files stands for all.

Pure.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple


class TreeFile(NamedTuple):
    """A file of an unpacked wheel: its path in the cache, and its size."""

    name: str
    size_bytes: int

    @property
    def parent(self) -> str:
        """The path of its directory."""
        return self.name.rpartition("/")[0]


def choose_files(
    files: Iterable[TreeFile], *, max_files: int, max_bytes: int
) -> tuple[TreeFile, ...]:
    """Return whole directories, evenly taken from all, in the order of their names.

    Whole ones, since each costs something too; evenly, so that the mix of large and small
    files is that of all.  What does not fit within the bounds is left out.
    """
    ordered = sorted(files)
    ordered.sort(key=lambda file: file.parent)
    groups = [list(group) for _, group in groupby(ordered, lambda file: file.parent)]
    size_bytes = sum(file.size_bytes for file in ordered)
    parts = max(len(ordered) / max_files, size_bytes / max_bytes, 1.0)
    chosen: list[TreeFile] = []
    room_files, room_bytes = max_files, max_bytes
    for number in range(int(len(groups) / parts) or 1 if groups else 0):
        group = groups[int(number * parts)]
        group_bytes = sum(file.size_bytes for file in group)
        if len(group) <= room_files and group_bytes <= room_bytes:
            chosen += group
            room_files -= len(group)
            room_bytes -= group_bytes
    return tuple(chosen)


def choose_within(sizes: Sequence[tuple[str, int]], max_bytes: int) -> tuple[str, ...]:
    """Return the names, in their order, that fit into so many bytes together."""
    chosen = []
    for name, size_bytes in sizes:
        if size_bytes <= max_bytes:
            chosen.append(name)
            max_bytes -= size_bytes
    return tuple(chosen)
