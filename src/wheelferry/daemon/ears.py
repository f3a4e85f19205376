"""Listen to directories with inotify, through watchdog, and know when that fails.

Two things about watchdog 7.1 decide what is asked of it here:

* A directory that may not be read is taken without an error, and never heard of.
* What is moved out of a directory holds up what comes after it there for half a second;
  moves are watched wherever creations are, so neither is in a directory with a lock file.
"""

import errno
import logging
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import ObservedWatch
from watchdog.observers.inotify import InotifyObserver

ENDS: Final = (DirDeletedEvent, FileClosedEvent)
"""A file that was open for writing is closed, a directory is removed."""

NAMES: Final = (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
)
"""A name comes or goes: all that changes the time of a directory."""

_LIMITS: Final = {
    errno.ENOSPC: "max_user_watches",
    errno.EMFILE: "max_user_instances",
}
_PROC: Final = Path("/proc/sys/fs/inotify")
_READER: Final = "watchdog.observers.inotify_c"


class CannotListen(Exception):
    """Inotify is of no use now; in words, with what helps."""


class Observer(InotifyObserver):
    """An observer that knows of all its threads."""

    def is_well(self) -> bool:
        """Return whether none has ended but those whose directory was removed."""
        return (
            self.is_alive()
            and self._inotify_fd.is_alive()
            and all(e.is_alive() or e.stopped_event.is_set() for e in self.emitters)
        )


class Ears:
    """Listens to directories, not to what is below them.

    Args:
        overhear: Told of what watchdog warns of, such as events that were lost; called in
            any thread.
        make_observer: Makes watchdog's part; another in tests.

    Raises:
        CannotListen: There can be no more inotify instances or threads.
    """

    def __init__(
        self,
        overhear: Callable[[str], None],
        *,
        make_observer: Callable[[], Observer] = Observer,
    ) -> None:
        self._watches: dict[Path, ObservedWatch] = {}
        self._is_unlistening = False
        try:
            self._observer = make_observer()
        except (OSError, RuntimeError) as exc:  # RuntimeError: no more threads
            raise _explain(exc) from exc
        try:
            self._observer.start()
        except RuntimeError as exc:
            self._observer.stop()
            raise _explain(exc) from exc
        self._overhear = overhear
        self._log = logging.getLogger("watchdog")
        self._log_handler = _LogHandler(self._take_record)
        self._log.addHandler(self._log_handler)
        self._log.propagate = False

    def is_well(self) -> bool:
        """Return whether no thread has ended that should not have."""
        return self._observer.is_well()

    def hears(self, path: Path) -> bool:
        """Return whether it listens to it still; not if that directory was removed."""
        watch = self._watches.get(path)
        return any(
            emitter.watch is watch and emitter.is_alive()
            for emitter in self._observer.emitters
        )

    def listen(
        self,
        path: Path,
        hear: Callable[[FileSystemEvent], None],
        kinds: Collection[type[FileSystemEvent]],
    ) -> None:
        """Listen to a directory, if need be through a link.

        Raises:
            FileNotFoundError: There is none.
            NotADirectoryError: It is none.
            CannotListen: It cannot be listened to.
        """
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            self._watches[path] = self._observer.schedule(
                _Handler(hear), path, event_filter=list(kinds), follow_symlink=True
            )
        except (FileNotFoundError, NotADirectoryError):
            raise
        except (OSError, RuntimeError) as exc:
            raise _explain(exc, path) from exc

    def unlisten(self, path: Path) -> None:
        """Listen to it no more; fine if it is gone."""
        watch = self._watches.pop(path, None)
        if watch is not None:
            self._is_unlistening = True
            self._observer.unschedule(watch)
            self._is_unlistening = False

    def close(self) -> None:
        """End all of it."""
        self._is_unlistening = True
        self._observer.stop()
        self._observer.join()
        self._log.removeHandler(self._log_handler)
        self._log.propagate = True
        self._watches.clear()

    def _take_record(self, record: logging.LogRecord) -> None:
        # A thread that is asked to end may complain that it was.
        if record.name == _READER or not self._is_unlistening:
            self._overhear(record.getMessage())


class _Handler(FileSystemEventHandler):
    """Hands events over."""

    def __init__(self, hear: Callable[[FileSystemEvent], None]) -> None:
        self._hear = hear

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Take an event."""
        self._hear(event)


class _LogHandler(logging.Handler):
    """Hands over warnings of a logger."""

    def __init__(self, take: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(logging.WARNING)
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        self._take(record)


def _explain(exc: OSError | RuntimeError, path: Path | None = None) -> CannotListen:
    number = exc.errno if isinstance(exc, OSError) else None
    reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
    name = _LIMITS.get(number or 0, "")
    value = ""
    try:
        value = f" ({(_PROC / name).read_text().strip()})"
    except OSError as unreadable:
        # Files of this process may be too many; what a sandbox hides is not there.
        if not name or unreadable.errno != errno.ENOENT:
            what = f"{path} cannot be watched" if path else "inotify cannot be used"
            return CannotListen(f"{what}: {reason}")
    return CannotListen(
        f"this user has as many inotify {name.removeprefix('max_user_')} as"
        f" fs.inotify.{name} allows{value}; raise it with"
        f" `sysctl fs.inotify.{name}=N`"
    )
