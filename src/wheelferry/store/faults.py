"""What an OSError of the store means: the one place where it becomes a StoreError."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wheelferry.errors import (
    StoreError,
    StoreFull,
    StoreNotInitialised,
    StoreReadOnly,
    StoreUnavailable,
)
from wheelferry.store.layout import INFO

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})


class Faults:
    """Translates for the store in `root`.

    `operation` is what was tried, in the infinitive; `path` is what it was tried on.  An
    error that is returned is to be raised `from` the OSError.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def away(self) -> StoreNotInitialised:
        """Return the error for a root without `wheelferry.json`."""
        return StoreNotInitialised(
            f"no {INFO} in {self._root}: the share is away (not mounted?), "
            "or there never was a store",
            hint="mount the share and try again; docs/operations.md says how a new store "
            "is made",
        )

    @contextmanager
    def reading(self, operation: str, path: Path) -> Iterator[None]:
        """Translate what is raised in the block, which reads or lists."""
        try:
            yield
        except OSError as exc:
            raise self.of_read(exc, operation, path) from exc

    @contextmanager
    def writing(self, operation: str, path: Path) -> Iterator[None]:
        """Translate what is raised in the block, which changes something."""
        try:
            yield
        except OSError as exc:
            raise self.of_write(exc, operation, path) from exc

    def of_read(self, exc: OSError, operation: str, path: Path) -> StoreError:
        """Return the error for a call that reads or lists."""
        if exc.errno in _GONE:
            return self._missing(exc, operation, path)
        hint = "check the mount of the share; a job can go on without the store"
        if exc.errno in _REFUSED:
            hint = (
                "let this user read the store: its group, and the modes of "
                f"{self._root} and what is below"
            )
        return StoreUnavailable(_say(exc, operation, path), hint=hint)

    def of_write(self, exc: OSError, operation: str, path: Path) -> StoreError:
        """Return the error for a call that changes something."""
        if exc.errno in _FULL:
            return StoreFull(
                _say(exc, operation, path),
                hint="make room on the share, or raise the quota",
            )
        if exc.errno in _REFUSED:
            return StoreReadOnly(
                _say(exc, operation, path),
                hint="check that the share is mounted read-write, and that this user "
                "is in the group that was given to `wheelferry init --group`",
            )
        return self.of_read(exc, operation, path)

    def _missing(self, exc: OSError, operation: str, path: Path) -> StoreError:
        try:
            there = (self._root / INFO).is_file()
        except OSError:
            there = False  # whatever the reason, what we need is not there
        if not there:
            return self.away()
        if exc.errno == errno.ENOTDIR:
            return StoreUnavailable(
                f"cannot {operation} {path}: a link or a file is in the place of a"
                f" directory, {exc.filename or path} or one above",
                hint="find out who made it, and remove it; `wheelferry verify` names all"
                " that does not belong into the store",
            )
        missing = self._find_missing(exc)
        what = "it" if missing in (None, path) else missing
        return StoreUnavailable(
            f"cannot {operation} {path}: {what} is missing from the store",
            hint=f"run `wheelferry init` on {self._root} again: it makes the "
            "directories that are missing, and leaves the rest alone",
        )

    def _find_missing(self, exc: OSError) -> Path | None:
        """Return what is missing of what the failed call named; None if that is unknown.

        That is often not what was tried as a whole: a directory of many, or the one that
        a file should be renamed into.
        """
        for name, is_target in ((exc.filename, False), (exc.filename2, True)):
            if not isinstance(name, str):
                continue
            path = Path(name).parent if is_target else Path(name)
            for part in (*reversed(path.parents), path):
                if self._root in part.parents and not os.path.lexists(part):
                    return part
        return None


def _say(exc: OSError, operation: str, path: Path) -> str:
    number = exc.errno or 0
    return f"cannot {operation} {path}: [Errno {number}] {os.strerror(number)}"
