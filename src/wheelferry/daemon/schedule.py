"""When which task runs: pure, with the time as an argument.

The loop tells what it heard of (`changed`, `command_ended`, `store_changed` ...) and how
runs ended, and asks what is due.  All times are seconds of one clock that never goes back.

A task that fails is tried again after a pause that doubles, with jitter: the runners of
a fleet whose file server comes back shall not all ask at the same moment.
"""

import math
from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Final

SETTLE_S: Final = 0.3
"""What was changed is looked at when nothing changed for so long ..."""

MAX_SETTLE_S: Final = 1.0
"""... or, if it goes on and on, after so long."""

END_S: Final = 0.05
"""After the end of a uv command: all that it changed is complete."""

SPREAD_S: Final = 2.0
"""Within this time after a change of the store the runners of a fleet begin to pull."""

COMEBACK_S: Final = 5.0
"""The same, after the store was away."""

TRIM_S: Final = 30.0
"""How long after everything is compared the cache is trimmed: what only this runner has
is in the store by then, as a rule."""

FIRST_PAUSE_S: Final = 5.0
MAX_PAUSE_S: Final = 300.0
FIRST_LOOK_AGAIN_S: Final = 2.0
MAX_LOOK_AGAIN_S: Final = 60.0
MAX_REST_S: Final = 1.0
"""How long a task rests after a run at most: as long as that took, if it is less."""


class Task(StrEnum):
    """What a daemon has done."""

    PROMOTE = "promote"
    PULL = "pull"
    GC = "gc"
    TRIM = "trim"


WITHOUT_STORE: Final = frozenset({Task.TRIM})
"""What is done while the store is away, too."""


class Turn:
    """When one task runs next.

    Attributes:
        due_s: When; infinite for not at all.
        waits_since_s: Since when there is something to do, or None.
        failures: How many runs in a row failed.
        is_running: Whether it runs now.
    """

    def __init__(self) -> None:
        self.due_s = math.inf
        self.waits_since_s: float | None = None
        self.failures = 0
        self.is_running = False
        self._is_asked_again = False
        self._asked_s = math.inf
        self._pause_until_s = 0.0
        self._began_s = 0.0
        self._looks_again = 0

    def ask(self, now: float, *, after_s: float, at_most_s: float = math.inf) -> None:
        """Have it run `after_s` from now, which puts off what was asked for before.

        But not by more than `at_most_s` from the first time that was asked for; and not
        before a pause after a failure is over.
        """
        if self.waits_since_s is None:
            self.waits_since_s = now
        if self.is_running:
            self._is_asked_again = True
            return
        if self._asked_s == math.inf:
            self._asked_s = now
        latest_s = self._asked_s + at_most_s
        wanted_s = min(now + after_s, max(latest_s, now))
        self.due_s = max(wanted_s, self._pause_until_s)

    def resume(self, now: float, *, after_s: float) -> None:
        """Have it run then, also if that ends a pause; only if something waits."""
        if self.waits_since_s is not None and not self.is_running:
            self._pause_until_s = 0.0
            self.due_s = now + after_s

    def begin(self, now: float) -> None:
        """Note that it runs."""
        self.is_running = True
        self._is_asked_again = False
        self._began_s = now
        self._asked_s = self.due_s = math.inf

    def succeed(self, now: float, *, is_unsettled: bool) -> None:
        """Note that a run ended well; `is_unsettled`: something was not complete yet."""
        self.failures, self._pause_until_s = 0, 0.0
        rest_s = min(MAX_REST_S, now - self._began_s)
        self._end(now, rest_s if self._is_asked_again else None)
        if not is_unsettled:
            self._looks_again = 0
            return
        again_s = min(FIRST_LOOK_AGAIN_S * 2**self._looks_again, MAX_LOOK_AGAIN_S)
        self._looks_again = min(self._looks_again + 1, 10)
        if self.waits_since_s is None:
            self.ask(now, after_s=again_s)

    def fail(self, now: float, *, random: float) -> None:
        """Note that a run failed; `random` is from 0 to 1."""
        pause_s = min(FIRST_PAUSE_S * 2 ** min(self.failures, 10), MAX_PAUSE_S)
        self.failures += 1
        pause_s *= 0.5 + random / 2
        self._pause_until_s = now + pause_s
        waited = self.waits_since_s
        self._end(now, pause_s)
        self.waits_since_s = now if waited is None else waited

    def _end(self, now: float, again_s: float | None) -> None:
        self.is_running = False
        self.waits_since_s = None
        if again_s is not None:
            self.ask(now, after_s=again_s)


