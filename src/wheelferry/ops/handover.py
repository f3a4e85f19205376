"""Hand over to the store, once a day, which packs a runner holds, and what it did.

A runner's file there has all that the one before said; its figures are added up there,
and only what is new is added, once:

1. *note* on the local disk what is to be sent, and the new file's name.
2. *claim* the file before: of machines that were cloned one has it, and of a host that
   folds what old runners left and a runner that comes back, too.  A runner that has none,
   as its disk is new with each job, claims one that stands under its name.
3. *write* the new file, unless it is there already.
4. *note* that it is sent.
5. *remove* the one before, which the new one says it carries on.
6. *release* the new one: others of that name may claim it.

Killed after 1 or 2: what is noted is sent the next time, and what came since after it; the
file before stands by itself.  Killed after 3: the next run finds the new file there.
Killed after 4: the file before counts no more, and whoever folds removes it.  Killed after
5: the new one stands by itself.

Until 6 the name of the new file is marked as new, and that of one that was claimed as old:
nobody takes those but a fold, days later.  So two never carry on the same, and a run that
was killed finds what it has written.  Runners that are alive and share a name may take each
other's file, and that is all: it says the same wherever it is carried on, and there come
to be no more files of that name than are handed over at once.
"""

import os
from collections.abc import Iterable
from typing import Final

from wheelferry.disk import try_lock
from wheelferry.errors import RecordMalformed, StoreReadOnly
from wheelferry.ops.figures import Day
from wheelferry.ops.figures_file import Ledger, Sending, roll
from wheelferry.ops.figures_map import decode_figures, encode_figures
from wheelferry.ops.tiers import Tiers
from wheelferry.store.layout import (
    NEW_USAGE,
    is_usage_name,
    mark_usage,
    usage_name,
)
from wheelferry.store.record import Digest
from wheelferry.store.usage import Usage, UsageFile, advance_usage, has_room

LOCK: Final = "usage.lock"

UNIQUE_BYTES: Final = 8


def hand_over(tiers: Tiers, held: Iterable[Digest]) -> None:
    """Write this runner's file; nothing, if another process of its does that just now.

    Raises StoreError.
    """
    try:
        lock = try_lock(tiers.state / LOCK, shared=False, mode=0o644)
    except OSError:  # another user's: theirs are the packs and the figures
        return
    if lock is not None:
        with lock:
            packs = tuple(held)
            if _send(tiers, packs):
                _send(tiers, packs)


def new_name(runner: str) -> str:
    """Return a name for a file of that runner which no other has."""
    return usage_name(runner, os.urandom(UNIQUE_BYTES).hex())


def find_figures(usage: Usage, where: str) -> tuple[Day, ...]:
    """Return the figures in a file; none, if they cannot be read."""
    try:
        return decode_figures(usage.figures, where)
    except RecordMalformed:
        return ()


def _send(tiers: Tiers, held: tuple[Digest, ...]) -> bool:
    """Send what is noted; return whether a run that was killed had noted it before."""
    name = mark_usage(new_name(tiers.runner), NEW_USAGE)
    ledger = roll(tiers.state, tiers.disk, tiers.emit, lambda old: _begin(old, name))
    if ledger is None or (sending := ledger.sending) is None:
        return False
    was_killed = sending.name != name
    before = _claim(tiers, ledger.sent_as)
    if before is None and not was_killed:  # else it may be there, and carry on no more
        before = _claim_any(tiers)
    usage = _carry_on(before, held, sending.days)
    if before is not None and not has_room(usage):
        before, usage = None, _carry_on(None, held, sending.days)
    tiers.store.usage.write(sending.name, usage)
    roll(tiers.state, tiers.disk, tiers.emit, _end)
    if before is not None:
        # Also what that one carried on, if a run was killed before it was removed: with
        # it goes what says so.
        for replaced in (*before.usage.replaces, before.name):
            if is_usage_name(replaced):
                tiers.store.usage.remove(replaced)
    tiers.store.usage.release(sending.name)
    return was_killed


def _begin(ledger: Ledger, name: str) -> Ledger:
    if ledger.sending is not None:  # a run was killed: it may be there
        return ledger
    return ledger._replace(sending=Sending(name, ledger.unsent), unsent=())


def _end(ledger: Ledger) -> Ledger:
    if ledger.sending is None:
        return ledger
    name = mark_usage(ledger.sending.name, "")
    return ledger._replace(sent_as=name, sending=None)


def _claim(tiers: Tiers, name: str) -> UsageFile | None:
    if not is_usage_name(name):  # there is none
        return None
    try:
        return tiers.store.usage.claim(name)
    except StoreReadOnly:  # another user's
        return None


def _claim_any(tiers: Tiers) -> UsageFile | None:
    """Claim a file that stands under this runner's name, if there is one."""
    for name in tiers.store.usage.list_free(tiers.runner):
        if (claimed := _claim(tiers, name)) is not None:
            return claimed
    return None


def _carry_on(
    before: UsageFile | None, held: tuple[Digest, ...], days: tuple[Day, ...]
) -> Usage:
    if before is None:
        usage = advance_usage(Usage(held=()), 0, held)
        return usage._replace(figures=encode_figures(days))
    usage = advance_usage(before.usage, before.written_s, held)
    known = find_figures(before.usage, before.name)
    return usage._replace(
        figures=encode_figures((*known, *days)), replaces=(before.name,)
    )
