"""A small file that is there whole, before and after."""

import os
from pathlib import Path

from wheelferry.disk.durable import Disk

SUFFIX = ".tmp"
"""No reader looks for such names: node_exporter takes `*.prom` alone."""


def replace_file(path: Path, data: bytes, *, disk: Disk, mode: int = 0o644) -> None:
    """Write a file beside `path` and rename it there; not synced.

    Killed half way, it leaves a file with another name.

    Args:
        path: What is replaced, if it is there.
        data: All of it.
        disk: What changes the disk.
        mode: Subject to the umask.

    Raises:
        OSError: It cannot be written; then what was there is as before.
    """
    temporary = path.with_name(f"{path.name}.{os.urandom(6).hex()}{SUFFIX}")
    try:
        disk.create_file(temporary, data, mode)
        disk.rename(temporary, path)
    except OSError:
        disk.unlink(temporary)
        raise
