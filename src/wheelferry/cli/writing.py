"""A file that a command was asked to write: there whole, or as it was before."""

import os
from pathlib import Path

from wheelferry.cli.failure import OutputLost
from wheelferry.disk import Disk
from wheelferry.disk.replace import replace_file


def find_target(path: str) -> Path:
    """Return the file that is to be replaced; a link stays, and leads to the new one.

    Raises OutputLost: there is something else, such as a device.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OutputLost(
            f"{path} is no file", hint="give the name of a file, which is replaced"
        )
    return target


def write_target(target: Path, data: bytes) -> None:
    """Replace a file; raises OutputLost, and then what was there is as before."""
    try:
        replace_file(target, data, disk=Disk())
    except OSError as exc:
        raise OutputLost(
            f"cannot write {target}: {exc.strerror}",
            hint="give a file in a directory that is there and this user may write to",
        ) from exc
