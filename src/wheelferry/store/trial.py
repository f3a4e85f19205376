"""A runner's own folder in `staging/`, to try the share in, and its end.

Whoever makes one removes it.  Killed before that, it stays until a sweep of this runner's
staging finds it old.
"""

import os
from pathlib import Path
from typing import Final

from wheelferry.disk import Disk
from wheelferry.store.beats import beat

FOLDER_MODE: Final = 0o700
"""Nobody else has business there; so no link of another user's leads out of it."""


def remove_folder(path: Path, disk: Disk) -> None:
    """Remove a folder with all that is in it; raises OSError, absent is fine.

    A part of it at a time, each with a beat: many small files take a share long.
    """
    for child in _list(path):
        if child.is_dir(follow_symlinks=False):
            for part in _list(child.path):
                _remove(part, disk)
                beat()
        _remove(child, disk)
        beat()
    disk.remove_tree(path)


def _remove(entry: "os.DirEntry[str]", disk: Disk) -> None:
    if entry.is_dir(follow_symlinks=False):
        disk.remove_tree(entry.path)
    else:
        disk.unlink(entry.path)


def _list(path: str | Path) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(path) as found:
            return list(found)
    except FileNotFoundError:
        return []
