"""Tell whether a uv runs that does not say so by a lock.

uv up to 0.8.18 takes no lock on its cache.  Where such a uv may use one, a look at the
processes has to do: it sees those of this user on this host, in containers too, but
none from inside of another container.
"""

import os
from pathlib import Path
from typing import Final

from wheelferry.uvcache.formats import Family, find_bucket
from wheelferry.uvcache.reading import find_buckets

ROOT_LOCK_SINCE: Final = (0, 8, 19)

_PROC: Final = "/proc"
_NAMES: Final = frozenset({"uv", "uvx"})
_DELETED: Final = " (deleted)"


def may_be_unlocked(root: Path) -> bool:
    """Return whether a uv without a root lock has filled this cache, or may have.

    By the buckets of downloaded wheels, which every uv has: those of built ones are the
    same from uv 0.6.8 to 0.12.
    """
    return any(
        row.family is Family.WHEELS and row.first < ROOT_LOCK_SINCE
        for bucket in find_buckets(root)
        for row in find_bucket(bucket)
    )


def find_uv_process(proc: str = _PROC) -> int | None:
    """Return the pid of a uv of this user's that runs now, if there is one.

    Of any version and on any cache: a process tells neither.  Root sees everybody's.
    """
    me = os.geteuid()
    try:
        names = os.listdir(proc)
    except OSError:  # there is no /proc: nothing can be told
        return None
    for name in names:
        if name.isdecimal() and _is_uv(f"{proc}/{name}", me):
            return int(name)
    return None


def _is_uv(process: str, me: int) -> bool:
    try:
        if me not in (0, os.stat(process).st_uid):
            return False
        program = os.readlink(f"{process}/exe")
    except OSError:  # it ended, or is the kernel's
        return False
    return os.path.basename(program.removesuffix(_DELETED)) in _NAMES
