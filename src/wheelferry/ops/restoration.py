"""The effects of a pull: packs into staging, then entries into the cache.

What is whole is published in batches, after one syncfs each; meanwhile the packs of the
next batch are read.  Killed at any point, what was published stays and the rest is
missing; the next `WorkDir` sweeps the staging.

What another pull is reading comes last, and as a rule is there by then.  What this one
claims, it holds until the batch is published: two batches at a time, and never while it
waits for another's, so that two pulls cannot wait for each other.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from wheelferry.disk import WorkDir, clock
from wheelferry.errors import CacheError, CacheLocked, DeadlinePassed
from wheelferry.events import Event, Level, progress
from wheelferry.ops.builds import ROLE, parse_build_s
from wheelferry.ops.choose import subject_of
from wheelferry.ops.claims import POLL_S, Claims, patience
from wheelferry.ops.convert import decode_entry, event_fields
from wheelferry.ops.fetch import FETCHERS, Fetcher, Underway, Unread
from wheelferry.ops.intake import Intake
from wheelferry.ops.left import Left
from wheelferry.ops.limits import Limits
from wheelferry.ops.local import local_disk
from wheelferry.ops.order import in_batches
from wheelferry.ops.pull_plan import PullPlan, PullReport
from wheelferry.ops.tiers import Tiers
from wheelferry.pack.pool import Job
from wheelferry.pack.reader import Extracted
from wheelferry.store.record import Digest
from wheelferry.store.view import LightRecord
from wheelferry.uvcache.locks import lock_cache
from wheelferry.uvcache.restore import Restorable, Result, publish
from wheelferry.uvcache.stage import Stage

BATCH_BYTES = 64 << 20
"""Unpacked size at which a batch is published: a kill loses two of them at most."""

SYNC_BYTES = 8 << 20
SYNC_POLL_S = 0.1
"""What is staged is synced for each so many bytes of packs, while more is waited for.

