"""What a store gives up to be within its budget: pure.

All times are seconds of the server's clock.  Sizes are of the files in `objects/`: what is
in the trash counts as free space that comes with the end of its grace.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.upkeep import Trashed

SUPERSEDED_S: Final = 30 * 24 * 3600
"""How long nobody needs a pack of a format that has a newer one, before it goes."""

FUTURE_S: Final = 24 * 3600
"""A time in the trash that is so much later than now is none: a clock was wrong."""

LOW: Final = 0.9
"""A store that is over its size is emptied to this part of it, so that not each promotion
makes it over again."""

FLOOR: Final = 0.8
"""Nothing goes that would leave less than this part of the size, if it can be helped."""

HEADROOM: Final = 1.1
"""The same for free space: so many times of what is to be kept free is made."""


class Why(StrEnum):
    """Why an object goes."""

    BANNED = "banned"
    ORPHAN = "orphan"
    SUPERSEDED = "superseded"
    AGE = "age"
    SIZE = "size"
    FREE = "free"


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
class Pack:
    """A pack that records name.

    Attributes:
        digest: Of the pack.
        size_bytes: Of the object; 0 if it is missing.
        is_missing: Whether there is no such object.
        is_banned: Whether an admin has forbidden what it is.
        needed_s: When a runner last needed it, or put it there.
        subject: What it is, for people.
        format_ids: Of its records.
    """

    digest: Digest
    size_bytes: int
    needed_s: int
    subject: str
    format_ids: frozenset[str]
    is_missing: bool = False
    is_banned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """An object that no record names, and when it was written."""

    digest: Digest
    size_bytes: int
    since_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A store.

    Attributes:
        packs: What records name.
        orphans: What none names.
        trash: What was taken away, the oldest first.
        free_bytes: Room on the share.
        now_s: When all of this was so.
        is_whole: Whether all of the catalog could be read; if not, an orphan may be none,
            and what is in the trash may be named.
        segments: Those of the catalog that all of this is judged by.  Records of others,
            which come meanwhile, are not for this removal to kill.
    """

    packs: tuple[Pack, ...]
    orphans: tuple[Orphan, ...]
    trash: tuple[Trashed, ...]
    free_bytes: int
    now_s: int
    is_whole: bool = True
    segments: frozenset[SegmentId] = frozenset()

    @property
    def object_bytes(self) -> int:
        """Size of all objects."""
        named = sum(pack.size_bytes for pack in self.packs)
        return named + sum(orphan.size_bytes for orphan in self.orphans)


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
        wanted: What is brought back from there: records name it.
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
    was needed the longest ago.  For the free space nothing goes that was needed within
    the grace: others fill the share too, and all of the store might not be enough.
    """
    wanted, expired, resting = sort_trash(content, budget.grace_s)
    choice = _Choice(content, budget, wanted)
    choice.take_banned()
    choice.take_dead()
    choice.take_aged()
    over_bytes = choice.take_for_size()
    short_bytes = choice.take_for_room(sum(item.size_bytes for item in wanted))
    taken = choice.taken()
    hot_s = content.now_s - budget.grace_s
    named = [victim for victim in choice.victims if victim.why is not Why.ORPHAN]
    return GcPlan(
        victims=tuple(choice.victims),
        expired=expired,
        wanted=tuple(item for item in wanted if item.digest not in taken),
        resting=(*resting, *(item for item in wanted if item.digest in taken)),
        content=content,
        budget=budget,
        over_bytes=over_bytes,
        short_bytes=short_bytes,
        hot=sum(victim.needed_s > hot_s for victim in named),
    )


def sort_trash(
    content: Content, grace_s: float
) -> tuple[tuple[Trashed, ...], tuple[Trashed, ...], tuple[Trashed, ...]]:
    """Return what of the trash is wanted again, is to be purged, and stays.

    Wanted: a record names it, and it is missing, and nobody has forbidden it.  Whoever took it away was killed before
    it could look whether that was right.  While a part of the catalog cannot be read,
    nothing is purged: a record may be there.
    """
    missing = {
        pack.digest for pack in content.packs if pack.is_missing and not pack.is_banned
    }
    wanted: dict[Digest, Trashed] = {}
    for item in content.trash:  # of several the latest
        if item.digest in missing:
            wanted[item.digest] = item
    back = set(wanted.values())
    rest = [item for item in content.trash if item not in back]
    expired = [
        item
        for item in rest
        if content.is_whole and is_expired(item.since_s, content.now_s, grace_s)
    ]
    gone = set(expired)
    resting = tuple(item for item in rest if item not in gone)
    return tuple(wanted.values()), tuple(expired), resting


def is_expired(since_s: int, now_s: int, grace_s: float) -> bool:
    """Return whether a grace is over; so is one that began in the far future."""
    return not now_s - grace_s < since_s <= now_s + FUTURE_S


def find_superseded(packs: Iterable[Pack]) -> frozenset[str]:
    """Return the formats of these packs whose family has a newer bucket among them."""
    formats = {format_id for pack in packs for format_id in pack.format_ids}
    newest: dict[str, int] = {}
    for format_id in formats:
        family, number = _parse_bucket(format_id)
        newest[family] = max(number, newest.get(family, -1))
    return frozenset(
        format_id
        for format_id in formats
        if (parsed := _parse_bucket(format_id))[1] < newest[parsed[0]]
        and parsed[1] >= 0
    )


def _parse_bucket(format_id: str) -> tuple[str, int]:
    """Return family and number of a format's bucket; -1 if it has none."""
    family, _, number = format_id.partition("/")[0].partition("-v")
    is_number = number.isascii() and number.isdecimal() and len(number) < 10
    return family, int(number) if is_number else -1


