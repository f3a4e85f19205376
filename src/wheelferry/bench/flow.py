"""How a step on the share goes on: at its rate, and not for ever."""

import threading
from collections.abc import Callable

from wheelferry.disk import clock
from wheelferry.ops.pace import Bucket
from wheelferry.store.beats import beat


class Flow:
    """One for each step.

    Args:
        rate_bytes_s: How much may be moved in a second; None is no limit.
        until_s: When it has to end, on the clock of `monotonic_s`.
        is_over: Whether it has to end now.
    """

    def __init__(
        self, rate_bytes_s: int | None, until_s: float, *, is_over: Callable[[], bool]
    ) -> None:
        self._until_s = until_s
        self._is_over = is_over
        self._lock = threading.Lock()
        self._bucket = None
        if rate_bytes_s is not None:
            self._bucket = Bucket.full(rate_bytes_s, clock.monotonic_s())

    def goes_on(self) -> bool:
        """Return whether there is time for more; tells whoever waits of progress."""
        beat()
        return not self._is_over() and clock.monotonic_s() < self._until_s

    def wait_for(self, size_bytes: int) -> None:
        """Block until so many bytes may be moved, or the step has to end."""
        if self._bucket is None:
            return
        with self._lock:
            self._bucket, wait_s = self._bucket.take(size_bytes, clock.monotonic_s())
        while wait_s > 0 and self.goes_on():
            part_s = min(wait_s, 0.2)
            clock.pause(part_s)
            wait_s -= part_s
