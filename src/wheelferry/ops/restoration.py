"""The effects of a pull: packs into staging, then entries into the cache.

What is whole is published in batches, after one syncfs each.  Killed at any point, what
was published stays and the rest is missing; the next `WorkDir` sweeps the staging.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from wheelferry.disk import WorkDir
from wheelferry.errors import CacheError, CacheLocked
from wheelferry.events import Event, Level, progress
from wheelferry.ops.choose import subject_of
from wheelferry.ops.convert import decode_entry, event_fields
from wheelferry.ops.fetch import Fetcher, Unread
from wheelferry.ops.left import Left
from wheelferry.ops.local import local_disk
from wheelferry.ops.pull_plan import PullPlan, PullReport
from wheelferry.ops.tiers import Tiers
from wheelferry.pack.reader import Extracted
from wheelferry.store.view import LightRecord
from wheelferry.uvcache.locks import lock_cache
from wheelferry.uvcache.restore import Restorable, Result, publish
from wheelferry.uvcache.stage import Stage

BATCH_BYTES = 1 << 30
"""Unpacked size at which a batch is published: a kill loses no more than that."""

LOCK_WAIT_S = 10.0
"""How long `uv cache prune` or `clean` may keep us waiting."""


def restore(tiers: Tiers, plan: PullPlan, report: PullReport) -> None:
    """Carry a plan out and fill in its report; see `pull.apply_pull`."""
    try:
        with (
            local_disk(tiers.staging),
            WorkDir.open(tiers.staging, disk=tiers.disk) as work,
        ):
            stage = Stage(tiers.cache, work.path, tiers.disk)
            with Fetcher(tiers.store, work.path, tiers.disk) as fetcher:
                restoration = _Restoration(tiers, plan, report, stage, fetcher)
                for batch in _batches(plan.wanted):
                    restoration.restore(batch)
                    if fetcher.stopped_by is not None:
                        report.stopped_by = fetcher.stopped_by
                        break
    except CacheError as exc:
        report.stopped_by = exc


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


class _Restoration:
    """One pull at work."""

    def __init__(
        self,
        tiers: Tiers,
        plan: PullPlan,
        report: PullReport,
        stage: Stage,
        fetcher: Fetcher,
    ) -> None:
        self._tiers = tiers
        self._report = report
        self._stage = stage
        self._fetcher = fetcher
        self._to_fetch = {record.pack for record in plan.fetched}
        self._noted = tiers.view.missing_packs()
        self._done, self._total = 0, len(plan.fetched)
        self._total_bytes = plan.fetch_bytes

    def restore(self, batch: Sequence[LightRecord]) -> None:
        """Read the packs that a batch needs, then publish what is whole."""
        staged = self._fetcher.read(self._targets(batch), self._tell)
        restorable: list[tuple[LightRecord, Restorable]] = []
        for record in batch:
            target = staged.get(record.pack)
            if isinstance(target, Unread):
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

    def _targets(
        self, batch: Sequence[LightRecord]
    ) -> Iterator[tuple[LightRecord, Path]]:
        """Yield a record for each pack that is not staged yet, and a directory for it."""
        for record in batch:
            if record.pack in self._to_fetch:
                self._to_fetch.discard(record.pack)
                target = self._stage.archive_dir(record.pack, record.name)
                if target is not None:
                    yield record, target

    def _tell(self, record: LightRecord, extracted: Extracted) -> None:
        self._report.bytes_read += record.pack_bytes
        self._report.tree_bytes += extracted.tree_bytes
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
            elif outcome.result is Result.ALREADY_PRESENT:
                self._report.present_meanwhile += 1
            else:
                self._report.restored.append(record)
                if record.pack in self._noted:
                    tiers.view.forget_missing(record.pack)
                tiers.emit(_restored(record))

    def _fail(self, record: LightRecord, reason: str) -> None:
        left = Left(subject=subject_of(record), reason=reason, is_fault=True)
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
