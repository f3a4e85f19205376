"""One promotion of a cache at a time: a second would pack the same, and write it too."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final

from wheelferry.disk import FileLock, try_lock
from wheelferry.disk.clock import Deadline, monotonic_s, pause
from wheelferry.disk.lock import is_locked
from wheelferry.events import Event, Level
from wheelferry.ops.tiers import Tiers

LOCK: Final = "promote.lock"

QUEUE: Final = "promote.queue"
"""Locked, shared, by those who wait for a turn."""

WAIT_S: Final = 60.0
"""After so long a promotion goes on beside the other: that is safe, and no gain."""

POLL_S: Final = 0.1

NEVER: Final = Deadline.never()


@contextmanager
def take_turn(
    tiers: Tiers,
    *,
    until: Deadline = NEVER,
    clock: Callable[[], float] = monotonic_s,
    sleep: Callable[[float], None] = pause,
) -> Iterator[None]:
    """Wait until no other process promotes this cache, then keep others waiting.

    To be held from before the plan, which then finds in the store what the other one
    put there.  Without a lock, for whatever reason, the block runs all the same.

    Args:
        tiers: Whose cache it is.
        until: When to wait no longer.
        clock: In seconds, that of the deadline.
        sleep: Blocks for some seconds of that clock.
    """
    lock = None
    with suppress(OSError):  # such as a file of another user's
        lock = _wait(tiers, until, clock, sleep)
    try:
        yield
    finally:
        if lock is not None:
            lock.close()


def is_awaited(state: Path) -> bool:
    """Return whether another promotion waits for the end of this one."""
    return is_locked(state / QUEUE)


def _wait(
    tiers: Tiers,
    until: Deadline,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> FileLock | None:
    path = tiers.state / LOCK
    lock = try_lock(path, shared=False)
    if lock is not None:
        return lock
    begin = "another promotion of this cache goes on:"
    _tell(tiers, f"{begin} waiting for its end, {WAIT_S:.0f} s at most")
    end_s = min(clock() + WAIT_S, until.at_s)
    with _queue(tiers.state):
        while clock() < end_s:
            sleep(POLL_S)
            if lock := try_lock(path, shared=False):
                return lock
    _tell(tiers, f"{begin} not waiting any longer, which is safe")
    return None


@contextmanager
def _queue(state: Path) -> Iterator[None]:
    """Have whose turn it is know that others wait, if it is to be told at all."""
    lock = None
    with suppress(OSError):
        lock = try_lock(state / QUEUE, shared=True)
    with lock or nullcontext():
        yield


def _tell(tiers: Tiers, message: str) -> None:
    tiers.emit(Event(name="turn.awaited", level=Level.DEBUG, message=message))
