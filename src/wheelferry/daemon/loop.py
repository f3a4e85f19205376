"""The daemon's loop: signals, the watchdog, and one shift after another.

One thread does everything here, and never waits for the share; watchdog's threads only
wake it.
"""

import os
import selectors
from collections.abc import Callable
from typing import Final, NamedTuple

from wheelferry import __version__
from wheelferry.daemon.account import Account, take_daemon_lock
from wheelferry.daemon.notify import Notifier
from wheelferry.daemon.report import Reporter
from wheelferry.daemon.shift import Settings, Shift
from wheelferry.daemon.wake import Wake
from wheelferry.disk import Disk, clock
from wheelferry.disk.lock import FileLock
from wheelferry.errors import CacheError, WheelferryError
from wheelferry.events import Sink

PINGS: Final = 3
"""How often the watchdog hears of us within its time."""

CONFIGURATION: Final = "configuration"

MAX_WAIT_S: Final = 60.0
"""How long the loop sleeps at most."""


class Manager(NamedTuple):
    """The service manager.

    Attributes:
        notifier: How to tell it something.
        watchdog_s: Within what time it has to hear of us, or None.
    """

    notifier: Notifier
    watchdog_s: float | None


class Daemon:
    """Serves one cache.

    Args:
        settings: What to begin with.
        reload: Reads the configuration again, at SIGHUP; if it raises WheelferryError,
            nothing changes.
        emit: The log.
        manager: The service manager.
        disk: What changes the local disk.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        reload: Callable[[], Settings],
        emit: Sink,
        manager: Manager,
        disk: Disk,
    ) -> None:
        self._settings = settings
        self._reload = reload
        self._emit = emit
        self._manager = manager
        self._disk = disk
        self._started_s = clock.now_s()
        self._ping_s = 0.0

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            DaemonRunning: Another daemon serves this cache.
            CacheError: The state directory cannot be used.
        """
        self._lock = self._take_lock(self._settings)
        try:
            with Wake() as wake, selectors.DefaultSelector() as selector:
                selector.register(wake.fd, selectors.EVENT_READ, lambda _: wake.clear())
                while (after := self._serve(wake, selector)) is not None:
                    self._settings = after
        finally:
            self._lock.close()

    def _serve(self, wake: Wake, selector: selectors.BaseSelector) -> Settings | None:
        """Work with one configuration; return the next one, or None for the end."""
        reporter = self._make_reporter()
        shift = Shift(
            self._settings,
            selector=selector,
            wake=wake,
            reporter=reporter,
            disk=self._disk,
            now=clock.monotonic_s(),
        )
        try:
            while not wake.must_stop:
                self._turn(shift, selector, reporter)
                if wake.must_reload:
                    wake.must_reload = False
                    if (after := self._try_reload(reporter)) is not None:
                        return after
            reporter.log("daemon.stopped", "stopping; what is complete stays")
            self._manager.notifier.stopping()
            return None
        finally:
            shift.close()

    def _turn(
        self, shift: Shift, selector: selectors.BaseSelector, reporter: Reporter
    ) -> None:
        """Do what is due, and what happens until the next thing is.

        Raises DaemonRunning: the state directory was removed, and another daemon came.
        """
        if not self._lock.is_current():
            self._replace_lock(self._settings)
            reporter.forget_written()
        now = clock.monotonic_s()
        until_s = min(shift.step(now), now + MAX_WAIT_S)
        watchdog_s = self._manager.watchdog_s
        if watchdog_s is not None:
            if now >= self._ping_s:
                # A turn of the loop has done all that it does just now: that is progress.
                self._manager.notifier.is_alive()
                self._ping_s = now + watchdog_s / PINGS
            until_s = min(until_s, self._ping_s)
        for key, _ in selector.select(max(0.0, until_s - clock.monotonic_s())):
            # What one of them did may have ended another.
            if selector.get_map().get(key.fd) is key:
                key.data(clock.monotonic_s())

    def _try_reload(self, reporter: Reporter) -> Settings | None:
        """Return the new configuration, if there is one that can be used."""
        self._manager.notifier.reloading()
        before = self._settings
        try:
            after = self._reload()
            if after == before:
                reporter.has(CONFIGURATION)
                reporter.log("daemon.reloaded", "the configuration is as it was")
                reporter.ready()
                return None
            if after.state != before.state:
                self._replace_lock(after)
        except WheelferryError as exc:
            reporter.lacks(
                CONFIGURATION,
                f"the configuration is not taken over: {exc.message}",
                hint=exc.hint or "",
                meanwhile="the one before stays in use",
            )
            reporter.ready()
            return None
        reporter.log("daemon.reloaded", "the new configuration is taken over")
        return after

    def _replace_lock(self, settings: Settings) -> None:
        lock = self._take_lock(settings)
        self._lock.close()
        self._lock = lock

    def _take_lock(self, settings: Settings) -> FileLock:
        try:
            self._disk.make_dirs(settings.state)
        except OSError as exc:
            raise CacheError(
                f"cannot make the state directory {settings.state}: {exc.strerror}",
                hint="cache.state must be in a place that this user may write to; under"
                " systemd, in one of the unit's ReadWritePaths",
            ) from exc
        return take_daemon_lock(settings.state, settings.cache)

    def _make_reporter(self) -> Reporter:
        settings = self._settings
        return Reporter(
            Account(
                pid=os.getpid(),
                version=__version__,
                started_s=self._started_s,
                cache=str(settings.cache),
                store=str(settings.store),
                runner=settings.runner,
            ),
            state=settings.state,
            disk=self._disk,
            emit=self._emit,
            notifier=self._manager.notifier,
            now_s=clock.now_s,
            monotonic_s=clock.monotonic_s,
        )
