"""What a promotion writes to the store, held to a rate, and in small steps."""

from collections.abc import Callable, Iterable, Iterator

from wheelferry.disk.clock import monotonic_s, pause
from wheelferry.ops.pace import Bucket
from wheelferry.pack.writer import go_on


class Outflow:
    """One for each promotion.

    The waits are ours: the process on the share only waits for more to write, and that
    is no silence of the store.

    Args:
        rate_bytes_s: How much may be written in a second; None is no limit.
        step: Called before each chunk; may block.
        clock: In seconds.
        sleep: Blocks for some seconds of that clock.
    """

    def __init__(
        self,
        rate_bytes_s: int | None,
        *,
        step: Callable[[], None] = go_on,
        clock: Callable[[], float] = monotonic_s,
        sleep: Callable[[float], None] = pause,
    ) -> None:
        self._step = step
        self._clock = clock
        self._sleep = sleep
        self._bucket = None
        if rate_bytes_s is not None:
            self._bucket = Bucket.full(rate_bytes_s, clock())

    def limit(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the chunks, each when it may be written."""
        for chunk in chunks:
            self._step()
            if self._bucket is not None:
                self._bucket, wait_s = self._bucket.take(len(chunk), self._clock())
                if wait_s:
                    self._sleep(wait_s)
            yield chunk
