"""The clock.  Decisions take `now` as a parameter; only edges ask here."""

import time


def now_s() -> float:
    """Return this host's time, in seconds since the epoch (UTC)."""
    return time.time()


def monotonic_s() -> float:
    """Return seconds on a clock that never goes back, for durations and deadlines."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Block for `seconds`."""
    time.sleep(seconds)
