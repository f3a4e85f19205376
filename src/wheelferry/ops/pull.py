"""Pull: what the store has and the cache lacks comes into the cache.

gather: the catalog, through the runner's view, and what the cache has.  plan: which
records to restore.  apply: packs into staging, a few at a time, then published in
batches, each with one syncfs.  Killed at any point, what was published stays and the
rest is missing; the next `WorkDir` sweeps the staging.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wheelferry.disk import WorkDir
from wheelferry.errors import CacheLocked, IntegrityError, StoreError
from wheelferry.events import Event, Level
from wheelferry.ops.choose import choose, subject_of
from wheelferry.ops.convert import decode_entry, decode_hashes, decode_key
from wheelferry.ops.left import Left
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import Tiers
from wheelferry.pack.pool import Job, Pool
from wheelferry.pack.reader import Extracted, extract_pack
from wheelferry.store.record import Digest
from wheelferry.store.view import LightRecord
from wheelferry.uvcache.entry import EntryInfo
from wheelferry.uvcache.locks import lock_cache
from wheelferry.uvcache.presence import Inspector, State
from wheelferry.uvcache.recordcheck import check_key, check_restorable
from wheelferry.uvcache.restore import Restorable, Result, publish
from wheelferry.uvcache.stage import Stage

BATCH_BYTES = 1 << 30
"""Unpacked size at which a batch is published: a kill loses no more than that."""

FETCHERS = 2
"""Packs that are read at one time."""

_MISSING = "its pack is missing from the store"

LOCK_WAIT_S = 10.0
"""How long `uv cache prune` or `clean` may keep us waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullPlan:
    """What a pull would do.

    Attributes:
        wanted: Records to restore, in whole or in part.
        held: Packs of entries that the cache has already.
        left: What is in the store and stays there, and why.
        fetched: Those of `wanted` whose packs have to be read, one for each pack.
    """

    wanted: tuple[LightRecord, ...]
    held: tuple[Digest, ...]
    left: tuple[Left, ...]
    fetched: tuple[LightRecord, ...]

    @property
    def present(self) -> int:
        """Number of entries that the cache has already."""
        return len(self.held)

    @property
    def fetch_bytes(self) -> int:
        """Size of the packs to be read."""
        return sum(record.pack_bytes for record in self.fetched)

    @property
    def tree_bytes(self) -> int:
        """The same, unpacked."""
        return sum(record.tree_bytes for record in self.fetched)


@dataclass(slots=True, kw_only=True)
class PullReport:
    """What a pull did; sizes in bytes.

    Attributes:
        restored: Entries that uv finds from now on.
        failed: Entries that could not be restored, and why.
        bytes_read: Of packs, from the store.
        tree_bytes: The same, unpacked.
        stopped_by: What made the store unusable half way, if anything did.
    """

    restored: list[LightRecord] = field(default_factory=list)
    failed: list[Left] = field(default_factory=list)
    bytes_read: int = 0
    tree_bytes: int = 0
    stopped_by: StoreError | None = None


def plan_pull(tiers: Tiers, rules: Rules, format_ids: Sequence[str]) -> PullPlan:
    """Read the catalog and the cache and decide what to restore; changes neither.

    `format_ids` are the cache formats to restore, the preferred ones first.

    Raises CacheError, StoreError.
    """
    tiers.refresh()
    choice = choose(
        tiers.view.light_records(format_ids),
        format_ids=format_ids,
        missing=tiers.view.missing_packs(),
    )
    left = list(choice.left)
    wanted: list[LightRecord] = []
    held: list[Digest] = []
    fetched: dict[Digest, LightRecord] = {}
    inspector = Inspector(tiers.cache)
    for record in choice.records:
        try:
            info = _light_info(record)
            check_key(info)
            reason = _refuse(tiers, rules, record, info)
        except IntegrityError as exc:
            left.append(Left(subject=subject_of(record), reason=exc.message))
            continue
        if reason:
            left.append(Left(subject=subject_of(record), reason=reason))
            continue
        presence = inspector.find(info, record.pack)
        if presence.state is State.PRESENT:
            held.append(record.pack)
        elif presence.state is State.CONFLICT:
            left.append(Left(subject=subject_of(record), reason=presence.reason))
        else:
            wanted.append(record)
            if presence.state is State.ABSENT:
                fetched[record.pack] = record
    return PullPlan(
        wanted=tuple(wanted),
        held=tuple(held),
        left=tuple(left),
        fetched=tuple(fetched.values()),
    )


