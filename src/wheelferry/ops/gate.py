"""Where work in the background stands aside while a job's uv is at work.

A priority divides what two processes have in turns, such as a core.  What uv and the
compression of packs take from each other is what the cores share, and no priority
divides that (`docs/benchmarks.md` has the measurements): one of them has to stop.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from wheelferry.disk.clock import monotonic_s, pause
from wheelferry.ops.turn import is_awaited
from wheelferry.uvcache.locks import is_in_use

PATIENCE_S: Final = 30.0
"""For how long work waits before it has done anything."""

LOOK_S: Final = 0.02
"""How often to look whether uv is at work, while this goes on ..."""

WAIT_S: Final = 0.05
"""... and while it waits."""


class Gate:
    """What work passes again and again, in small steps; it waits there while uv works.

    Not for ever: some uv commands last for hours, such as `uv run` of a server, and some
    runners always have one.  It waits for `patience_s`, and beyond that for no longer
    than it has worked.  So what takes some time takes, whatever jobs do, at most twice
    that time, and `patience_s`.

    Args:
        is_busy: Whether to wait now; asked at each look.
        patience_s: As said.
        clock: In seconds.
        sleep: Blocks for some seconds of that clock.

    Attributes:
        waited_s: For how long it has held up the work so far.
    """

    def __init__(
        self,
        is_busy: Callable[[], bool],
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = monotonic_s,
        sleep: Callable[[float], None] = pause,
    ) -> None:
        self._is_busy = is_busy
        self._patience_s = patience_s
        self._clock = clock
        self._sleep = sleep
        self._began_s = self._look_s = clock()
        self.waited_s = 0.0

    def wait(self) -> None:
        """Return when the work may go on; at once if it was let through a moment ago."""
        now_s = self._clock()
        if now_s < self._look_s:
            return
        while self._may_wait(now_s) and self._is_busy():
            self._sleep(WAIT_S)
            before_s, now_s = now_s, self._clock()
            self.waited_s += now_s - before_s
        self._look_s = now_s + LOOK_S

    def _may_wait(self, now_s: float) -> bool:
        worked_s = now_s - self._began_s - self.waited_s
        return self.waited_s + WAIT_S <= self._patience_s + worked_s


def open_gate() -> Gate:
    """Return a gate that holds up nothing."""
    return Gate(lambda: False)


def make_gate(cache: Path, state: Path) -> Gate:
    """Return a gate for the daemon's promotions of a cache.

    They wait for uv commands, and for pulls; but not if another promotion waits for this
    one, which may be part of a job.
    """
    return Gate(lambda: is_in_use(cache) and not is_awaited(state))
