"""The facts that operations report while they work, and where those go.

Operations emit frozen events to a `Sink`; the screen, `--json`, logs, benchmarks and
tests are all sinks.  An event's name is `noun.past_participle`.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

Value: TypeAlias = str | int | float | bool | None
_NO_FIELDS: Mapping[str, Value] = MappingProxyType({})


class Level(IntEnum):
    """How much an event matters; the numbers are those of `logging`."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


class Event(NamedTuple):
    """One fact.

    Attributes:
        name: Such as `entry.promoted`; the catalogue of names is in `docs/json.md`.
        level: WARNING only when someone may want to act.
        message: One line for people, complete without the fields.
        fields: Values for machines; sizes in bytes, times in seconds.
    """

    name: str
    message: str
    level: Level = Level.INFO
    fields: Mapping[str, Value] = _NO_FIELDS


Sink: TypeAlias = Callable[[Event], None]


def progress(
    verb: str, *, done: int, total: int, done_bytes: int = 0, total_bytes: int = 0
) -> Event:
    """Return the event that says how far a long piece of work is.

    Args:
        verb: What goes on, as in "pulling".
        done: Number of things that are done.
        total: Number of things that there are.
        done_bytes: Of those done, where bytes are counted.
        total_bytes: Of all of them.
    """
    return Event(
        name="work.progressed",
        level=Level.DEBUG,
        message=verb,
        fields={
            "done": done,
            "total": total,
            "done_bytes": done_bytes,
            "total_bytes": total_bytes,
        },
    )


def discard(event: Event) -> None:
    """Do nothing with `event`: the sink for callers that do not listen."""
    del event
