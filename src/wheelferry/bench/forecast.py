"""What a fleet's day costs, worked out of what one event costs.

Pure.  Of a way to share (or not to), with the costs of four events:

    day = fresh jobs x fresh + other jobs x again
          + changes x (publish + runners that keep their caches x follow)

where `fresh jobs = runners x jobs x share`, `share` is that of the jobs that begin with an
empty cache, and `runners that keep their caches = runners x (1 - share)`: the others get a
change with all the rest.  A change is one package of mean size.  The runner that
publishes it counts among those that follow, which is one package too many at most, and
against Wheelferry.  What is unknown stays unknown, unless it is needed 0 times.
"""

from enum import StrEnum
from typing import NamedTuple, Self


class Name(StrEnum):
    """A way to share what uv has cached, or not to."""

    NONE = "no-sharing"
    UV = "uv-on-share"
    ARCHIVE = "archive"
    WHEELFERRY = "wheelferry"


class Cost(NamedTuple):
    """What something costs; None where that is not known.

    Attributes:
        index_bytes: From the index.
        share_bytes: Read from the share, and written to it.
        rpcs: On the share.
        seconds: That jobs wait.
    """

    index_bytes: float | None = 0
    share_bytes: float | None = 0
    rpcs: float | None = 0
    seconds: float | None = 0

    def times(self, number: float) -> "Cost":
        """Return the cost of so many of it."""
        if not number:
            return FREE
        return Cost(*(None if part is None else part * number for part in self))

    def plus(self, other: Self) -> "Cost":
        """Return the cost of both."""
        return Cost(
            *(
                None if one is None or two is None else one + two
                for one, two in zip(self, other, strict=True)
            )
        )


FREE = Cost()
UNKNOWN = Cost(None, None, None, None)


class Way(NamedTuple):
    """A way, and what its events cost.

    Attributes:
        fresh: A job that begins with an empty cache.
        again: A job whose cache has all of it.
        publish: The first runner that needs a changed package; what it writes counts in
            bytes only.
        follow: Each of the runners that need it then.
    """

    name: Name
    fresh: Cost
    again: Cost
    publish: Cost
    follow: Cost


class Fleet(NamedTuple):
    """A fleet and its day.

    Attributes:
        runners: How many.
        jobs: Of each runner in a day.
        changes: Of the lock in a day, one package each.
        fresh: Share of the jobs that begin with an empty cache, from 0 to 1.
    """

    runners: int
    jobs: float
    changes: float
    fresh: float


def forecast(way: Way, fleet: Fleet) -> Cost:
    """Return what a day of a fleet costs; the formula is above."""
    jobs = fleet.runners * fleet.jobs
    keeping = fleet.runners * (1 - fleet.fresh)
    change = way.publish.plus(way.follow.times(keeping))
    return (
        way.fresh.times(jobs * fleet.fresh)
        .plus(way.again.times(jobs * (1 - fleet.fresh)))
        .plus(change.times(fleet.changes))
    )
