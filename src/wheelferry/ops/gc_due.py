"""Whether a removal that nobody asked for has anything to do.

To look at all of a store takes a listing of each of its directories; a fleet must not do
that every hour.  What is over its size, or in the trash for long enough, shows in a few
RPCs; what is too old, or dead, can wait for a look a day.
"""

from typing import Final

from wheelferry.ops.gc_plan import Budget, is_expired
from wheelferry.ops.local import local_disk
from wheelferry.ops.tiers import COLLECTED, Tiers

LOOK_S: Final = 24 * 3600


def is_due(tiers: Tiers, budget: Budget) -> bool:
    """Return whether to look at all of the store.

    Raises CacheError, StoreError.
    """
    tiers.refresh()
    size_bytes = tiers.view.totals().pack_bytes
    if budget.max_bytes is not None and size_bytes > budget.max_bytes:
        return True
    trash = tiers.store.list_trash()
    if trash:
        now_s = tiers.store.clock_s()
        if any(is_expired(item.since_s, now_s, budget.grace_s) for item in trash):
            return True
        named = tiers.view.named({item.digest for item in trash})
        if named and tiers.store.look_again(named):
            return True
    if budget.keep_free_bytes is not None:
        room_bytes = tiers.store.survey(writes=False).free_bytes
        room_bytes += sum(item.size_bytes for item in trash)
        if room_bytes < budget.keep_free_bytes:
            return True
    return not _has_looked(tiers)


def note_looked(tiers: Tiers) -> None:
    """Remember that all of the store was looked at."""
    marker = tiers.state / COLLECTED
    with local_disk(tiers.state):
        try:
            tiers.disk.create_file(marker, b"")
        except FileExistsError:
            tiers.disk.touch(marker)


def _has_looked(tiers: Tiers) -> bool:
    """Return whether this runner has looked at all of the store within a day."""
    try:
        looked_s = (tiers.state / COLLECTED).stat().st_mtime
    except FileNotFoundError:
        return False
    return 0 <= tiers.now() - looked_s < LOOK_S
