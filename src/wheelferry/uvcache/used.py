"""When a job last used an entry, as far as its files tell.

uv installs by making hardlinks, which changes the change time of each file but RECORD,
of which it writes a copy of its own.  Where it copies instead, the access time tells, to
a day, unless the filesystem is mounted with `noatime`.
"""

import os

from wheelferry.uvcache.cached import CachedEntry

_RECORD = "RECORD"


def last_used_s(entry: CachedEntry) -> float:
    """Return that time by this host's clock; when it was put there, if never.

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
                    elif item.name != _RECORD:
                        return _touched_s(item.path)
        except OSError:
            return 0.0
    return 0.0


def _touched_s(path: str) -> float:
    try:
        status = os.lstat(path)
    except OSError:
        return 0.0
    return max(status.st_ctime, status.st_atime)