def apply_pull(tiers: Tiers, plan: PullPlan) -> PullReport:
    """Carry a plan out; what cannot be restored is reported, and the rest goes on.

    When the store fails, what was read until then is published and the report says so.

    Raises CacheError: the cache cannot be written, or stayed locked.
    """
    report = PullReport()
    if not plan.wanted:
        return report
    with (
        WorkDir.open(tiers.staging, disk=tiers.disk) as work,
        Pool() as writers,
        Pool(workers=FETCHERS) as fetchers,
    ):
        restoration = _Restoration(
            tiers, plan, report, work=work.path, writers=writers, fetchers=fetchers
        )
        for batch in _batches(plan.wanted):
            restoration.restore(batch)
            if report.stopped_by is not None:
                break
    return report


def _light_info(record: LightRecord) -> EntryInfo:
    """Return what a record says of an entry, without its small files."""
    return EntryInfo(
        format_id=record.format_id,
        key=decode_key(record.kind, record.shard, record.settings, record.stem),
        name=record.name,
        version=record.version,
        tags=record.tags,
        hashes=decode_hashes(record.hashes),
        size_bytes=record.size_bytes,
        pointer=b"",
        metadata=b"",
    )


def _refuse(
    tiers: Tiers, rules: Rules, record: LightRecord, info: EntryInfo
) -> str | None:
    urls: tuple[str, ...] = ()
    if rules.has_indexes and (whole := tiers.view.load(record.ref)) is not None:
        pointer = check_restorable(decode_entry(whole), record.pack)
        urls = pointer.find_urls() if pointer else ()
    return rules.refuse(info.key, info.name, urls)


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
    ) -> None:
        self._tiers = tiers
        self._report = report
        self._stage = Stage(tiers.cache, work, tiers.disk)
        self._writers = writers
        self._fetchers = fetchers
        self._to_fetch = {record.pack for record in plan.fetched}

    def restore(self, batch: Sequence[LightRecord]) -> None:
        """Read the packs that a batch needs, then publish what is whole."""
        staged = self._fetch(batch)
        restorable: list[tuple[LightRecord, Restorable]] = []
        for record in batch:
            target = staged.get(record.pack)
            if isinstance(target, str):
                self._fail(record, target)
                continue
            whole = self._tiers.view.load(record.ref)
            if whole is None:
                continue  # removed from the catalog meanwhile
            item = Restorable(
                info=decode_entry(whole), archive_id=record.pack, staged=target
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

    def _fetch(self, batch: Sequence[LightRecord]) -> dict[Digest, Path | str]:
        """Return, by pack, the tree that was staged, or why there is none."""
        jobs: dict[Digest, tuple[LightRecord, Path, Job[Extracted | str]]] = {}
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
        staged: dict[Digest, Path | str] = {}
        for pack, (record, target, job) in jobs.items():
            outcome = job.result()
            if isinstance(outcome, Extracted):
                staged[pack] = target
                self._report.bytes_read += record.pack_bytes
                self._report.tree_bytes += outcome.tree_bytes
            else:
                staged[pack] = outcome
        return staged

    def _read(self, record: LightRecord, target: Path) -> Extracted | str:
        """Read one pack into `target`; runs in a thread."""
        if self._report.stopped_by is not None:
            return "the store failed before it was read"
        try:
            stream = self._tiers.store.open_object(record.pack)
            if stream is None:
                return _MISSING
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
            return exc.message
        except StoreError as exc:
            self._report.stopped_by = exc
            return exc.message

    def _fail(self, record: LightRecord, reason: str) -> None:
        left = Left(subject=subject_of(record), reason=reason)
        self._report.failed.append(left)
        if reason is _MISSING:
            self._tiers.view.note_missing(record.pack)
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
        fields={
            "name": record.name,
            "version": record.version,
            "tags": record.tags,
            "format": record.format_id,
            "pack": record.pack,
            "pack_bytes": record.pack_bytes,
            "tree_bytes": record.tree_bytes,
        },
    )