class Schedule:
    """Decides for all tasks.

    Args:
        tasks: Those that are to run at all.
        rescan_s: How often each of them runs though nothing asks for it.
        random: Gives numbers from 0 to 1.
        gc_s: How often a removal looks whether there is something to remove.
    """

    def __init__(
        self,
        tasks: Collection[Task],
        *,
        rescan_s: float,
        random: Callable[[], float],
        gc_s: float = math.inf,
    ) -> None:
        self.turns = {task: Turn() for task in Task if task in tasks}
        self.is_store_away = False
        self._rescan_s = rescan_s
        self._random = random
        self._next_scan_s = -math.inf
        self._gc_s = gc_s
        self._next_gc_s: float | None = None
        self._has_changed = False

    def changed(self, now: float) -> None:
        """Something new may be in the cache."""
        self._has_changed = True
        self._ask(Task.PROMOTE, now, after_s=SETTLE_S, at_most_s=MAX_SETTLE_S)

    def command_ended(self, now: float) -> None:
        """A uv command ended: what it changed is complete."""
        if self._has_changed:
            self._has_changed = False
            self._ask(Task.PROMOTE, now, after_s=END_S, at_most_s=MAX_SETTLE_S)

    def store_changed(self, now: float) -> None:
        """Something new may be in the store."""
        self._ask(Task.PULL, now, after_s=SPREAD_S * self._random(), at_most_s=SPREAD_S)

    def lost_track(self, now: float) -> None:
        """Whatever there is in the cache may be new."""
        self._ask(Task.PROMOTE, now, after_s=0.0)

    def store_went(self) -> None:
        """The store is away: nothing is tried until it answers."""
        self.is_store_away = True

    def store_answered(self, now: float) -> None:
        """The store was away, and is there."""
        self.is_store_away = False
        for turn in self.turns.values():
            turn.resume(now, after_s=COMEBACK_S * self._random())

    def take_due(self, now: float) -> list[Task]:
        """Return the tasks to begin now, and take them to be running."""
        if now >= self._next_scan_s:
            self._next_scan_s = now + self._rescan_s * (0.9 + 0.2 * self._random())
            for task in self.turns:
                if task is not Task.GC:
                    after_s = TRIM_S if task is Task.TRIM else 0.0
                    # At most: a rescan that comes sooner than that puts nothing off.
                    self._ask(task, now, after_s=after_s, at_most_s=TRIM_S)
        self._look_at_gc(now)
        due = [task for task, turn in self._ready() if turn.due_s <= now]
        for task in due:
            self.turns[task].begin(now)
        return due

    def next_s(self) -> float:
        """Return when `take_due` has to be asked again."""
        gc_s = math.inf
        if self._next_gc_s is not None and not self.is_store_away:
            gc_s = self._next_gc_s
        due_s = (turn.due_s for _, turn in self._ready())
        return min([self._next_scan_s, gc_s, *due_s])

    def succeeded(self, task: Task, now: float, *, is_unsettled: bool) -> None:
        """A run ended well."""
        self.turns[task].succeed(now, is_unsettled=is_unsettled)

    def failed(self, task: Task, now: float) -> None:
        """A run failed."""
        self.turns[task].fail(now, random=self._random())

    def _look_at_gc(self, now: float) -> None:
        """Ask for a removal from time to time.

        The runners of a fleet that starts at one moment shall not all do it at once: the
        first one comes at any time within the interval, and they drift apart.
        """
        if Task.GC not in self.turns or self._gc_s == math.inf:
            return
        if self._next_gc_s is None:
            self._next_gc_s = now + self._gc_s * self._random()
        if now >= self._next_gc_s:
            self._next_gc_s = now + self._gc_s * (0.5 + self._random())
            self._ask(Task.GC, now, after_s=0.0)

    def _ready(self) -> list[tuple[Task, Turn]]:
        """Return what could begin, if it were due."""
        return [
            (task, turn)
            for task, turn in self.turns.items()
            if not turn.is_running and (task in WITHOUT_STORE or not self.is_store_away)
        ]

    def _ask(
        self, task: Task, now: float, *, after_s: float, at_most_s: float = math.inf
    ) -> None:
        turn = self.turns.get(task)
        if turn is not None:
            turn.ask(now, after_s=after_s, at_most_s=at_most_s)
