"""What has to go so that the rest of a store fits into its budget: pure.

Least recently needed first.  Packs differ in size a hundredfold, so that order alone would
give up many small ones and then a large one, which makes the room of all of them.  So what
was taken is looked through once more, the most recently needed first, and what fits is
spared: a pack may stay that is older than one that goes.

What a runner needed a moment ago is hot: it will be wanted again.  It goes where a budget
would be missed without that, and never for the room beyond it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final, TypeVar

from wheelferry.ops.gc_facts import Pack

SPARE: Final = 0.1
"""So much of a budget is made free beyond it, so that not each promotion is too much."""

MOST: Final = 0.2
"""And no more than so much, if it can be helped."""

Name = TypeVar("Name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """How many bytes are to go.

    Attributes:
        must_bytes: With these gone the budget is kept.
        should_bytes: With these there is some room too.
        most_bytes: With more than these there is too much.
        hot_s: What was needed later is hot: none of it goes for more than `must_bytes`.
        spares_hot: Whether none of it goes for this at all.
    """

    must_bytes: int
    should_bytes: int
    most_bytes: int
    hot_s: float = inf
    spares_hot: bool = False

    def takes(self, pack: Pack, gone_bytes: int) -> bool:
        """Return whether a pack goes for this, when so many bytes go already."""
        is_over = gone_bytes < self.must_bytes
        if self._is_hot(pack):
            return is_over and not self.spares_hot
        fits = gone_bytes + pack.size_bytes <= self.most_bytes
        return is_over or (gone_bytes < self.should_bytes and fits)

    def spares(self, pack: Pack, gone_bytes: int) -> bool:
        """Return whether one of what goes may stay, when so many bytes go with it."""
        rest_bytes = gone_bytes - pack.size_bytes
        is_kept = rest_bytes >= self.must_bytes
        if self._is_hot(pack):
            return is_kept or self.spares_hot
        is_too_much = gone_bytes > self.most_bytes
        return rest_bytes >= self.should_bytes or (is_too_much and is_kept)

    def _is_hot(self, pack: Pack) -> bool:
        return pack.needed_s > self.hot_s


def find_aim(
    budget_bytes: int,
    must_bytes: int,
    *,
    hot_s: float = inf,
    spares_hot: bool = False,
) -> Aim | None:
    """Return what is to go to keep a budget; None if it is kept."""
    if must_bytes <= 0:
        return None
    return Aim(
        must_bytes=must_bytes,
        should_bytes=must_bytes + int(budget_bytes * SPARE),
        most_bytes=must_bytes + int(budget_bytes * MOST),
        hot_s=hot_s,
        spares_hot=spares_hot,
    )


def choose_misfits(
    packs: Iterable[Pack], aims: Mapping[Name, Aim]
) -> list[tuple[Pack, Name]]:
    """Return what goes, the least recently needed first, and which of the aims it is for.

    All of what the aims may take goes if that is not enough.

    Args:
        packs: What may go, the least recently needed first.
        aims: To be reached together: each counts what goes for the others.
    """
    taken: list[tuple[Pack, Name]] = []
    gone_bytes = 0
    for pack in packs:
        for name, aim in aims.items():
            if aim.takes(pack, gone_bytes):
                taken.append((pack, name))
                gone_bytes += pack.size_bytes
                break
    misfits: list[tuple[Pack, Name]] = []
    for pack, name in reversed(taken):
        if all(aim.spares(pack, gone_bytes) for aim in aims.values()):
            gone_bytes -= pack.size_bytes
        else:
            misfits.append((pack, name))
    return misfits[::-1]
