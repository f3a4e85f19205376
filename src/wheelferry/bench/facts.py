"""What was found out, in values.

Pure.
"""

from typing import NamedTuple


class Spent(NamedTuple):
    """What something took of the share.

    Attributes:
        seconds: From its begin to its end.
        read_bytes: Of files on the share: as the kernel counted them, or else as we did.
        rpcs: As the kernel counted them; None where it does not.
    """

    seconds: float
    read_bytes: int
    rpcs: int | None


class LockFacts(NamedTuple):
    """What a job needs of the index.

    Attributes:
        packages: How many.
        sized: Those of them whose file has a size in the lock.
        index_bytes: Of these files.
    """

    packages: int
    sized: int
    index_bytes: int

    @property
    def all_bytes(self) -> float | None:
        """Of all packages, those without a size taken as the mean; None if none has."""
        return self.index_bytes * self.packages / self.sized if self.sized else None


class ShareFacts(NamedTuple):
    """How fast the share is; None where that was not measured.

    Attributes:
        fs_type: Such as `nfs4`; "" if it could not be told.
        answer_s: Until it says what is in a directory, the median of some.
        write_bytes_s, read_bytes_s: With one large file, synced when it is written.
        file_write_s, file_read_s: For a small file: one after the other when they are
            written, several at a time when they are read, as uv does.
    """

    fs_type: str = ""
    answer_s: float | None = None
    write_bytes_s: float | None = None
    read_bytes_s: float | None = None
    file_write_s: float | None = None
    file_read_s: float | None = None


class Pulled(NamedTuple):
    """A pull into an empty cache, and one that had nothing to do.

    Attributes:
        source: `store`, or `cache` if the packs were made of the cache's entries.
        packages: Those of the job that it brought.
        index_bytes: What the lock says of their files' sizes; 0 if nothing.
        packs, pack_bytes: What was read for them.
        tree_files, tree_bytes: The same, unpacked.
        link_s: To hardlink these files into an environment, as uv does then.
        fresh, again: The two.
    """

    source: str
    packages: int
    index_bytes: int
    packs: int
    pack_bytes: int
    tree_files: int
    tree_bytes: int
    link_s: float
    fresh: Spent
    again: Spent


class Sampled(NamedTuple):
    """A part of the same files, read one by one: twice, first from the server.

    Attributes:
        files, size_bytes: Of the part.
        fresh, again: The two.
    """

    files: int
    size_bytes: int
    fresh: Spent
    again: Spent


class Archived(NamedTuple):
    """The same files, or a part of them, in one compressed archive.

    Attributes:
        archive_bytes: Its size.
        tree_bytes: That of the files in it.
        fresh: To read and unpack it.
    """

    archive_bytes: int
    tree_bytes: int
    fresh: Spent


class Measured(NamedTuple):
    """All of it; None where it could not be measured, and then a note says why.

    Attributes:
        spent: What the run itself took of the share, until it tidied up.
        notes: For people, each a sentence without its full stop.
        left_behind: What could not be removed from the share; "" if nothing.
    """

    lock: LockFacts
    share: ShareFacts = ShareFacts()
    pulled: Pulled | None = None
    sampled: Sampled | None = None
    archived: Archived | None = None
    spent: Spent | None = None
    notes: tuple[str, ...] = ()
    left_behind: str = ""
