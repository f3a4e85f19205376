"""Errors of this runner's own disk, told from those of the store."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wheelferry.disk import Disk
from wheelferry.disk.workdir import sweep
from wheelferry.errors import CacheError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def local_disk(path: Path) -> Iterator[None]:
    """Turn an OSError into a CacheError that names `path`, or the file if it is known.

    For work below which the store's errors are StoreErrors already, so that an OSError
    can only be of the local disk.
    """
    try:
        yield
    except OSError as exc:
        hint = f"check the disk that holds {path}"
        if exc.errno in _FULL:
            hint = f"free some space on the disk that holds {path}"
        elif exc.errno in _DENIED:
            hint = f"run as the user whose jobs use the cache; {path} must be writable"
        named = exc.filename if str(exc.filename).startswith(str(path)) else path
        raise CacheError(f"cannot work in {named}: {exc.strerror}", hint=hint) from exc


def sweep_staging(staging: Path, disk: Disk) -> None:
    """Remove what killed runs left, if there is anything."""
    if staging.is_dir():
        with local_disk(staging):
            sweep(staging, disk=disk)
