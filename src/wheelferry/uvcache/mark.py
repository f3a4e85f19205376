"""Tell a cache from one that was made in its place."""

import os
from pathlib import Path


def find_mark(root: Path) -> str:
    """Return a text that a cache keeps for life; "" if there is none, or no mark yet.

    The file that uv makes first in each cache: `uv cache prune` and `uv cache clean NAME`
    leave it as it is, and `uv cache clean` removes it.  By its time too: its inode is
    that of the next cache, as like as not.  The root itself may stay (uv 0.13).
    """
    try:
        tag = os.stat(root / "CACHEDIR.TAG")
    except OSError:
        return ""
    return f"{tag.st_ino}-{tag.st_mtime_ns}"
