"""What a store gives up to be within its budget: pure.

All times are seconds of the server's clock.  Sizes are of the files in `objects/`: what is
in the trash counts as free space that comes with the end of its grace.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from typing import Final

from wheelferry.ops.gc_facts import Content, Orphan, Pack
from wheelferry.ops.gc_fit import Aim, choose_misfits, find_aim
from wheelferry.ops.gc_superseded import find_superseded
from wheelferry.ops.gc_trash import is_expired, sort_trash
from wheelferry.store.record import Digest
from wheelferry.store.upkeep import Trashed

SUPERSEDED_S: Final = 30 * 24 * 3600
"""How long nobody needs a pack of a format that has a newer one, before it goes."""


class Why(StrEnum):
    """Why an object goes: those for want of room last, the others in this order."""

    BANNED = "banned"
    ORPHAN = "orphan"
    SUPERSEDED = "superseded"
    AGE = "age"
    SIZE = "size"
    FREE = "free"


_ORDER: Final = tuple(Why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a store may be; None is no limit.

    Attributes:
        max_bytes: Of all objects.
        max_age_s: Since a runner last needed a pack.
        keep_free_bytes: Of the share.
        grace_s: How long something must be dead before it is removed for good.
    """

    max_bytes: int | None = None
    max_age_s: float | None = None
    keep_free_bytes: int | None = None
    grace_s: float = 24 * 3600

    @property
    def is_unlimited(self) -> bool:
        """Whether there is no limit at all."""
        return (self.max_bytes, self.max_age_s, self.keep_free_bytes) == (None,) * 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """An object that is to go; `needed_s` of an orphan is when it was written."""

    digest: Digest
    size_bytes: int
    needed_s: int
    subject: str
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class GcPlan:
    """What a removal would do; sizes in bytes.

    Attributes:
        victims: What goes to the trash, in this order.
        expired: What is removed from there for good.
        wanted: What is brought back from there, before anything goes: records name it.
            What of it goes again has a grace of its own then.
        resting: What stays there.
        content: The store as it is.
        budget: What it is to be.
        over_bytes: What it is beyond its size after that.
        short_bytes: What is not free after that, and was to be.
        hot: Number of victims that a runner needed within the grace.
    """

    victims: tuple[Victim, ...]
    expired: tuple[Trashed, ...]
    wanted: tuple[Trashed, ...]
    resting: tuple[Trashed, ...]
    content: Content
    budget: Budget
    over_bytes: int = 0
    short_bytes: int = 0
    hot: int = 0

    @property
    def victim_bytes(self) -> int:
        """Size of what goes to the trash."""
        return sum(victim.size_bytes for victim in self.victims)

    @property
    def left_bytes(self) -> int:
        """Size of the objects after that."""
        return self.content.object_bytes + self.wanted_bytes - self.victim_bytes

    @property
    def wanted_bytes(self) -> int:
        """Size of what is brought back."""
        return sum(item.size_bytes for item in self.wanted)

    @property
    def expired_bytes(self) -> int:
        """Size of what is removed for good."""
        return sum(item.size_bytes for item in self.expired)

    @property
    def resting_bytes(self) -> int:
        """Size of what stays in the trash."""
        return sum(item.size_bytes for item in self.resting)

    @property
    def is_reached(self) -> bool:
        """Whether the store is within its budget after that."""
        return not self.over_bytes and not self.short_bytes

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.victims or self.expired or self.wanted)


