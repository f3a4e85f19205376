"""Make room on a share that is full, for the segment that says what is removed from it.

A rename and an unlink need none; a tombstone does.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final

from wheelferry.errors import StoreFull, StoreReadOnly
from wheelferry.ops.tiers import Tiers
from wheelferry.store.base import Store
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.upkeep import Trashed, Upkeep

ROOM_BYTES: Final = 16 << 20
"""How much is made free at a time."""


def commit_with_room(
    store: Store, data: bytes, make_room: Callable[[], bool]
) -> SegmentId:
    """Commit a segment, and make room for it for as long as it finds none.

    `make_room` returns whether there was anything to remove.

    Raises:
        StoreFull: There was nothing more.
        StoreError: As usual.
    """
    while True:
        try:
            return store.commit_segment(data)
        except StoreFull:
            if not make_room():
                raise


def free_trash(
    upkeep: Upkeep, purge: Callable[[Trashed], int], spare: Collection[Digest] = ()
) -> int:
    """Purge the oldest of the trash, whatever its age; return how many bytes that were.

    `purge` returns that of one.  What is to be spared goes if there is nothing else.
    """
    trash = upkeep.list_trash()
    older = [item for item in trash if item.digest not in spare]
    freed_bytes = 0
    for item in older or trash:
        freed_bytes += purge(item)
        if freed_bytes >= ROOM_BYTES:
            break
    return freed_bytes


def purge_one(upkeep: Upkeep, item: Trashed) -> int:
    """Remove one object of the trash for good; return how many bytes that were."""
    return item.size_bytes if upkeep.purge_object(item) else 0


def remove_now(tiers: Tiers, packs: Iterable[Digest], at_s: int) -> int:
    """Remove objects for good, without a grace; return how many bytes that were."""
    upkeep, gone = tiers.store.upkeep, list(packs)
    for pack in gone:
        upkeep.discard_object(pack, at_s=at_s)
    found = upkeep.list_trash(only=frozenset(gone))
    return sum(purge_one(upkeep, item) for item in found)


def ask_time(tiers: Tiers) -> int:
    """Return the server's time; this host's where nothing can be written to ask for it."""
    try:
        return tiers.store.upkeep.clock_s()
    except (StoreFull, StoreReadOnly):
        return int(tiers.now())
