"""A store that is worked on by another process, so that nobody waits for a dead share.

A system call on a share whose server is away may return after minutes, or never, and no
thread can be told to give it up; a process can.  This one makes none on the share: it
asks the child, waits for so long, and then kills it.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar, cast

from wheelferry.disk.clock import Deadline
from wheelferry.errors import StoreError
from wheelferry.store.base import PutOutcome, Store, StoreInfo
from wheelferry.store.isolated.calls import Calls
from wheelferry.store.isolated.lanes import BLOCK_BYTES
from wheelferry.store.record import Digest, SegmentId

if TYPE_CHECKING:
    from wheelferry.store.upkeep import Upkeep
    from wheelferry.store.usage_files import UsageFiles

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

    @cached_property
    def usage(self) -> "UsageFiles":
        """What runners say of themselves in the store."""
        from wheelferry.store.isolated.parts import Part  # noqa: PLC0415 (for few)

        return cast("UsageFiles", Part(self._calls, "usage"))

    @cached_property
    def upkeep(self) -> "Upkeep":
        """What tends the store."""
        from wheelferry.store.isolated.parts import Part  # noqa: PLC0415 (for few)

        return cast("Upkeep", Part(self._calls, "upkeep"))

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

    def sweep_staging(self, *, older_than_s: float) -> int:
        """Remove this runner's abandoned files; see `Store.sweep_staging`."""
        count: int = self._calls.call("sweep_staging", older_than_s)
        return count

    def _read(
        self, handle: int, offset: int, size_bytes: int, take: Callable[[memoryview], T]
    ) -> T:
        """Return what `take` makes of the next bytes: as many as fit into a block."""
        wanted_bytes = min(size_bytes, BLOCK_BYTES)
        with self._calls.begin("read", handle, offset, wanted_bytes) as call:
            count = call.result()
            return take(call.block[:count])
