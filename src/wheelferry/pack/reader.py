"""Restore a tree from a pack, and check one without writing.

One sequential pass: the calling thread reads, hashes and parses; the pool decompresses
and writes.  Nothing that was written may be trusted before `extract_pack` has returned,
because the digest is known only after the last byte.
"""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from wheelferry.disk import Disk
from wheelferry.errors import PackMalformed
from wheelferry.pack.format import decompress_exactly
from wheelferry.pack.pool import Pool
from wheelferry.pack.source import PackSource, Read
from wheelferry.pack.table import FileEntry
from wheelferry.pack.tree import TreeWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What `extract_pack` wrote, or what `check_pack` read."""

    tree_bytes: int
    tree_files: int

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.tree_bytes} bytes in {self.tree_files} files"


def extract_pack(
    read: Read,
    *,
    digest: str,
    size_bytes: int,
    target: Path,
    disk: Disk,
    pool: Pool,
    announced: Extracted | None = None,
) -> Extracted:
    """Restore the tree of a pack into `target`, an existing empty directory.

    A pack that does not unpack to what was `announced` of it is refused before anything
    is written: what its record says is what a budget counts.

    May be called by several threads at once with one pool: that is how a set of packs
    is restored fastest.  Memory is bounded by the pool's budget, plus 2 MiB and the file
    table per call.  Files have mode 0o644 or 0o755, less the umask.  Never follows or
    makes links: all files and directories below `target` are new.  Nothing is synced.

    When it raises, or the process is killed, `target` holds part of a tree that nobody
    has checked: remove it.  No thread writes to it any more after the return.

    Raises:
        ObjectCorrupt: The bytes do not have this digest and size.
        PackMalformed, UnsafePath, StoreFormatUnsupported: They do, but are not a pack
            that this version can restore.
        OSError: From writing, FileExistsError if `target` is not empty; what `read`
            raises is passed on as it is.
    """
    with os.scandir(target) as entries:
        if any(entries):
            raise FileExistsError(f"not an empty directory: {target}")
    source = PackSource(read, digest=digest, size_bytes=size_bytes)
    with source.blaming_damage():
        table, layout = source.take_table()
        found = Extracted(tree_bytes=table.tree_bytes, tree_files=len(table.files))
        if announced not in (None, found):
            raise PackMalformed(f"it unpacks to {found}, but {announced} was announced")
        writer = TreeWriter(table, target, disk, pool)
        try:
            writer.make_directories(layout)
            for frame, contents in zip(table.frames, layout.contents, strict=True):
                if writer.failed:
                    break
                comp = source.take(frame.comp_bytes)
                writer.submit(comp, frame.raw_bytes, contents)
        finally:
            writer.settle()
        writer.raise_failure()
        source.expect_end()
    return found


def check_pack(read: Read, *, digest: str, size_bytes: int) -> Extracted:
    """Check a pack as `extract_pack` does, and each file's digest too; write nothing.

    Raises:
        ObjectCorrupt: The bytes do not have this digest and size.
        PackMalformed, UnsafePath, StoreFormatUnsupported: They do, but are not a sound
            pack of this version.
    """
    source = PackSource(read, digest=digest, size_bytes=size_bytes)
    with source.blaming_damage():
        table, layout = source.take_table()
        for entry in table.files:
            if not entry.size_bytes:
                _expect_digest(entry, sha256().digest())
        hasher = sha256()
        for frame, contents in zip(table.frames, layout.contents, strict=True):
            raw = memoryview(
                decompress_exactly(source.take(frame.comp_bytes), frame.raw_bytes)
            )
            if contents.is_piece:
                entry = table.files[contents.first]
                hasher = hasher if contents.offset else sha256()
                hasher.update(raw)
                if contents.offset + len(raw) == entry.size_bytes:
                    _expect_digest(entry, hasher.digest())
                continue
            for entry in table.files[contents.first : contents.last]:
                content, raw = raw[: entry.size_bytes], raw[entry.size_bytes :]
                _expect_digest(entry, sha256(content).digest())
        source.expect_end()
    return Extracted(tree_bytes=table.tree_bytes, tree_files=len(table.files))


def _expect_digest(entry: FileEntry, digest: bytes) -> None:
    if entry.digest != digest:
        raise PackMalformed(f"{entry.path} does not have the digest in the file table")
