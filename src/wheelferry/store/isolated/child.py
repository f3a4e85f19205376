"""The process that works on the store for another one, and may be killed at any time.

It serves the calls of `IsolatedStore`, each lane in a thread of its own, and keeps
nothing of its own but open objects and listings.  It ends when the other process does.
"""

import _signal  # type: ignore[import-not-found]  # `signal` itself takes 2 ms to load
import fcntl
import gc
import os
import select
from _thread import start_new_thread
from collections.abc import Callable, Sequence
from typing import NoReturn

from wheelferry.store.base import Store
from wheelferry.store.isolated.lanes import Closed, Lane
from wheelferry.store.isolated.server import Server


def run(
    lanes: Sequence[Lane], life_fd: int, make: Callable[[], Store], *, beat_s: float
) -> NoReturn:
    """Be that process, right after the fork.

    Args:
        lanes: The child's ends.
        life_fd: The read end of a pipe that only the other process can write to.
        make: Makes the store; called here, so that only this process touches it.
        beat_s: How often a long call says that it goes on.
    """
    try:
        # What lies about uncollected may close descriptors that are ours by then.
        gc.freeze()
        _signal.signal(_signal.SIGINT, _signal.SIG_IGN)  # the other process decides
        _keep_only({life_fd, *(fd for lane in lanes for fd in _fds(lane))})
        _end_with_the_other(life_fd)
        server = Server(make, beat_s)
        for lane in lanes[1:]:
            start_new_thread(_serve, (server, lane))
        _serve(server, lanes[0])
    finally:
        os._exit(1)


def _serve(server: Server, lane: Lane) -> NoReturn:
    code = 1
    try:
        server.serve(lane)
    except Closed:
        code = 0
    finally:
        os._exit(code)


def _fds(lane: Lane) -> tuple[int, int]:
    return lane.read_fd, lane.write_fd


def _keep_only(kept: set[int]) -> None:
    """Close all descriptors but these; 0, 1 and 2 lead nowhere.

    An orphan that is stuck in a dead share must not keep a pipe of the job open, or a
    lock held.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1, 2):
        if fd not in kept:
            os.dup2(null, fd, inheritable=False)
    try:
        found = set(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208
    except OSError:  # no /proc
        found = set(range(3, os.sysconf("SC_OPEN_MAX")))
    for fd in found - kept - {0, 1, 2}:
        try:
            os.close(fd)
        except OSError:  # that of the listing, gone already
            continue


def _end_with_the_other(life_fd: int) -> None:
    """Have the kernel end this process when the other one is gone.

    The last writer's end is an event of the pipe, which makes SIGIO, which kills by
    default: also while every thread waits for a share that does not answer.  Nothing
    tells of an end that came before this was set up, so that is looked for.
    """
    _signal.signal(_signal.SIGIO, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {_signal.SIGIO})
    fcntl.fcntl(life_fd, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(life_fd, fcntl.F_GETFL)
    fcntl.fcntl(life_fd, fcntl.F_SETFL, flags | os.O_ASYNC)
    hangup = select.poll()
    hangup.register(life_fd, 0)
    if hangup.poll(0):
        os._exit(0)
