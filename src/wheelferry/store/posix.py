"""A store in a directory that many machines mount, such as one on NFS.

No lock of any kind is taken here, ever.  What makes that safe: files are complete before
they have a name, names say what the content is, and nothing is changed afterwards.
OSErrors become StoreErrors here, in `posix_usage` and in `posix_upkeep`.
"""

import os
from collections.abc import Iterable, Iterator
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
from wheelferry.store.base import PutOutcome, StoreInfo
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
    from wheelferry.store.posix_upkeep import PosixUpkeep
    from wheelferry.store.posix_usage import PosixUsage
    from wheelferry.store.site import Site
    from wheelferry.store.staging import Staged, Staging

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
        disk.confine(root)

    @cached_property
    def _staging(self) -> "Staging":
        from wheelferry.store.staging import Staging  # noqa: PLC0415 (for writers)

        return Staging(self._root, disk=self._disk, runner=self._runner)

    @property
    def _site(self) -> "Site":
        from wheelferry.store.site import Site  # noqa: PLC0415 (for few)

        return Site(self._root, self._disk, self._reads, self._staging)

    @property
    def location(self) -> str:
        """The directory."""
        return str(self._root)

    @cached_property
    def usage(self) -> "PosixUsage":
        """What is in `usage/`."""
        from wheelferry.store.posix_usage import PosixUsage  # noqa: PLC0415 (for few)

        return PosixUsage(self._site)

    @cached_property
    def upkeep(self) -> "PosixUpkeep":
        """What tends it."""
        from wheelferry.store.posix_upkeep import PosixUpkeep  # noqa: PLC0415 (for few)

        return PosixUpkeep(self._site)

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
        with self._faults.reading("open", path):
            found = open_current(self._reads, path)
        if found is None:
            return None
        return ObjectReader(found[0], path, reads=self._reads, faults=self._faults)

    def object_size(self, digest: Digest) -> int | None:
        """Return an object's size in bytes, or None if it is missing now."""
        return self._size(self._root / layout.object_path(digest))

    def look_again(self, digests: Iterable[Digest]) -> list[Digest]:
        """Return those of `digests` that are missing now."""
        wanted = list(digests)
        for directory in sorted({layout.object_directory(d) for d in wanted}):
            path = self._root / directory
            with self._faults.reading("look into", path):
                # Hits too must be current here: a name that gc has removed a moment
                # ago is believed to be there until its directory is opened.
                self._reads.look_into(path)
        return [digest for digest in wanted if self.object_size(digest) is None]

    def list_segments(self) -> frozenset[SegmentId]:
        """Return the segments in `catalog/`, by one listing."""
        directory = self._root / layout.CATALOG
        with self._faults.reading("list", directory):
            names = list_current(self._reads, directory)
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

    def sweep_staging(self, *, older_than_s: float) -> int:
        """Remove this runner's abandoned files; see `Store.sweep_staging`."""
        with self._faults.writing("sweep", self._staging.directory):
            return self._staging.sweep(older_than_s=older_than_s)

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
        with self._faults.reading("read", path):
            return read_current(self._reads, path, max_bytes=max_bytes)

    def _size(self, path: Path) -> int | None:
        with self._faults.reading("look at", path):
            return size_current(self._reads, path)

    def _stage(self, chunks: Iterable[bytes], target: Path) -> "Staged":
        source = _Source(chunks)
        try:
            return self._staging.write(source)
        except OSError as exc:
            if exc is source.error:
                raise
            raise self._faults.of_write(exc, "write", target) from exc

    def _commit(self, staged: "Staged", target: Path) -> None:
        with self._faults.writing("commit", target):
            self._staging.commit(staged, target)


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
