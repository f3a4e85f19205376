"""How two processes of ours talk: frames over pipes, blocks of bytes in shared memory.

A frame is four bytes of length and so many of `marshal`; a frame of no bytes is a *beat*:
the other side is still at work.  Both ends are one program in one version, and nothing is
ever stored, so the format is nobody else's.
"""

import marshal
import math
import os
import select
from collections.abc import Callable
from typing import Any, Final

from wheelferry.disk import clock
from wheelferry.disk.clock import Deadline

BLOCK_BYTES: Final = 1 << 20
"""Of object data that changes hands at one time: what NFS reads and writes at most."""

_HEAD_BYTES: Final = 4
_BEAT: Final = bytes(_HEAD_BYTES)
_SLICES: Final = 4
_MAX_SLICE_S: Final = 1.0
"""A wait is made of so many slices or more, each no longer than this."""


class Closed(Exception):
    """The other process has closed its end, most likely by ending."""


class Silent(Exception):
    """The other process sent and took nothing for too long."""


class Late(Exception):
    """The deadline has come."""


class Lane:
    """One end of two pipes, and a block of memory that both processes see.

    Args:
        read_fd: Where frames come from.
        write_fd: Where frames go to.
        block: The memory; whose turn it is follows from the frames.
    """

    def __init__(self, read_fd: int, write_fd: int, block: memoryview) -> None:
        self.read_fd = read_fd
        self.write_fd = write_fd
        self.block = block

    def close(self) -> None:
        """Close both descriptors."""
        os.close(self.read_fd)
        os.close(self.write_fd)

    def send(self, value: Any) -> None:
        """Send a value that `marshal` can write: of exact built-in types.

        Of any other, which is a ValueError, nothing is sent.
        """
        body = marshal.dumps(value)
        self._write(len(body).to_bytes(_HEAD_BYTES, "little") + body)

    def beat(self) -> None:
        """Tell the other side, which waits, that its answer is being worked on."""
        self._write(_BEAT)

    def receive(self) -> Any:
        """Return the next value; raises Closed."""
        while (head := self._read(_HEAD_BYTES)) == _BEAT:
            pass
        body = self._read(int.from_bytes(head, "little"))
        return marshal.loads(body)  # noqa: S302 - of a process of ours

    def await_readable(self) -> None:
        """Return when there is something to read; here the read itself waits."""

    def await_writable(self) -> None:
        """Return when something can be written; here the write itself waits."""

    def _read(self, size_bytes: int) -> bytes:
        self.await_readable()
        data = os.read(self.read_fd, size_bytes)
        if len(data) == size_bytes:
            return data
        parts = [data]
        while data and (size_bytes := size_bytes - len(data)):
            self.await_readable()
            data = os.read(self.read_fd, size_bytes)
            parts.append(data)
        if not data:
            raise Closed
        return b"".join(parts)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                self.await_writable()
                view = view[os.write(self.write_fd, view) :]
        except BrokenPipeError as exc:
            raise Closed from exc


class WatchedLane(Lane):
    """The end of a process that must never wait for long.

    Every wait ends when nothing has moved for `timeout_s`, when the deadline comes (also
    while things move), and soon after `is_given_up`.

    Attributes:
        silence_s: How long nothing has moved, in the wait that goes on or was the last.
        longest_s: The longest such time since `begin`.
        is_midway: Whether something of a call was sent and its answer not read: nobody can
            say what comes next.
    """

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        block: memoryview,
        *,
        timeout_s: float,
        deadline: Deadline,
        is_given_up: Callable[[], bool],
    ) -> None:
        super().__init__(read_fd, write_fd, block)
        os.set_blocking(write_fd, False)
        self.silence_s = 0.0
        self.longest_s = 0.0
        self.is_midway = False
        self._timeout_s = timeout_s
        self._slice_s = min(_MAX_SLICE_S, timeout_s / _SLICES)
        self._deadline = deadline
        self._is_given_up = is_given_up
        self._readable = select.poll()
        self._readable.register(read_fd, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(write_fd, select.POLLOUT)

    def begin(self) -> None:
        """Note that a call begins."""
        self.longest_s = 0.0

    def end(self) -> None:
        """Note that its answer was read."""
        self.is_midway = False

    def await_readable(self) -> None:
        """Wait for something to read; raises Silent, Late or Closed."""
        self._wait(self._readable)

    def await_writable(self) -> None:
        """Wait for room to write; raises as `await_readable`."""
        self._wait(self._writable)

    def _write(self, data: bytes) -> None:
        self.is_midway = True
        super()._write(data)

    def _wait(self, poll: "select.poll") -> None:
        self.silence_s = 0.0
        while True:
            if self._is_given_up():
                raise Closed
            if not (left_s := self._deadline.remaining_s()):
                raise Late
            # In slices that count for no more than their length: a job that was frozen
            # and thawed has not waited for all of that time.
            slice_s = min(self._slice_s, left_s, self._timeout_s - self.silence_s)
            if slice_s <= 0:
                raise Silent
            began_s = clock.monotonic_s()
            found = poll.poll(math.ceil(slice_s * 1000))
            waited_s = clock.monotonic_s() - began_s
            self.silence_s += slice_s if not found else min(slice_s, waited_s)
            self.longest_s = max(self.longest_s, self.silence_s)
            if found:
                return
