"""Tell an archive that uv can install from one that it fails on.

uv neither checks nor heals an archive that a pointer or a link names: without a RECORD
the installation fails, each time.  A power loss can leave such archives, because uv
syncs nothing.
"""

import os

from wheelferry.uvcache.wheelname import pick_dist_info


def find_record(tree: str, name: str) -> str | None:
    """Return the path of the RECORD in a wheel's tree, or None if uv would fail on it.

    Args:
        tree: A directory, or a link to one.
        name: The normalised name of the package that is expected there.
    """
    try:
        with os.scandir(tree) as found:
            dist_info = pick_dist_info((entry.name for entry in found), name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if dist_info is None:
        return None
    record = f"{tree}/{dist_info}/RECORD"
    try:
        return record if os.stat(record).st_size else None
    except (FileNotFoundError, NotADirectoryError):
        return None
