"""Whether a removal that nobody asked for has anything to do.

To look at all of a store takes a listing of each of its directories; a fleet must not do
that every hour.  What is over its size, or in the trash for long enough, shows in a few
RPCs; what is too old, or dead, can wait for a look a day.

What shows may be wrong, or nothing that can be helped: records may claim more bytes than
objects have, others may fill the share, the trash stays while the catalog is damaged.  So
a look that found nothing to do is remembered with its budget, and the same is no reason
for another one before a day is over.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from wheelferry.ops.gc_content import find_banned
from wheelferry.ops.gc_plan import Budget, GcPlan
from wheelferry.ops.gc_trash import is_expired
from wheelferry.ops.local import local_disk
from wheelferry.ops.room import ask_time
from wheelferry.ops.tiers import COLLECTED, Tiers
from wheelferry.store.upkeep import Trashed

LOOK_S: Final = 24 * 3600


class _InVain(NamedTuple):
    """A look that found nothing to do.

    Attributes:
        claimed_bytes: What records said then that objects take.
        expired: How many objects were in the trash whose grace was over.
    """

    claimed_bytes: int = 0
    expired: int = 0


def is_due(tiers: Tiers, budget: Budget) -> bool:
    """Return whether to look at all of the store.

    Raises CacheError, StoreError.
    """
    tiers.refresh()
    if not _has_looked(tiers):
        return True
    in_vain = _find_in_vain(tiers, budget)
    return (
        bool(find_banned(tiers))
        or _is_over(tiers, budget, in_vain or _InVain())
        or _is_trash_due(tiers, budget, in_vain or _InVain())
        or (in_vain is None and _is_short(tiers, budget))
    )


def note_looked(tiers: Tiers, plan: GcPlan) -> None:
    """Remember that all of the store was looked at, and whether that was in vain."""
    marker = tiers.state / COLLECTED
    text = ""
    if plan.is_empty:
        expired = _count_expired(plan.resting, plan.content.now_s, plan.budget)
        numbers = f"{tiers.view.totals().pack_bytes} {expired}"
        text = f"{numbers}\n{plan.budget}"
    with local_disk(tiers.state), suppress(FileExistsError):  # another one is at it
        tiers.disk.unlink(marker)
        tiers.disk.create_file(marker, text.encode())


def _is_over(tiers: Tiers, budget: Budget, in_vain: _InVain) -> bool:
    if budget.max_bytes is None:
        return False
    claimed_bytes = tiers.view.totals().pack_bytes
    return claimed_bytes > max(budget.max_bytes, in_vain.claimed_bytes)


def _is_trash_due(tiers: Tiers, budget: Budget, in_vain: _InVain) -> bool:
    trash = tiers.store.upkeep.list_trash()
    if not trash:
        return False
    if _count_expired(trash, ask_time(tiers), budget) > in_vain.expired:
        return True
    named = tiers.view.named({item.digest for item in trash})
    return bool(named and tiers.store.look_again(named))


def _count_expired(trash: Iterable[Trashed], now_s: int, budget: Budget) -> int:
    return sum(is_expired(item.since_s, now_s, budget.grace_s) for item in trash)


def _is_short(tiers: Tiers, budget: Budget) -> bool:
    if budget.keep_free_bytes is None:
        return False
    room_bytes = tiers.store.upkeep.survey(writes=False).free_bytes
    room_bytes += sum(item.size_bytes for item in tiers.store.upkeep.list_trash())
    return room_bytes < budget.keep_free_bytes


def _has_looked(tiers: Tiers) -> bool:
    """Return whether this runner has looked at all of the store within a day."""
    try:
        looked_s = (tiers.state / COLLECTED).stat().st_mtime
    except FileNotFoundError:
        return False
    return 0 <= tiers.now() - looked_s < LOOK_S


def _find_in_vain(tiers: Tiers, budget: Budget) -> _InVain | None:
    """Return the last look, if it found nothing to do for this budget."""
    try:
        numbers, for_what = (tiers.state / COLLECTED).read_text("utf-8").split("\n")
        claimed_bytes, expired = map(int, numbers.split())
    except (FileNotFoundError, ValueError):  # it found something
        return None
    return _InVain(claimed_bytes, expired) if for_what == str(budget) else None
