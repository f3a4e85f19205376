"""Move aside what was found damaged: kept for whoever wants to know why, missing for all.

Flat names that say when, as in `trash/`: nobody makes a directory, and a rename needs no
room.  Whoever calls has read the file twice; here it is looked at once more, since another
host may have replaced it meanwhile.  Methods raise plain OSError.
"""

import errno
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from wheelferry.errors import RecordMalformed, StoreFormatUnsupported
from wheelferry.store import layout
from wheelferry.store.reading import list_current, open_current, size_current
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.removal import rename_there, unlink_there
from wheelferry.store.segment import decode_segment
from wheelferry.store.site import Site
from wheelferry.store.upkeep import Quarantined

_BLOCK_BYTES: Final = 1 << 20
_MAX_TAKEN: Final = 16
"""So many names are tried."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Quarantine:
    """`quarantine/` of a store."""

    def __init__(self, site: Site) -> None:
        self._root, self._disk, self._reads, self._staging = site

    def take_object(self, digest: Digest, at_s: int, reason: str) -> bool:
        """Move an object here; return whether it is here, and damaged.

        1. *reason*: written beside the name that the object will have.  Killed after it:
           a reason without an object, which goes when its time comes.
        2. *move*: one rename.  Killed after it: the object is missing.
        3. *look again*: what was moved is read.  If it has the right bytes, somebody has
           replaced the damaged one since it was judged, and it is renamed back.  Killed
           before: a sound object is missing, until a promoter puts it there.
        """
        source = self._root / layout.object_path(digest)
        target = self._find_place(digest, at_s, is_segment=False)
        if not self._move(source, target, reason):
            return False
        if not self._has_digest(target, digest):
            return True
        self._bring_back(source, target)
        return False

    def take_segment(self, segment: SegmentId, at_s: int, reason: str) -> bool:
        """Move a segment here; return whether it is here, and damaged.

        The steps are those of `take_object`.
        """
        source = self._root / layout.segment_path(segment)
        target = self._find_place(segment, at_s, is_segment=True)
        if not self._move(source, target, reason):
            return False
        if not self._is_readable(target, segment):
            return True
        self._bring_back(source, target)
        return False

    def list_all(self) -> list[Quarantined]:
        """Return what is here, the oldest first; also where there is only a reason."""
        directory = self._root / layout.QUARANTINE
        found: dict[tuple[str, int, bool], int] = {}
        for name in list_current(self._reads, directory):
            parsed = layout.parse_quarantine_name(name)
            if parsed is None:
                continue
            digest, since_s, is_segment, is_reason = parsed
            size_bytes = size_current(self._reads, directory / name)
            if size_bytes is None:  # it is gone again, or is no file
                continue
            place = digest, since_s, is_segment
            found[place] = found.get(place, 0) + (0 if is_reason else size_bytes)
        items = (
            Quarantined(name, since_s, size_bytes, is_segment)
            for (name, since_s, is_segment), size_bytes in found.items()
        )
        return sorted(items, key=lambda item: (item.since_s, item.name))

    def purge(self, item: Quarantined) -> bool:
        """Remove something, its reason last; return False if another host was faster."""
        path = self._root / layout.quarantine_path(
            item.name, item.since_s, is_segment=item.is_segment
        )
        is_gone = unlink_there(path, disk=self._disk)
        return unlink_there(_reason_of(path), disk=self._disk) or is_gone

    def _find_place(self, name: str, at_s: int, *, is_segment: bool) -> Path:
        """Return where something may go: nothing that was moved aside is renamed over."""
        places = [
            self._root / layout.quarantine_path(name, since_s, is_segment=is_segment)
            for since_s in range(at_s, at_s + _MAX_TAKEN)
        ]
        free = (path for path in places if size_current(self._reads, path) is None)
        return next(free, places[0])

    def _move(self, source: Path, target: Path, reason: str) -> bool:
        self._refuse_links(source.parent, target.parent)
        if size_current(self._reads, source) is None:
            return False
        self._write_reason(target, reason)
        if rename_there(source, target, disk=self._disk):
            return True
        if size_current(self._reads, target) is None:  # or the reason is another host's
            unlink_there(_reason_of(target), disk=self._disk)
        return False

    def _write_reason(self, target: Path, reason: str) -> None:
        try:
            staged = self._staging.write([reason.encode()])
            self._staging.commit(staged, _reason_of(target))
        except OSError as exc:
            if exc.errno not in _FULL:
                raise

    def _refuse_links(self, *directories: Path) -> None:
        """Raise OSError if one is no directory of the store's: nothing outside is moved."""
        for directory in directories:
            for path in (directory, *directory.parents):
                if path == self._root:
                    break
                if not self._reads.is_directory(path):
                    number = errno.ENOTDIR
                    raise NotADirectoryError(number, os.strerror(number), str(path))

    def _bring_back(self, source: Path, target: Path) -> None:
        if size_current(self._reads, source) is None:
            rename_there(target, source, disk=self._disk)
            self._disk.sync_dir(source.parent)
        else:  # somebody has put it there once more
            unlink_there(target, disk=self._disk)
        unlink_there(_reason_of(target), disk=self._disk)

    def _has_digest(self, path: Path, digest: str) -> bool:
        """Return whether a file can be read, and has these bytes."""
        hasher = sha256()
        try:
            for block in self._read(path):
                hasher.update(block)
        except OSError:  # it cannot be read: then it is no good
            return False
        return hasher.hexdigest() == digest

    def _is_readable(self, path: Path, segment: SegmentId) -> bool:
        """Return whether a file is that segment, of whatever version."""
        size_bytes = size_current(self._reads, path) or 0
        if size_bytes > layout.MAX_SEGMENT_BYTES or not self._has_digest(path, segment):
            return False
        try:
            decode_segment(b"".join(self._read(path)), segment=segment)
        except StoreFormatUnsupported:
            return True
        except (RecordMalformed, OSError):
            return False
        return True

    def _read(self, path: Path) -> Iterator[bytes]:
        """Yield a file's bytes, of the medium and not of this machine's page cache."""
        found = open_current(self._reads, path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        fd, _ = found
        buffer = memoryview(bytearray(_BLOCK_BYTES))
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            while count := self._reads.read_into(fd, buffer):
                yield bytes(buffer[:count])
        finally:
            os.close(fd)


def _reason_of(path: Path) -> Path:
    return path.with_name(path.name + layout.REASON_SUFFIX)
