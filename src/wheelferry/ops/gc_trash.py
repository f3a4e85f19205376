"""What becomes of what a removal has taken away: pure."""

from typing import Final, NamedTuple

from wheelferry.ops.gc_facts import Content
from wheelferry.store.record import Digest
from wheelferry.store.upkeep import Trashed

FUTURE_S: Final = 24 * 3600
"""A time in the trash that is so much later than now is none: a clock was wrong."""


class SortedTrash(NamedTuple):
    """The trash of a store.

    Attributes:
        wanted: What is brought back: records name it.
        expired: What is removed for good.
        resting: What stays.
    """

    wanted: tuple[Trashed, ...]
    expired: tuple[Trashed, ...]
    resting: tuple[Trashed, ...]


def sort_trash(content: Content, grace_s: float) -> SortedTrash:
    """Return what of the trash is wanted again, is to be purged, and stays.

    Wanted: a record names it, and it is missing, and nobody has forbidden it.  Whoever
    took it away was killed before it could look whether that was right.  While a part of
    the catalog cannot be read, nothing is purged: a record may be there.
    """
    missing = {
        pack.digest for pack in content.packs if pack.is_missing and not pack.is_banned
    }
    wanted: dict[Digest, Trashed] = {}
    for item in content.trash:  # of several the latest
        if item.digest in missing:
            wanted[item.digest] = item
    back = set(wanted.values())
    expired: list[Trashed] = []
    resting: list[Trashed] = []
    for item in content.trash:
        if item in back:
            continue
        is_over = is_expired(item.since_s, content.now_s, grace_s)
        (expired if is_over and content.is_whole else resting).append(item)
    return SortedTrash(tuple(wanted.values()), tuple(expired), tuple(resting))


def is_expired(since_s: int, now_s: int, grace_s: float) -> bool:
    """Return whether a grace is over; so is one that began in the far future."""
    return not now_s - grace_s < since_s <= now_s + FUTURE_S
