"""Bring a view up to date with the catalog: list it, read what is new, forget the rest.

The catalog is a union: segments may be added in any order, by any number of processes,
any number of times, and the view is the same.  So a refresh need not lock anything but
the view's own file, and reads the share before it does.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from wheelferry.errors import (
    DeadlinePassed,
    IntegrityError,
    StoreFormatUnsupported,
    StoreSilent,
    StoreUnavailable,
)
from wheelferry.store.base import Store
from wheelferry.store.record import SegmentId
from wheelferry.store.view_file import count_down

BATCH_BYTES: Final = 1 << 20
"""Segments are read in batches of so many bytes, each added in one transaction.

That is what a kill at a deadline loses, and what other processes wait for: with small
records 12,000 of them, 0.4 s of a CPU, and ten times that on a slow virtual one.
"""

_ROUNDS: Final = 3


class Refresh(NamedTuple):
    """What a refresh did.

    Attributes:
        added_segments: Read and added by this process.
        forgotten_segments: No longer in the catalog.
        records: In the segments that were added.
        bad: Segments of the catalog that are left out, and why; each time, for as long
            as they are there.
        deferred: Another process kept the view's file busy; what is new may be missing.
    """

    added_segments: int = 0
    forgotten_segments: int = 0
    records: int = 0
    bad: tuple[tuple[SegmentId, str], ...] = ()
    deferred: bool = False


class _Progress:
    def __init__(self) -> None:
        self.added_segments = 0
        self.forgotten_segments = 0
        self.records = 0
        self.bad: dict[SegmentId, str] = {}


def refresh(
    db: sqlite3.Connection, store: Store, names: Collection[str] | None = None
) -> Refresh:
    """List the catalog once, read unseen segments, add and forget.

    With little that is new, all of it is one transaction; a new runner's first refresh
    takes one for each BATCH_BYTES, and what stands between two of them is a view that
    a runner could have had earlier.  A listed segment that is gone when it is read was
    replaced: the catalog is listed again.

    A segment that is damaged or of an unknown version is left out as a whole.  It is
    read again on the next refresh, since a read may have gone wrong by accident, then
    after 1, 3, 7 and at most 63 more, so that a large one does not cost every job.

    When the store does not deliver a segment, the others are left for the next refresh:
    each might cost a time-out.  That one is tried again then, but after all others.  A
    segment that this user may not read costs nothing, and stops nothing.

    With `names`, records of other packages are left out, and so are checks of the blocks
    that hold only such: each refresh of one view has to be given the same.

    Raises:
        StoreError: The catalog cannot be listed, or the time for it is over; what was
            read until then is kept, and the message says how much of the catalog it is.
    """
    progress = _Progress()
    for number in range(_ROUNDS):
        # Before the listing, which cannot have what another process adds after it.
        known = _known(db)
        listed = store.list_segments()
        if number == 0:
            count_down(db)
        if not _round(db, store, known, listed, progress, names=names):
            break
    return Refresh(
        added_segments=progress.added_segments,
        forgotten_segments=progress.forgotten_segments,
        records=progress.records,
        bad=tuple(sorted(progress.bad.items())),
    )


def _round(
    db: sqlite3.Connection,
    store: Store,
    known: set[SegmentId],
    listed: frozenset[SegmentId],
    progress: _Progress,
    *,
    names: Collection[str] | None,
) -> bool:
    """Return whether the catalog has to be listed again."""
    rows = db.execute("SELECT id, message, attempts, wait FROM refused").fetchall()
    refused = {SegmentId(segment): attempts for segment, _, attempts, _ in rows}
    waiting = {SegmentId(segment): text for segment, text, _, wait in rows if wait > 0}
    bad = waiting | progress.bad
    progress.bad = {segment: bad[segment] for segment in bad if segment in listed}
    unseen = sorted(
        listed - known - progress.bad.keys(), key=lambda s: (refused.get(s, 0), s)
    )
    gone = (known | refused.keys()) - listed
    is_stopped = vanished = False
    batch: dict[SegmentId, bytes] = {}
    batch_bytes = 0
    for number, segment in enumerate(unseen, start=1):
        try:
            data = store.read_segment(segment)
        except (IntegrityError, StoreFormatUnsupported) as exc:
            progress.bad[segment] = exc.message
            _refuse(db, segment, exc.message)
            continue
        except (StoreSilent, DeadlinePassed) as exc:
            if batch:
                _change(db, progress, batch, names=names)
            read = len(_known(db) & listed)
            raise _with_extent(exc, read, len(listed)) from exc.__cause__
        except StoreUnavailable as exc:
            progress.bad[segment] = exc.message
            if isinstance(exc.__cause__, PermissionError):
                continue
            is_stopped = True
            progress.bad[segment] = _with_rest(exc.message, len(unseen) - number)
            _refuse(db, segment, exc.message, waits=False)
            break
        if data is None:
            vanished = True
            continue
        batch[segment] = data
        batch_bytes += len(data)
        if batch_bytes >= BATCH_BYTES:
            _change(db, progress, batch, names=names)
            batch, batch_bytes = {}, 0
    if batch or gone:
        _change(db, progress, batch, gone, names=names)
    return vanished and not is_stopped


def _known(db: sqlite3.Connection) -> set[SegmentId]:
    return {SegmentId(row[0]) for row in db.execute("SELECT id FROM segments")}


def _with_extent(
    error: StoreSilent | DeadlinePassed, read: int, listed: int
) -> StoreSilent | DeadlinePassed:
    """Return the same error, with how much of the catalog the view has."""
    extent = f"of the catalog's {listed} segments {read} have been read"
    return type(error)(f"{error.message}; {extent}", hint=error.hint)


def _with_rest(message: str, rest: int) -> str:
    return f"{message}; {rest} more are left for later" if rest else message


def _change(
    db: sqlite3.Connection,
    progress: _Progress,
    batch: Mapping[SegmentId, bytes],
    gone: Iterable[SegmentId] = (),
    *,
    names: Collection[str] | None,
) -> None:
    # Here, since most refreshes find nothing new, and each job waits for one.
    from wheelferry.store.view_changes import change  # noqa: PLC0415

    made = change(db, batch, gone, names)
    progress.added_segments += made.added
    progress.forgotten_segments += made.forgotten
    progress.records += made.records
    progress.bad.update(made.bad)


def _refuse(
    db: sqlite3.Connection, segment: SegmentId, message: str, *, waits: bool = True
) -> None:
    from wheelferry.store.view_changes import refuse  # noqa: PLC0415

    refuse(db, segment, message, waits=waits)
