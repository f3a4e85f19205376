"""Processes of the daemon: their lines, their ends, and how they are ended."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Final

_BLOCK_BYTES: Final = 1 << 16
_MAX_LINE_BYTES: Final = 1 << 20


class Child:
    """One process, whose stdout and stderr are lines that come here.

    It is in a session of its own, so that Ctrl-C is for the daemon alone.  Its stdin is a
    pipe that stays open for as long as this object does.

    Args:
        argv: What to run.
        payload: What to write to its stdin; must fit into a pipe (64 KiB).
        closes_stdin: Whether its stdin ends after that.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(
        self, argv: Sequence[str], *, payload: bytes = b"", closes_stdin: bool = False
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
        )
        self._buffer = b""
        self.has_ended = False
        """Whether its output has ended: nothing more will come."""
        if self._process.stdin is None or self._process.stdout is None:
            raise OSError("there are no pipes to the process")
        self.fd = self._process.stdout.fileno()
        """Its output, for a selector."""
        os.set_blocking(self.fd, False)
        with contextlib.suppress(BrokenPipeError):  # it ended: that shows elsewhere
            self._process.stdin.write(payload)
            self._process.stdin.flush()
        if closes_stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    @property
    def pid(self) -> int:
        """Its process id, for messages and tests."""
        return self._process.pid

    def read_lines(self) -> list[str]:
        """Return the lines that have come since; sets `has_ended` at the end.

        There may be more to come at once.  A line that is too long comes in parts.
        """
        try:
            data = os.read(self.fd, _BLOCK_BYTES)
        except BlockingIOError:
            return []
        self.has_ended = not data
        self._buffer += data or b"\n"
        *lines, self._buffer = self._buffer.split(b"\n")
        if len(self._buffer) > _MAX_LINE_BYTES:
            lines.append(self._buffer)
            self._buffer = b""
        return [line.decode(errors="replace") for line in lines if line]

    def interrupt(self) -> None:
        """Ask it to end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it, whatever it is stuck in."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def wait(self, timeout_s: float) -> int | None:
        """Return its exit code, negative for a signal; None if it is still there."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """Give up the pipes to it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
