"""rm: what an admin must get rid of leaves the store at once, and stays away.

1. *ban*: commit a segment that forbids it.  Killed after it: nobody promotes or restores
   it any more, from its next refresh on, and rm can be run again for the rest.
2. *purge*: remove the packs, without a grace.
3. *bury*: commit tombstones for their records.  These come last: a run that was killed
   finds by the records what is left to be removed.
4. *look again*, and go to 2 for what is there once more: what a promoter that did not
   know of the ban has put back, and copies that a merge has made of the records
   meanwhile.  What comes later than that is for the next gc.

On a share that is too full for 1, the trash goes first, and then the packs: who puts one
back before the ban does so before 2.  Allowed again by the removal of the segments of 1.
"""

from functools import partial
from typing import Final, NamedTuple

from wheelferry.errors import CacheError
from wheelferry.ops.bans import Bans, spell
from wheelferry.ops.bury import bury
from wheelferry.ops.room import (
    ask_time,
    commit_with_room,
    free_trash,
    purge_one,
    remove_now,
)
from wheelferry.ops.tiers import Tiers
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.segment import encode_segment
from wheelferry.store.tombstones import Ban
from wheelferry.store.view_packs import Occurrence

MAX_ROUNDS: Final = 5


class Removed(NamedTuple):
    """What was removed, or would be; sizes in bytes.

    Attributes:
        packs: How many.
        size_bytes: Of these.
        records: How many there were.
        releases: Name and version of each, sorted.
        was_banned: Whether it was forbidden before.
    """

    packs: int
    size_bytes: int
    records: int
    releases: tuple[str, ...]
    was_banned: bool


def remove(tiers: Tiers, ban: Ban, *, is_dry_run: bool = False) -> Removed:
    """Remove a package, or one version of it, for good.

    Raises CacheError, StoreError.
    """
    _refresh(tiers)
    removal = _Removal(tiers, ban)
    removal.find()
    if not is_dry_run:
        removal.run()
    return removal.report()


class _Removal:
    """One run, step by step: the module says why in this order."""

    def __init__(self, tiers: Tiers, ban: Ban) -> None:
        self._tiers = tiers
        self._ban = ban
        self._rule = Bans([ban])
        self._was_banned = bool(_segments_of(tiers, ban))
        self._sizes: dict[Digest, int] = {}
        self._releases: set[str] = set()
        self._records = 0
        self._occurrences: list[Occurrence] = []

    def find(self) -> bool:
        """Find what the catalog has of it; return whether that is anything."""
        view = self._tiers.view
        found = [
            light
            for light in view.light_records(names=[self._ban.name])
            if self._rule.refuse(light.name, light.version)
        ]
        self._sizes.update((light.pack, light.pack_bytes) for light in found)
        self._releases.update(f"{light.name} {light.version}" for light in found)
        self._occurrences = view.occurrences(self._sizes)
        self._records += len(self._occurrences)
        return bool(self._occurrences)

    def run(self) -> None:
        """Do all of it; raises CacheError, StoreError."""
        tiers = self._tiers
        if not self._was_banned:
            data = encode_segment(
                [], runner=tiers.runner, created_s=int(tiers.now()), bans=[self._ban]
            )
            tiers.view.add_own(self._commit(data), data)
        for _ in range(MAX_ROUNDS):
            if not self._sizes:
                break
            remove_now(tiers, self._sizes, ask_time(tiers))
            bury(tiers, self._occurrences, self._commit)
            tiers.refresh()
            missing = tiers.store.look_again(self._sizes)
            if not self.find() and len(missing) == len(self._sizes):
                break

    def report(self) -> Removed:
        """Return what was found."""
        return Removed(
            packs=len(self._sizes),
            size_bytes=sum(self._sizes.values()),
            records=self._records,
            releases=tuple(sorted(self._releases)),
            was_banned=self._was_banned,
        )

    def _commit(self, data: bytes) -> SegmentId:
        return commit_with_room(self._tiers.store, data, self._make_room)

    def _make_room(self) -> bool:
        upkeep = self._tiers.store.upkeep
        freed_bytes = free_trash(upkeep, partial(purge_one, upkeep))
        if not freed_bytes:
            freed_bytes = remove_now(self._tiers, self._sizes, ask_time(self._tiers))
        return freed_bytes > 0


def allow(tiers: Tiers, ban: Ban, *, is_dry_run: bool = False) -> int:
    """Allow again what was forbidden; return how many bans that ended, or would end.

    Raises CacheError, StoreError.
    """
    _refresh(tiers)
    segments = _segments_of(tiers, ban)
    if is_dry_run:
        return len(segments)
    return sum(tiers.store.upkeep.remove_segment(segment) for segment in segments)


def _refresh(tiers: Tiers) -> None:
    result = tiers.view.refresh(tiers.store)
    tiers.tell(result)
    if result.deferred:
        raise CacheError(
            "another process is busy with this runner's view of the catalog",
            hint="try again in a minute",
        )


def _segments_of(tiers: Tiers, ban: Ban) -> list[SegmentId]:
    return [
        segment
        for name, version, segment in tiers.view.bans()
        if (name, spell(version)) == (ban.name, spell(ban.version))
    ]
