"""Start the process that works on the store, and end it whatever it is stuck in."""

import contextlib
import mmap
import os
import select
from collections.abc import Callable
from threading import Lock
from typing import Final

from wheelferry.disk.clock import Deadline
from wheelferry.store.base import Store
from wheelferry.store.isolated.lanes import BLOCK_BYTES, Lane, WatchedLane

LANES: Final = 4
"""Calls that can go on at one time."""

_KILL_MS: Final = 500
"""How long a killed process may take to end before it is left to itself."""

SIGKILL: Final = 9  # the module `signal` takes a while to load


class StoreProcess:
    """The child, and this side of the lanes to it; raises OSError if there is none.

    Forks: to be made before there are threads.

    Attributes:
        lanes: This side's ends.
        pid: The child's, for messages and tests.
    """

    def __init__(
        self,
        make: Callable[[], Store],
        *,
        timeout_s: float,
        deadline: Deadline,
        is_given_up: Callable[[], bool],
    ) -> None:
        self._lock = Lock()
        self._is_reaped = False
        self._status: int | None = None
        memory = memoryview(mmap.mmap(-1, LANES * BLOCK_BYTES))
        blocks = [memory[n * BLOCK_BYTES :][:BLOCK_BYTES] for n in range(LANES)]
        with contextlib.ExitStack() as on_failure, contextlib.ExitStack() as theirs:
            life_fd, self._life_fd = _pipe(theirs, on_failure)
            requests = [_pipe(theirs, on_failure) for _ in blocks]
            answers = [_pipe(on_failure, theirs) for _ in blocks]
            self.pid = os.fork()
            if not self.pid:
                _run_child(
                    [
                        Lane(request[0], answer[1], block)
                        for request, answer, block in zip(
                            requests, answers, blocks, strict=True
                        )
                    ],
                    life_fd,
                    make,
                    beat_s=min(1.0, timeout_s / 8),
                )
            on_failure.pop_all()
        self.lanes = [
            WatchedLane(
                answer[0],
                request[1],
                block,
                timeout_s=timeout_s,
                deadline=deadline,
                is_given_up=is_given_up,
            )
            for request, answer, block in zip(requests, answers, blocks, strict=True)
        ]
        # Never read: that it hangs up tells the child's end.
        self._ended = select.poll()
        self._ended.register(self.lanes[0].read_fd, 0)

    def kill(self) -> None:
        """End the child, and wait for that; but not for long.

        One that is stuck in a share dies of SIGKILL at once; another may be stuck in
        something worse, and is left.
        """
        with self._lock:
            if not self._is_reaped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, SIGKILL)
                self._reap()

    def describe_end(self) -> tuple[str, str]:
        """Say of a child that is gone how it ended, and what to do about that."""
        with self._lock:
            if not self._is_reaped:
                self._reap()
            status = self._status
        if status is None:
            return "is gone", "try again"
        if not os.WIFSIGNALED(status):
            code = os.waitstatus_to_exitcode(status)
            return f"ended with code {code}", "this is a fault of wheelferry"
        if os.WTERMSIG(status) == SIGKILL:
            hint = "if the kernel's log says that memory ran out, give the job more"
            return "was killed (SIGKILL)", hint
        return f"was ended by signal {os.WTERMSIG(status)}", "try again"

    def close(self) -> None:
        """Kill the child, and give up what is held of it but the lanes: those come after."""
        self.kill()
        with self._lock:
            if self._life_fd >= 0:
                os.close(self._life_fd)
                self._life_fd = -1

    def _reap(self) -> None:
        is_ending = bool(self._life_fd >= 0 and self._ended.poll(_KILL_MS))
        try:
            pid, status = os.waitpid(self.pid, 0 if is_ending else os.WNOHANG)
        except ChildProcessError:  # somebody ignores SIGCHLD
            self._is_reaped = True
            return
        if pid:
            self._is_reaped, self._status = True, status


def _pipe(
    reader: contextlib.ExitStack, writer: contextlib.ExitStack
) -> tuple[int, int]:
    """Return a new pipe's ends, to be closed with the given stacks."""
    read_fd, write_fd = os.pipe()
    reader.callback(os.close, read_fd)
    writer.callback(os.close, write_fd)
    return read_fd, write_fd


def _run_child(
    lanes: list[Lane], life_fd: int, make: Callable[[], Store], *, beat_s: float
) -> None:
    """Never return: what runs below us is the parent's."""
    try:
        from wheelferry.store.isolated.child import run  # noqa: PLC0415 - only there

        run(lanes, life_fd, make, beat_s=beat_s)
    finally:
        os._exit(1)
