"""A store in memory, for tests of what stands above the store."""

import io
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import BinaryIO

from tests.support.records import digest_of, segment_id_of
from wheelferry.errors import ObjectCorrupt, RecordMalformed, StoreNotInitialised
from wheelferry.store.base import PutOutcome, StoreInfo
from wheelferry.store.layout import (
    OLD_USAGE,
    check_digest,
    mark_usage,
    parse_staged_path,
    usage_mark,
    usage_name,
    usage_path,
    usage_runner,
)
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.upkeep import (
    Dated,
    Foreign,
    Quarantined,
    StoreSurvey,
    Trashed,
)
from wheelferry.store.usage import Usage, UsageFile


class MemoryStore:
    """Keeps all in `objects` and `segments`, which tests may change or damage."""

    def __init__(self, store_id: str = "a" * 32) -> None:
        self.info = StoreInfo(id=store_id, format_version=1, created="now")
        self.objects: dict[Digest, bytes] = {}
        self.segments: dict[SegmentId, bytes] = {}
        self.reads: list[SegmentId] = []
        self.usage_files: dict[str, UsageFile] = {}
        self.server_s = 0
        self.dates: dict[str, int] = {}
        self.trash: dict[Trashed, bytes] = {}
        self.quarantine: dict[Quarantined, tuple[bytes, str]] = {}
        self.leftovers: dict[str, tuple[int, int]] = {}
        self.usage = MemoryUsage(self)
        self.upkeep = MemoryUpkeep(self)

    @property
    def location(self) -> str:
        return "memory"

    def open(self, *, expected_id: str | None = None) -> StoreInfo:
        if expected_id not in (None, self.info.id):
            raise StoreNotInitialised(f"{self.info.id} is not {expected_id}")
        return self.info

    def put_object(
        self,
        chunks: Iterable[bytes],
        *,
        digest: Digest,
        size_bytes: int,
        is_suspect: bool = False,
    ) -> PutOutcome:
        there = self.objects.get(check_digest(digest))
        has_size = there is not None and len(there) == size_bytes
        if has_size and not (is_suspect and digest_of(there or b"") != digest):
            return PutOutcome.ALREADY_PRESENT
        data = b"".join(chunks)
        if (digest_of(data), len(data)) != (digest, size_bytes):
            raise ObjectCorrupt(f"{digest} is not what was given")
        self.objects[digest] = data
        self.dates[digest] = self.server_s
        return PutOutcome.COMMITTED if there is None else PutOutcome.REPLACED

    def open_object(self, digest: Digest) -> BinaryIO | None:
        data = self.objects.get(check_digest(digest))
        return None if data is None else io.BytesIO(data)

    def object_size(self, digest: Digest) -> int | None:
        data = self.objects.get(check_digest(digest))
        return None if data is None else len(data)

    def look_again(self, digests: Iterable[Digest]) -> list[Digest]:
        return [digest for digest in digests if digest not in self.objects]

    def list_segments(self) -> frozenset[SegmentId]:
        return frozenset(self.segments)

    def read_segment(self, segment: SegmentId) -> bytes | None:
        self.reads.append(segment)
        data = self.segments.get(SegmentId(check_digest(segment)))
        if data is not None and segment_id_of(data) != segment:
            raise ObjectCorrupt(f"segment {segment} has other bytes")
        return data

    def commit_segment(self, data: bytes) -> SegmentId:
        segment = segment_id_of(data)
        self.segments[segment] = data
        self.dates[segment] = self.server_s
        return segment

    def sweep_staging(self, *, older_than_s: float) -> int:
        del older_than_s
        return 0


