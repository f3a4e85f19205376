"""Take objects out of a store, bring them back, and remove them for good.

What is removed goes to `trash/` first, under one flat name that says when: nobody makes a
directory, and a rename needs no room on a share that is full.  Whoever has the object
open reads on.  Functions raise plain OSError.
"""

import errno
from collections.abc import Collection, Iterator
from pathlib import Path

from wheelferry.disk import Disk
from wheelferry.store import layout
from wheelferry.store.base import Trashed
from wheelferry.store.reading import Reads, facts_current, list_current, size_current
from wheelferry.store.record import Digest, SegmentId

_GONE = frozenset({errno.ENOENT, errno.ESTALE})


def discard(root: Path, digest: Digest, at_s: int, *, disk: Disk) -> bool:
    """Rename an object into `trash/`; return False if another host was faster.

    The one step: killed before it, nothing happened; after it, the object is missing, and
    in the trash.  No directory is synced: a rename that a power loss undoes is done again.
    """
    source = root / layout.object_path(digest)
    return rename_there(source, root / layout.trash_path(digest, at_s), disk=disk)


def recover(root: Path, trashed: Trashed, *, disk: Disk, reads: Reads) -> bool:
    """Rename an object back; return whether it was brought back by this.

    1. *look*: if an object has the name again it stays; it may be a better one than ours.
    2. *rename*, and sync the directory, so that no segment outlives what it names.
    """
    target = root / layout.object_path(trashed.digest)
    if size_current(reads, target) is not None:
        return False
    source = root / layout.trash_path(trashed.digest, trashed.since_s)
    if not rename_there(source, target, disk=disk):
        return False
    disk.sync_dir(target.parent)
    return True


def purge(root: Path, trashed: Trashed, *, disk: Disk) -> bool:
    """Remove an object in the trash; return False if another host was faster."""
    return unlink_there(
        root / layout.trash_path(trashed.digest, trashed.since_s), disk=disk
    )


def remove_segment(root: Path, segment: SegmentId, *, disk: Disk) -> bool:
    """Remove a segment; return False if another host was faster."""
    return unlink_there(root / layout.segment_path(segment), disk=disk)


def list_trash(
    root: Path, reads: Reads, only: Collection[Digest] | None = None
) -> list[Trashed]:
    """Return what is in the trash under names of ours, the oldest first.

    One listing, and a look at each object that is wanted.
    """
    directory = root / layout.TRASH
    found: list[Trashed] = []
    for name in list_current(reads, directory):
        parsed = layout.parse_trash_name(name)
        if parsed is None or (only is not None and parsed[0] not in only):
            continue
        size_bytes = size_current(reads, directory / name)
        if size_bytes is not None:  # it is gone again, or is no file
            found.append(Trashed(*parsed, size_bytes))
    return sorted(found, key=lambda item: (item.since_s, item.digest))


def list_dated(root: Path, reads: Reads) -> Iterator[tuple[Digest, int, int]]:
    """Yield objects with their sizes and times; foreign names and non-files are skipped."""
    for prefix in layout.PREFIXES:
        directory = root / layout.OBJECTS / prefix
        for name in sorted(list_current(reads, directory)):
            digest = layout.parse_object_name(prefix, name)
            if digest and (facts := facts_current(reads, directory / name)):
                yield digest, facts.size_bytes, int(facts.written_s)


def segment_times(
    root: Path, reads: Reads, only: Collection[SegmentId] | None = None
) -> dict[SegmentId, int]:
    """Return the segments in `catalog/` with their times of modification."""
    if only is None:
        names = list_current(reads, root / layout.CATALOG)
        only = list(filter(None, map(layout.parse_segment_name, names)))
    found: dict[SegmentId, int] = {}
    for segment in only:
        if facts := facts_current(reads, root / layout.segment_path(segment)):
            found[segment] = int(facts.written_s)
    return found


def rename_there(source: Path, target: Path, *, disk: Disk) -> bool:
    """Rename a file; return False if there is none, or another host was faster.

    Of two NFS clients that do the same within one second, one may still have the old name
    cached: then both names are one file to it, and rename(2) does nothing and succeeds.
    """
    try:
        disk.rename(source, target)
    except OSError as exc:
        if exc.errno not in _GONE:
            raise
        # Nothing there to take; unless what is missing is where it should go.
        if not target.parent.is_dir():
            raise
        return False
    return not _is_one_file(source, target)


def _is_one_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False


def unlink_there(path: Path, *, disk: Disk) -> bool:
    """Remove a file; return False if there is none, or another host was faster."""
    try:
        return disk.unlink(path)
    except OSError as exc:
        if exc.errno != errno.ESTALE:
            raise
        return False
