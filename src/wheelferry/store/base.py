"""What a store is to the operations above it, whatever it is made of.

Contracts, not implementation: `tests/contract/` has one suite that every implementation
and every wrapper must pass.
"""

from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from wheelferry.store.record import Digest, SegmentId

if TYPE_CHECKING:
    from wheelferry.store.usage import Usage, UsageFile


class StoreInfo(NamedTuple):
    """What `wheelferry.json` says.

    Attributes:
        id: 32 lower-case hex digits, random; tells one store from another.
        format_version: Of the store's layout.
        created: When `init` made it, as ISO 8601 in UTC, for people.
    """

    id: str
    format_version: int
    created: str


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


class PutOutcome(StrEnum):
    """What became of an object that was offered."""

    COMMITTED = "committed"
    ALREADY_PRESENT = "already-present"
    REPLACED = "replaced"
    """There was a damaged one; ours took its name."""


class Store(Protocol):
    """The shared tier.

    Any number of processes on any number of machines may call anything at any time;
    an implementation must not lock.  Objects and segments are immutable and named by
    the SHA-256 of their bytes, so whoever commits one that is there already has lost
    nothing.  A name becomes visible with all of its bytes or not at all.

    Every method but `open` assumes that `open` succeeded.  Errors are `StoreError`s:
    StoreFull and StoreReadOnly will not pass by themselves, StoreUnavailable may.
    A store that went away (nothing mounted any more) must raise StoreNotInitialised,
    and must not look empty.  Calls may block for as long as the medium does.
    """

    @property
    def location(self) -> str:
        """Where it is, for messages: a path or a URL."""
        ...

    def open(self, *, expected_id: str | None = None) -> StoreInfo:
        """Read what the store says of itself; nothing may be done before.

        Raises:
            StoreNotInitialised: There is no store, or one of another id.
            StoreFormatUnsupported: A newer Wheelferry made it.
        """
        ...

    def put_object(
        self,
        chunks: Iterable[bytes],
        *,
        digest: Digest,
        size_bytes: int,
        is_suspect: bool = False,
    ) -> PutOutcome:
        """Commit an object, unless one of that digest and size is there.

        With `is_suspect`, the bytes of one that is there are read and have to be right
        too; the caller gives it when a read found the object damaged or missing.
        `chunks` must not be consumed if it is there, and at most once otherwise.  Durable
        on return, as far as the medium can promise.  An OSError that `chunks` raises
        is passed on as it is.

        Raises:
            ObjectCorrupt: The chunks do not have that digest or size; nothing was
                committed.
        """
        ...

    def open_object(self, digest: Digest) -> BinaryIO | None:
        """Return an object's bytes as an unbuffered, seekable file; None if missing.

        The caller closes it, reads in large blocks, and checks the digest.  Once open
        it must stay readable when the object is removed meanwhile, where the medium
        can; its reads raise ObjectCorrupt otherwise.
        """
        ...

    def object_size(self, digest: Digest) -> int | None:
        """Return an object's size in bytes, or None if it is missing.

        A miss must be current: the object was not there when the call began.
        """
        ...

    def list_objects(self) -> Iterator[tuple[Digest, int]]:
        """Yield all objects and their sizes in bytes, in no particular order."""
        ...

    def list_foreign(self) -> Iterator[tuple[str, str]]:
        """Yield what does not belong into the store: where it is, and what is wrong.

        `list_objects` and `list_segments` skip it.  A medium that holds nothing but
        what this interface put there yields nothing.
        """
        ...

    def survey(self, *, writes: bool) -> StoreSurvey:
        """Find out how fast the medium answers, how full it is, and who may write.

        With `writes`, a small file is written where a promotion would begin, and removed.
        What that fails with is part of the answer, and raised is only what keeps it from
        being read.
        """
        ...

    def look_again(self, digests: Iterable[Digest]) -> list[Digest]:
        """Return those of `digests` that are missing now, in the order given.

        After a segment is committed: what another host removed before it could see
        the segment has to be put back.  Misses are current, as in `object_size`.
        """
        ...

    def list_segments(self) -> frozenset[SegmentId]:
        """Return the segments that make up the catalog now."""
        ...

    def read_segment(self, segment: SegmentId) -> bytes | None:
        """Return a segment's bytes, or None if it is missing.

        Raises:
            ObjectCorrupt: They do not have the digest that is its name, or are more
                than a segment may have.
        """
        ...

    def commit_segment(self, data: bytes) -> SegmentId:
        """Add a segment to the catalog; durable on return, as `put_object`."""
        ...

    def write_usage(self, name: str, usage: "Usage") -> None:
        """Say what a runner used and did; `usage` has the meaning.

        `name` is a new one that `layout.usage_name` made.  If there is a file of that
        name it is by this runner, which was interrupted, and nothing is done.
        """
        ...

    def read_usage(self) -> Iterator["UsageFile"]:
        """Yield all that runners said, also what is carried on by others of them.

        What cannot be read is left out.  What is renamed meanwhile is not.
        """
        ...

    def list_usage(self, runner: str) -> list[str]:
        """Return the files of that runner's name that have no mark: which can be claimed."""
        ...

    def claim_usage(self, name: str) -> "UsageFile | None":
        """Take over a file, to carry it on; None if it is gone, or cannot be read.

        It gets another name, marked as old, and counts until `remove_usage`.  Of several
        that claim it, one has it.

        Raises:
            StoreReadOnly: Also if it is of another user, where they are kept apart.
        """
        ...

    def release_usage(self, name: str) -> bool:
        """Let others of the runner's name claim a file; False if it is gone.

        It loses its mark.
        """
        ...

    def remove_usage(self, name: str) -> bool:
        """Remove a file that another one carries on; False if it is gone already."""
        ...

    def sweep_staging(self, *, older_than_s: float) -> int:
        """Remove this runner's abandoned temporary files; return how many.

        Abandoned: not written to for `older_than_s` seconds of the store's clock, and
        not being written by this process.
        """
        ...

    def clock_s(self) -> int:
        """Return the time of the clock by which everything in the store is dated.

        It may have to write for that; then StoreFull and StoreReadOnly as elsewhere.
        """
        ...

    def list_dated(self) -> Iterator[tuple[Digest, int, int]]:
        """Yield all objects with size in bytes and the time when each was written.

        In no particular order; the time is by `clock_s`.
        """
        ...

    def discard_object(self, digest: Digest, *, at_s: int) -> bool:
        """Take an object away, with that time; False if there is none any more.

        Needs no room on the medium.  Whoever reads it may go on; it can be had back by
        `recover_object` until `purge_object`.
        """
        ...

    def list_trash(self, *, only: Collection[Digest] | None = None) -> list[Trashed]:
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
        self, *, only: Collection[SegmentId] | None = None
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
