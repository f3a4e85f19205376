"""rm: what an admin must get rid of leaves the store at once, and stays away.

1. *ban*: commit a segment that forbids it.  Killed after it: nobody promotes or restores
   it any more, from its next refresh on, and rm can be run again for the rest.
2. *purge*: remove the packs, without a grace.
3. *bury*: commit tombstones for their records.  These come last: a run that was killed
   finds by the records what is left to be removed.
4. *look again*: kill the copies that a merge has made of these records meanwhile.

Allowed again by the removal of the segments of 1.
"""

from collections.abc import Iterable
from typing import NamedTuple

from wheelferry.errors import CacheError
from wheelferry.ops.bans import Bans, spell
from wheelferry.ops.compact import bury_copies
from wheelferry.ops.tiers import Tiers
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.segment import encode_segment
from wheelferry.store.segment_footer import Ban, Tombstone
from wheelferry.store.tombstones import split_tombstones


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
    bans = Bans([ban])
    found = [
        light
        for light in tiers.view.light_records(names=[ban.name])
        if bans.refuse(light.name, light.version)
    ]
    sizes = {light.pack: light.pack_bytes for light in found}
    tombstones = sorted(t for _, t in tiers.view.occurrences(sizes))
    removed = Removed(
        packs=len(sizes),
        size_bytes=sum(sizes.values()),
        records=len(tombstones),
        releases=tuple(sorted({f"{r.name} {r.version}" for r in found})),
        was_banned=bool(_segments_of(tiers, ban)),
    )
    if is_dry_run:
        return removed
    if not removed.was_banned:
        _commit(tiers, bans=(ban,))
    at_s = tiers.store.clock_s() if sizes else 0
    for pack in sizes:
        _purge(tiers, pack, at_s)
    for part in split_tombstones(tombstones):
        _commit(tiers, tombstones=part)
    if tombstones:
        tiers.refresh()
        bury_copies(tiers)
    return removed


def allow(tiers: Tiers, ban: Ban, *, is_dry_run: bool = False) -> int:
    """Allow again what was forbidden; return how many bans that ended, or would end.

    Raises CacheError, StoreError.
    """
    _refresh(tiers)
    segments = _segments_of(tiers, ban)
    if is_dry_run:
        return len(segments)
    return sum(tiers.store.remove_segment(segment) for segment in segments)


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


def _commit(
    tiers: Tiers, *, bans: tuple[Ban, ...] = (), tombstones: Iterable[Tombstone] = ()
) -> None:
    data = encode_segment(
        [],
        runner=tiers.runner,
        created_s=int(tiers.now()),
        tombstones=tombstones,
        bans=bans,
    )
    tiers.view.add_own(tiers.store.commit_segment(data), data)


def _purge(tiers: Tiers, pack: Digest, at_s: int) -> None:
    tiers.store.discard_object(pack, at_s=at_s)
    for item in tiers.store.list_trash(only=[pack]):
        tiers.store.purge_object(item)
