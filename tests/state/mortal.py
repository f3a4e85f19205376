"""Processes that die at any of their steps, and a server whose time the test sets."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.disks import CountingDisk, Died, Step
from tests.support.parts import PARTS
from wheelferry.ops.tiers import COLLECTED, USED

_DATED = frozenset({"open_new", "open_unique", "write", "write_at", "touch"})
_WRITTEN = _DATED - {"touch"}


def go_on(_: str) -> None:
    """Wait for nobody."""


class Life:
    """Of a process, which is over after so many steps.

    Args:
        steps: How many; None for as many as there are.
    """

    def __init__(self, steps: int | None = None) -> None:
        self.taken = 0
        self.is_over = False
        self._steps = steps
        self._lock = threading.Lock()

    def step(self) -> bool:
        """Take one more; return whether it is the last.  Raises Died after that."""
        with self._lock:
            if self.is_over or (self._steps is not None and self.taken >= self._steps):
                self.is_over = True
                raise Died
            self.taken += 1
            return self.taken == self._steps


class Mortal:
    """Anything, of which each call is a step of a life, also those of a store's parts.

    Args:
        inner: What is called.
        life: Whose steps these are.
        pause: Called before each step, with the name of the call.
    """

    def __init__(
        self, inner: object, life: Life, pause: Callable[[str], None] = go_on
    ) -> None:
        self._inner = inner
        self._life = life
        self._pause = pause

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in PARTS:
            return Mortal(found, self._life, self._pause)
        if not callable(found):
            return found

        def call(*args: Any, **more: Any) -> Any:
            self._pause(name)
            self._life.step()
            return found(*args, **more)

        return call


@dataclass(slots=True)
class Clock:
    """The file server's, in seconds; it goes on when the test says so."""

    now_s: int = 4_000_000_000
    """Beyond the time of this machine, by which a view remembers removals."""


@dataclass(slots=True)
class Dates:
    """Which clock dates what a process writes.

    Attributes:
        store: What is below it has the time of `clock`, and what the runner notes for
            itself is `skew_s` ahead of that.
    """

    store: Path
    clock: Clock
    skew_s: int = 0

    def of(self, path: str) -> int | None:
        """Return the time that a file gets; None for that of this machine."""
        if path.startswith(f"{self.store}/"):
            return self.clock.now_s
        if path.endswith((f"/{USED}", f"/{COLLECTED}")):
            return self.clock.now_s + self.skew_s
        return None


class MortalDisk(CountingDisk):
    """A disk for one life, of whose last step a half happens, if it has halves.

    `lose_unsynced` is what a power loss adds to that.
    """

    def __init__(self, life: Life, dates: Dates) -> None:
        super().__init__()
        self._life = life
        self._dates = dates
        self._is_last = False
        self._unsynced = set[str]()

    def before(self, step: Step) -> None:
        del step
        try:
            self._is_last = self._life.step()
        except Died:
            self.log.pop()
            raise

    def half(self, step: Step) -> bool:
        del step
        return self._is_last

    def after(self, step: Step) -> None:
        path = step.paths[0]
        time_s = self._dates.of(path) if step.name in _DATED else None
        if time_s is not None:
            with suppress(FileNotFoundError):  # it could not be made
                os.utime(path, (time_s, time_s))
        self._note(step)
        if self._is_last:
            raise Died

    def lose_unsynced(self) -> None:
        """Empty every other file that was not synced since it was written."""
        for name in sorted(self._unsynced)[self.steps % 2 :: 2]:
            path = Path(name)
            if path.is_file() and not path.is_symlink():
                path.chmod(0o644)
                os.truncate(path, 0)

    def _note(self, step: Step) -> None:
        source, target = step.paths[0], step.paths[-1]
        if step.name in _WRITTEN:
            self._unsynced.add(source)
        elif step.name == "sync_file":
            self._unsynced.discard(source)
        elif step.name == "sync_filesystem":
            store = f"{self._dates.store}/"
            self._unsynced = {p for p in self._unsynced if p.startswith(store)}
        elif step.name == "rename":
            moved = {
                path
                for path in self._unsynced
                if path == source or path.startswith(f"{source}/")
            }
            self._unsynced -= moved
            self._unsynced |= {target + p.removeprefix(source) for p in moved}
