"""Threads that pack and restore, with a bound on the memory that their work holds.

`concurrent.futures` would do, but it imports `logging`, and its queue has no bound.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")

BUDGET_BYTES = 32 << 20


class Job(Generic[T]):
    """A call that a pool makes, and later its outcome."""

    def __init__(self, call: Callable[[], T], weight_bytes: int) -> None:
        self.weight_bytes = weight_bytes
        self._call: Callable[[], T] | None = call
        self._value: T
        self._error: BaseException | None = None
        # A bare lock is the cheapest thing that one thread can wait for.
        self._done = threading.Lock()
        self._done.acquire()

    def run(self) -> None:
        """Make the call; called once, by the pool."""
        assert self._call is not None
        try:
            self._value = self._call()
        except BaseException as exc:  # noqa: BLE001  (it is raised in `result`)
            self._error = exc
        self._call = None  # frees what the call holds
        self._done.release()

    def wait(self, timeout_s: float = -1) -> bool:
        """Block until the call has returned or raised; return whether it has.

        For `timeout_s` at most, if that is not negative.
        """
        is_done = self._done.acquire(timeout=timeout_s)
        if is_done:
            self._done.release()
        return is_done

    def is_done(self) -> bool:
        """Return whether the call has returned or raised."""
        return not self._done.locked()

    def result(self) -> T:
        """Block until the call has returned; return its value or raise its error."""
        self.wait()
        if self._error is not None:
            raise self._error
        return self._value


class Pool:
    """A few threads, shared by whatever packs are written or restored at one time.

    Args:
        workers: Number of threads.
        budget_bytes: `submit` blocks while the jobs not yet done weigh this much.
    """

    def __init__(self, workers: int = 2, budget_bytes: int = BUDGET_BYTES) -> None:
        self._queue: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._budget_bytes = budget_bytes
        self._in_flight_bytes = 0
        self._room = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"pack-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, call: Callable[[], T], *, weight_bytes: int) -> Job[T]:
        """Have `call` made by a thread; blocks while there is no room for its weight."""
        job = Job(call, weight_bytes)
        with self._room:
            while (
                self._in_flight_bytes
                and self._in_flight_bytes + weight_bytes > self._budget_bytes
            ):
                self._room.wait()
            self._in_flight_bytes += weight_bytes
        self._queue.put(job)
        return job

    def close(self) -> None:
        """Let the threads finish what was submitted, and end them."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            job.run()
            with self._room:
                self._in_flight_bytes -= job.weight_bytes
                self._room.notify_all()
            del job  # or this thread keeps the last job's memory while it waits
