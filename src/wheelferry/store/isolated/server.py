"""What the process that works on the store answers.

It keeps nothing but open objects and listings, known to the other side by numbers.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NoReturn

from wheelferry.disk import clock
from wheelferry.store.base import PutOutcome, Store
from wheelferry.store.beats import listen
from wheelferry.store.isolated.lanes import Closed, Lane
from wheelferry.store.isolated.wire import encode_error
from wheelferry.store.record import Digest, SegmentId

_BATCH_ITEMS: Final = 1000
_BATCH_S: Final = 0.2
"""A listing is told of in parts, so that one that is long or slow is heard of."""


class SourceFailed(OSError):
    """The other process could not go on giving the bytes of an object."""


class Server:
    """Answers requests: `(name, arguments, handles that are no longer needed)`.

    An answer is `("done", value)` or `("failed", error)`; before that of a put, any
    number of `("more", None)` ask for a block of the object.
    """

    def __init__(self, make: Callable[[], Store], beat_s: float) -> None:
        self._beat_s = beat_s
        self._streams: dict[int, Any] = {}  # BinaryIO, which lacks `readinto`
        self._listings: dict[int, _Listing] = {}
        self._numbers = iter(range(1 << 62))
        self._failure: BaseException | None = None
        try:
            self._store = make()
        except BaseException as exc:  # noqa: BLE001 - it is what every call raises
            self._failure = exc

    def serve(self, lane: Lane) -> NoReturn:
        """Answer what comes on a lane until Closed."""
        pace = _Pace(lane, self._beat_s)
        listen(pace.beat)
        while True:
            name, arguments, forgotten = lane.receive()
            pace.restart()
            try:
                self._forget(forgotten)
                lane.send(("done", self._answer(lane, name, arguments)))
            except Closed:
                raise
            except BaseException as exc:  # noqa: BLE001 - raised in the other process
                lane.send(("failed", encode_error(exc)))

    def _answer(self, lane: Lane, name: str, arguments: tuple[Any, ...]) -> object:
        if self._failure is not None:
            raise self._failure
        if name == "put_object":
            return self._put_object(lane, *arguments)
        if name == "read":
            return self._read(lane, *arguments)
        operation: Callable[..., object] = getattr(self, f"_{name}")
        return operation(*arguments)

    def _forget(self, handles: Iterable[int]) -> None:
        for handle in handles:
            if (stream := self._streams.pop(handle, None)) is not None:
                stream.close()
            self._listings.pop(handle, None)

    def _open(self, expected_id: str | None) -> tuple[object, ...]:
        return tuple(self._store.open(expected_id=expected_id))

    def _put_object(
        self,
        lane: Lane,
        digest: Digest,
        size_bytes: int,
        is_suspect: bool,  # noqa: FBT001 - as it was sent
    ) -> str:
        outcome: PutOutcome = self._store.put_object(
            _chunks(lane), digest=digest, size_bytes=size_bytes, is_suspect=is_suspect
        )
        return outcome.value

    def _open_object(self, digest: Digest) -> int | None:
        stream = self._store.open_object(digest)
        if stream is None:
            return None
        handle = next(self._numbers)
        self._streams[handle] = stream
        return handle

    def _read(self, lane: Lane, handle: int, offset: int, size_bytes: int) -> int:
        """Read into the lane's block; return how many bytes, 0 at the end."""
        stream = self._streams[handle]
        stream.seek(offset)
        done = 0
        with lane.block[:size_bytes] as view:
            while done < size_bytes and (count := stream.readinto(view[done:])):
                done += count
        return done

    def _find_end(self, handle: int) -> int:
        end: int = self._streams[handle].seek(0, os.SEEK_END)
        return end

    def _object_size(self, digest: Digest) -> int | None:
        return self._store.object_size(digest)

    def _ask(self, name: str, arguments: tuple[Any, ...]) -> object:
        answer: object = getattr(self._store, name)(*arguments)
        return answer

    def _look_again(self, digests: list[Digest]) -> list[Digest]:
        return self._store.look_again(digests)

    def _list_segments(self) -> frozenset[SegmentId]:
        return self._store.list_segments()

    def _read_segment(self, segment: SegmentId) -> bytes | None:
        return self._store.read_segment(segment)

    def _commit_segment(self, data: bytes) -> SegmentId:
        return self._store.commit_segment(data)

    def _sweep_staging(self, older_than_s: float) -> int:
        return self._store.sweep_staging(older_than_s=older_than_s)

    def _call_part(
        self,
        part: str,
        method: str,
        arguments: tuple[object, ...],
        named: dict[str, object],
    ) -> Any:
        """Return a result, or the handle of a listing."""
        from wheelferry.store.isolated import parts  # noqa: PLC0415 (for few)

        result = getattr(getattr(self._store, part), method)(
            *map(parts.decode_value, arguments),
            **{name: parts.decode_value(value) for name, value in named.items()},
        )
        if not isinstance(result, Iterator):
            return parts.encode_value(result)
        handle = next(self._numbers)
        # A file of usage can be large, and is sent by itself.
        max_items = 1 if part == "usage" else _BATCH_ITEMS
        items = map(parts.encode_value, result)
        self._listings[handle] = _Listing(items, max_items=max_items)
        return handle

    def _go_on(self, handle: int) -> list[object] | None:
        """Return the next items of a listing, or None at its end."""
        return self._listings[handle].take()


class _Listing:
    """A listing that is handed out in parts."""

    def __init__(self, items: Iterator[object], *, max_items: int) -> None:
        self._items = items
        self._max_items = max_items
        self._failure: BaseException | None = None

    def take(self) -> list[object] | None:
        """Return some items, or None if there are no more.

        What the listing raises comes after all items that it had before.
        """
        if self._failure is not None:
            raise self._failure
        taken: list[object] = []
        began_s = clock.monotonic_s()
        try:
            for item in self._items:
                taken.append(item)
                is_full = len(taken) >= self._max_items
                if is_full or clock.monotonic_s() - began_s > _BATCH_S:
                    break
        except Closed:
            raise
        except BaseException as exc:
            if not taken:
                raise
            self._failure = exc
        return taken or None


class _Pace:
    """Lets a lane tell of progress, but not of every step."""

    def __init__(self, lane: Lane, beat_s: float) -> None:
        self._lane = lane
        self._beat_s = beat_s
        self._next_s = 0.0

    def restart(self) -> None:
        """Note that the other process begins to wait."""
        self._next_s = clock.monotonic_s() + self._beat_s

    def beat(self) -> None:
        """Tell of progress if it is time to."""
        if clock.monotonic_s() >= self._next_s:
            self._lane.beat()
            self.restart()


def _chunks(lane: Lane) -> Iterator[bytes]:
    """Yield an object's bytes, each block only when it is asked for."""
    while True:
        lane.send(("more", None))
        size_bytes = lane.receive()
        if size_bytes is None:
            raise SourceFailed
        if not size_bytes:
            return
        yield bytes(lane.block[:size_bytes])
