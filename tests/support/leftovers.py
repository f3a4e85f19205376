"""What a test leaves behind that is still running."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _is_unlike_all(_: str) -> bool:
    return False


@contextmanager
def nothing_left_running(
    is_expected: Callable[[str], bool] = _is_unlike_all,
) -> Iterator[None]:
    """Fail if there are threads or child processes that were not there before.

    Args:
        is_expected: Says by its command line whether a process may be there.
    """
    threads, children = set(threading.enumerate()), _children()
    yield
    for thread in set(threading.enumerate()) - threads:
        thread.join(timeout=2)  # one that was told to stop may need a moment
    left = [t.name for t in set(threading.enumerate()) - threads]
    left += [
        f"process {pid}"
        for pid in _children() - children
        if not is_expected(_command_line(pid))
    ]
    if left:
        pytest.fail(f"left running: {', '.join(left)}")


def _command_line(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:  # it ended
        return ""


def _children() -> set[str]:
    found: set[str] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        try:
            found.update(path.read_text().split())
        except OSError:  # the thread ended
            continue
    return found
