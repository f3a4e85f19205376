"""A store that is worked on by another process, so that nobody waits for a dead share.

A system call on a share whose server is away may return after minutes, or never, and no
thread can be told to give it up; a process can.  This one makes none on the share: it
asks the child, waits for so long, and then kills it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar, cast

from wheelferry.disk.clock import Deadline
from wheelferry.errors import StoreError
from wheelferry.store.base import (
    PutOutcome,
    Quarantined,
    Store,
    StoreInfo,
    StoreSurvey,
    Trashed,
)
from wheelferry.store.isolated.calls import Calls
from wheelferry.store.isolated.lanes import BLOCK_BYTES
from wheelferry.store.record import Digest, SegmentId

if TYPE_CHECKING:
    from wheelferry.store.usage import Usage, UsageFile

T = TypeVar("T")

_NEVER = Deadline.never()


class IsolatedStore:
    """Another store, in a process of its own; `base.Store` has the contracts.

    No call takes longer than `timeout_s` without a sign of life from the store, or lasts
    beyond the deadline.  After either the process is killed, and this and all later
    calls raise the same error at once: StoreSilent or DeadlinePassed.

    Forks once, here: to be made before there are threads.

    Args:
        make: Makes the store; called in the child, and not here.
        location: That of the store which `make` makes.
        timeout_s: How long the store may be silent.
        deadline: When all calls end.

    Raises:
        StoreUnavailable: There can be no child.
    """

    def __init__(
        self,
        make: Callable[[], Store],
        *,
        location: str,
        timeout_s: float,
        deadline: Deadline = _NEVER,
    ) -> None:
        self._location = location
        self._calls = Calls(
            make, location=location, timeout_s=timeout_s, deadline=deadline
        )

    @property
    def location(self) -> str:
        """Where the store is."""
        return self._location

    @property
    def pid(self) -> int:
        """The process that works on the store."""
        return self._calls.pid

    @property
    def longest_wait_s(self) -> float:
        """How long a call that failed, or still waits, had heard nothing of the store.

        Of several the longest.  Calls that succeeded do not count.
        """
        return self._calls.longest_wait_s

    def close(self) -> None:
        """End the process; calls that go on in other threads fail."""
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, *, expected_id: str | None = None) -> StoreInfo:
        """Read what the store says of itself; see `Store.open`."""
        return StoreInfo(*self._calls.call("open", expected_id))

    def put_object(
        self,
        chunks: Iterable[bytes],
        *,
        digest: Digest,
        size_bytes: int,
        is_suspect: bool = False,
    ) -> PutOutcome:
        """Commit an object; see `Store.put_object`."""
        from wheelferry.store.isolated.stream import Pieces  # noqa: PLC0415

        source = Pieces(chunks)
        with self._calls.begin("put_object", digest, size_bytes, is_suspect) as call:
            while call.is_asked_for_more():
                try:
                    count = source.fill(call.block)
                except Exception:
                    # What was staged is removed there; what `chunks` raised is the error
                    # to show.
                    with suppress(StoreError):
                        call.stop()
                    raise
                call.send(count)
            return PutOutcome(call.result())

    def open_object(self, digest: Digest) -> BinaryIO | None:
        """Open an object for reading, or return None; see `Store.open_object`."""
        handle = self._calls.call("open_object", digest)
        if handle is None:
            return None
        from wheelferry.store.isolated.stream import IsolatedReader  # noqa: PLC0415

        reader = IsolatedReader(
            partial(self._read, handle),
            find_end=partial(self._calls.call, "find_end", handle),
            forget=partial(self._calls.forget, handle),
        )
        return cast("BinaryIO", reader)

    def object_size(self, digest: Digest) -> int | None:
        """Return an object's size in bytes, or None if it is missing now."""
        size_bytes: int | None = self._calls.call("object_size", digest)
        return size_bytes

    def list_objects(self) -> Iterator[tuple[Digest, int]]:
        """Yield all objects and their sizes in bytes."""
        yield from self._listing("list_objects")

    def list_foreign(self) -> Iterator[tuple[str, str]]:
        """Yield what does not belong into the store; see `Store.list_foreign`."""
        yield from self._listing("list_foreign")

    def survey(self, *, writes: bool) -> StoreSurvey:
        """Look at the medium; see `Store.survey`."""
        return StoreSurvey(*self._calls.call("survey", writes))

    def ask(self, name: str, *arguments: object) -> Any:
        """Call a method that only the store has which `make` makes.

        Arguments and result are of exact built-in types.
        """
        return self._calls.call("ask", name, arguments)

    def look_again(self, digests: Iterable[Digest]) -> list[Digest]:
        """Return those of `digests` that are missing now."""
        missing: list[Digest] = self._calls.call("look_again", list(digests))
        return missing

    def list_segments(self) -> frozenset[SegmentId]:
        """Return the segments that make up the catalog now."""
        segments: frozenset[SegmentId] = self._calls.call("list_segments")
        return segments

    def read_segment(self, segment: SegmentId) -> bytes | None:
        """Return a segment's bytes, or None; see `Store.read_segment`."""
        data: bytes | None = self._calls.call("read_segment", segment)
        return data

    def commit_segment(self, data: bytes) -> SegmentId:
        """Add a segment to the catalog; see `Store.commit_segment`."""
        return SegmentId(self._calls.call("commit_segment", data))

    def write_usage(self, name: str, usage: "Usage") -> None:
        """Say what a runner used and did; see `Store.write_usage`."""
        self._calls.call("write_usage", name, tuple(usage))

    def read_usage(self) -> Iterator["UsageFile"]:
        """Yield what runners said; see `Store.read_usage`."""
        from wheelferry.store.usage import Usage, UsageFile  # noqa: PLC0415 (for few)

        for name, written_s, named_s, usage in self._listing("read_usage"):
            yield UsageFile(name, written_s, named_s, Usage(*usage))

    def list_usage(self, runner: str) -> list[str]:
        """Return the files of that name which can be claimed; see `Store.list_usage`."""
        names: list[str] = self._calls.call("list_usage", runner)
        return names

    def claim_usage(self, name: str) -> "UsageFile | None":
        """Take over a file, to carry it on; see `Store.claim_usage`."""
        from wheelferry.store.usage import Usage, UsageFile  # noqa: PLC0415

        found = self._calls.call("claim_usage", name)
        if found is None:
            return None
        name, written_s, named_s, usage = found
        return UsageFile(name, written_s, named_s, Usage(*usage))

    def release_usage(self, name: str) -> bool:
        """Let others claim a file; see `Store.release_usage`."""
        return bool(self._calls.call("release_usage", name))

    def remove_usage(self, name: str) -> bool:
        """Remove a file that another one carries on; see `Store.remove_usage`."""
        return bool(self._calls.call("remove_usage", name))

    def sweep_staging(self, *, older_than_s: float) -> int:
        """Remove this runner's abandoned files; see `Store.sweep_staging`."""
        count: int = self._calls.call("sweep_staging", older_than_s)
        return count

    def clock_s(self) -> int:
        """Return the time of the store's clock; see `Store.clock_s`."""
        time_s: int = self._calls.call("clock_s")
        return time_s

    def list_dated(self) -> Iterator[tuple[Digest, int, int]]:
        """Yield all objects with their sizes and times; see `Store.list_dated`."""
        yield from self._listing("list_dated")

    def discard_object(self, digest: Digest, *, at_s: int) -> bool:
        """Take an object away; see `Store.discard_object`."""
        return bool(self._calls.call("discard_object", digest, at_s))

    def list_trash(self, *, only: Collection[Digest] | None = None) -> list[Trashed]:
        """Return what was taken away, the oldest first; see `Store.list_trash`."""
        wanted = None if only is None else list(only)
        items = self._calls.call("list_trash", wanted)
        return [Trashed(*item) for item in items]

    def recover_object(self, trashed: Trashed) -> bool:
        """Bring back what was taken away; see `Store.recover_object`."""
        return bool(self._calls.call("recover_object", tuple(trashed)))

    def purge_object(self, trashed: Trashed) -> bool:
        """Remove what was taken away; see `Store.purge_object`."""
        return bool(self._calls.call("purge_object", tuple(trashed)))

    def segment_times(
        self, *, only: Collection[SegmentId] | None = None
    ) -> dict[SegmentId, int]:
        """Return the segments of the catalog with their times."""
        times: dict[SegmentId, int] = self._calls.call(
            "segment_times", None if only is None else list(only)
        )
        return times

    def remove_segment(self, segment: SegmentId) -> bool:
        """Take a segment out of the catalog; see `Store.remove_segment`."""
        return bool(self._calls.call("remove_segment", segment))

    def quarantine_object(self, digest: Digest, *, at_s: int, reason: str) -> bool:
        """Move an object aside; see `Store.quarantine_object`."""
        return bool(self._calls.call("quarantine_object", digest, at_s, reason))

    def quarantine_segment(self, segment: SegmentId, *, at_s: int, reason: str) -> bool:
        """Move a segment aside; see `Store.quarantine_segment`."""
        return bool(self._calls.call("quarantine_segment", segment, at_s, reason))

    def list_quarantine(self) -> list[Quarantined]:
        """Return what was moved aside, the oldest first."""
        return [Quarantined(*item) for item in self._calls.call("list_quarantine")]

    def purge_quarantined(self, item: Quarantined) -> bool:
        """Remove what was moved aside; see `Store.purge_quarantined`."""
        return bool(self._calls.call("purge_quarantined", tuple(item)))

    def list_leftovers(self) -> Iterator[tuple[str, int, int]]:
        """Yield all temporary files; see `Store.list_leftovers`."""
        yield from self._listing("list_leftovers")

    def remove_leftover(self, name: str) -> bool:
        """Remove a temporary file; see `Store.remove_leftover`."""
        return bool(self._calls.call("remove_leftover", name))

    def _listing(self, name: str) -> Iterator[Any]:
        handle = self._calls.call("begin", name)
        try:
            while (items := self._calls.call("go_on", handle)) is not None:
                yield from items
        finally:
            self._calls.forget(handle)

    def _read(
        self, handle: int, offset: int, size_bytes: int, take: Callable[[memoryview], T]
    ) -> T:
        """Return what `take` makes of the next bytes: as many as fit into a block."""
        wanted_bytes = min(size_bytes, BLOCK_BYTES)
        with self._calls.begin("read", handle, offset, wanted_bytes) as call:
            count = call.result()
            return take(call.block[:count])