The sync that a batch has to wait for then finds little to do.
"""

LOCK_WAIT_S = 10.0
"""How long `uv cache prune` or `clean` may keep us waiting."""


def restore(tiers: Tiers, plan: PullPlan, limits: Limits, report: PullReport) -> None:
    """Carry a plan out and fill in its report; see `pull.apply_pull`."""
    intake = Intake(tiers.deadline, limits.rate_bytes_s, at_once=FETCHERS)
    try:
        with (
            local_disk(tiers.staging),
            WorkDir.open(tiers.staging, disk=tiers.disk) as work,
            Claims(tiers.state) as claims,
        ):
            stage = Stage(tiers.cache, work.path, tiers.disk)
            with Fetcher(tiers.store, tiers.disk, intake) as fetcher:
                restoration = _Restoration(
                    tiers, plan, report, stage=stage, fetcher=fetcher, claims=claims
                )
                restoration.run(plan.wanted)
                restoration.run_put_off()
                report.stopped_by = fetcher.stopped_by or restoration.lateness()
    except CacheError as exc:
        report.stopped_by = exc


class _Batch(NamedTuple):
    records: list[LightRecord]
    packs: list[Underway]


def _one_ahead(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """Yield each batch after the next one was begun."""
    current = next(batches, None)
    while current is not None:
        following = next(batches, None)
        yield current
        current = following


class _Restoration:
    """One pull at work."""

    def __init__(
        self,
        tiers: Tiers,
        plan: PullPlan,
        report: PullReport,
        *,
        stage: Stage,
        fetcher: Fetcher,
        claims: Claims,
    ) -> None:
        self._tiers = tiers
        self._plan = plan
        self._report = report
        self._stage = stage
        self._fetcher = fetcher
        self._claims = claims
        self._put_off: list[LightRecord] = []
        self._synced_bytes = 0
        self._to_read = {record.pack for record in plan.fetched}
        self._to_fetch = set(self._to_read)
        self._noted = tiers.view.missing_packs()
        self._done, self._total_bytes = 0, plan.fetch_bytes

    def run(self, records: Sequence[LightRecord]) -> None:
        """Restore in batches; what another pull has claimed is put off."""
        batches = in_batches(records, self._to_read, BATCH_BYTES)
        for batch in _one_ahead(map(self._begin, batches)):
            try:
                self._finish(batch)
            finally:
                self._claims.give_up(record.pack for record in batch.records)

    def run_put_off(self) -> None:
        """Restore what others had claimed, unless it is there when they are done."""
        if not self._put_off:
            return
        until = patience(self._tiers.deadline)
        self._tell_wait(until.remaining_s())
        while records := self._put_off:
            if self._fetcher.stopped_by is not None or until.is_past():
                self._claims.waive()
            self._put_off = []
            self.run(records)
            if len(self._put_off) == len(records):
                clock.pause(min(POLL_S, until.remaining_s()))

    def _begin(self, records: list[LightRecord]) -> _Batch:
        """Have the packs read that a batch needs."""
        ours = [record for record in records if self._is_ours(record)]
        return _Batch(ours, self._fetcher.begin(self._targets(ours)))

    def _is_ours(self, record: LightRecord) -> bool:
        if record.pack not in self._to_read or self._claims.take(record.pack):
            return True
        self._put_off.append(record)
        return False

    def _finish(self, batch: _Batch) -> None:
        """Wait for the packs of a batch, then publish what is whole."""
        staged: dict[Digest, Path | Unread] = {}
        for record, target, job in batch.packs:
            self._sync_until(job)
            outcome = job.result()
            if isinstance(outcome, Unread):
                staged[record.pack] = outcome
                self._note(record, outcome)
            else:
                staged[record.pack] = target
                self._tell(record, outcome)
        restorable: list[tuple[LightRecord, Restorable]] = []
        for record in batch.records:
            found = staged.get(record.pack)
            if isinstance(found, Unread):
                self._report.late += found.is_late
                level = Level.WARNING if found.is_own else Level.DEBUG
                self._fail(record, found.reason, level)
                continue
            whole = self._tiers.view.load(record.ref)
            if whole is None:
                continue  # removed from the catalog meanwhile
            item = Restorable(
                info=decode_entry(whole, whole.files),
                archive_id=record.pack,
                staged=found,
            )
            restorable.append((record, item))
            if (build_s := parse_build_s(whole.files.get(ROLE))) is not None:
                self._report.build_times[record.ref] = build_s
        if restorable:
            self._publish(restorable)

    def lateness(self) -> DeadlinePassed | None:
        """Return the one error about all that the deadline left in the store, if any."""
        report = self._report
        if not report.late:
            return None
        error = DeadlinePassed(
            f"{report.late} of {len(self._plan.wanted)} entries are left in the store:"
            f" their packs ({report.late_bytes / (1 << 20):.1f} MiB) could not be there"
            " before the deadline",
            hint="the next pull goes on from here; pull.deadline (--deadline) gives it"
            " more time, pull.exclude spares it what is too large",
        )
        error.__cause__ = self._fetcher.late_by
        return error

    def _sync_until(self, job: Job[Extracted | Unread]) -> None:
        """Wait for a pack; raises OSError of a sync: the kernel tells each only once."""
        while not job.wait(SYNC_POLL_S):
            read_bytes = self._fetcher.intake.read_bytes
            if read_bytes - self._synced_bytes >= SYNC_BYTES:
                self._synced_bytes = read_bytes
                self._tiers.disk.sync_filesystem(self._stage.work)

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

    def _note(self, record: LightRecord, unread: Unread) -> None:
        if unread.is_lost:
            self._tiers.view.note_missing(record.pack)
        if unread.is_late:
            self._report.late_bytes += record.pack_bytes

    def _tell(self, record: LightRecord, extracted: Extracted) -> None:
        self._report.bytes_read += record.pack_bytes
        self._report.tree_bytes += extracted.tree_bytes
        self._done += 1
        self._tiers.emit(
            progress(
                "pulling",
                done=self._done,
                total=len(self._plan.fetched),
                done_bytes=self._report.bytes_read,
                total_bytes=self._total_bytes,
            )
        )

    def _tell_wait(self, wait_s: float) -> None:
        packs = len({record.pack for record in self._put_off})
        self._tiers.emit(
            Event(
                name="pull.awaited",
                level=Level.DEBUG,
                message=f"another pull reads {packs} of the packs: waiting for it,"
                f" {wait_s:.0f} s at most",
                fields={"packs": packs},
            )
        )

    def _publish(self, items: Sequence[tuple[LightRecord, Restorable]]) -> None:
        tiers = self._tiers
        wait_s = min(LOCK_WAIT_S, tiers.deadline.remaining_s())
        lock = lock_cache(tiers.cache, disk=tiers.disk, wait_s=wait_s)
        if lock is None:
            is_late = wait_s < LOCK_WAIT_S
            how_long = "until the deadline" if is_late else f"for {LOCK_WAIT_S:.0f} s"
            raise CacheLocked(
                f"{tiers.cache} stayed locked {how_long}",
                hint="`uv cache prune` or `uv cache clean` is running; pull again later",
            )
        with lock:
            outcomes = publish(self._stage, [item for _, item in items], lock=lock)
        for (record, _), outcome in zip(items, outcomes, strict=True):
            if outcome.result is Result.SKIPPED:
                self._fail(
                    record,
                    outcome.reason,
                    Level.WARNING,
                    is_unsettled=outcome.is_unsettled,
                )
            elif outcome.result is Result.ALREADY_PRESENT:
                self._report.present_meanwhile += 1
            else:
                self._report.restored.append(record)
                if record.pack in self._noted:
                    tiers.view.forget_missing(record.pack)
                tiers.emit(_restored(record))

    def _fail(
        self,
        record: LightRecord,
        reason: str,
        level: Level,
        *,
        is_unsettled: bool = False,
    ) -> None:
        """Report an entry; as a warning only if nothing else warns of its cause."""
        left = Left(
            subject=subject_of(record),
            reason=reason,
            is_fault=True,
            is_unsettled=is_unsettled,
        )
        self._report.failed.append(left)
        self._tiers.emit(
            Event(
                name="entry.failed",
                level=level,
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
