"""What a trim would remove: pure, of what the cache has and what is known of that.

What goes, goes whole: an archive with all that names it, so that nothing names what is
gone.  Archives that share a holder, as those of one sdist do, stay or go together.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from wheelferry.store.record import Identity
from wheelferry.uvcache.holdings import Archive, Held, Holder, Holdings
from wheelferry.uvcache.place import ARCHIVES

ENOUGH: Final = 0.9
"""Down to which part of the budget a trim goes, so that the next one is not soon."""

ONLY_HERE_S: Final = 7 * 24 * 3600.0
"""How much later an entry counts as used that the store does not have.

To get it again means a download from the index, or a build, not a read from the share.
"""

TICK_S: Final = 60.0
"""Uses in one such span count as one: a job links all that it needs in a moment."""


class Known(NamedTuple):
    """What is known of a holder besides its files.

    Attributes:
        subjects: The entries in it, for people.
        identities: The same, as the catalog has them.
        is_in_store: Whether the store has all of them, as far as is known.
    """

    subjects: tuple[str, ...]
    identities: tuple[Identity, ...]
    is_in_store: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What can only be removed together.

    Attributes:
        subjects: The entries in it, for people; where none is known, a path.
        identities: The same, as the catalog has them.
        holders: What names the archives; nothing, if uv cannot find them any more.
        archives: The trees.
        size_bytes: What all of it takes on the disk.
        shared_bytes: How much of that environments keep, by hardlinks.
        used_s: When anything of it was last used, since the epoch.
        is_in_store: Whether the store has all of it, as far as is known.
    """

    subjects: tuple[str, ...]
    identities: tuple[Identity, ...]
    holders: tuple[Holder, ...]
    archives: tuple[Archive, ...]
    size_bytes: int
    shared_bytes: int
    used_s: float
    is_in_store: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimPlan:
    """What a trim would do; sizes in bytes, on the disk.

    Attributes:
        victims: What is to be removed, in this order.
        cache_bytes: Size of the cache.
        max_bytes: The budget.
        entries_bytes: How much of the cache could be removed.
        others: Sizes of what is left to uv, by name, the largest first.
        spared: Number of groups that stay only because they were used a moment ago.
    """

    victims: tuple[Group, ...]
    cache_bytes: int
    max_bytes: int
    entries_bytes: int
    others: tuple[tuple[str, int], ...]
    spared: int = 0

    @property
    def victims_bytes(self) -> int:
        """Size of all that is to be removed."""
        return sum(group.size_bytes for group in self.victims)

    @property
    def shared_bytes(self) -> int:
        """How much of that environments keep."""
        return sum(group.shared_bytes for group in self.victims)

    @property
    def is_enough(self) -> bool:
        """Whether the cache is within the budget after it."""
        return self.cache_bytes - self.victims_bytes <= self.max_bytes


def plan_trim(
    holdings: Holdings,
    known: Mapping[str, Known],
    *,
    max_bytes: int,
    now_s: float,
    spare_s: float = 0.0,
) -> TrimPlan:
    """Return what to remove so that a cache is within its budget.

    Nothing, if it is; else what was used least recently, until `ENOUGH` of the budget is
    left.

    Args:
        holdings: What the cache has.
        known: What is known of its holders, by their path.
        max_bytes: The budget.
        now_s: This host's clock.
        spare_s: How long ago something must have been used to be removed.
    """
    groups = make_groups(holdings, known)
    excess_bytes = 0
    if holdings.size_bytes > max_bytes:
        excess_bytes = holdings.size_bytes - int(max_bytes * ENOUGH)
    victims: list[Group] = []
    spared = 0
    for group in sorted(groups, key=_order):
        if excess_bytes <= 0:
            break
        if 0 <= now_s - group.used_s < spare_s:  # not for ever, if the clock goes back
            spared += 1
            continue
        victims.append(group)
        excess_bytes -= group.size_bytes
    return TrimPlan(
        victims=tuple(victims),
        cache_bytes=holdings.size_bytes,
        max_bytes=max_bytes,
        entries_bytes=sum(group.size_bytes for group in groups),
        others=_find_others(holdings, groups),
        spared=spared,
    )


def make_groups(holdings: Holdings, known: Mapping[str, Known]) -> tuple[Group, ...]:
    """Return all that can be removed, and of which nothing else needs a part."""
    groups = []
    for helds, ids in _connect(holdings):
        archives = tuple(holdings.archives[i] for i in sorted(ids))
        is_wheel = bool(archives) or any(held.holder.has_wheel for held in helds)
        if is_wheel and holdings.foreign.isdisjoint(ids):
            groups.append(_make_group(helds, archives, known))
    return tuple(groups)


def _connect(
    holdings: Holdings,
) -> Iterable[tuple[Sequence[Held], frozenset[str]]]:
    """Yield holders and archives that hang together."""
    by_archive: defaultdict[str, list[Held]] = defaultdict(list)
    for held in holdings.holders:
        for archive_id in held.holder.archives & holdings.archives.keys():
            by_archive[archive_id].append(held)
    seen: set[str] = set()
    for first in holdings.holders:
        if first.holder.path in seen:
            continue
        helds, ids, waiting = [], set(), [first]
        seen.add(first.holder.path)
        while waiting:
            held = waiting.pop()
            helds.append(held)
            for archive_id in held.holder.archives & holdings.archives.keys():
                ids.add(archive_id)
                for other in by_archive[archive_id]:
                    if other.holder.path not in seen:
                        seen.add(other.holder.path)
                        waiting.append(other)
        yield helds, frozenset(ids)
    for archive_id in holdings.archives.keys() - by_archive.keys():
        yield (), frozenset({archive_id})


def _make_group(
    helds: Sequence[Held],
    archives: tuple[Archive, ...],
    known: Mapping[str, Known],
) -> Group:
    about = [known[held.holder.path] for held in helds if held.holder.path in known]
    subjects = sorted({subject for item in about for subject in item.subjects})
    if not subjects:
        subjects = sorted(held.holder.path for held in helds)
    return Group(
        subjects=tuple(subjects) or tuple(f"{ARCHIVES}/{a.id}" for a in archives),
        identities=tuple(i for item in about for i in item.identities),
        holders=tuple(held.holder for held in helds),
        archives=archives,
        size_bytes=sum(held.size_bytes for held in helds)
        + sum(archive.size_bytes for archive in archives),
        shared_bytes=sum(archive.shared_bytes for archive in archives),
        used_s=max(
            [held.used_s for held in helds] + [archive.used_s for archive in archives]
        ),
        is_in_store=len(about) == len(helds)
        and all(item.is_in_store for item in about),
    )


def _order(group: Group) -> tuple[bool, float, int, tuple[str, ...]]:
    """Return what victims are sorted by: what nobody can use, then by age, then size."""
    counts_s = group.used_s if group.is_in_store else group.used_s + ONLY_HERE_S
    return bool(group.holders), counts_s // TICK_S, -group.size_bytes, group.subjects


def _find_others(
    holdings: Holdings, groups: Iterable[Group]
) -> tuple[tuple[str, int], ...]:
    """Return the sizes of what no trim removes."""
    rest = Counter(holdings.sizes)
    by_path = {held.holder.path: held.size_bytes for held in holdings.holders}
    for group in groups:
        for holder in group.holders:
            rest[holder.path.partition("/")[0]] -= by_path[holder.path]
        rest[ARCHIVES] -= sum(archive.size_bytes for archive in group.archives)
    found = [(name, size) for name, size in rest.items() if size > 0]
    return tuple(sorted(found, key=lambda item: (-item[1], item[0])))
