"""Put entries into a cache so that uv finds them whole, or not at all.

What is promised to uv rests on the order of the steps in `publish`; nothing overwrites
what uv wrote and can use.
"""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from wheelferry.disk import FileLock
from wheelferry.errors import CacheError, CacheLocked, IntegrityError
from wheelferry.uvcache.archive import find_record
from wheelferry.uvcache.entry import EntryInfo
from wheelferry.uvcache.formats import find_format
from wheelferry.uvcache.locks import lock_sdist
from wheelferry.uvcache.pointer import Pointer
from wheelferry.uvcache.presence import Inspector, Part, Presence, State
from wheelferry.uvcache.recordcheck import check_restorable
from wheelferry.uvcache.stage import Stage, not_same_filesystem
from wheelferry.uvcache.steps import FILES, Placer

_WHOLE_DISK = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EXDEV}
)


_SDIST_LOCKED = "another process holds its lock: uv building it, or another pull"


class Result(StrEnum):
    """What became of an entry."""

    RESTORED = "restored"
    MENDED = "mended"
    ALREADY_PRESENT = "already-present"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorable:
    """An entry to be restored.

    Attributes:
        info: As the record has it; hostile until checked here.
        archive_id: The digest of its pack, in hex.
        staged: The pack's tree, verified, in a directory from `Stage.archive_dir`; None
            if the cache has that archive.  Entries with one pack share one tree.
    """

    info: EntryInfo
    archive_id: str
    staged: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an entry; `reason` says why it was skipped.

    `is_unsettled` says that it was because of something that goes on just now.

    RESTORED if uv could not have installed it before; MENDED if only a part was missing
    that pruning, resolving or `--reinstall` need.
    """

    info: EntryInfo
    result: Result
    reason: str = ""
    is_unsettled: bool = False


def publish(
    stage: Stage, batch: Sequence[Restorable], *, lock: FileLock
) -> list[Outcome]:
    """Put entries in place, and return what became of each, in their order.

    `lock` is the cache's root lock, from `lock_cache`, held until the return.  No other
    lock is waited for: an sdist that uv is building, or that another pull is at, is
    skipped.

    Steps, and what a kill after each leaves:

    1. *stage files*: `.whl`, metadata and pointers are written in the staging area.
       Nothing in the cache; the area is swept later.
    2. *sync*: one syncfs, because uv never syncs and cannot tell an archive that a power
       loss emptied.  As 1.
    3. *rename archive* into `archive-v0`.  An archive that nothing names: uv ignores it,
       and prunes it; a second restore finds and uses it.  So does another pull of the
       same pack at the same time: an archive that uv can use is never moved.
    4. *place files*: `.whl` and metadata.  Of a new revision uv sees nothing without its
       pointer; in a revision that uv knows it takes the `.whl` as if it had built it.
    5. *link* to the archive.  uv can install a wheel built from a revision or commit that
       it knows: there this is the commit point.  Otherwise as 3, but prune keeps it.
    6. *pointer*: the commit point of all others.  From here on uv needs nothing.
    7. *look again*: what a uv without a root lock, or one that replaced the lock, has
       removed meanwhile gets its pointer or link withdrawn.

    Steps 3 to 6 run entry by entry, those of an sdist under uv's lock of it.

    Raises:
        CacheLocked: The root lock was lost before the first step.
        CacheError: The disk takes no more, or staging is on another filesystem.  What
            was in place until then stays.
    """
    if not lock.is_current():
        raise CacheLocked(
            f"`uv cache clean` or an old `uv cache prune` removed {lock.path}",
            hint="nothing was restored; pull again",
        )
    restore = _Restore(stage)
    jobs = [restore.plan(item) for item in batch]
    try:
        restore.stage_files(jobs)
        for job in jobs:
            restore.commit(job)
        restore.look_again(jobs)
    except OSError as exc:
        raise _refused(stage, exc) from exc
    return [
        Outcome(
            info=job.item.info,
            result=job.result,
            reason=job.reason,
            is_unsettled=job.is_unsettled,
        )
        for job in jobs
    ]


@dataclass(slots=True)
class _Job:
    """One entry on its way; it is waiting until its result is another."""

    item: Restorable
    result: Result = Result.SKIPPED
    reason: str = ""
    is_unsettled: bool = False
    pointer: Pointer | None = None
    presence: Presence | None = None
    files: dict[Part, Path] = field(default_factory=dict)

    def skip(self, reason: str, *, is_unsettled: bool = False) -> None:
        """Leave the entry as it is."""
        self.result, self.reason, self.presence = Result.SKIPPED, reason, None
        self.is_unsettled = is_unsettled


class _Restore:
    """One call of `publish`; a job whose `presence` is None is decided."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._disk = stage.disk
        self._placer = Placer(stage)
        self._inspector = Inspector(stage.root)
        self._placed: set[str] = set()

    def plan(self, item: Restorable) -> _Job:
        """Check what the store says, and see what the cache has."""
        info, job = item.info, _Job(item)
        try:
            job.pointer = check_restorable(info, item.archive_id)
        except IntegrityError as exc:
            job.skip(exc.message)
            return job
        presence = self._inspector.find(info, item.archive_id)
        if presence.state is State.CONFLICT:
            job.skip(presence.reason)
        elif presence.state is State.PRESENT:
            job.result = Result.ALREADY_PRESENT
        elif Part.ARCHIVE in presence.missing and item.staged is None:
            job.skip("its archive is not in the cache, and was not fetched")
        elif Part.ARCHIVE in presence.missing and not find_record(
            os.fspath(item.staged or ""), info.name
        ):
            job.skip("its pack does not hold the tree of that wheel")
        else:
            job.presence = presence
        return job

    def stage_files(self, jobs: Sequence[_Job]) -> None:
        """Take steps 1 and 2."""
        waiting = False
        for job in jobs:
            if job.presence is not None:
                waiting = True
                job.files = self._placer.stage_files(
                    job.item.info, job.pointer, job.presence, job.item.staged
                )
        if waiting:
            self._disk.sync_filesystem(self._stage.work)

    def commit(self, job: _Job) -> None:
        """Put one entry in place, under the lock of its sdist if it has one."""
        if job.presence is None:
            return
        shard = job.presence.place.shard
        try:
            self._placer.ensure_dir(shard)
            if not job.item.info.key.kind.is_built:
                self._place(job)
                return
            lock = lock_sdist(self._stage.root / shard, disk=self._disk)
            if lock is None:
                job.skip(_SDIST_LOCKED, is_unsettled=True)
                return
            with lock:
                self._place(job)
        except OSError as exc:
            if exc.errno in _WHOLE_DISK:
                raise
            job.skip(f"cannot be put in place: {exc}")

    def _place(self, job: _Job) -> None:
        """Take steps 3 to 6 for what is missing now, not when it was planned."""
        item, placer = job.item, self._placer
        row = find_format(item.info.format_id)
        seen = Inspector(self._stage.root).find(item.info, item.archive_id)
        missing = seen.missing
        if seen.state is State.CONFLICT:
            job.skip(seen.reason)
            return
        if seen.state is State.PRESENT:
            # By uv meanwhile, or by the archive that came with another entry.
            ours = item.archive_id in self._placed
            job.result = Result.RESTORED if ours else Result.ALREADY_PRESENT
            return
        if (
            row is None
            or any(part in missing and part not in job.files for part in FILES)
            or (Part.ARCHIVE in missing and item.staged is None)
        ):
            job.skip("uv changed it at the same time", is_unsettled=True)
            return
        place = seen.place
        placer.ensure_dir(place.home)
        if Part.ARCHIVE in missing and item.staged is not None:
            placer.place_archive(item.staged, item.archive_id, item.info.name)
            self._placed.add(item.archive_id)
        for part, path in (
            (Part.WHEEL, place.wheel),
            (Part.METADATA, place.metadata),
        ):
            if part in missing:
                placer.place_file(job.files[part], path, is_broken=False)
        if Part.LINK in missing:
            placer.place_link(seen, row)
        if Part.POINTER in missing:
            is_broken = Part.POINTER in seen.broken
            placer.place_file(
                job.files[Part.POINTER], place.pointer, is_broken=is_broken
            )
        needed = {Part.ARCHIVE, Part.POINTER}
        if item.info.key.kind.is_built:
            needed.add(Part.LINK)
        job.result = Result.RESTORED if missing & needed else Result.MENDED

    def look_again(self, jobs: Sequence[_Job]) -> None:
        """Take step 7."""
        inspector = Inspector(self._stage.root)
        for job in jobs:
            if job.result not in (Result.RESTORED, Result.MENDED):
                continue
            seen = inspector.find(job.item.info, job.item.archive_id)
            if Part.ARCHIVE in seen.missing:
                self._placer.withdraw(seen)
            if seen.reason or seen.missing & {Part.ARCHIVE, Part.POINTER}:
                job.skip(seen.reason or "uv removed a part of it at the same time")


def _refused(stage: Stage, exc: OSError) -> CacheError:
    if exc.errno == errno.EXDEV:
        return not_same_filesystem(stage.root, stage.work)
    hint = f"see what is wrong with the disk that holds {stage.root}"
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space, or have `uv cache prune` do it"
    return CacheError(f"cannot restore into {stage.root}: {exc}", hint=hint)
