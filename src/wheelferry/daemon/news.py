"""What an event in one of the three directories of a cache means.

Facts about uv, seen with 0.5.14 to 0.13.9:

* A wheel that was unpacked is a new name in `archive-v0`.
* A build, also one that is never installed, ends with a name that leaves `builds-v0`.
* A command of a uv that has a root lock ends with `.lock` being closed; one of an older uv
  with its temporary directory leaving `builds-v0`.

What is restored from the store has a pack's digest as its name in `archive-v0`.
"""

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Final

from watchdog.events import FileSystemEvent

ARCHIVES: Final = "archive-v0"
BUILDS: Final = "builds-v0"
LOCK: Final = ".lock"

_RESTORED: Final = re.compile(r"[0-9a-f]{64}")


class Signal(StrEnum):
    """What a watch can tell."""

    CHANGED = "changed"
    """Something new may be in the cache."""
    ENDED = "ended"
    """A uv command ended."""
    LOST = "lost"
    """Changes may have been missed."""


def path_of(event: FileSystemEvent) -> Path:
    """Return where that is now what an event is about."""
    return Path(os.fsdecode(event.dest_path or event.src_path))


def news_of_root(event: FileSystemEvent) -> Signal | None:
    """Return what an event in the root means."""
    name = path_of(event).name
    if name == LOCK and event.event_type == "closed":
        return Signal.ENDED
    # Such a directory was removed: another has to be watched once it is there.
    return Signal.CHANGED if name in (ARCHIVES, BUILDS) else None


def news_of_archives(event: FileSystemEvent) -> Signal | None:
    """Return what an event among the archives means."""
    is_new = event.is_directory and event.event_type in ("created", "moved")
    if not is_new or _RESTORED.fullmatch(path_of(event).name):
        return None
    return Signal.CHANGED


def news_of_builds(event: FileSystemEvent) -> Signal | None:
    """Return what an event among the builds means."""
    has_left = event.is_directory and event.event_type in ("deleted", "moved")
    return Signal.CHANGED if has_left else None
