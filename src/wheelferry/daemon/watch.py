"""Hear of changes in the cache: three directories, whatever is below them."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from watchdog.events import FileSystemEvent

from wheelferry.daemon.ears import ENDS, NAMES, CannotListen, Ears
from wheelferry.daemon.eyes import Eyes, Seen
from wheelferry.daemon.news import (
    ARCHIVES,
    BUILDS,
    Signal,
    news_of_archives,
    news_of_builds,
    news_of_root,
    path_of,
)
from wheelferry.disk import clock

__all__ = ["Signal", "Watch"]

ABSENT_S: Final = 0.5
"""How often to look for a cache that is not there."""

POLL_S: Final = 1.0
"""How often to look for a directory that is missing in it; and, where inotify cannot be
used, for changes."""

CHECK_S: Final = 5.0
"""How often to compare what was heard with what is there."""

RETRY_S: Final = 60.0
"""How often to try inotify again, and to repeat a warning."""

SLACK_S: Final = 2.0
"""How much later than a change its event may come."""

TICK_S: Final = 0.05
"""Changes that are closer to each other may have one and the same time."""


class _Place:
    """One of the directories, and what is known of it.

    Attributes:
        path: Where it is.
        kinds: The events that matter there.
        news: What they mean.
        armed: What is listened to.
        heard_s: When something was heard of it.
        is_gone: It was heard that the one listened to is removed.
        is_doubtful: A change was not heard of, up to the last look.
    """

    def __init__(
        self,
        path: Path,
        kinds: Collection[type[FileSystemEvent]],
        news: Callable[[FileSystemEvent], Signal | None],
    ) -> None:
        self.path, self.kinds, self.news = path, kinds, news
        self.armed: Seen | None = None
        self.heard_s = 0.0
        self.is_gone = self.is_doubtful = False


class Watch:
    """Watches a cache, which may come and go.

    Args:
        cache: Its root.
        tell: Hears of changes, in any thread.
        warn: Hears of what is wrong, in any thread.
        hear_build: Hears of what comes and goes where uv builds, in any thread.
        open_ears: Makes what listens; others in tests.
        now_s: This host's time, as files have it.
        monotonic_s: The clock for pauses.

    Attributes:
        is_absent: Whether there is no cache now.
    """

    def __init__(
        self,
        cache: Path,
        *,
        tell: Callable[[Signal], None],
        warn: Callable[[str], None],
        hear_build: Callable[[FileSystemEvent], None] | None = None,
        open_ears: Callable[[Callable[[str], None]], Ears] = Ears,
        now_s: Callable[[], float] = clock.now_s,
        monotonic_s: Callable[[], float] = clock.monotonic_s,
    ) -> None:
        self._tell = tell
        self._warn = warn
        self._hear_build = hear_build
        self._open_ears = open_ears
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._root = _Place(cache, ENDS, news_of_root)
        self._archives = _Place(cache / ARCHIVES, NAMES, news_of_archives)
        self._builds = _Place(cache / BUILDS, NAMES, news_of_builds)
        self._places = (self._root, self._archives, self._builds)
        self._eyes = Eyes(warn)
        self._ears: Ears | None = None
        self._is_limited = False
        self._retry_s = 0.0
        self._polled: list[tuple[int, ...]] | None = None
        self._warned_s: dict[str, float] = {}
        self.is_absent = True

    @property
    def mode(self) -> str:
        """How it learns of changes: `inotify` or `polling`."""
        return "polling" if self._is_limited else "inotify"

    @property
    def watches(self) -> int:
        """How many inotify watches it has: three at most."""
        return sum(place.armed is not None for place in self._places)

    def check(self) -> float:
        """Follow directories that came and went, and find what no event told of.

        To be called by one thread, after each signal too.  Returns in how many seconds
        to call it again.
        """
        root = self._eyes.look(self._root.path)
        self.is_absent = root is None
        if root is None:
            self.close()
            self._polled = None
            return CHECK_S if self._eyes.is_troubled(self._root.path) else ABSENT_S
        found = {self._root: root}
        for place in (self._archives, self._builds):
            if (seen := self._eyes.look(place.path)) is not None:
                found[place] = seen
        try:
            is_listening = self._listen(found)
        except CannotListen as exc:
            is_listening = False
            self.close()
            self._retry_s = self._monotonic_s() + RETRY_S
            if not self._is_limited:
                self._is_limited = True
                self._warn(f"{exc}; meanwhile the cache is polled every {POLL_S:g} s")
        if not is_listening:
            self._poll(found)
        is_sure = is_listening and self._find_unheard(found)
        return CHECK_S if is_sure and len(found) == len(self._places) else POLL_S

    def close(self) -> None:
        """Listen no more, until the next `check`."""
        if self._ears is not None:
            self._ears.close()
            self._ears = None
        for place in self._places:
            place.armed = None

    def _listen(self, found: dict[_Place, Seen]) -> bool:
        """Have each directory listened to, and no other; return whether that is so.

        Raises CannotListen.
        """
        if self._ears is not None and not self._ears.is_well():
            self._lose("a thread that listens to inotify has ended and is replaced")
            self.close()
        if self._ears is None:
            if self._monotonic_s() < self._retry_s:
                return False
            self._ears = self._open_ears(self._overheard)
        ears = self._ears
        news = [self._arm(place, found.get(place), ears) for place in self._places]
        if self._is_limited:
            self._is_limited, self._polled = False, None
            self._warn("inotify can be used again: the cache is no longer polled")
        if any(news):
            # What came before it was listened to.
            self._tell(Signal.CHANGED)
        return True

    def _arm(self, place: _Place, there: Seen | None, ears: Ears) -> bool:
        """Listen to what is there now; return whether that is new."""
        if place.armed is not None:
            # One that is made again at once may have the number of the one before.
            is_same = place.armed.is_same(there) and not place.is_gone
            if is_same and ears.hears(place.path):
                return False
            ears.unlisten(place.path)
            place.armed = None
        if there is None:
            return False
        place.is_gone = place.is_doubtful = False
        place.heard_s = self._now_s()
        try:
            ears.listen(place.path, lambda event: self._hear(place, event), place.kinds)
        except (FileNotFoundError, NotADirectoryError):  # it went this moment
            return False
        place.armed = there
        return True

    def _find_unheard(self, found: dict[_Place, Seen]) -> bool:
        """Return whether all changes were heard that are old enough.

        If not, and at the next look still not, what listens is made anew.
        """
        now_s = self._now_s()
        is_sure = True
        for place in (self._archives, self._builds):
            if place not in found or place.armed is None:
                continue
            changed_s = found[place].changed_s
            is_unheard = place.heard_s + SLACK_S < changed_s < now_s - SLACK_S
            if is_unheard and place.is_doubtful:
                self._lose(f"inotify did not tell of changes in {place.path}")
                self.close()
                return False
            place.is_doubtful = is_unheard
            is_sure = is_sure and not is_unheard
        return is_sure

    def _poll(self, found: dict[_Place, Seen]) -> None:
        full = [found[p] for p in (self._archives, self._builds) if p in found]
        state: list[tuple[int, ...]] = [found[self._root][:2], *full]
        if state != self._polled:
            # That may be the end of a command as well: nothing will tell.
            self._tell(Signal.CHANGED)
        now_s = self._now_s()
        is_fresh = any(abs(now_s - seen.changed_s) < TICK_S for seen in full)
        self._polled = None if is_fresh else state

    def _overheard(self, message: str) -> None:
        """Take what the library warns of; in any thread."""
        self._lose(f"watchdog: {message}")

    def _lose(self, reason: str) -> None:
        now = self._monotonic_s()
        if now >= self._warned_s.get(reason, 0.0):
            self._warned_s[reason] = now + RETRY_S
            self._warn(f"{reason}; the whole cache is scanned")
        self._tell(Signal.LOST)

    def _hear(self, place: _Place, event: FileSystemEvent) -> None:
        """Take an event of a directory; in watchdog's thread."""
        place.heard_s = self._now_s()
        if place is self._builds and self._hear_build is not None:
            self._hear_build(event)
        news = place.news(event)
        if path_of(event) == place.path:
            place.is_gone = True
            news = Signal.CHANGED
        if news is not None:
            self._tell(news)
