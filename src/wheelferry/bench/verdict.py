"""What all of it comes to, in figures of which a sentence is made.

Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from wheelferry.bench.facts import Measured
from wheelferry.bench.forecast import Cost, Fleet, Name, Way, forecast


class Day(NamedTuple):
    """A day of a fleet, by way."""

    fleet: Fleet
    costs: Mapping[Name, Cost]

    @property
    def saved_bytes(self) -> float | None:
        """What Wheelferry saves of the index's traffic; below 0, what it adds."""
        before = self.costs[Name.NONE].index_bytes
        after = self.costs[Name.WHEELFERRY].index_bytes
        return None if before is None or after is None else before - after

    @property
    def share_bytes(self) -> float | None:
        """What Wheelferry moves over the share for it."""
        return self.costs[Name.WHEELFERRY].share_bytes


class Loss(NamedTuple):
    """Something in which another way is better.

    Attributes:
        name: The other way.
        field: Of `Cost`: `index_bytes`, `share_bytes`, `rpcs` or `seconds`.
        ours, theirs: For a job that begins with an empty cache.
    """

    name: Name
    field: str
    ours: float
    theirs: float


class Result(NamedTuple):
    """All that a run comes to.

    Attributes:
        measured: What was found out.
        ways: What the ways cost.
        days: The fleet's days: one, or the two extremes.
        losses: What has to be said against Wheelferry.
    """

    measured: Measured
    ways: tuple[Way, ...]
    days: tuple[Day, ...]
    losses: tuple[Loss, ...]


def judge(measured: Measured, ways: Sequence[Way], fleets: Iterable[Fleet]) -> Result:
    """Return what the fleets' days cost, and where Wheelferry is not the best way."""
    days = tuple(
        Day(fleet, {way.name: forecast(way, fleet) for way in ways}) for fleet in fleets
    )
    return Result(measured, tuple(ways), days, tuple(_losses(ways)))


def _losses(ways: Sequence[Way]) -> Iterable[Loss]:
    """Yield in which share traffic, RPCs or time another way to share is better.

    The way without sharing has no traffic on the share, which is no merit; but what the
    index would send may be less than what a pull reads.
    """
    by_name = {way.name: way.fresh for way in ways}
    ours = by_name[Name.WHEELFERRY]
    for name, theirs in by_name.items():
        if name is Name.NONE:
            if _is_less(theirs.index_bytes, ours.share_bytes):
                yield Loss(
                    name,
                    "share_bytes",
                    ours.share_bytes or 0,
                    theirs.index_bytes or 0,
                )
            if _is_less(theirs.seconds, ours.seconds):
                yield Loss(name, "seconds", ours.seconds or 0, theirs.seconds or 0)
            continue
        for field in ("share_bytes", "rpcs", "seconds"):
            mine, other = getattr(ours, field), getattr(theirs, field)
            if _is_less(other, mine):
                yield Loss(name, field, mine, other)


def _is_less(one: float | None, two: float | None) -> bool:
    return one is not None and two is not None and one < two
