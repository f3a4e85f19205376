"""The clock.  Decisions take `now` as a parameter; only edges ask here."""

import math
import time
from typing import NamedTuple, Self


def now_s() -> float:
    """Return this host's time, in seconds since the epoch (UTC)."""
    return time.time()


def monotonic_s() -> float:
    """Return seconds on a clock that never goes back, for durations and deadlines."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Block for `seconds`."""
    time.sleep(seconds)


class Deadline(NamedTuple):
    """When something has to be over; a value that is passed down.

    Attributes:
        at_s: The moment, on the clock of `monotonic_s`; infinite for never.
    """

    at_s: float

    @classmethod
    def never(cls) -> Self:
        """Return the deadline that does not come."""
        return cls(math.inf)

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Return the deadline `seconds` from now."""
        return cls(monotonic_s() + seconds)

    def remaining_s(self) -> float:
        """Return the seconds until it comes: infinite for never, 0 once it is past."""
        return max(0.0, self.at_s - monotonic_s())

    def is_past(self) -> bool:
        """Return whether it has come."""
        return monotonic_s() >= self.at_s
