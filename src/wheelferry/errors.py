"""Every error a user can meet, with its reference and its exit code.

Expected outcomes (a missing object, an entry that may not be promoted) are values,
not exceptions.  What is raised here is shown as one block: what failed, the cause, and
what to do.  `docs/cli.md` has the table of exit codes; a test compares the two.
"""

from typing import ClassVar


class WheelferryError(Exception):
    """Base of all errors that are shown to the user without a traceback.

    Args:
        message: What could not be done, with the path it was about.
        hint: What the reader can do about it, in the imperative.
    """

    reference: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(WheelferryError):
    """The configuration cannot be used; nothing was done."""

    reference = "config"
    exit_code = 2


class CacheError(WheelferryError):
    """The local uv cache could not be read or written."""

    reference = "cache"
    exit_code = 10


class CacheNotFound(CacheError):
    """There is no uv cache where one was expected."""

    reference = "cache-not-found"
    exit_code = 11


class CacheLocked(CacheError):
    """`uv cache prune` or `clean` held the cache for longer than we may wait."""

    reference = "cache-locked"
    exit_code = 13


class StoreError(WheelferryError):
    """The store could not be used."""

    reference = "store"
    exit_code = 20


class StoreNotInitialised(StoreError):
    """The directory has no `wheelferry.json`, or one of another store: it is *away*."""

    reference = "store-not-initialised"
    exit_code = 21


class StoreFormatUnsupported(StoreError):
    """The store, a segment or a pack was written by a newer format version."""

    reference = "store-format-unsupported"
    exit_code = 22


class StoreReadOnly(StoreError):
    """The store refuses writes (EROFS, EACCES, EPERM)."""

    reference = "store-read-only"
    exit_code = 23


class StoreFull(StoreError):
    """The store has no space or quota left (ENOSPC, EDQUOT)."""

    reference = "store-full"
    exit_code = 24


class StoreUnavailable(StoreError):
    """The store does not answer as it should (EIO, ESTALE, ETIMEDOUT and the like)."""

    reference = "store-unavailable"
    exit_code = 25


class StoreSilent(StoreUnavailable):
    """The store gave no answer at all for `store.timeout`, and was given up."""

    reference = "store-silent"
    exit_code = 26


class DeadlinePassed(StoreError):
    """The deadline of this run came while work with the store was left."""

    reference = "deadline"
    exit_code = 27


class IntegrityError(WheelferryError):
    """Something read back is not what was written."""

    reference = "integrity"
    exit_code = 30


class ObjectCorrupt(IntegrityError):
    """An object's bytes do not have the digest that is its name."""

    reference = "object-corrupt"
    exit_code = 31


class PackMalformed(IntegrityError):
    """A pack does not follow its format."""

    reference = "pack-malformed"
    exit_code = 32


class RecordMalformed(IntegrityError):
    """A segment, or a record in it, does not follow its format."""

    reference = "record-malformed"
    exit_code = 33


class UnsafePath(IntegrityError):
    """A path read from the store would lead out of its tree."""

    reference = "unsafe-path"
    exit_code = 34


class DaemonRunning(WheelferryError):
    """Another daemon serves this cache already."""

    reference = "daemon-running"
    exit_code = 40


class UnitsError(WheelferryError):
    """The units for systemd could not be made, installed or removed."""

    reference = "units"
    exit_code = 41


class HooksError(WheelferryError):
    """Hooks for a CI system could not be made, installed or removed."""

    reference = "hooks"
    exit_code = 42


class ProjectRefused(WheelferryError):
    """Somebody asked the daemon to pull for a directory that it does not serve."""

    reference = "project-refused"
    exit_code = 43


class ProjectError(WheelferryError):
    """A lock, or another file that says what a job needs, could not be used."""

    reference = "project"
    exit_code = 60
