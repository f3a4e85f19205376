"""The daemon at work with one configuration, until it is told to stop or to reload."""

import math
import random
import selectors
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from wheelferry.daemon.buildtimes import BuildTimes
from wheelferry.daemon.door import Door, Terms
from wheelferry.daemon.exporter import make_exporter
from wheelferry.daemon.jobs import Job, Result
from wheelferry.daemon.poll import Poller, Sight
from wheelferry.daemon.report import STORE, Reporter
from wheelferry.daemon.schedule import Schedule, Task
from wheelferry.daemon.textfile import Textfile
from wheelferry.daemon.wake import Wake
from wheelferry.daemon.watch import Signal, Watch
from wheelferry.disk import Disk
from wheelferry.events import Level

READY_S: Final = 5.0
"""How long the start waits for a first look at the store."""


class Settings(NamedTuple):
    """What a daemon works with.

    Attributes:
        cache: Root of the local uv cache; may not be there.
        state: This runner's own directory.
        store: Where the store is; nothing is looked up there.
        runner: Who this is in the store.
        catalog: Its directory whose names tell of every change.
        tasks: What is to be done.
        poll_s: How often the store is looked at.
        rescan_s: How often everything is compared.
        timeout_s: How long the store may be silent.
        gc_s: How often a removal looks whether there is something to remove.
        job_argv: The program for one run of a task.
        payload: The configuration, for that program's stdin.
        door: Where it is asked to pull, if anywhere.
        metrics_port: Port of the loopback where its figures can be had, if any.
        textfile: File that has them for node_exporter, if any.
    """

    cache: Path
    state: Path
    store: Path
    runner: str
    catalog: Path
    tasks: frozenset[Task]
    poll_s: float
    rescan_s: float
    gc_s: float
    timeout_s: float
    job_argv: Sequence[str]
    payload: bytes
    door: Terms | None = None
    metrics_port: int | None = None
    textfile: Path | None = None


class _Service(Protocol):
    """What is there for others."""

    def step(self, now: float) -> None:
        """Do what is due."""

    def next_s(self) -> float:
        """Return when `step` is to be called again."""

    def close(self) -> None:
        """End it."""


