"""The effects of a pull: packs into staging, then entries into the cache.

Packs are read a few at a time; what is whole is published in batches, each with one
syncfs.  Killed at any point, what was published stays and the rest is missing; the next
`WorkDir` sweeps the staging.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelferry.disk import Disk, WorkDir
from wheelferry.errors import (
    CacheLocked,
    IntegrityError,
    StoreError,
    StoreFormatUnsupported,
)
from wheelferry.events import Event, Level, progress
from wheelferry.ops.choose import subject_of
from wheelferry.ops.convert import decode_entry, event_fields
from wheelferry.ops.left import Left
from wheelferry.ops.local import local_disk
from wheelferry.ops.pull_plan import PullPlan, PullReport
from wheelferry.ops.tiers import Tiers
from wheelferry.pack.pool import Job, Pool
from wheelferry.pack.reader import Extracted, extract_pack
from wheelferry.store.record import Digest
from wheelferry.store.view import LightRecord
from wheelferry.uvcache.locks import lock_cache
from wheelferry.uvcache.restore import Restorable, Result, publish
from wheelferry.uvcache.stage import Stage

BATCH_BYTES = 1 << 30
"""Unpacked size at which a batch is published: a kill loses no more than that."""

FETCHERS = 2
"""Packs that are read at one time."""

SYNC_BYTES = 48 << 20
"""Unpacked size at which what is staged begins to be synced, while more is read.