class MemoryUsage:
    """The usage files of a MemoryStore, which are in its `usage_files`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def write(self, name: str, usage: Usage) -> None:
        usage_path(name)
        self._store.server_s += 1
        file = UsageFile(name, self._store.server_s, self._store.server_s, usage)
        self._store.usage_files.setdefault(name, file)

    def read_all(self) -> Iterator[UsageFile]:
        yield from list(self._store.usage_files.values())

    def list_free(self, runner: str) -> list[str]:
        mine = (
            name
            for name in sorted(self._store.usage_files)
            if usage_runner(name) == runner
        )
        return [name for name in mine if not usage_mark(name)]

    def claim(self, name: str) -> UsageFile | None:
        file = self._store.usage_files.pop(name, None)
        if file is None:
            return None
        self._store.server_s += 1
        claimed = usage_name(usage_runner(name), f"{self._store.server_s:016x}")
        claimed = mark_usage(claimed, OLD_USAGE)
        self._store.usage_files[claimed] = file._replace(
            name=claimed, named_s=self._store.server_s
        )
        return self._store.usage_files[claimed]

    def release(self, name: str) -> bool:
        file = self._store.usage_files.pop(name, None)
        if file is None:
            return False
        self._store.server_s += 1
        free = file._replace(name=mark_usage(name, ""), named_s=self._store.server_s)
        self._store.usage_files[free.name] = free
        return True

    def remove(self, name: str) -> bool:
        return self._store.usage_files.pop(name, None) is not None


class MemoryUpkeep:
    """What tends a MemoryStore."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def list_foreign(self) -> Iterator[Foreign]:
        yield from ()

    def survey(self, *, writes: bool) -> StoreSurvey:
        written_s = self._store.server_s + 1.0 if writes else 0.0
        return StoreSurvey(
            real_path="",
            answers_s=(),
            free_bytes=1 << 40,
            size_bytes=1 << 40,
            free_files=0,
            size_files=0,
            directories=(),
            refused=(),
            written_s=written_s,
            clock_s=(written_s, written_s),
            trouble="",
        )

    def clock_s(self) -> int:
        return self._store.server_s

    def list_objects(self) -> Iterator[Dated | Foreign]:
        for digest, data in list(self._store.objects.items()):
            yield Dated(digest, len(data), self._store.dates[digest])

    def discard_object(self, digest: Digest, *, at_s: int) -> bool:
        data = self._store.objects.pop(check_digest(digest), None)
        if data is not None:
            self._store.trash[Trashed(digest, at_s, len(data))] = data
        return data is not None

    def list_trash(self, *, only: AbstractSet[Digest] | None = None) -> list[Trashed]:
        found = (
            item for item in self._store.trash if only is None or item.digest in only
        )
        return sorted(found, key=lambda item: (item.since_s, item.digest))

    def recover_object(self, trashed: Trashed) -> bool:
        if (
            check_digest(trashed.digest) in self._store.objects
            or trashed not in self._store.trash
        ):
            return False
        self._store.objects[trashed.digest] = self._store.trash.pop(trashed)
        return True

    def purge_object(self, trashed: Trashed) -> bool:
        check_digest(trashed.digest)
        return self._store.trash.pop(trashed, None) is not None

    def segment_times(
        self, *, only: AbstractSet[SegmentId] | None = None
    ) -> dict[SegmentId, int]:
        wanted = (
            self._store.segments
            if only is None
            else self._store.segments.keys() & set(only)
        )
        return {segment: self._store.dates[segment] for segment in wanted}

    def remove_segment(self, segment: SegmentId) -> bool:
        check_digest(segment)
        return self._store.segments.pop(segment, None) is not None

    def quarantine_object(self, digest: Digest, *, at_s: int, reason: str) -> bool:
        data = self._store.objects.get(check_digest(digest))
        if data is None or digest_of(data) == digest:
            return False
        del self._store.objects[digest]
        self._store.quarantine[Quarantined(digest, at_s, len(data), False)] = (
            data,
            reason,
        )
        return True

    def quarantine_segment(self, segment: SegmentId, *, at_s: int, reason: str) -> bool:
        data = self._store.segments.get(SegmentId(check_digest(segment)))
        if data is None or segment_id_of(data) == segment:
            return False
        del self._store.segments[segment]
        self._store.quarantine[Quarantined(segment, at_s, len(data), True)] = (
            data,
            reason,
        )
        return True

    def list_quarantine(self) -> list[Quarantined]:
        return sorted(
            self._store.quarantine, key=lambda item: (item.since_s, item.name)
        )

    def purge_quarantined(self, item: Quarantined) -> bool:
        check_digest(item.name)
        return self._store.quarantine.pop(item, None) is not None

    def list_leftovers(self) -> Iterator[tuple[str, int, int]]:
        yield from ((name, *facts) for name, facts in self._store.leftovers.items())

    def remove_leftover(self, name: str) -> bool:
        if parse_staged_path(name) is None:
            raise RecordMalformed(f"{name} is no temporary file")
        return self._store.leftovers.pop(name, None) is not None
