"""When a job last used what is in a cache, as far as its files tell.

uv installs by making hardlinks, which changes the change time of each file but RECORD,
of which it writes a copy of its own for each environment.  Where it copies or clones
instead, the access time tells, to a day; with `noatime` that is the time of the file's
birth, which is no later than the change time.
"""

import os

from wheelferry.uvcache.cached import CachedEntry

_RECORD = "RECORD"


def is_witness(name: str) -> bool:
    """Return whether a use of an archive shows in its files of that name."""
    return name != _RECORD


def used_s(status: os.stat_result) -> float:
    """Return when a file was last linked, unlinked, read or made: this host's clock."""
    return max(status.st_ctime, status.st_atime)


def last_used_s(entry: CachedEntry) -> float:
    """Return when a job last used an entry; when it was put there, if never.

    It is 0 if the entry is gone, or has no file but RECORD.
    """
    if entry.archive is None:
        return 0.0 if entry.wheel_file is None else _touched_s(str(entry.wheel_file))
    waiting = [str(entry.archive)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                for item in found:
                    if item.is_dir(follow_symlinks=False):
                        waiting.append(item.path)
                    elif is_witness(item.name):
                        return _touched_s(item.path)
        except OSError:
            return 0.0
    return 0.0


def _touched_s(path: str) -> float:
    try:
        return used_s(os.lstat(path))
    except OSError:
        return 0.0
