"""Which packs a verification reads: pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wheelferry.store.record import Digest
from wheelferry.store.upkeep import Dated


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is to be read.

    Attributes:
        share: Which part of all bytes, above 0 and up to 1.
        since_s: Only what was written to the store within so many seconds.
    """

    share: float = 1.0
    since_s: float = math.inf

    @property
    def is_whole(self) -> bool:
        """Whether everything is to be read."""
        return self.share >= 1 and self.since_s == math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is read now, and how many objects a run before, which was cut off, has read."""

    wanted: tuple[Dated, ...]
    resumed: int = 0


def choose(
    objects: Sequence[Dated],
    scope: Scope,
    *,
    read_s: Mapping[Digest, float],
    began_s: float,
    now_s: float,
) -> Choice:
    """Return what to read.

    A sample has what was read the longest ago, first what never was: so samples of a
    twentieth each have everything read after twenty of them.  Among equals it is by name,
    that is by chance.

    Args:
        objects: All that there are.
        scope: What is wanted.
        read_s: When this runner has last read an object and found it sound, on its clock.
        began_s: When it began to read all of them, on the same clock.
        now_s: The server's time.
    """
    within = [item for item in objects if item.written_s >= now_s - scope.since_s]
    ordered = sorted(
        within, key=lambda item: (read_s.get(item.digest, -math.inf), item.digest)
    )
    if scope.is_whole:
        left = [i for i in ordered if read_s.get(i.digest, -math.inf) < began_s]
        return Choice(wanted=tuple(left), resumed=len(ordered) - len(left))
    wanted: list[Dated] = []
    goal_bytes = scope.share * sum(item.size_bytes for item in ordered)
    chosen_bytes = 0
    for item in ordered:
        if wanted and chosen_bytes >= goal_bytes:
            break
        wanted.append(item)
        chosen_bytes += item.size_bytes
    return Choice(wanted=tuple(wanted))
