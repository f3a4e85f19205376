"""What tends a store, whatever it is made of: gc, rm, verify, doctor, compaction need it.

Contracts, not implementation, as in `base`.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Protocol

from wheelferry.store.record import Digest, SegmentId


class StoreSurvey(NamedTuple):
    """What can be found out of the medium, in values of built-in types.

    Attributes:
        real_path: Where the store is, all links followed; "" if it is in no directory.
        answers_s: How long each of some calls took that the server has to answer.
        free_bytes, size_bytes: Room for this user, and in all.
        free_files, size_files: The same in files; 0 and 0 where nothing limits them.
        directories: Of those of the store that were looked at: path, mode, owner, group.
        refused: Those of them that this user may not write to.
        written_s: When a file was written for this, on the server's clock; 0 if none was.
        clock_s: This host's time just before and just after; 0 and 0 likewise.
        trouble: Why it could not be written; "" if it was, or was not to be.
    """

    real_path: str
    answers_s: tuple[float, ...]
    free_bytes: int
    size_bytes: int
    free_files: int
    size_files: int
    directories: tuple[tuple[str, int, int, int], ...]
    refused: tuple[str, ...]
    written_s: float
    clock_s: tuple[float, float]
    trouble: str


class Dated(NamedTuple):
    """An object, its size in bytes, and when it was written, as `Upkeep.clock_s`."""

    digest: Digest
    size_bytes: int
    written_s: int


class Foreign(NamedTuple):
    """Something that does not belong into a store: where it is, and what is wrong."""

    path: str
    problem: str


class Trashed(NamedTuple):
    """An object that was removed, and can be had back until its grace is over.

    Attributes:
        digest: Of the object.
        since_s: When it was removed, in seconds of the server's clock.
        size_bytes: Of the object.
    """

    digest: Digest
    since_s: int
    size_bytes: int


class Quarantined(NamedTuple):
    """Something that was found damaged and moved aside, with its reason beside it.

    Attributes:
        name: Digest of the object, or the segment.
        since_s: When it was moved, in seconds of the server's clock.
        size_bytes: Of it; 0 if there is only the reason.
        is_segment: Whether it is a segment.
    """

    name: str
    since_s: int
    size_bytes: int
    is_segment: bool


class Upkeep(Protocol):
    """What a store can be asked and told beyond what a promotion or a pull needs.

    `Store.upkeep` has it.  What holds for a store's methods holds here: any number of
    processes may call anything at any time, and errors are `StoreError`s.
    """

    def survey(self, *, writes: bool) -> StoreSurvey:
        """Find out how fast the medium answers, how full it is, and who may write.

        With `writes`, a small file is written where a promotion would begin, and removed.
        What that fails with is part of the answer, and raised is only what keeps it from
        being read.
        """
        ...

    def clock_s(self) -> int:
        """Return the time of the clock by which everything in the store is dated.

        It may have to write for that; then StoreFull and StoreReadOnly as elsewhere.
        """
        ...

    def list_objects(self) -> Iterator[Dated | Foreign]:
        """Yield all objects, and what is among them and does not belong there.

        In no particular order.
        """
        ...

    def list_foreign(self) -> Iterator[Foreign]:
        """Yield what else does not belong into the store.

        All other listings skip it.  A medium that holds nothing but what this interface
        put there has nothing foreign.
        """
        ...

    def discard_object(self, digest: Digest, *, at_s: int) -> bool:
        """Take an object away, with that time; False if there is none any more.

        Needs no room on the medium.  Whoever reads it may go on; it can be had back by
        `recover_object` until `purge_object`.
        """
        ...

    def list_trash(self, *, only: AbstractSet[Digest] | None = None) -> list[Trashed]:
        """Return what was taken away, the oldest first; one object may be there twice.

        With `only`, no others than these are looked at.
        """
        ...

    def recover_object(self, trashed: Trashed) -> bool:
        """Bring back what was taken away; False if nothing was, or is there any more.

        Nothing is changed if the object is in the store again.
        """
        ...

    def purge_object(self, trashed: Trashed) -> bool:
        """Remove what was taken away, for good; False if it is gone already."""
        ...

    def segment_times(
        self, *, only: AbstractSet[SegmentId] | None = None
    ) -> dict[SegmentId, int]:
        """Return the segments of the catalog, and when each was committed: `clock_s`.

        With `only`, no others than these are looked at.
        """
        ...

    def remove_segment(self, segment: SegmentId) -> bool:
        """Take a segment out of the catalog, for good; False if it is gone already."""
        ...

    def quarantine_object(self, digest: Digest, *, at_s: int, reason: str) -> bool:
        """Move an object aside that was found damaged, with the reason beside it.

        It is missing after that, so that the next promoter puts a sound one in its place.
        False, and nothing has changed, if there is none any more; or if what was moved
        turns out to have the right bytes, because somebody had replaced the damaged one
        meanwhile.  Needs no room on the medium: without any, there is no reason beside it.
        """
        ...

    def quarantine_segment(self, segment: SegmentId, *, at_s: int, reason: str) -> bool:
        """Move a segment aside that cannot be read; False as of an object."""
        ...

    def list_quarantine(self) -> list[Quarantined]:
        """Return what was moved aside, the oldest first."""
        ...

    def purge_quarantined(self, item: Quarantined) -> bool:
        """Remove what was moved aside, and its reason, for good; False if it is gone."""
        ...

    def list_leftovers(self) -> Iterator[tuple[str, int, int]]:
        """Yield all temporary files of all runners: name, size in bytes, and time.

        Those too that are being written; the time is when it was written to last, by
        `clock_s`.
        """
        ...

    def remove_leftover(self, name: str) -> bool:
        """Remove a temporary file by that name; False if it is gone already."""
        ...
