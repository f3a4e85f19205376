"""Clocks that a test sets."""


class Clock:
    """A clock that goes on only when someone sleeps.

    Attributes:
        now_s: What it says.
    """

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        self.now_s += seconds
