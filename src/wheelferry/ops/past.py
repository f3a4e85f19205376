"""What this cache once had, so that a pull which no job asked for leaves it away.

What `uv cache prune` or `uv cache clean NAME` removed would else come back at once; and
what a trim removed, before each job that does not say what it needs.  Kept
in the view, which forgets an entry in the same step as the catalog does.  The view may
be lost: that costs one pull of what was removed.  A cache that was removed as a whole and
made again is another one, and is filled again.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from wheelferry.ops.tiers import Tiers
from wheelferry.store.record import Identity
from wheelferry.store.view import View
from wheelferry.uvcache.mark import find_mark

REMOVED: Final = "it was removed from this cache; a job's pull brings it"
TRIMMED: Final = "a trim removed it from this cache; a pull for a project brings it"


class Past(NamedTuple):
    """What was known of a cache at one moment.

    Attributes:
        mark: Tells it from one that is made in its place; "" if there was none.
        identities: Of the entries that it has had.
        reason: Why those of them that it has no more are left in the store.
    """

    mark: str
    identities: frozenset[Identity]
    reason: str = REMOVED


def recall(tiers: Tiers) -> Past:
    """Return what is known of the cache that is there now."""
    mark = find_mark(tiers.cache)
    return Past(mark, tiers.view.memory.had(mark) if mark else frozenset())


def note(
    tiers: Tiers,
    before: Past | None,
    seen: Iterable[Identity] = (),
    *,
    added: Iterable[Identity] = (),
) -> None:
    """Remember what the cache has; writes only if something of it is new.

    Args:
        tiers: The cache, and the view that keeps it.
        before: What was known when the entries in `seen` were; they count only if this
            is still the same cache.
        seen: Entries that were found in it.
        added: Entries that were put into it just now.

    Raises CacheError.
    """
    past = recall(tiers)
    if not past.mark:
        return
    is_same = before is not None and before.mark == past.mark
    put = frozenset(added)
    identities = put.union(seen if is_same else ())
    if new := identities - past.identities:
        tiers.view.memory.note_had(past.mark, new)
    # A trim had removed it, and a job has asked for it since.
    if put and (again := put & tiers.view.memory.trimmed(past.mark)):
        tiers.view.memory.forget_trimmed(past.mark, again)


def recall_trimmed(tiers: Tiers) -> Past:
    """Return what a trim has removed from the cache that is there now."""
    mark = find_mark(tiers.cache)
    found = tiers.view.memory.trimmed(mark) if mark else frozenset()
    return Past(mark, found, TRIMMED)


def note_trimmed(cache: Path, view: View, identities: Iterable[Identity]) -> None:
    """Remember what a trim is about to remove.

    Raises CacheError.
    """
    if mark := find_mark(cache):
        view.memory.note_trimmed(mark, identities)
