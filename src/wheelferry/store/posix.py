"""A store in a directory that many machines mount, such as one on NFS.

No lock of any kind is taken here, ever.  What makes that safe: files are complete before
they have a name, names say what the content is, and nothing is changed afterwards.
OSErrors become StoreErrors here and nowhere else.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from wheelferry.disk import Disk
from wheelferry.errors import (
    ObjectCorrupt,
    RecordMalformed,
    StoreNotInitialised,
    StoreUnavailable,
)
from wheelferry.store import layout
from wheelferry.store.base import (
    PutOutcome,
    Quarantined,
    StoreInfo,
    StoreSurvey,
    Trashed,
)
from wheelferry.store.faults import Faults
from wheelferry.store.info import MAX_INFO_BYTES, decode_info
from wheelferry.store.reading import (
    ObjectReader,
    Reads,
    list_current,
    open_current,
    read_current,
    size_current,
)
from wheelferry.store.record import Digest, SegmentId

if TYPE_CHECKING:
    from wheelferry.store.quarantine import Quarantine
    from wheelferry.store.staging import Staged, Staging
    from wheelferry.store.usage import Usage, UsageFile

_READ_BYTES = 1 << 20


class PosixStore:
    """The store in the directory `root`; `base.Store` has the contracts.

    Args:
        root: The directory; it need not exist, `open` says so.
        disk: What changes it.
        runner: This runner's name in the store, as `layout.sanitise_runner` makes it.
        reads: What reads it.
    """

    def __init__(
        self, root: Path, *, disk: Disk, runner: str, reads: Reads | None = None
    ) -> None:
        self._root = root
        self._reads = reads or Reads()
        self._faults = Faults(root)
        self._runner = layout.sanitise_runner(runner)
        self._disk = disk

    @cached_property
    def _staging(self) -> "Staging":
        from wheelferry.store.staging import Staging  # noqa: PLC0415 (for writers)

        return Staging(self._root, disk=self._disk, runner=self._runner)

    @cached_property
    def _quarantine(self) -> "Quarantine":
        from wheelferry.store.quarantine import Quarantine  # noqa: PLC0415 (for verify)

        return Quarantine(
            self._root, disk=self._disk, reads=self._reads, staging=self._staging
        )

    @property
    def location(self) -> str:
        """The directory."""
        return str(self._root)

    def open(self, *, expected_id: str | None = None) -> StoreInfo:
        """Read `wheelferry.json`; raise as `Store.open`, or StoreUnavailable.

        A directory without it is a share that is away, never a new store.
        """
        found = self._read(self._root / layout.INFO, MAX_INFO_BYTES)
        if found is None:
            raise self._faults.away()
        info = decode_info(found[0], location=self.location)
        if expected_id is not None and info.id != expected_id:
            raise StoreNotInitialised(
                f"the store in {self._root} has the id {info.id}, "
                f"but {expected_id} is configured",
                hint="mount the right share, or change the configured store id if "
                "the store was made anew",
            )
        return info

    def put_object(
        self,
        chunks: Iterable[bytes],
        *,
        digest: Digest,
        size_bytes: int,
        is_suspect: bool = False,
    ) -> PutOutcome:
        """Commit an object; see `Store.put_object`.

        1. *look*: right size there already, nothing is done.  One that is suspect is
           read, and has to have the right digest too.
        2. *stage*: write, fsync, close, in `staging/<runner>/`; digest and size are
           compared with what was promised.  A kill leaves a file for `sweep_staging`.
        3. *commit*: rename into `objects/`.  This is the commit point; a kill before it
           leaves the staged file, one after it the whole object, which no record names
           yet: an orphan.  If another host was faster, its equal file gives way.
        """
        target = self._root / layout.object_path(digest)
        there = self._size(target)
        if there == size_bytes and not (is_suspect and self._is_damaged(digest)):
            return PutOutcome.ALREADY_PRESENT
        staged = self._stage(chunks, target)
        if (staged.digest, staged.size_bytes) != (digest, size_bytes):
            self._staging.discard(staged)
            raise ObjectCorrupt(
                f"object {digest} of {size_bytes} bytes was not written to "
                f"{self._root}: its {staged.size_bytes} bytes have the SHA-256 "
                f"{staged.digest}",
                hint="check this machine's disk and memory, then promote again",
            )
        self._commit(staged, target)
        return PutOutcome.COMMITTED if there is None else PutOutcome.REPLACED

    def open_object(self, digest: Digest) -> BinaryIO | None:
        """Open an object for reading, or return None; see `Store.open_object`."""
        path = self._root / layout.object_path(digest)
        try:
            found = open_current(self._reads, path)
        except OSError as exc:
            raise self._faults.of_read(exc, "open", path) from exc
        if found is None:
            return None
        return ObjectReader(found[0], path, reads=self._reads, faults=self._faults)

    def object_size(self, digest: Digest) -> int | None:
        """Return an object's size in bytes, or None if it is missing now."""
        return self._size(self._root / layout.object_path(digest))

    def list_objects(self) -> Iterator[tuple[Digest, int]]:
        """Yield all objects and their sizes; foreign names and non-files are skipped."""
        for prefix in layout.PREFIXES:
            directory = self._root / layout.OBJECTS / prefix
            for name in sorted(self._list(directory)):
                digest = layout.parse_object_name(prefix, name)
                if digest is None:
                    continue
                # A name that is gone again, or is no file, has no size.
                if (size_bytes := self._size(directory / name)) is not None:
                    yield digest, size_bytes

    def list_foreign(self) -> Iterator[tuple[str, str]]:
        """Yield what does not belong into the store; see `Store.list_foreign`."""
        from wheelferry.store.foreign import find_foreign  # noqa: PLC0415 (for verify)

        try:
            yield from find_foreign(self._root, self._reads)
        except OSError as exc:
            raise self._faults.of_read(exc, "list", self._root) from exc

    def survey(self, *, writes: bool) -> StoreSurvey:
        """Look at the share itself; see `Store.survey`."""
        from wheelferry.store.survey import take_survey  # noqa: PLC0415 (for doctor)

        staging = self._staging if writes else None
        try:
            return take_survey(self._root, reads=self._reads, staging=staging)
        except OSError as exc:
            raise self._faults.of_read(exc, "look at", self._root) from exc

    def look_again(self, digests: Iterable[Digest]) -> list[Digest]:
        """Return those of `digests` that are missing now."""
        wanted = list(digests)
        for directory in sorted({layout.object_directory(d) for d in wanted}):
            path = self._root / directory
            try:
                # Hits too must be current here: a name that gc has removed a moment
                # ago is believed to be there until its directory is opened.
                self._reads.look_into(path)
            except OSError as exc:
                raise self._faults.of_read(exc, "look into", path) from exc
        return [digest for digest in wanted if self.object_size(digest) is None]

    def list_segments(self) -> frozenset[SegmentId]:
        """Return the segments in `catalog/`, by one listing."""
        names = self._list(self._root / layout.CATALOG)
        found = map(layout.parse_segment_name, names)
        return frozenset(segment for segment in found if segment is not None)

    def read_segment(self, segment: SegmentId) -> bytes | None:
        """Return a segment's bytes, or None; see `Store.read_segment`."""
        path = self._root / layout.segment_path(segment)
        found = self._read(path, layout.MAX_SEGMENT_BYTES)
        if found is None:
            return None
        data, _ = found
        if len(data) > layout.MAX_SEGMENT_BYTES:
            raise ObjectCorrupt(
                f"segment {path} has more than {layout.MAX_SEGMENT_BYTES} bytes",
                hint="it is no segment; move it out of the store",
            )
        if (found_digest := _digest(data)) != segment:
            raise ObjectCorrupt(
                f"segment {path} does not have the SHA-256 that is its name: it has"
                f" {found_digest}",
                hint="check the store with `wheelferry verify`",
            )
        return data

    def commit_segment(self, data: bytes) -> SegmentId:
        """Add a segment to the catalog; see `Store.commit_segment`.

        1. *stage*: write, fsync, close.  A kill leaves a file for `sweep_staging`.
        2. *commit*: rename into `catalog/`, the commit point for all of its records.

        The objects that it names must be committed before.
        """
        if len(data) > layout.MAX_SEGMENT_BYTES:
            raise RecordMalformed(
                f"a segment of {len(data)} bytes is more than {layout.MAX_SEGMENT_BYTES}"
            )
        segment = SegmentId(_digest(data))
        target = self._root / layout.segment_path(segment)
        # Without a look whether it is there: it never is, or is the same.
        self._commit(self._stage([data], target), target)
        return segment

    def write_usage(self, name: str, usage: "Usage") -> None:
        """Write a usage file; see `Store.write_usage`.

        1. *stage*.  2. *commit*: a link, unless the name is there.  Killed before it: a
        staged file, and what the file was to replace still counts.
        """
        from wheelferry.store.usage import encode_usage  # noqa: PLC0415 (once a day)

        target = self._root / layout.usage_path(name)
        staged = self._stage([encode_usage(usage)], target)
        with self._writing("commit", target):
            self._staging.commit_new(staged, target)

    def read_usage(self) -> Iterator["UsageFile"]:
        """Yield what runners said; see `Store.read_usage`."""
        from wheelferry.store import usages  # noqa: PLC0415 (for few, here and below)

        def read_one(name: str) -> "UsageFile | None":
            with self._reading("read", self._root / layout.usage_path(name)):
                return usages.read(self._root, name, reads=self._reads)

        yield from usages.read_all(
            lambda: self._list(self._root / layout.USAGE), read_one
        )

    def list_usage(self, runner: str) -> list[str]:
        """Return the files of that name which can be claimed; see `Store.list_usage`."""
        from wheelferry.store import usages  # noqa: PLC0415

        return [
            name
            for name in usages.parse_names(self._list(self._root / layout.USAGE))
            if layout.usage_runner(name) == runner and not layout.usage_mark(name)
        ]

    def claim_usage(self, name: str) -> "UsageFile | None":
        """Rename a usage file to a name of ours, and read it; see `Store.claim_usage`."""
        from wheelferry.store import usages  # noqa: PLC0415

        with self._writing("take over", self._root / layout.usage_path(name)):
            return usages.claim(self._root, name, disk=self._disk, reads=self._reads)

    def release_usage(self, name: str) -> bool:
        """Let others claim a usage file; see `Store.release_usage`."""
        from wheelferry.store import usages  # noqa: PLC0415

        with self._writing("release", self._root / layout.usage_path(name)):
            return usages.release(self._root, name, disk=self._disk)

    def remove_usage(self, name: str) -> bool:
        """Remove a usage file; see `Store.remove_usage`."""
        from wheelferry.store import usages  # noqa: PLC0415

        with self._writing("remove", self._root / layout.usage_path(name)):
            return usages.remove(self._root, name, disk=self._disk)

    def sweep_staging(self, *, older_than_s: float) -> int:
        """Remove this runner's abandoned files; see `Store.sweep_staging`."""
        try:
            return self._staging.sweep(older_than_s=older_than_s)
        except OSError as exc:
            directory = self._staging.directory
            raise self._faults.of_write(exc, "sweep", directory) from exc

    def clock_s(self) -> int:
        """Return the server's time, from a file that is made for this and removed."""
        with self._writing("write", self._staging.directory):
            return int(self._staging.server_time_s())

    def list_dated(self) -> Iterator[tuple[Digest, int, int]]:
        """Yield all objects with their sizes and times; see `Store.list_dated`."""
        from wheelferry.store import removal  # noqa: PLC0415 (for gc, here and below)

        with self._reading("list", self._root / layout.OBJECTS):
            yield from removal.list_dated(self._root, self._reads)

    def discard_object(self, digest: Digest, *, at_s: int) -> bool:
        """Rename an object into `trash/`; see `Store.discard_object`."""
        from wheelferry.store import removal  # noqa: PLC0415

        with self._writing("remove", self._root / layout.object_path(digest)):
            return removal.discard(self._root, digest, at_s, disk=self._disk)

    def list_trash(self, *, only: Collection[Digest] | None = None) -> list[Trashed]:
        """Return what is in `trash/`, the oldest first; see `Store.list_trash`."""
        from wheelferry.store import removal  # noqa: PLC0415

        with self._reading("list", self._root / layout.TRASH):
            return removal.list_trash(self._root, self._reads, only)

    def recover_object(self, trashed: Trashed) -> bool:
        """Rename an object back into its place; see `Store.recover_object`."""
        from wheelferry.store import removal  # noqa: PLC0415

        with self._writing("recover", self._root / layout.object_path(trashed.digest)):
            return removal.recover(
                self._root, trashed, disk=self._disk, reads=self._reads
            )

    def purge_object(self, trashed: Trashed) -> bool:
        """Remove what is in `trash/`; see `Store.purge_object`."""
        from wheelferry.store import removal  # noqa: PLC0415

        with self._writing("remove", self._root / layout.TRASH):
            return removal.purge(self._root, trashed, disk=self._disk)

    def segment_times(
        self, *, only: Collection[SegmentId] | None = None
    ) -> dict[SegmentId, int]:
        """Return the segments in `catalog/` with their times of modification."""
        from wheelferry.store import removal  # noqa: PLC0415

        with self._reading("list", self._root / layout.CATALOG):
            return removal.segment_times(self._root, self._reads, only)

    def remove_segment(self, segment: SegmentId) -> bool:
        """Remove a segment; see `Store.remove_segment`."""
        from wheelferry.store import removal  # noqa: PLC0415

        with self._writing("remove", self._root / layout.segment_path(segment)):
            return removal.remove_segment(self._root, segment, disk=self._disk)

    def quarantine_object(self, digest: Digest, *, at_s: int, reason: str) -> bool:
        """Rename an object into `quarantine/`; see `Store.quarantine_object`."""
        path = self._root / layout.object_path(digest)
        with self._writing("quarantine", path):
            return self._quarantine.take_object(digest, at_s, reason)

    def quarantine_segment(self, segment: SegmentId, *, at_s: int, reason: str) -> bool:
        """Rename a segment into `quarantine/`; see `Store.quarantine_segment`."""
        path = self._root / layout.segment_path(segment)
        with self._writing("quarantine", path):
            return self._quarantine.take_segment(segment, at_s, reason)

    def list_quarantine(self) -> list[Quarantined]:
        """Return what is in `quarantine/`, the oldest first."""
        with self._reading("list", self._root / layout.QUARANTINE):
            return self._quarantine.list_all()

    def purge_quarantined(self, item: Quarantined) -> bool:
        """Remove what is in `quarantine/`; see `Store.purge_quarantined`."""
        with self._writing("remove", self._root / layout.QUARANTINE):
            return self._quarantine.purge(item)

    def list_leftovers(self) -> Iterator[tuple[str, int, int]]:
        """Yield what is in `staging/`; see `Store.list_leftovers`."""
        from wheelferry.store import leftovers  # noqa: PLC0415 (for verify)

        with self._reading("list", self._root / layout.STAGING):
            yield from leftovers.find_leftovers(self._root, self._reads)

    def remove_leftover(self, name: str) -> bool:
        """Remove a file or folder in `staging/`; see `Store.remove_leftover`."""
        from wheelferry.store import leftovers  # noqa: PLC0415

        with self._writing("remove", self._root / layout.STAGING):
            return leftovers.remove_leftover(
                self._root, name, disk=self._disk, reads=self._reads
            )

    @contextmanager
    def _reading(self, operation: str, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise self._faults.of_read(exc, operation, path) from exc

    @contextmanager
    def _writing(self, operation: str, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise self._faults.of_write(exc, operation, path) from exc

    def _is_damaged(self, digest: Digest) -> bool:
        """Return whether an object cannot be read, or is not what its name says."""
        import hashlib  # noqa: PLC0415 (for promoters)

        hasher = hashlib.sha256()
        try:
            stream = self.open_object(digest)
            if stream is None:
                return True
            with stream:
                while block := stream.read(_READ_BYTES):
                    hasher.update(block)
        except (StoreUnavailable, ObjectCorrupt):
            return True  # a new copy heals it, or fails for the same reason
        return hasher.hexdigest() != digest

    def _read(self, path: Path, max_bytes: int) -> tuple[bytes, os.stat_result] | None:
        try:
            return read_current(self._reads, path, max_bytes=max_bytes)
        except OSError as exc:
            raise self._faults.of_read(exc, "read", path) from exc

    def _size(self, path: Path) -> int | None:
        try:
            return size_current(self._reads, path)
        except OSError as exc:
            raise self._faults.of_read(exc, "look at", path) from exc

    def _list(self, directory: Path) -> list[str]:
        try:
            return list_current(self._reads, directory)
        except OSError as exc:
            raise self._faults.of_read(exc, "list", directory) from exc

    def _stage(self, chunks: Iterable[bytes], target: Path) -> "Staged":
        source = _Source(chunks)
        try:
            return self._staging.write(source)
        except OSError as exc:
            if exc is source.error:
                raise
            raise self._faults.of_write(exc, "write", target) from exc

    def _commit(self, staged: "Staged", target: Path) -> None:
        try:
            self._staging.commit(staged, target)
        except OSError as exc:
            raise self._faults.of_write(exc, "commit", target) from exc


class _Source:
    """Chunks that remember whether an OSError was theirs, and so not the store's."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.error: OSError | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._chunks
        except OSError as exc:
            self.error = exc
            raise


def _digest(data: bytes) -> str:
    import hashlib  # noqa: PLC0415 - 3 ms, and most pulls read nothing new

    return hashlib.sha256(data).hexdigest()
