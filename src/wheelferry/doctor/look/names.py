"""Names of users and groups, for messages."""

import grp
import os
import pwd


def find_user(uid: int | None = None) -> str:
    """Return the name of a user, of this process by default; its number if it has none."""
    uid = os.geteuid() if uid is None else uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def find_group(gid: int) -> str:
    """Return the name of a group; its number if it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
