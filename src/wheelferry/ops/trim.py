"""Trim: the least recently used entries leave the cache, until it is within its budget.

gather: `uvcache.holdings`, and the view as it is on disk: the store is not asked.
plan: `trim_plan`.  apply, in slices: under uv's root lock, exclusively, names are removed
and archives renamed into the staging area; the lock is released; what was set aside is
deleted, which takes longest, while uv works again.

Killed at any point: names go before the archives that they name, so uv never finds a
name without its archive; an entry without its metadata is whole for uv; an archive without a name is the first thing that the next trim takes;
what was set aside is swept by whatever opens a `WorkDir` next.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from wheelferry.disk import Disk, FileLock, WorkDir, clock
from wheelferry.errors import CacheError, CacheLocked
from wheelferry.events import Event, Level, Sink
from wheelferry.ops.convert import encode_record
from wheelferry.ops.local import local_disk, sweep_staging
from wheelferry.ops.past import note_trimmed
from wheelferry.ops.promote_plan import subject_of
from wheelferry.ops.tiers import STAGING
from wheelferry.ops.trim_plan import Group, Known, TrimPlan, plan_trim
from wheelferry.store.record import Identity
from wheelferry.store.view import View
from wheelferry.uvcache.holdings import (
    Holder,
    find_holders,
    is_unused_since,
    read_holdings,
)
from wheelferry.uvcache.locks import lock_cache
from wheelferry.uvcache.place import ARCHIVES
from wheelferry.uvcache.running import find_uv_process, may_be_unlocked
from wheelferry.uvcache.scan import scan_cache
from wheelferry.uvcache.stage import Stage

LOCK_WAIT_S: Final = 2.0
"""How long to look for a moment in which no uv uses the cache."""

SLICE_S: Final = 0.25
"""How long the lock is held at a time, besides the look at what names what."""


class Place(NamedTuple):
    """One runner's cache, and what a trim of it works with.

    Attributes:
        cache: Its root.
        state: The runner's own directory, on the cache's filesystem.
        view: The runner's view of the catalog as it was last refreshed; None if there
            is none.
        disk: What changes the disk.
        emit: Where facts go.
        now: This host's clock, in seconds since the epoch.
        find_uv: Returns the pid of a uv that runs now, if there is one.
    """

    cache: Path
    state: Path
    view: View | None
    disk: Disk
    emit: Sink
    now: Callable[[], float] = clock.now_s
    find_uv: Callable[[], int | None] = find_uv_process

    @property
    def staging(self) -> Path:
        """Where temporary directories are."""
        return self.state / STAGING


@dataclass(slots=True, kw_only=True)
class TrimReport:
    """What a trim did; sizes in bytes, on the disk.

    Attributes:
        removed: What is gone.
        changed: What was to go, and was used or replaced meanwhile.
        stopped_by: What ended it half way, if anything did.
    """

    removed: list[Group] = field(default_factory=list)
    changed: list[Group] = field(default_factory=list)
    stopped_by: CacheError | None = None

    @property
    def freed_bytes(self) -> int:
        """What the cache is smaller by."""
        return sum(group.size_bytes for group in self.removed)

    @property
    def shared_bytes(self) -> int:
        """How much of that is free only when environments are removed."""
        return sum(group.shared_bytes for group in self.removed)


def read_plan(place: Place, *, max_bytes: int, spare_s: float = 0.0) -> TrimPlan:
    """Read the cache and decide what is to leave it; changes nothing.

    Args:
        place: The cache, and the view.
        max_bytes: The budget.
        spare_s: How long ago something must have been used to be removed.

    Raises CacheError.
    """
    with local_disk(place.cache):
        holdings = read_holdings(place.cache)
    known: Mapping[str, Known] = {}
    if holdings.size_bytes > max_bytes:
        known = _find_known(place)
    return plan_trim(
        holdings, known, max_bytes=max_bytes, now_s=place.now(), spare_s=spare_s
    )


def apply_trim(place: Place, plan: TrimPlan) -> TrimReport:
    """Carry a plan out; what was used or replaced since it was made stays.

    That these entries go is noted first: if the note were lost, the next pull would
    bring them back.

    Raises:
        CacheLocked: uv uses the cache; no archive was removed.
        CacheError: The cache cannot be changed by this user.
    """
    report = TrimReport()
    if not plan.victims:
        sweep_staging(place.staging, place.disk)
        return report
    if place.view is not None:
        identities = (i for group in plan.victims for i in group.identities)
        note_trimmed(place.cache, place.view, identities)
    trim = _Trim(place, report)
    waiting = list(plan.victims)
    try:
        with local_disk(place.cache):
            while waiting:
                waiting = trim.take_slice(waiting)
    except CacheError as exc:
        if not report.removed:
            raise
        report.stopped_by = exc
    return report


def _find_known(place: Place) -> dict[str, Known]:
    """Return which entries are in which holder, and whether the store has them."""
    subjects: defaultdict[str, list[str]] = defaultdict(list)
    identities: defaultdict[str, list[Identity]] = defaultdict(list)
    is_in_store: defaultdict[str, bool] = defaultdict(lambda: True)
    for entry in scan_cache(place.cache).entries:
        info = entry.info
        bucket, key = info.format_id.partition("/")[0], info.key
        path = f"{bucket}/{key.shard}"
        if not key.kind.is_built:
            path = f"{path}/{key.stem}"
        identity = encode_record(
            info, pack="", pack_bytes=0, tree_bytes=0, tree_files=0
        ).identity
        subjects[path].append(subject_of(info))
        identities[path].append(identity)
        is_in_store[path] &= _is_in_store(place.view, identity)
    return {
        path: Known(tuple(subjects[path]), tuple(identities[path]), is_in_store[path])
        for path in subjects
    }


def _is_in_store(view: View | None, identity: Identity) -> bool:
    return view is not None and any(
        not view.is_missing(light.pack) for light in view.find_identity(identity)
    )


class _Trim:
    """One trim at work."""

    def __init__(self, place: Place, report: TrimReport) -> None:
        self._place = place
        self._report = report
        self._root = os.path.abspath(place.cache)  # noqa: PTH100 - str for many paths
        self._disk = place.disk

    def take_slice(self, waiting: Sequence[Group]) -> list[Group]:
        """Remove some of what is waiting, and return the rest.

        Raises CacheLocked, CacheError, OSError.
        """
        with WorkDir.open(self._place.staging, disk=self._disk) as work:
            stage = Stage(self._place.cache, work.path, self._disk)
            with self._lock() as lock:
                taken, rest = self._take_names(stage, waiting, lock)
                if self._is_unlocked:
                    # Who began before the names went may still come for an archive;
                    # who began after that cannot.
                    self._refuse_beside_uv()
                self._take_archives(stage, taken)
            # Here, without the lock, the work directory and all in it is deleted.
        for group in taken:
            self._report.removed.append(group)
            self._place.emit(_trimmed(group))
        return rest

    @property
    def _is_unlocked(self) -> bool:
        return may_be_unlocked(self._place.cache)

    @contextmanager
    def _lock(self) -> Iterator[FileLock]:
        lock = lock_cache(
            self._place.cache, disk=self._disk, wait_s=LOCK_WAIT_S, shared=False
        )
        if lock is None:
            raise CacheLocked(
                f"{self._place.cache} is in use: uv, or a pull, holds its lock",
                hint="trim when no job runs, as from a timer; the next run tries again",
            )
        with lock:
            if self._is_unlocked:
                self._refuse_beside_uv()
            yield lock

    def _refuse_beside_uv(self) -> None:
        pid = self._place.find_uv()
        if pid is not None:
            raise CacheLocked(
                f"{self._place.cache} may be in use: uv runs as process {pid}, and uv"
                " before 0.8.19, which has filled this cache, takes no lock",
                hint="trim when no job runs; `uv cache prune` of a newer uv removes the"
                " buckets of the old one, and then its lock is enough",
            )

    def _take_names(
        self, stage: Stage, waiting: Sequence[Group], lock: FileLock
    ) -> tuple[list[Group], list[Group]]:
        """Remove what names the archives; return what was removed, and what waits."""
        now = find_holders(self._place.cache)
        named: defaultdict[str, set[str]] = defaultdict(set)
        for path, holder in now.items():
            for archive_id in holder.archives:
                named[archive_id].add(path)
        end_s = clock.monotonic_s() + SLICE_S
        taken: list[Group] = []
        for number, group in enumerate(waiting):
            if taken and clock.monotonic_s() >= end_s:
                return taken, list(waiting[number:])
            if not lock.is_current():
                raise CacheLocked(f"`uv cache clean` removed {lock.path}")
            if not self._is_as_planned(group, now, named):
                self._report.changed.append(group)
                continue
            for holder in group.holders:
                self._remove_holder(stage, holder)
            taken.append(group)
        return taken, []

    def _is_as_planned(
        self, group: Group, now: Mapping[str, Holder], named: Mapping[str, set[str]]
    ) -> bool:
        """Return whether nobody used, changed or named any of a group since."""
        paths = {holder.path for holder in group.holders}
        return all(
            holder.path in now and now[holder.path].facts == holder.facts
            for holder in group.holders
        ) and all(
            named.get(archive.id, set()) <= paths
            and is_unused_since(self._place.cache, archive)
            for archive in group.archives
        )

    def _remove_holder(self, stage: Stage, holder: Holder) -> None:
        if holder.files:
            for path in holder.files:
                self._disk.unlink(f"{self._root}/{path}")
            return
        # Its pointer, its links and its wheels are gone at once.
        self._disk.rename(f"{self._root}/{holder.path}", stage.new_path("sdist"))

    def _take_archives(self, stage: Stage, groups: Sequence[Group]) -> None:
        for group in groups:
            for archive in group.archives:
                with suppress(FileNotFoundError):  # an old `uv cache prune` took it
                    self._disk.rename(
                        f"{self._root}/{ARCHIVES}/{archive.id}",
                        stage.new_path("archive"),
                    )


def _trimmed(group: Group) -> Event:
    return Event(
        name="entry.trimmed",
        level=Level.DEBUG,
        message=f"removed {', '.join(group.subjects)}",
        fields={
            "subject": group.subjects[0],
            "size_bytes": group.size_bytes,
            "used_s": int(group.used_s),
        },
    )
