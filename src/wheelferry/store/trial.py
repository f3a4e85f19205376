"""A runner's own folder in `staging/`, to try the share in, and its end.

Whoever makes one removes it.  Killed before that, it stays until a sweep of this runner's
staging finds it old.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from wheelferry.disk import Disk
from wheelferry.store.beats import beat

FOLDER_MODE: Final = 0o700
"""Nobody else has business there; so no link of another user's leads out of it."""


def remove_folder(path: Path, disk: Disk) -> None:
    """Remove a folder with all that is in it; raises OSError, absent is fine.

    A part of it at a time, each with a beat: many small files take a share long.  Whoever
    has the share can put a link in the place of a directory at any time: none is followed.
    """
    with suppress(FileNotFoundError), _opened(path) as children:
        for child in children:
            if child.is_dir(follow_symlinks=False):
                with suppress(FileNotFoundError), _opened(child.path) as parts:
                    for part in parts:
                        _remove(part, disk)
            _remove(child, disk)
    disk.remove_tree(path)


@contextmanager
def _opened(path: str | Path) -> "Iterator[list[os.DirEntry[str]]]":
    """Yield what is in a directory, by paths that lead there whoever has its name now."""
    folder_fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with os.scandir(f"/proc/self/fd/{folder_fd}") as found:
            entries = list(found)
        yield entries
    finally:
        os.close(folder_fd)


def _remove(entry: "os.DirEntry[str]", disk: Disk) -> None:
    if entry.is_dir(follow_symlinks=False):
        disk.remove_tree(entry.path)
    else:
        disk.unlink(entry.path)
    beat()
