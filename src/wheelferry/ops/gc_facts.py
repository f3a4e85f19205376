"""What a removal knows of a store when it decides: values only.

All times are seconds of the server's clock.  Sizes are of the files in `objects/`.
"""

from dataclasses import dataclass

from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.upkeep import Trashed


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A pack that records name.

    Attributes:
        digest: Of the pack.
        size_bytes: Of the object; 0 if it is missing.
        is_missing: Whether there is no such object.
        is_banned: Whether an admin has forbidden what it is.
        needed_s: When a runner last needed it, or put it there.
        subject: What it is, for people.
        format_ids: Of its records.
    """

    digest: Digest
    size_bytes: int
    needed_s: int
    subject: str
    format_ids: frozenset[str]
    is_missing: bool = False
    is_banned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """An object that no record names, and when it was written."""

    digest: Digest
    size_bytes: int
    since_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A store.

    Attributes:
        packs: What records name.
        orphans: What none names.
        trash: What was taken away, the oldest first.
        free_bytes: Room on the share.
        now_s: When all of this was so.
        is_whole: Whether all of the catalog could be read; if not, an orphan may be none,
            and what is in the trash may be named.
        segments: Those of the catalog that all of this is judged by.  Records of others,
            which come meanwhile, are not for this removal to kill.
    """

    packs: tuple[Pack, ...]
    orphans: tuple[Orphan, ...]
    trash: tuple[Trashed, ...]
    free_bytes: int
    now_s: int
    is_whole: bool = True
    segments: frozenset[SegmentId] = frozenset()

    @property
    def object_bytes(self) -> int:
        """Size of all objects."""
        named = sum(pack.size_bytes for pack in self.packs)
        return named + sum(orphan.size_bytes for orphan in self.orphans)

    @property
    def trash_bytes(self) -> int:
        """Size of all that was taken away."""
        return sum(item.size_bytes for item in self.trash)
