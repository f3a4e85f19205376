"""By when a run that a job waits for has to be over, and its parts before that."""

from typing import Final, NamedTuple, Self

from wheelferry.disk.clock import Deadline

FINISH_S: Final = 1.5
"""Of a deadline, at most what is kept for making visible what was moved."""

PATIENCE_S: Final = 0.5
"""After a deadline, how long what is not the store may take to end."""


class Bounds(NamedTuple):
    """Three moments of one run, or none.

    Attributes:
        move: When nothing more is moved; what is kept from there is for the rest.
        end: When work with the store is over.
        stop: When the process is ended, whatever it hangs in; None if it is not.
    """

    move: Deadline
    end: Deadline
    stop: Deadline | None

    @classmethod
    def within(cls, deadline_s: float, *, started_s: float) -> Self:
        """Return the bounds of a run that may take so long.

        Args:
            deadline_s: From its start.
            started_s: When that was, on the clock of `monotonic_s`.
        """
        end_s = started_s + deadline_s
        move_s = end_s - min(FINISH_S, deadline_s / 5)
        return cls(Deadline(move_s), Deadline(end_s), Deadline(end_s + PATIENCE_S))

    @classmethod
    def none(cls) -> Self:
        """Return the bounds of a run that takes its time."""
        return cls(Deadline.never(), Deadline.never(), None)
