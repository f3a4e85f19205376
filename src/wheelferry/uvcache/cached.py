"""Entries as a cache has them: what a scan finds, and how to tell that one was replaced."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelferry.uvcache.entry import EntryInfo

_RESTORED = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedEntry:
    """An entry that is in a cache.

    Attributes:
        info: All of it but its tree.
        archive: Its tree, unpacked; None if uv has not unpacked it.
        wheel_file: The built `.whl`; None for downloaded ones.
        policy: The cache policy of its pointer; b"" for git.
        stamp: Identity of the files that make it up, to tell whether it was replaced.
    """

    info: EntryInfo
    archive: Path | None
    wheel_file: Path | None
    policy: bytes
    stamp: "Stamp"

    @property
    def urls(self) -> tuple[str, ...]:
        """Where its file came from, as its pointer has it; read anew at each call."""
        from wheelferry.uvcache.urls import find_urls  # noqa: PLC0415 - loads urllib

        return find_urls(self.policy) if self.policy else ()

    @property
    def is_restored(self) -> bool:
        """Whether Wheelferry put its archive there: it names archives by their pack."""
        return self.archive is not None and is_restored_id(self.archive.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Files by path, with inode, size in bytes and time of modification in ns."""

    files: tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something in the cache that is not an entry to share, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A bucket, or a shape in a known bucket, that this version cannot read.

    Attributes:
        name: Such as `wheels-v9` or `wheels-v8/array6`.
        count: Number of pointers of that shape, or in that bucket, as far as it is laid
            out as those before it.
    """

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a cache holds."""

    entries: tuple[CachedEntry, ...]
    skipped: tuple[Skipped, ...]
    unknown: tuple[Unknown, ...]


def is_restored_id(archive_id: str) -> bool:
    """Return whether an archive's name is the digest of a pack."""
    return _RESTORED.fullmatch(archive_id) is not None


def is_unchanged(entry: CachedEntry) -> bool:
    """Return whether the files that make up an entry are those that were scanned."""
    return entry.stamp == stamp_files([path for path, *_ in entry.stamp.files])


def stamp_files(paths: Sequence[str]) -> Stamp | None:
    """Return the stamp of files, or None if one of them is not there."""
    files = []
    for path in paths:
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        files.append((path, status.st_ino, status.st_size, status.st_mtime_ns))
    return Stamp(files=tuple(files))
