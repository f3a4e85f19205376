"""What all fetchers read through: it holds them to the deadline and to the rate."""

import threading
from collections.abc import Callable
from typing import BinaryIO, Self

from wheelferry.disk.clock import Deadline, monotonic_s, pause
from wheelferry.ops.pace import Bucket, Pace

TRIAL_S = 5.0
"""How long a pack is read before it may be given up as too slow.

So one that cannot arrive in time costs a job these seconds, and not all that it has.
"""


class EndedError(Exception):
    """What is being read is not worth reading to its end; the message says why."""


class Intake:
    """One for each pull; for any number of threads.

    Attributes:
        read_bytes: Of all packs so far, whole or not.

    Args:
        deadline: When reading has to be over.
        rate_bytes_s: How much may be read in a second; None is no limit.
        at_once: Number of packs that are read at one time.
        clock: In seconds, that of the deadline.
        sleep: Blocks for some seconds of that clock.
    """

    def __init__(
        self,
        deadline: Deadline,
        rate_bytes_s: int | None,
        *,
        at_once: int,
        clock: Callable[[], float] = monotonic_s,
        sleep: Callable[[float], None] = pause,
    ) -> None:
        self.clock = clock
        self.read_bytes = 0
        self._end_s = deadline.at_s
        self._at_once = at_once
        self._sleep = sleep
        self._lock = threading.Lock()
        self._pace = Pace()
        self._bucket = None
        if rate_bytes_s is not None:
            self._bucket = Bucket.full(rate_bytes_s, clock())
        self._is_closed = False

    def close(self) -> None:
        """End what is being read, with an EndedError at its next block."""
        self._is_closed = True

    def refuse(self, size_bytes: int) -> str:
        """Return why a pack of that size is not worth beginning; "" if it is."""
        left_s = self._end_s - self.clock()
        if left_s <= 0:
            return "the deadline came first"
        if not self._pace.arrives(size_bytes, left_s):
            return (
                f"its pack of {size_bytes} bytes would not arrive before the deadline"
            )
        return ""

    def check(self, missing_bytes: int, so_far: Pace) -> None:
        """Raise if the pack that a thread reads need not be read any further.

        Raises:
            EndedError: The deadline came, or will before so many bytes do; or `close`
                was called.
        """
        if self._is_closed:
            raise EndedError("nobody waits for it any more")
        left_s = self._end_s - self.clock()
        if left_s <= 0:
            raise EndedError("the deadline came while its pack was read")
        # Alone it would be faster, as many times at most as there are others now.
        is_slow = not so_far.arrives(missing_bytes, left_s * self._at_once)
        if is_slow and so_far.spent_s >= TRIAL_S:
            raise EndedError("its pack came too slowly to be there at the deadline")

    def wait_for(self, size_bytes: int) -> int:
        """Block until something may be read; return how much, up to `size_bytes`.

        Raises:
            EndedError: That would be after the deadline; it is not waited for.
        """
        if self._bucket is None:
            return size_bytes
        with self._lock:
            size_bytes = min(size_bytes, self._bucket.burst_bytes)
            self._bucket, wait_s = self._bucket.take(size_bytes, self.clock())
        if wait_s >= self._end_s - self.clock():
            raise EndedError("pull.limit_rate lets no more in before the deadline")
        if wait_s:
            self._sleep(wait_s)
        return size_bytes

    def count(self, read_bytes: int, allowed_bytes: int) -> None:
        """Say how much was read of what `wait_for` allowed."""
        with self._lock:
            self.read_bytes += read_bytes
            if self._bucket is not None and read_bytes < allowed_bytes:
                unused_bytes = allowed_bytes - read_bytes
                self._bucket, _ = self._bucket.take(-unused_bytes, self.clock())

    def note(self, read_bytes: int, seconds: float) -> None:
        """Say what a thread has read, of one pack, and how long that took."""
        with self._lock:
            self._pace = self._pace.after(read_bytes, seconds)


class Flow:
    """One pack on its way; the end of the `with` block notes how fast it came."""

    def __init__(self, intake: Intake, stream: BinaryIO, size_bytes: int) -> None:
        self._intake = intake
        self._stream = stream
        self._size_bytes = size_bytes
        self._read_bytes = 0
        self._start_s = intake.clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.note(self._read_bytes, self._spent_s())

    def read(self, size_bytes: int) -> bytes:
        """Return the next bytes, up to so many; b"" only at the end.

        Raises what `Intake.check` and `Intake.wait_for` raise, and the store's errors.
        """
        missing_bytes = self._size_bytes - self._read_bytes
        if missing_bytes <= 0:  # to see that there is no more costs no time
            return self._stream.read(size_bytes)
        self._intake.check(missing_bytes, Pace(self._read_bytes, self._spent_s()))
        allowed_bytes = self._intake.wait_for(size_bytes)
        block = self._stream.read(allowed_bytes)
        self._intake.count(len(block), allowed_bytes)
        self._read_bytes += len(block)
        return block

    def _spent_s(self) -> float:
        return self._intake.clock() - self._start_s
