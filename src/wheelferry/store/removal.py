"""Rename and remove files that another host may rename or remove at the same moment.

Functions raise plain OSError.
"""

import errno
from pathlib import Path

from wheelferry.disk import Disk

_GONE = frozenset({errno.ENOENT, errno.ESTALE})


def rename_there(source: Path, target: Path, *, disk: Disk) -> bool:
    """Rename a file; return False if there is none, or another host was faster.

    Of two NFS clients that do the same within one second, one may still have the old name
    cached: then both names are one file to it, and rename(2) does nothing and succeeds.
    """
    try:
        disk.rename(source, target)
    except OSError as exc:
        if exc.errno not in _GONE:
            raise
        # Nothing there to take; unless what is missing is where it should go.
        if not target.parent.is_dir():
            raise
        return False
    return not _is_one_file(source, target)


def _is_one_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False


def unlink_there(path: Path, *, disk: Disk) -> bool:
    """Remove a file; return False if there is none, or another host was faster."""
    try:
        return disk.unlink(path)
    except OSError as exc:
        if exc.errno != errno.ESTALE:
            raise
        return False
