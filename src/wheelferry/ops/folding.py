"""Fold what runners left in the store that have not been there for long into few files.

No lock, and any number of hosts at once:

1. *remove* what another file carries on: its runner was killed before it could.
2. *claim* each old file, by a rename that one of several gets done.  It counts still.
3. *write* what they say together, with their names as those that are carried on.
4. *remove* them.

Killed after 2: they are as any other old file, an hour later.  Killed after 3: they count no
more, and the next fold removes them.  A runner that comes back finds its file gone, and
carries on another of its name, or begins a new one; what the old one said is in the fold.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Final

from wheelferry.errors import StoreError, StoreReadOnly
from wheelferry.events import Event, Level
from wheelferry.ops.figures_map import encode_figures
from wheelferry.ops.handover import find_figures, new_name
from wheelferry.ops.tiers import Tiers
from wheelferry.store.layout import NEW_USAGE, usage_mark
from wheelferry.store.usage import UsageFile, find_replaced, fold_usages
from wheelferry.store.usage_files import UsageFiles

FORMER: Final = "former-runners"
"""In the place of a runner's name."""

FOLD_AFTER_S: Final = 3 * 24 * 3600
"""A runner that is there writes daily.  One that was away for longer begins a new file."""

FOLD_NEW_AFTER_S: Final = 14 * 24 * 3600
"""The same, if its file is marked as new.

A runner that was killed when it had just written it does not know that it did.  If it came
back later it would write it again, and what it did would count twice.
"""

FOLD_FROM: Final = 8
"""So many files are worth it."""

FOLD_MOST: Final = 4000
CLAIM_S: Final = 3600
"""After so long whoever claimed a file does not fold it any more."""


def tend_usage(tiers: Tiers) -> None:
    """Fold what is old; a failure is told, and no more: all of it counts as it did."""
    try:
        fold(tiers)
    except StoreError as exc:
        tiers.emit(
            Event(
                name="folding.failed",
                level=Level.WARNING,
                message=f"what former runners left stays in many files: {exc.message}",
                fields={"reference": exc.reference},
            )
        )


def fold(tiers: Tiers) -> int:
    """Fold what is old, if it is much; return how many files became few.

    Raises StoreError.
    """
    usage = tiers.store.usage
    files = list(usage.read_all())
    replaced = find_replaced(files)
    for file in files:
        if file.name in replaced:
            _remove(usage, file)
    kept = [file for file in files if file.name not in replaced]
    now_s = tiers.store.upkeep.clock_s() if len(kept) >= FOLD_FROM else 0
    old = plan_fold(kept, now_s)
    if not old:
        return 0
    claimed = [taken for file in old if (taken := _claim(usage, file)) is not None]
    if len(claimed) > 1:
        _write(usage, claimed, now_s)
        for file in claimed:
            _remove(usage, file)
    return len(claimed)


def plan_fold(files: Sequence[UsageFile], now_s: int) -> list[UsageFile]:
    """Return the files to fold, the oldest first; none, if they are few."""
    old = [
        file
        for file in files
        if now_s - file.written_s > _fold_after_s(file)
        and now_s - file.named_s > CLAIM_S
    ]
    if len(old) < FOLD_FROM:
        return []
    return sorted(old, key=lambda file: (file.written_s, file.name))[:FOLD_MOST]


def _fold_after_s(file: UsageFile) -> int:
    is_new = usage_mark(file.name) == NEW_USAGE
    return FOLD_NEW_AFTER_S if is_new else FOLD_AFTER_S


def _write(usage: UsageFiles, claimed: Sequence[UsageFile], now_s: int) -> None:
    days = chain.from_iterable(find_figures(f.usage, f.name) for f in claimed)
    *first, last = fold_usages(claimed, now_s)
    for part in first:
        usage.write(new_name(FORMER), part)
    # The last one: with it, all of what the old ones say is said.
    names = tuple(file.name for file in claimed)
    whole = last._replace(figures=encode_figures(days), replaces=names)
    usage.write(new_name(FORMER), whole)


def _claim(usage: UsageFiles, file: UsageFile) -> UsageFile | None:
    try:
        return usage.claim(file.name)
    except StoreReadOnly:  # of another user, whose own gc folds it
        return None


def _remove(usage: UsageFiles, file: UsageFile) -> None:
    try:
        usage.remove(file.name)
    except StoreReadOnly:
        return  # the same: it counts no more
