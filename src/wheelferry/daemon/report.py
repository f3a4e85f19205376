"""What the daemon says: lines for the log, a status line, and its account.

A line for each thing that matters, once: what was carried, what is wrong, that it is well
again.  What a run finds wrong anew each time is said the first time.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from wheelferry.daemon.account import (
    Account,
    Carried,
    Removed,
    TaskAccount,
    write_account,
)
from wheelferry.daemon.jobs import Result, Warned
from wheelferry.daemon.notify import Notifier
from wheelferry.daemon.schedule import Task, Turn
from wheelferry.disk import Disk
from wheelferry.events import Event, Level, Sink

MAX_TOLD: Final = 1000
"""How many warnings are remembered, so as not to repeat them."""

STORE: Final = "store"

TRIED_AGAIN: Final = "it is tried again, and nothing is lost"


class Reporter:
    """Says how it goes to the log, to the service manager and to `status`.

    Args:
        account: What is known from the start.
        state: Where the account is kept.
        disk: What writes it.
        emit: The log.
        notifier: The service manager.
        now_s: This host's time, for people.
        monotonic_s: The clock of the schedule.
    """

    def __init__(
        self,
        account: Account,
        *,
        state: Path,
        disk: Disk,
        emit: Sink,
        notifier: Notifier,
        now_s: Callable[[], float],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._account = account._replace(
            carried={task.value: Carried() for task in (Task.PROMOTE, Task.PULL)},
            removed={task.value: Removed() for task in (Task.GC, Task.TRIM)},
        )
        self._state = state
        self._disk = disk
        self._emit = emit
        self._notifier = notifier
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._is_ready = False
        self._running: frozenset[Task] = frozenset()
        self._lacks: dict[str, str] = {}
        self._told: dict[str, None] = {}
        self._written: Account | None = None

    @property
    def account(self) -> Account:
        """How the daemon goes, as of the last `update`."""
        return self._account

    @property
    def degraded(self) -> str:
        """What is lacking now, in words; empty if nothing."""
        return next(iter(self._lacks.values()), "")

    def log(self, name: str, message: str, level: Level = Level.INFO) -> None:
        """Write a line."""
        self._emit(Event(name=name, level=level, message=message))

    def warn(self, message: str) -> None:
        """Warn of something that no run found."""
        self._note_error(message)
        self.log("daemon.warned", message, Level.WARNING)

    def ready(self) -> None:
        """Say that it works, or what it lacks."""
        self._is_ready = True
        self._notifier.ready(self._status())

    def warned(self, task: Task, warned: Warned) -> None:
        """Pass on what a run warned of, unless it was said before."""
        del task
        if warned.message in self._told:
            return
        self._remember(warned.message)
        self._emit(Event(name="run.warned", level=warned.level, message=warned.message))

    def ended(self, task: Task, result: Result) -> None:
        """Say what a run did, or that it failed."""
        self.carried(task, result)
        self._removed(task, result)
        if result.known is not None:
            self._account = self._account._replace(known=result.known)
        before = self._account.tasks.get(task.value, TaskAccount())
        if result.error:
            self.lacks(task.value, result.error, hint=result.hint)
            return
        after = before._replace(
            last_s=self._now_s(), last_did=result.did or before.last_did
        )
        self._set_task(task, after)
        if result.did:
            self.log("run.finished", result.did)
        self.has(task.value)

    def carried(self, task: Task, result: Result) -> None:
        """Count what a run has carried, if it carries."""
        if task.value not in self._account.carried:
            return
        before = self._account.carried[task.value]
        after = Carried(
            before.entries + result.entries, before.size_bytes + result.size_bytes
        )
        carried = {**self._account.carried, task.value: after}
        self._account = self._account._replace(carried=carried)

    def _removed(self, task: Task, result: Result) -> None:
        """Count what a run has removed, if it removes, and see what is left."""
        if task.value not in self._account.removed:
            return
        before = self._account.removed[task.value]
        after = Removed(
            before.number + result.entries,
            before.size_bytes + result.size_bytes,
            before.excess_bytes if result.error else result.excess_bytes,
        )
        removed = {**self._account.removed, task.value: after}
        self._account = self._account._replace(removed=removed)

    def lacks(
        self, what: str, message: str, *, hint: str = "", meanwhile: str = TRIED_AGAIN
    ) -> None:
        """Say that something does not work, unless that was said.

        Args:
            what: Names it, for `has`.
            message: What is wrong.
            hint: What can be done about it.
            meanwhile: What happens until then.
        """
        was_well = not self._lacks
        self._lacks[what] = message
        self._note_error(message)
        if was_well:
            self._account = self._account._replace(degraded_since_s=self._now_s())
        if what == STORE or STORE not in self._lacks:  # or it is no news
            self._tell_degraded(message, hint, meanwhile)

    def has(self, what: str) -> None:
        """Say that it works, if it did not."""
        lacked = self._lacks.pop(what, None)
        if lacked is None:
            return
        self._told.pop(lacked, None)
        if self._lacks:
            self._tell_degraded(self.degraded, "", TRIED_AGAIN)
        else:
            since_s = self._account.degraded_since_s or self._now_s()
            self._account = self._account._replace(degraded_since_s=None)
            self.log(
                "daemon.recovered",
                f"all is well again after {self._now_s() - since_s:.0f} s",
            )

    def update(
        self,
        turns: Mapping[Task, Turn],
        *,
        watching: str,
        watches: int,
    ) -> None:
        """Bring the account and the status line up to date, if anything is different."""
        self._running = frozenset(t for t, turn in turns.items() if turn.is_running)
        for task, turn in turns.items():
            before = self._account.tasks.get(task.value, TaskAccount())
            after = before._replace(
                failures=turn.failures,
                waits_since_s=self._wall(turn.waits_since_s, before.waits_since_s),
            )
            self._set_task(task, after)
        self._account = self._account._replace(
            watching=watching, watches=watches, degraded=self.degraded
        )
        if self._is_ready:
            self._notifier.say(self._status())
        if self._account != self._written:
            self._written = self._account
            write_account(self._state, self._account, self._disk)

    def forget_written(self) -> None:
        """Have the account written anew: somebody removed it."""
        self._written = None

    def _tell_degraded(self, message: str, hint: str, meanwhile: str) -> None:
        if message in self._told:
            return
        self._remember(message)
        parts = "; ".join(part for part in (message, hint, meanwhile) if part)
        self.log("daemon.degraded", f"degraded: {parts}", Level.WARNING)

    def _wall(self, monotonic_s: float | None, before_s: float | None) -> float | None:
        """Return a time of the schedule as one of this host; the same for the same."""
        if monotonic_s is None:
            return None
        found_s = self._now_s() - (self._monotonic_s() - monotonic_s)
        is_same = before_s is not None and abs(found_s - before_s) < 1.0
        return before_s if is_same else found_s

    def _status(self) -> str:
        if self._lacks:
            return f"degraded: {self.degraded}"
        if self._running:
            doing = {
                Task.PROMOTE: "promoting",
                Task.PULL: "pulling",
                Task.GC: "removing",
                Task.TRIM: "trimming",
            }
            return " and ".join(doing[task] for task in sorted(self._running))
        done = [
            f"{time.strftime('%H:%M', time.localtime(task.last_s))} {task.last_did}"
            for task in self._account.tasks.values()
            if task.last_did and task.last_s is not None
        ]
        return "; ".join([f"watching {self._account.cache}", *done])

    def _set_task(self, task: Task, account: TaskAccount) -> None:
        tasks = {**self._account.tasks, task.value: account}
        self._account = self._account._replace(tasks=tasks)

    def _note_error(self, message: str) -> None:
        self._account = self._account._replace(
            last_error=message, last_error_s=self._now_s()
        )

    def _remember(self, message: str) -> None:
        self._told[message] = None
        while len(self._told) > MAX_TOLD:
            del self._told[next(iter(self._told))]
