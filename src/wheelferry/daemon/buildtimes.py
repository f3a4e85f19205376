"""Note when uv's builds began and ended, for promotions to tell; `ops.builds` has why."""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from watchdog.events import FileSystemEvent

from wheelferry.disk import Disk, clock
from wheelferry.ops.builds import KEPT, Build, read_builds, write_builds

MAX_RUNNING: Final = 1000
"""Directories whose end is not seen, such as those of a uv that was killed, are many
after some time."""


class BuildTimes:
    """Hears of directories that come into `builds-v0` and go.

    Args:
        state: Where it notes them.
        disk: What changes it.
        now_s: This host's time, as files have it.
    """

    def __init__(
        self, state: Path, disk: Disk, now_s: Callable[[], float] = clock.now_s
    ) -> None:
        self._state = state
        self._disk = disk
        self._now_s = now_s
        self._lock = threading.Lock()
        self._running: dict[str, float] = {}
        self._ended = deque(read_builds(state), maxlen=KEPT)

    def hear(self, event: FileSystemEvent) -> None:
        """Take an event of that directory; in any thread."""
        if not event.is_directory:
            return
        now_s = self._now_s()
        with self._lock:
            path = str(event.src_path)
            if event.event_type == "created":
                self._running[path] = now_s
                while len(self._running) > MAX_RUNNING:
                    del self._running[next(iter(self._running))]
            elif event.event_type in ("deleted", "moved"):
                began_s = self._running.pop(path, None)
                if began_s is not None:
                    self._ended.append(Build(began_s, now_s))
                    with suppress(OSError):  # then the time is unknown
                        write_builds(self._state, tuple(self._ended), self._disk)