class Shift:
    """Watches, looks, and has tasks run.

    Args:
        settings: The configuration.
        selector: Calls `on_readable` for what is registered with it.
        wake: Wakes the loop from other threads.
        reporter: Told of everything.
        disk: What changes the local disk.
        now: When this is.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        selector: selectors.BaseSelector,
        wake: Wake,
        reporter: Reporter,
        disk: Disk,
        now: float,
    ) -> None:
        self._settings = settings
        self._selector = selector
        self._reporter = reporter
        self._wake = wake
        self._began_s = now
        self._is_ready = False
        self._has_looked = False
        self._jobs: dict[Task, Job] = {}
        self._tracked: int | None = None
        self._schedule = Schedule(
            settings.tasks,
            rescan_s=settings.rescan_s,
            random=random.random,
            gc_s=settings.gc_s,
        )
        self._poller = Poller(
            settings.catalog,
            location=str(settings.store),
            interval_s=settings.poll_s,
            timeout_s=settings.timeout_s,
            track=self._track,
        )
        self._watch = Watch(
            settings.cache,
            tell=wake.tell,
            warn=wake.warn,
            hear_build=BuildTimes(settings.state, disk).hear,
        )
        self._check_s = now
        self._services: list[_Service] = []
        if (terms := settings.door) is not None:
            self._services.append(
                Door(terms, selector=selector, reporter=reporter, disk=disk)
            )
        if (port := settings.metrics_port) is not None:
            self._services.append(
                make_exporter(port, selector=selector, reporter=reporter)
            )
        if (path := settings.textfile) is not None:
            self._services.append(Textfile(path, disk=disk, reporter=reporter))

    def step(self, now: float) -> float:
        """Do what is due; return when to be called again, if nothing happens before."""
        for signal in self._wake.take_signals():
            self._heard(signal, now)
        for message in self._wake.take_warnings():
            self._reporter.warn(message)
        if now >= self._check_s:
            self._check_s = now + self._watch.check()
        for sight in self._poller.check(now):
            self._saw(sight, now)
        for job in list(self._jobs.values()):
            job.check(now)
        if not self._is_ready and (self._has_looked or now >= self._began_s + READY_S):
            self._is_ready = True
            self._say_ready()
        if self._is_ready:
            for task in self._schedule.take_due(now):
                self._begin(task, now)
        self._reporter.update(
            self._schedule.turns,
            watching="absent" if self._watch.is_absent else self._watch.mode,
            watches=self._watch.watches,
        )
        for service in self._services:  # they tell what is so by now
            service.step(now)
        starts_s = self._schedule.next_s()
        return min(
            self._check_s,
            self._poller.next_s(),
            starts_s if self._is_ready else self._began_s + READY_S,
            min((job.next_s() for job in self._jobs.values()), default=math.inf),
            min((service.next_s() for service in self._services), default=math.inf),
        )

    def close(self) -> None:
        """End all that was begun; what a run had complete stays."""
        for job in self._jobs.values():
            job.interrupt()
        for service in self._services:
            service.close()
        self._watch.close()
        self._poller.close()
        for job in self._jobs.values():
            self._selector.unregister(job.fd)
            job.end()
        self._jobs.clear()

    def _heard(self, signal: Signal, now: float) -> None:
        if signal is Signal.CHANGED:
            self._schedule.changed(now)
        elif signal is Signal.ENDED:
            self._schedule.command_ended(now)
        else:
            self._schedule.lost_track(now)
        self._check_s = min(self._check_s, now)

    def _saw(self, sight: Sight, now: float) -> None:
        was_away, is_first = self._schedule.is_store_away, not self._has_looked
        self._has_looked = True
        if sight.away:
            self._schedule.store_went()
            self._reporter.lacks(STORE, sight.away, hint=sight.hint)
            return
        if was_away:
            self._schedule.store_answered(now)
            self._reporter.has(STORE)
        if sight.is_new and not is_first:
            self._schedule.store_changed(now)

    def _begin(self, task: Task, now: float) -> None:
        settings = self._settings
        try:
            job = Job(task, settings.job_argv, settings.payload, now)
        except OSError as exc:
            result = Result(error=f"cannot start a process: {exc.strerror or exc}")
            self._ended(task, result, now)
            return
        self._jobs[task] = job
        self._watch_fd(job.fd, lambda now: self._read_job(job, now))

    def _read_job(self, job: Job, now: float) -> None:
        for warned in job.read(now):
            self._reporter.warned(job.task, warned)
        if job.has_ended:
            self._selector.unregister(job.fd)
            del self._jobs[job.task]
            self._ended(job.task, job.finish(), now)

    def _ended(self, task: Task, result: Result, now: float) -> None:
        if result.error:
            self._schedule.failed(task, now)
        else:
            self._schedule.succeeded(task, now, is_unsettled=result.is_unsettled)
        self._reporter.ended(task, result)

    def _track(self, fd: int | None) -> None:
        if self._tracked is not None:
            self._selector.unregister(self._tracked)
        self._tracked = fd
        if fd is not None:
            self._watch_fd(fd, self._read_poller)

    def _read_poller(self, now: float) -> None:
        for sight in self._poller.read(now):
            self._saw(sight, now)

    def _watch_fd(self, fd: int, function: Callable[[float], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, function)

    def _say_ready(self) -> None:
        settings = self._settings
        watching = "absent yet" if self._watch.is_absent else self._watch.mode
        self._reporter.log(
            "daemon.started",
            f"serving {settings.cache} ({watching}), looking at {settings.store} every"
            f" {settings.poll_s:g} s: {' and '.join(sorted(settings.tasks))}",
            Level.INFO,
        )
        self._reporter.ready()
