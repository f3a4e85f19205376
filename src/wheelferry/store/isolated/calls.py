"""Calls to the process that works on the store: each on a lane, none for too long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Any, Final

from wheelferry.disk.clock import Deadline
from wheelferry.errors import (
    DeadlinePassed,
    StoreError,
    StoreSilent,
    StoreUnavailable,
)
from wheelferry.store.base import Store
from wheelferry.store.isolated.lanes import Closed, Late, Silent, WatchedLane
from wheelferry.store.isolated.process import StoreProcess
from wheelferry.store.isolated.wire import decode_error

_LOOK_S: Final = 1.0


class Calls:
    """Makes calls, and ends all of them for good when the store does not answer.

    Args:
        make: Makes the store, in the child.
        location: The store's.
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
        deadline: Deadline,
    ) -> None:
        self._location = location
        self._timeout_s = timeout_s
        self._deadline = deadline
        self._longest_s = 0.0
        self._failure: StoreError | None = None
        self._is_closed = False
        self._forgotten: set[int] = set()
        try:
            self._process = StoreProcess(
                make,
                timeout_s=timeout_s,
                deadline=deadline,
                is_given_up=lambda: self._failure is not None,
            )
        except OSError as exc:
            raise StoreUnavailable(
                f"cannot start a process for the store in {location}",
                hint="see what limits this job's processes, open files and memory",
            ) from exc
        self._changed = Condition()
        self._free = list(self._process.lanes)
        self._busy: list[WatchedLane] = []
        self._lost: list[WatchedLane] = []

    @property
    def pid(self) -> int:
        """The child."""
        return self._process.pid

    @property
    def longest_wait_s(self) -> float:
        """See `IsolatedStore.longest_wait_s`."""
        with self._changed:
            waiting = [lane.silence_s for lane in self._busy]
        return max(self._longest_s, *waiting, 0.0)

    def close(self) -> None:
        """End the child; calls that go on in other threads fail."""
        self._give_up(StoreUnavailable(f"the store in {self._location} was closed"))
        self._process.close()
        with self._changed:
            self._is_closed = True
            for lane in self._free + self._lost:
                lane.close()
            self._free.clear()
            self._lost.clear()

    def forget(self, handle: int) -> None:
        """Have the child close something, with the next call; never waits."""
        self._forgotten.add(handle)

    def call(self, name: str, *arguments: object) -> Any:
        """Make a call and return its result; raises what it raised there."""
        with self.begin(name, *arguments) as call:
            return call.result()

    @contextmanager
    def begin(self, name: str, *arguments: object) -> Iterator["Call"]:
        """Begin a call, whose result has to be taken before the end of the block."""
        lane = self._take()
        try:
            call = Call(self, lane)
            forgotten = self._forgotten.copy()  # two threads may send the same
            call.send((name, arguments, forgotten))
            self._forgotten.difference_update(forgotten)
            yield call
        finally:
            self._put_back(lane)

    def note(self, lane: WatchedLane, error: Exception) -> None:
        """Remember how long it took to fail, if that may mean a store that is dead."""
        if isinstance(error, StoreUnavailable | DeadlinePassed):
            self._longest_s = max(self._longest_s, lane.longest_s)

    def explain(self, lane: WatchedLane, trouble: Exception) -> StoreError:
        """Give up the store after Closed, Silent or Late; return what to raise."""
        error: StoreError | None
        if isinstance(trouble, Closed):
            error = self._failure
            if error is None:
                how, hint = self._process.describe_end()
                error = StoreUnavailable(
                    f"the process that works on the store in {self._location} {how}",
                    hint=hint,
                )
        elif isinstance(trouble, Silent):
            error = StoreSilent(
                f"the store in {self._location} has not answered for "
                f"{self._timeout_s:g} s",
                hint="check the file server and the network: `stat` on that directory "
                "will hang too",
            )
        else:
            error = self._describe_lateness(lane.silence_s)
        self.note(lane, error)
        return self._give_up(error)

    def _take(self) -> WatchedLane:
        while not self._deadline.is_past():
            with self._changed:
                if self._failure is not None:
                    raise _copy(self._failure)
                if self._free:
                    lane = self._free.pop()
                    self._busy.append(lane)
                    lane.begin()
                    return lane
                if not self._busy:
                    break
                self._changed.wait(min(_LOOK_S, self._deadline.remaining_s()))
        else:
            raise self._give_up(self._describe_lateness(0.0))
        interrupted = f"calls to the store in {self._location} were interrupted"
        raise self._give_up(StoreUnavailable(interrupted))

    def _put_back(self, lane: WatchedLane) -> None:
        with self._changed:
            self._busy.remove(lane)
            if self._is_closed:
                lane.close()
            elif lane.is_midway:
                # Open still: the child takes the end of a lane for our end.
                self._lost.append(lane)
            else:
                self._free.append(lane)
            self._changed.notify()

    def _give_up(self, error: StoreError) -> StoreError:
        """Make `error` that of all calls, unless there is one; return that."""
        with self._changed:
            if self._failure is None:
                self._failure = error
            self._changed.notify_all()
        self._process.kill()
        return _copy(self._failure)

    def _describe_lateness(self, silence_s: float) -> DeadlinePassed:
        waiting = ""
        if silence_s >= _LOOK_S:
            waiting = f", which had not answered for {silence_s:.0f} s"
        return DeadlinePassed(
            "the deadline came before the work was done with the store in "
            f"{self._location}{waiting}",
            hint="what is left is for the next run; a later deadline gives it more time",
        )


class Call:
    """A call that goes on; `server` is its other side."""

    def __init__(self, calls: Calls, lane: WatchedLane) -> None:
        self._calls = calls
        self._lane = lane
        self._answer: tuple[str, Any] | None = None

    @property
    def block(self) -> memoryview:
        """Where bytes of an object are, or are to be put."""
        return self._lane.block

    def send(self, value: object) -> None:
        """Send something to the other side."""
        try:
            self._lane.send(value)
        except (Closed, Silent, Late) as trouble:
            raise self._calls.explain(self._lane, trouble) from None

    def is_asked_for_more(self) -> bool:
        """Wait for an answer; return whether it asks for more of an object."""
        self._answer = self._receive()
        return bool(self._answer[0] == "more")

    def stop(self) -> None:
        """Answer that there is no more, for a reason that is not the store's."""
        self.send(None)
        self._receive()
        self._lane.end()

    def result(self) -> Any:
        """Return the result of the call; raises what it raised there."""
        kind, value = self._answer or self._receive()
        self._lane.end()
        if kind == "done":
            return value
        error = decode_error(value)
        self._calls.note(self._lane, error)
        raise error

    def _receive(self) -> tuple[str, Any]:
        try:
            answer: tuple[str, Any] = self._lane.receive()
        except (Closed, Silent, Late) as trouble:
            raise self._calls.explain(self._lane, trouble) from None
        return answer


def _copy(error: StoreError) -> StoreError:
    """Return the same error once more: one instance is for one thread to raise."""
    return type(error)(error.message, hint=error.hint)
