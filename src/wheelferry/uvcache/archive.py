"""Tell an archive that uv can install from one that it fails on.

uv neither checks nor heals an archive that a pointer or a link names: without a RECORD
the installation fails, each time.  A power loss can leave such archives, because uv
syncs nothing.
"""

import os

from wheelferry.uvcache.wheelname import normalise_name


def find_record(tree: str, name: str) -> str | None:
    """Return the path of the RECORD in a wheel's tree, or None if uv would fail on it.

    Args:
        tree: A directory, or a link to one.
        name: The normalised name of the package that is expected there.
    """
    try:
        with os.scandir(tree) as found:
            names = [entry.name for entry in found if entry.name.endswith(".dist-info")]
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(names) != 1:
        return None
    if not normalise_name(names[0]).startswith(f"{name}-"):
        return None
    record = f"{tree}/{names[0]}/RECORD"
    try:
        return record if os.stat(record).st_size else None
    except (FileNotFoundError, NotADirectoryError):
        return None
