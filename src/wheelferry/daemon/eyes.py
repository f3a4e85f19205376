"""Look at the directories of a cache: which there are, and when they were changed."""

from collections.abc import Callable
from pathlib import Path
from stat import S_ISDIR
from typing import NamedTuple


class Seen(NamedTuple):
    """A directory as it was.

    Attributes:
        device, inode: Which one it is, while it is there.
        changed_ns: When a name in it came or went, on this host's clock.
    """

    device: int
    inode: int
    changed_ns: int

    @property
    def changed_s(self) -> float:
        """The same in seconds."""
        return self.changed_ns / 1e9

    def is_same(self, other: "Seen | None") -> bool:
        """Whether that may be the same directory."""
        return other is not None and self[:2] == other[:2]


class Eyes:
    """Looks at directories, and warns once of each that cannot be looked at.

    Args:
        warn: Hears of that.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._trouble: dict[Path, str] = {}

    def look(self, path: Path) -> Seen | None:
        """Return the directory that is there, if need be through a link."""
        trouble = ""
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            status = None
        except OSError as exc:
            status, trouble = None, f"cannot look at {path}: {exc.strerror}"
        if status is not None and not S_ISDIR(status.st_mode):
            status, trouble = None, f"{path} is no directory"
        if not trouble:
            self._trouble.pop(path, None)
        elif trouble != self._trouble.get(path):
            self._trouble[path] = trouble
            self._warn(f"{trouble}; nothing there is promoted until that changes")
        return status and Seen(status.st_dev, status.st_ino, status.st_mtime_ns)

    def is_troubled(self, path: Path) -> bool:
        """Return whether there was something that could not be looked at."""
        return path in self._trouble
