"""What a store is to the operations above it, whatever it is made of.

Contracts, not implementation: `tests/contract/` has one suite that every implementation
and every wrapper must pass.  Here is what every promotion and every pull needs;
`usage_files` and `upkeep` have the rest, which a store gives away as its attributes.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from wheelferry.store.record import Digest, SegmentId

if TYPE_CHECKING:
    from wheelferry.store.upkeep import Upkeep
    from wheelferry.store.usage_files import UsageFiles


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

    Everything but `open` assumes that `open` succeeded.  Errors are `StoreError`s:
    StoreFull and StoreReadOnly will not pass by themselves, StoreUnavailable may.
    A store that went away (nothing mounted any more) must raise StoreNotInitialised,
    and must not look empty.  Calls may block for as long as the medium does.
    """

    @property
    def location(self) -> str:
        """Where it is, for messages: a path or a URL."""
        ...

    @property
    def usage(self) -> "UsageFiles":
        """What runners say of themselves in it."""
        ...

    @property
    def upkeep(self) -> "Upkeep":
        """What tends it."""
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

    def sweep_staging(self, *, older_than_s: float) -> int:
        """Remove this runner's abandoned temporary files; return how many.

        Abandoned: not written to for `older_than_s` seconds of the store's clock, and
        not being written by this process.
        """
        ...
