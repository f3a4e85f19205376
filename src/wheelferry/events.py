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


def discard(event: Event) -> None:
    """Do nothing with `event`: the sink for callers that do not listen."""
    del event
