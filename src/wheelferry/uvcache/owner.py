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


def check_reach(root: Path) -> None:
    """Refuse a cache that is behind a directory which this user may not enter.

    Raises CacheError.
    """
    try:
        root.stat()
    except PermissionError as exc:
        barrier, uid = _find_barrier(Path(os.path.abspath(root)))
        owner = None if uid in (_ROOT, os.geteuid()) else _find_account(uid)
        way = f", or let this one in: `chmod a+x {barrier}`"
        if owner is not None:
            way = f": `sudo -u {owner} wheelferry ...`"
        raise CacheError(
            f"this user may not enter {barrier}, which the uv cache {root} is in",
            hint=f"run as the user of the jobs{way}",
        ) from exc
    except OSError:  # there is none, which is said elsewhere
        return


def check_owner(root: Path) -> None:
    """Refuse to work on a cache that belongs to another user.

    Whoever made the cache counts: uv's tag file says so, else its directory, or that in
    which it will be made.  Call it before anything is made for that cache.

    Root passes where that tells nothing about the jobs: a directory that everybody may
    write to (`/tmp`), an owner who has no account here (a volume from outside of the
    container).  Others pass wherever they may write, as caches may be shared by a group.

    A link in the place of the tag or of the cache is followed if it is this user's, or
    root's.  Another user's may lead to what is root's, to have root pass.

    Raises CacheError.
    """
    me = os.geteuid()
    root = Path(os.path.abspath(root))
    for path in (root / "CACHEDIR.TAG", root, *root.parents):
        try:
            status = path.lstat()
            if status.st_uid in (me, _ROOT) or path in root.parents:
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


def _find_barrier(root: Path) -> tuple[Path, int]:
    """Return the nearest directory above that can be looked at, and its owner."""
    for path in root.parents:
        try:
            return path, path.stat().st_uid
        except PermissionError:
            continue
    return root, os.geteuid()


def _find_account(uid: int) -> str | None:
    import pwd  # noqa: PLC0415 - for the message only

    if uid == _UNMAPPED:
        return None
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