class _Choice:
    """Takes one victim after the other; what comes back out of the trash may be one."""

    def __init__(
        self, content: Content, budget: Budget, wanted: Iterable[Trashed]
    ) -> None:
        self.victims: list[Victim] = []
        self._content = content
        self._budget = budget
        back = {item.digest: item.size_bytes for item in wanted}
        self._left_bytes = content.object_bytes + sum(back.values())
        packs = (
            replace(pack, size_bytes=back[pack.digest], is_missing=False)
            if pack.digest in back
            else pack
            for pack in content.packs
        )
        self._packs = sorted(packs, key=lambda p: (p.needed_s, p.digest))

    def take_banned(self) -> None:
        """Take what is forbidden, also what is missing: its records have to go."""
        for pack in self._packs:
            if pack.is_banned:
                self._take(pack, Why.BANNED)

    def take_dead(self) -> None:
        """Take orphans, and packs of superseded formats."""
        now_s, grace_s = self._content.now_s, self._budget.grace_s
        for orphan in self._content.orphans if self._content.is_whole else ():
            if is_expired(orphan.since_s, now_s, grace_s):
                self._left_bytes -= orphan.size_bytes
                self.victims.append(
                    Victim(
                        digest=orphan.digest,
                        size_bytes=orphan.size_bytes,
                        needed_s=orphan.since_s,
                        subject="",
                        why=Why.ORPHAN,
                    )
                )
        superseded = find_superseded(self._packs)
        for pack in self._untaken():
            is_old = pack.format_ids and pack.format_ids <= superseded
            if is_old and pack.needed_s < now_s - SUPERSEDED_S:
                self._take(pack, Why.SUPERSEDED)

    def take_aged(self) -> None:
        """Take what nobody has needed for longer than it may stay."""
        if self._budget.max_age_s is None:
            return
        for pack in self._untaken():
            if pack.needed_s < self._content.now_s - self._budget.max_age_s:
                self._take(pack, Why.AGE)

    def take_for_size(self) -> int:
        """Take what is beyond the size; return how much still is."""
        max_bytes = self._budget.max_bytes
        if max_bytes is None or self._left_bytes <= max_bytes:
            return 0
        for pack in self._untaken():
            if self._left_bytes <= max_bytes * LOW:
                break
            is_over = self._left_bytes > max_bytes
            leaves_enough = self._left_bytes - pack.size_bytes >= max_bytes * FLOOR
            if not pack.is_missing and (is_over or leaves_enough):
                self._take(pack, Why.SIZE)
        return max(0, self._left_bytes - max_bytes)

    def take_for_room(self, wanted_bytes: int) -> int:
        """Take what is to be free; return how much is not, after the grace.

        `wanted_bytes` is what comes back out of the trash.
        """
        keep_bytes = self._budget.keep_free_bytes
        if keep_bytes is None:
            return 0
        room_bytes = self._content.free_bytes - wanted_bytes
        room_bytes += sum(item.size_bytes for item in self._content.trash)
        room_bytes += sum(victim.size_bytes for victim in self.victims)
        if room_bytes >= keep_bytes:
            return 0
        hot_s = self._content.now_s - self._budget.grace_s
        for pack in self._untaken():
            if room_bytes >= keep_bytes * HEADROOM or pack.needed_s > hot_s:
                break
            if not pack.is_missing:
                self._take(pack, Why.FREE)
                room_bytes += pack.size_bytes
        return max(0, keep_bytes - room_bytes)

    def _untaken(self) -> Collection[Pack]:
        """Return what is not taken yet, the least recently needed first."""
        taken = self.taken()
        return [pack for pack in self._packs if pack.digest not in taken]

    def taken(self) -> frozenset[Digest]:
        """Return what goes."""
        return frozenset(victim.digest for victim in self.victims)

    def _take(self, pack: Pack, why: Why) -> None:
        self._left_bytes -= pack.size_bytes
        self.victims.append(
            Victim(
                digest=pack.digest,
                size_bytes=pack.size_bytes,
                needed_s=pack.needed_s,
                subject=pack.subject,
                why=why,
            )
        )
