"""Learn of changes in the store, from a process that may hang in its place.

The share's inotify sees nothing of other machines, so its `catalog/` is listed again and
again, by `look.py`.
"""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from wheelferry.daemon import look
from wheelferry.daemon.children import Child

FIRST_PAUSE_S: Final = 5.0
MAX_PAUSE_S: Final = 60.0


class Sight(NamedTuple):
    """What was seen of the store.

    Attributes:
        away: Why there is nothing to be seen, in words; empty if there is.
        hint: What can be done about that.
        is_new: Whether it is not what was seen before.
    """

    away: str = ""
    hint: str = ""
    is_new: bool = False


class Poller:
    """Has the store looked at, and starts over when nothing is heard of that.

    Args:
        catalog: The directory whose names tell of every change.
        location: Of the store, for messages.
        interval_s: From one look to the next.
        timeout_s: How long a look may take before it counts as silence.
        track: Told of the descriptor to read from, whenever there is another one, and
            of None when there is none.
    """

    def __init__(
        self,
        catalog: Path,
        *,
        location: str,
        interval_s: float,
        timeout_s: float,
        track: Callable[[int | None], None],
    ) -> None:
        self._argv = [
            *(sys.executable, "-I", "-S", look.__file__),
            *(str(catalog), str(interval_s)),
        ]
        self._location = location
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._track = track
        self._child: Child | None = None
        self._dying: list[Child] = []
        self._seen = ""
        self._start_s = -math.inf
        self._heard_s = 0.0
        self._pause_s = FIRST_PAUSE_S

    @property
    def pid(self) -> int | None:
        """Of the process that looks, if there is one."""
        return self._child.pid if self._child else None

    def read(self, now: float) -> list[Sight]:
        """Return what was seen since: after the descriptor became readable."""
        if self._child is None:
            return []
        lines = self._child.read_lines()
        found = [sight for sight in map(self._take, lines) if sight is not None]
        if found:
            self._heard_s = now
            self._pause_s = FIRST_PAUSE_S
        if self._child.has_ended:
            self._end(now)
            last = f": {lines[-1]}" if lines else ""
            found.append(Sight(away=f"the process that looks at it has ended{last}"))
        return found

    def check(self, now: float) -> list[Sight]:
        """Start what is to be started, and end what is silent."""
        self._dying = [child for child in self._dying if child.wait(0) is None]
        if self._child is None:
            return self._start(now) if now >= self._start_s else []
        if now - self._heard_s <= self._interval_s + self._timeout_s:
            return []
        self._end(now)
        return [
            Sight(
                away=f"the store in {self._location} has not answered for"
                f" {self._timeout_s:g} s",
                hint="see whether the file server and the network are well",
            )
        ]

    def next_s(self) -> float:
        """Return when `check` is to be called again."""
        if self._child is None:
            return self._start_s
        return self._heard_s + self._interval_s + self._timeout_s

    def close(self) -> None:
        """End it."""
        if self._child is not None:
            self._end(0.0)
        for child in self._dying:
            child.wait(0.2)

    def _start(self, now: float) -> list[Sight]:
        try:
            self._child = Child(self._argv)
        except OSError as exc:
            self._put_off(now)
            return [Sight(away=f"no process can be started to look at it: {exc}")]
        self._heard_s = now
        self._track(self._child.fd)
        return []

    def _end(self, now: float) -> None:
        if self._child is not None:
            self._track(None)
            self._child.kill()
            self._child.close()
            self._dying.append(self._child)
            self._child = None
        self._put_off(now)

    def _put_off(self, now: float) -> None:
        self._start_s = now + self._pause_s
        self._pause_s = min(2 * self._pause_s, MAX_PAUSE_S)

    def _take(self, line: str) -> Sight | None:
        word, _, rest = line.partition(" ")
        if word == "seen":
            is_new, self._seen = line != self._seen, line
            return Sight(is_new=is_new)
        if word == "away":
            return Sight(
                away=f"cannot list the catalog of the store in {self._location}: {rest}",
                hint="see whether the share is mounted there",
            )
        return None
