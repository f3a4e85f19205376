"""How a run goes: its bounds, its places, and what it says on the way."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from wheelferry.bench.meter import Meter
from wheelferry.disk.clock import Deadline, monotonic_s
from wheelferry.events import Event
from wheelferry.ops.rules import Rules
from wheelferry.ops.target import Target
from wheelferry.ops.tiers import Tiers
from wheelferry.store.isolated import IsolatedStore


class Bounds(NamedTuple):
    """What a run may take.

    Attributes:
        until: When measuring has to be over; what is left then is for removing.
        max_bytes: That are on the share at one time.
        read_rate_bytes_s, write_rate_bytes_s: Of the share; None is no limit.
    """

    until: Deadline
    max_bytes: int
    read_rate_bytes_s: int | None = None
    write_rate_bytes_s: int | None = None

    def part(self, share: float) -> float:
        """Return when a step has to end that may take a part of the time that is left."""
        return monotonic_s() + share * self.until.remaining_s()


class Course(NamedTuple):
    """One run.

    Attributes:
        tiers: The runner's own; its cache is only read, and its view left alone.
        yard: The store, in a process of its own, with `Yard`'s methods to ask for.
        open_other: Opens another store in the same way, and closes it.
        work: A directory of our own on the cache's filesystem.
        rules: What may be pulled.
        format_ids: Which formats of the cache.
        target: What one job needs.
        bounds: What all of it may take.
        meter: What counts.
        tar: The program; "" if there is none.
    """

    tiers: Tiers
    yard: IsolatedStore
    open_other: Callable[[Path], AbstractContextManager[IsolatedStore]]
    work: Path
    rules: Rules
    format_ids: tuple[str, ...]
    target: Target
    bounds: Bounds
    meter: Meter
    tar: str

    def say(self, message: str) -> None:
        """Tell whoever waits what goes on."""
        self.tiers.emit(Event(name="step.begun", message=message))
