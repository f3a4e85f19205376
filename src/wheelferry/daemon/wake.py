"""Wake the loop: from signal handlers, and from threads that heard of something."""

import contextlib
import os
import signal
from collections import deque
from typing import Any, Final, Self, TypeVar

from wheelferry.daemon.watch import Signal

T = TypeVar("T")
_HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Wake:
    """A pipe that can be read when there is something to be taken.

    While a `with` block lasts, the signals that stop and reload come here too; it is to
    be entered in the main thread.

    Attributes:
        fd: For a selector.
        must_stop: Whether to end: SIGTERM or SIGINT came.
        must_reload: Whether to read the configuration again: SIGHUP came.
    """

    def __init__(self) -> None:
        self.fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.must_stop = False
        self.must_reload = False
        self._signals: deque[Signal] = deque()
        self._warnings: deque[str] = deque(maxlen=100)
        self._before: dict[signal.Signals, Any] = {}
        self._fd_before = -1

    def __enter__(self) -> Self:
        self._fd_before = signal.set_wakeup_fd(
            self._write_fd, warn_on_full_buffer=False
        )
        for number in _HANDLED:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        os.close(self.fd)
        os.close(self._write_fd)

    def tell(self, told: Signal) -> None:
        """Hand over what the cache's watch heard; from any thread."""
        # One that is still to be taken counts for all of its kind that came since.
        if not self._signals or self._signals[-1] is not told:
            self._signals.append(told)
            self._poke()

    def warn(self, message: str) -> None:
        """Hand over a warning; from any thread."""
        self._warnings.append(message)
        self._poke()

    def take_signals(self) -> list[Signal]:
        """Return what was told since."""
        return _drain(self._signals)

    def take_warnings(self) -> list[str]:
        """Return what was warned of since."""
        return _drain(self._warnings)

    def clear(self) -> None:
        """Make the descriptor unreadable, before all is taken."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.fd, 4096):
                pass

    def _poke(self) -> None:
        with contextlib.suppress(OSError):  # full: it is awake; closed: it is over
            os.write(self._write_fd, b"\0")

    def _handle(self, number: int, frame: object) -> None:
        del frame
        if number == signal.SIGHUP:
            self.must_reload = True
        else:
            self.must_stop = True


def _drain(items: "deque[T]") -> list[T]:
    found: list[T] = []
    while items:
        found.append(items.popleft())
    return found