def plan_gc(content: Content, budget: Budget) -> GcPlan:
    """Decide what goes.

    What an admin has forbidden goes first: a promoter that did not know has put it back.
    Then what is dead: orphans, and packs of superseded formats that nobody needs.
    Then what nobody has needed for too long; then, for the size and the free space, what
    was needed the longest ago, but for what fits.  Of what was needed within the grace
    nothing goes for more than the size itself; and for the free space nothing at all:
    others fill the share too, and all of the store might not be enough.
    """
    trash = sort_trash(content, budget.grace_s)
    packs = _find_packs(content, trash.wanted)
    due = [*_find_orphans(content, budget), *_find_due(packs, content, budget)]
    due.sort(key=lambda victim: _ORDER.index(victim.why))
    gone = {victim.digest for victim in due}
    gone_bytes = sum(victim.size_bytes for victim in due)
    back_bytes = sum(item.size_bytes for item in trash.wanted)
    aims = _find_aims(content, budget, back_bytes=back_bytes, gone_bytes=gone_bytes)
    rest = (p for p in packs if p.digest not in gone and not p.is_missing)
    misfits = [_make_victim(pack, why) for pack, why in choose_misfits(rest, aims)]
    victims = (*due, *misfits)
    misfit_bytes = sum(victim.size_bytes for victim in misfits)
    hot_s = content.now_s - budget.grace_s
    named = [victim for victim in victims if victim.why is not Why.ORPHAN]
    return GcPlan(
        victims=victims,
        expired=trash.expired,
        wanted=trash.wanted,
        resting=trash.resting,
        content=content,
        budget=budget,
        over_bytes=_find_missed(aims.get(Why.SIZE), misfit_bytes),
        short_bytes=_find_missed(aims.get(Why.FREE), misfit_bytes),
        hot=sum(victim.needed_s > hot_s for victim in named),
    )


def _find_packs(content: Content, wanted: Iterable[Trashed]) -> list[Pack]:
    """Return packs as they are with what comes back, the least recently needed first."""
    back = {item.digest: item.size_bytes for item in wanted}
    packs = (
        replace(pack, size_bytes=back[pack.digest], is_missing=False)
        if pack.digest in back
        else pack
        for pack in content.packs
    )
    return sorted(packs, key=lambda pack: (pack.needed_s, pack.digest))


def _find_orphans(content: Content, budget: Budget) -> Iterable[Victim]:
    """Yield what no record names, and what no promotion is at any more."""
    for orphan in content.orphans if content.is_whole else ():
        if is_expired(orphan.since_s, content.now_s, budget.grace_s):
            yield _make_victim(orphan, Why.ORPHAN)


def _find_due(
    packs: Collection[Pack], content: Content, budget: Budget
) -> Iterable[Victim]:
    """Yield what goes however much room there is.

    What is forbidden also where it is missing: its records have to go.
    """
    superseded = find_superseded(packs)
    superseded_s = content.now_s - SUPERSEDED_S
    max_age_s = inf if budget.max_age_s is None else budget.max_age_s
    for pack in packs:
        is_superseded = pack.format_ids and pack.format_ids <= superseded
        if pack.is_banned:
            yield _make_victim(pack, Why.BANNED)
        elif is_superseded and pack.needed_s < superseded_s:
            yield _make_victim(pack, Why.SUPERSEDED)
        elif pack.needed_s < content.now_s - max_age_s:
            yield _make_victim(pack, Why.AGE)


def _find_aims(
    content: Content, budget: Budget, *, back_bytes: int, gone_bytes: int
) -> dict[Why, Aim]:
    """Return how much more is to go, by budget.

    Args:
        content: The store.
        budget: What it is to be.
        back_bytes: What comes back out of the trash.
        gone_bytes: What goes in any case.
    """
    hot_s = content.now_s - budget.grace_s
    aims: dict[Why, Aim | None] = {}
    if (max_bytes := budget.max_bytes) is not None:
        left_bytes = content.object_bytes + back_bytes - gone_bytes
        aims[Why.SIZE] = find_aim(max_bytes, left_bytes - max_bytes, hot_s=hot_s)
    if (keep_bytes := budget.keep_free_bytes) is not None:
        room_bytes = content.free_bytes + content.trash_bytes - back_bytes + gone_bytes
        must_bytes = keep_bytes - room_bytes
        aims[Why.FREE] = find_aim(keep_bytes, must_bytes, hot_s=hot_s, spares_hot=True)
    return {why: aim for why, aim in aims.items() if aim is not None}


def _find_missed(aim: Aim | None, gone_bytes: int) -> int:
    return max(0, aim.must_bytes - gone_bytes) if aim else 0


def _make_victim(item: Pack | Orphan, why: Why) -> Victim:
    return Victim(
        digest=item.digest,
        size_bytes=item.size_bytes,
        needed_s=item.needed_s if isinstance(item, Pack) else item.since_s,
        subject=item.subject if isinstance(item, Pack) else "",
        why=why,
    )
