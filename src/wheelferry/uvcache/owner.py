"""Whose cache it is: what another user puts there is of no use to the jobs.

uv then fails on files that it may not write, and the kernel refuses hardlinks to them
(fs.protected_hardlinks).  Root is the one user whom no permission stops from doing so.
"""

import os
import stat
from pathlib import Path

from wheelferry.errors import CacheError

_ROOT = 0
_UNMAPPED = 65534
"""What a container shows as the owner of files whose owner it does not know."""


def check_owner(root: Path) -> None:
    """Refuse to work on a cache that belongs to another user.

    Whoever made the cache counts: uv's tag file says so, else its directory, or that in
    which it will be made.  Call it before anything is made for that cache.

    Root passes where that tells nothing about the jobs: a directory that everybody may
    write to (`/tmp`), an owner who has no account here (a volume from outside of the
    container).  Others pass wherever they may write, as caches may be shared by a group.

    Raises CacheError.
    """
    me = os.geteuid()
    root = Path(os.path.abspath(root))
    for path in (root / "CACHEDIR.TAG", root, *root.parents):
        try:
            status = path.stat()
        except OSError:
            continue
        break
    else:
        return
    if status.st_uid == me:
        return
    is_made = path not in root.parents
    if me != _ROOT:
        if not is_made or os.access(root, os.W_OK | os.X_OK, effective_ids=True):
            return
    elif not is_made and status.st_mode & (stat.S_ISVTX | stat.S_IWOTH):
        return
    owner = _find_account(status.st_uid)
    if owner is None:
        return
    raise CacheError(
        f"the uv cache {root} belongs to user {owner}",
        hint=f"run as that user: `sudo -u {owner} wheelferry ...`",
    )


def _find_account(uid: int) -> str | None:
    import pwd  # noqa: PLC0415 - for the message only

    if uid == _UNMAPPED:
        return None
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