The sync in `publish`, which all has to wait for, then finds little to do: of a pull of
170 MB it took a third.
"""

LOCK_WAIT_S = 10.0
"""How long `uv cache prune` or `clean` may keep us waiting."""


@dataclass(frozen=True, slots=True)
class _Unread:
    """Why a pack was not read; `is_lost` if its next promotion should mend it."""

    reason: str
    is_lost: bool


def restore(tiers: Tiers, plan: PullPlan, report: PullReport) -> None:
    """Carry a plan out and fill in its report; see `pull.apply_pull`."""
    with (
        local_disk(tiers.staging),
        WorkDir.open(tiers.staging, disk=tiers.disk) as work,
        Pool() as writers,
        Pool(workers=FETCHERS) as fetchers,
        Pool(workers=1) as syncer,
    ):
        restoration = _Restoration(
            tiers,
            plan,
            report,
            work=work.path,
            writers=writers,
            fetchers=fetchers,
            early=_EarlySync(work.path, tiers.disk, syncer),
        )
        for batch in _batches(plan.wanted):
            restoration.restore(batch)
            if report.stopped_by is not None:
                break


def _batches(wanted: Sequence[LightRecord]) -> Iterator[list[LightRecord]]:
    batch: list[LightRecord] = []
    tree_bytes = 0
    for record in wanted:
        batch.append(record)
        tree_bytes += record.tree_bytes
        if tree_bytes >= BATCH_BYTES:
            yield batch
            batch, tree_bytes = [], 0
    if batch:
        yield batch


class _EarlySync:
    """Syncs what is staged from time to time, in a thread of its own."""

    def __init__(self, work: Path, disk: Disk, pool: Pool) -> None:
        self._work = work
        self._disk = disk
        self._pool = pool
        self._staged_bytes = 0
        self._job: Job[None] | None = None

    def add(self, tree_bytes: int) -> None:
        """Note that a tree was staged."""
        self._staged_bytes += tree_bytes
        if self._staged_bytes < SYNC_BYTES:
            return
        if self._job is not None:
            if not self._job.is_done():
                return
            self.settle()
        self._staged_bytes = 0
        self._job = self._pool.submit(
            lambda: self._disk.sync_filesystem(self._work), weight_bytes=0
        )

    def settle(self) -> None:
        """Wait for the last sync and raise its error: the kernel tells each only once."""
        if self._job is not None:
            self._job.result()
            self._job = None


class _Restoration:
    """The effects of a pull: packs into staging, entries into the cache."""

    def __init__(
        self,
        tiers: Tiers,
        plan: PullPlan,
        report: PullReport,
        *,
        work: Path,
        writers: Pool,
        fetchers: Pool,
        early: _EarlySync,
    ) -> None:
        self._tiers = tiers
        self._report = report
        self._stage = Stage(tiers.cache, work, tiers.disk)
        self._writers = writers
        self._fetchers = fetchers
        self._early = early
        self._to_fetch = {record.pack for record in plan.fetched}
        self._done, self._total = 0, len(plan.fetched)
        self._total_bytes = plan.fetch_bytes

    def restore(self, batch: Sequence[LightRecord]) -> None:
        """Read the packs that a batch needs, then publish what is whole."""
        staged = self._fetch(batch)
        restorable: list[tuple[LightRecord, Restorable]] = []
        for record in batch:
            target = staged.get(record.pack)
            if isinstance(target, _Unread):
                if target.is_lost:
                    self._tiers.view.note_missing(record.pack)
                self._fail(record, target.reason)
                continue
            whole = self._tiers.view.load(record.ref)
            if whole is None:
                continue  # removed from the catalog meanwhile
            item = Restorable(
                info=decode_entry(whole, whole.files),
                archive_id=record.pack,
                staged=target,
            )
            restorable.append((record, item))
        if restorable:
            self._publish(restorable)

    def _publish(self, items: Sequence[tuple[LightRecord, Restorable]]) -> None:
        tiers = self._tiers
        lock = lock_cache(tiers.cache, disk=tiers.disk, wait_s=LOCK_WAIT_S)
        if lock is None:
            raise CacheLocked(
                f"{tiers.cache} stayed locked for {LOCK_WAIT_S:.0f} s",
                hint="`uv cache prune` or `uv cache clean` is running; pull again later",
            )
        with lock:
            outcomes = publish(self._stage, [item for _, item in items], lock=lock)
        for (record, _), outcome in zip(items, outcomes, strict=True):
            if outcome.result is Result.SKIPPED:
                self._fail(record, outcome.reason)
            elif outcome.result is not Result.ALREADY_PRESENT:
                self._report.restored.append(record)
                tiers.emit(_restored(record))

    def _fetch(self, batch: Sequence[LightRecord]) -> dict[Digest, Path | _Unread]:
        """Return, by pack, the tree that was staged, or why there is none."""
        jobs: dict[Digest, tuple[LightRecord, Path, Job[Extracted | _Unread]]] = {}
        for record in batch:
            if record.pack not in self._to_fetch:
                continue
            self._to_fetch.discard(record.pack)
            target = self._stage.archive_dir(record.pack, record.name)
            if target is not None:
                job = self._fetchers.submit(
                    lambda record=record, target=target: self._read(  # type: ignore[misc]
                        record, target
                    ),
                    weight_bytes=0,
                )
                jobs[record.pack] = record, target, job
        staged: dict[Digest, Path | _Unread] = {}
        for pack, (record, target, job) in jobs.items():
            outcome = job.result()
            if isinstance(outcome, Extracted):
                staged[pack] = target
                self._report.bytes_read += record.pack_bytes
                self._report.tree_bytes += outcome.tree_bytes
                self._early.add(outcome.tree_bytes)
                self._done += 1
                self._tiers.emit(
                    progress(
                        "pulling",
                        done=self._done,
                        total=self._total,
                        done_bytes=self._report.bytes_read,
                        total_bytes=self._total_bytes,
                    )
                )
            else:
                staged[pack] = outcome
        self._early.settle()
        return staged

    def _read(self, record: LightRecord, target: Path) -> Extracted | _Unread:
        """Read one pack into `target`; runs in a thread."""
        if self._report.stopped_by is not None:
            return _Unread("the store failed before it was read", is_lost=False)
        try:
            stream = self._tiers.store.open_object(record.pack)
            if stream is None:
                return _Unread("its pack is missing from the store", is_lost=True)
            with stream:
                return extract_pack(
                    stream.read,
                    digest=record.pack,
                    size_bytes=record.pack_bytes,
                    target=target,
                    disk=self._tiers.disk,
                    pool=self._writers,
                )
        except IntegrityError as exc:
            return _Unread(exc.message, is_lost=True)
        except StoreFormatUnsupported as exc:  # of this one pack
            return _Unread(exc.message, is_lost=False)
        except StoreError as exc:
            self._report.stopped_by = exc
            return _Unread(exc.message, is_lost=False)

    def _fail(self, record: LightRecord, reason: str) -> None:
        left = Left(subject=subject_of(record), reason=reason)
        self._report.failed.append(left)
        self._tiers.emit(
            Event(
                name="entry.failed",
                level=Level.WARNING,
                message=f"not pulled: {left.subject}: {reason}",
                fields={"subject": left.subject, "reason": reason, "pack": record.pack},
            )
        )


def _restored(record: LightRecord) -> Event:
    return Event(
        name="entry.restored",
        level=Level.DEBUG,
        message=f"pulled {record.name} {record.version} ({record.tags})",
        fields=event_fields(record),
    )
