"""One run of a task, in a process of its own, and what it said.

The memory that a run takes goes back with the process; a run that hangs can be killed,
at any point, and nothing is lost.  The configuration is handed to it, so that a file that
was broken since does not matter before it is taken over.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from wheelferry.daemon.children import Child
from wheelferry.daemon.schedule import Task
from wheelferry.errors import CacheNotFound
from wheelferry.events import Level
from wheelferry.ops.metrics import Known, decode_known

STUCK_S: Final = 1800.0
"""After how long without a word a run is given up.

A store that is silent ends it much sooner (`store.timeout`); this is for all the rest.
"""

END_S: Final = 1.5
"""How long a run may take to clean up when it is interrupted."""

MAX_LAST: Final = 500
"""Characters of a run's last words."""

_PARTLY_DONE: Final = 3
_WELL: Final = (0, _PARTLY_DONE, CacheNotFound.exit_code)
"""Exit codes of a run that need not be repeated.  Without a cache there is nothing to do."""

_ENTRIES: Final = {
    Task.PROMOTE: "promoted",
    Task.PULL: "restored",
    Task.GC: "discarded",
    Task.TRIM: "removed",
}
"""What in a run's summary counts the entries that it carried, or removed ..."""

_BYTES: Final = {
    Task.PROMOTE: "bytes_written",
    Task.PULL: "bytes_read",
    Task.GC: "discarded_bytes",
    Task.TRIM: "freed_bytes",
}
"""... and the bytes of their packs."""

KNOWN: Final = "known"
"""The type of a line with what the runner knows of the store, after the summary."""

_NOTHING: Final[Mapping[str, Any]] = {}


class Warned(NamedTuple):
    """Something that a run warned of."""

    level: Level
    message: str


class Result(NamedTuple):
    """How a run ended.

    Attributes:
        error: What it failed for, in words; empty if it need not be repeated.
        hint: What can be done about that.
        did: What it changed, in words; empty if nothing.
        text: Its last word, also if it changed nothing; empty if it failed.
        reference: Of what it failed for, if that has one.
        is_unsettled: Whether it left what was not complete yet.
        entries: How many entries it carried, also if it failed after that.
        size_bytes: Of packs, over the network, for these.
        excess_bytes: What is beyond the budget after that, where there is one.
        known: What the runner knows of the store now, if it was said.
    """

    error: str = ""
    hint: str = ""
    did: str = ""
    text: str = ""
    reference: str = ""
    is_unsettled: bool = False
    entries: int = 0
    size_bytes: int = 0
    excess_bytes: int = 0
    known: Known | None = None


class Job:
    """A run at work; raises OSError if it cannot be started.

    Args:
        task: What it does.
        argv: The program; the task's name is added.
        payload: The configuration, as the program wants it on its stdin.
        now: When this is.
        more: What is added to the task's name.
    """

    def __init__(
        self,
        task: Task,
        argv: Sequence[str],
        payload: bytes,
        now: float,
        *,
        more: Sequence[str] = (),
    ) -> None:
        self.task = task
        self._child = Child(
            [*argv, task.value, *more], payload=payload, closes_stdin=True
        )
        self._heard_s = now
        self._summary = _NOTHING
        self._known: Known | None = None
        self._error = _NOTHING
        self._last = ""
        self._is_given_up = False

    @property
    def fd(self) -> int:
        """Where its lines come from."""
        return self._child.fd

    @property
    def pid(self) -> int:
        """Its process id, for messages and tests."""
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        """Whether it has said its last word; then `finish` has the result."""
        return self._child.has_ended

    def read(self, now: float) -> list[Warned]:
        """Return what it warned of since."""
        self._heard_s = now
        return [w for line in self._child.read_lines() if (w := self._take(line))]

    def next_s(self) -> float:
        """Return when `check` is to be called again."""
        return self._heard_s + STUCK_S

    def check(self, now: float) -> None:
        """End it if it is stuck."""
        if now >= self.next_s():
            self._is_given_up = True
            self._child.kill()

    def finish(self) -> Result:
        """Return how it ended; call once it has."""
        code = self._child.wait(END_S)
        if code is None:
            self._child.kill()
            code = self._child.wait(END_S)
        self._child.close()
        return self._conclude(code)._replace(
            entries=self._summary.get(_ENTRIES[self.task], 0),
            size_bytes=self._summary.get(_BYTES[self.task], 0),
            excess_bytes=find_excess(self.task, self._summary),
            known=self._known,
        )

    def _conclude(self, code: int | None) -> Result:
        if code in _WELL:
            text = str(self._summary.get("text", ""))
            return Result(
                did=text if self._summary.get(_ENTRIES[self.task]) else "",
                text=text,
                is_unsettled=bool(self._summary.get("unsettled")),
            )
        if self._error:
            cause = self._error.get("cause")
            message = str(self._error.get("message", ""))
            more = f" ({cause})" if cause and str(cause) not in message else ""
            return Result(
                error=message + more,
                hint=str(self._error.get("hint") or ""),
                reference=str(self._error.get("reference", "")),
            )
        how = f"was ended by signal {-code}" if code and code < 0 else f"ended: {code}"
        if self._is_given_up:
            how = f"said nothing for {STUCK_S / 60:g} min, and was ended"
        return Result(
            error=f"{self.task.value} {how}{f': {self._last}' if self._last else ''}"
        )

    def interrupt(self) -> None:
        """Ask it to end soon."""
        self._child.interrupt()

    def end(self, *, kills: bool = False) -> None:
        """Have it gone; `kills`: without waiting for it to clean up."""
        if kills:
            self._child.kill()
        if self._child.wait(END_S) is None:
            self._child.kill()
            self._child.wait(END_S)
        self._child.close()

    def _take(self, line: str) -> Warned | None:
        try:
            said: Mapping[str, Any] = json.loads(line)
            kind = said.get("type")
        except (ValueError, AttributeError):  # such as the interpreter's last words
            self._last = line[:MAX_LAST]
            return None
        if kind == "summary":
            self._summary = said
        elif kind == "error":
            self._error = said
        elif kind == KNOWN:
            self._known = decode_known(said[KNOWN])
        elif said.get("level") in ("warning", "error"):
            return Warned(Level[said["level"].upper()], str(said.get("message", "")))
        return None


def find_excess(task: Task, summary: Mapping[str, Any]) -> int:
    """Return what a run says in its summary that it left beyond a budget, in bytes.

    A gc that had nothing to look for says nothing: then nothing is beyond it.
    """
    if task is Task.GC:
        return int(summary.get("over_bytes", 0)) + int(summary.get("short_bytes", 0))
    if task is Task.TRIM:
        left_bytes = int(summary.get("cache_bytes", 0)) - int(
            summary.get("freed_bytes", 0)
        )
        return max(0, left_bytes - int(summary.get("max_bytes", 0)))
    return 0
