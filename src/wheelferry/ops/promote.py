"""Promote: what the cache has and the store lacks goes into the store.

Order of effects, per batch: each pack into `objects/`, then one segment into `catalog/`,
then a look whether every pack that the segment names is still there.  Killed after a
pack: an orphan, which no record names.  Killed after the segment: all of it counts.
"""

from dataclasses import dataclass, field
from pathlib import Path

from wheelferry.disk import Disk, WorkDir
from wheelferry.errors import IntegrityError, RecordMalformed
from wheelferry.events import Event, Level, progress
from wheelferry.ops.convert import METADATA, encode_record, event_fields
from wheelferry.ops.formats import unknown_format
from wheelferry.ops.left import Left
from wheelferry.ops.local import local_disk, sweep_staging
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import Tiers
from wheelferry.pack.pool import Pool
from wheelferry.pack.writer import (
    ChangedWhilePacking,
    SpooledPack,
    SpoolFailed,
    write_pack,
)
from wheelferry.store.base import PutOutcome
from wheelferry.store.record import Digest, Record
from wheelferry.store.record_map import encode_map
from wheelferry.store.segment import encode_segment
from wheelferry.uvcache.cached import CachedEntry, is_unchanged
from wheelferry.uvcache.entry import EntryInfo
from wheelferry.uvcache.scan import scan_cache
from wheelferry.uvcache.tree import NotPackable, list_tree, read_record
from wheelferry.uvcache.wheelrecord import check_record

BATCH_ENTRIES = 64
BATCH_BYTES = 256 << 20
"""A segment is committed when the packs it names reach one of these."""

ABANDONED_S = 24 * 3600
"""Age at which a temporary file of this runner's in the store belongs to nobody."""

_MAX_ISSUES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An entry that is to be promoted; `tree_bytes` is its size unpacked."""

    entry: CachedEntry
    tree_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotePlan:
    """What a promotion would do.

    Attributes:
        candidates: What is to be packed and committed.
        in_store: Number of entries that the store has already.
        restored: Number of entries that came from the store.
        left: What the rules, or the state of the entry, keep here.
    """

    candidates: tuple[Candidate, ...]
    in_store: int
    restored: int
    left: tuple[Left, ...]

    @property
    def tree_bytes(self) -> int:
        """Size of all candidates, unpacked."""
        return sum(candidate.tree_bytes for candidate in self.candidates)


@dataclass(slots=True, kw_only=True)
class PromoteReport:
    """What a promotion did; sizes in bytes."""

    promoted: list[Record] = field(default_factory=list)
    rejected: list[Left] = field(default_factory=list)
    segments: int = 0
    bytes_written: int = 0
    packs_shared: int = 0


def plan_promote(tiers: Tiers, rules: Rules) -> PromotePlan:
    """Read both tiers and decide what is to be promoted; changes neither.

    Raises CacheError, StoreError.
    """
    scan = scan_cache(tiers.cache)
    for unknown in scan.unknown:
        tiers.emit(unknown_format(unknown.name, unknown.count))
    tiers.refresh()
    candidates: list[Candidate] = []
    left = [Left(subject=str(s.path), reason=s.reason) for s in scan.skipped]
    in_store = restored = 0
    for entry in scan.entries:
        info = entry.info
        if entry.is_restored:
            restored += 1
        elif reason := rules.refuse(info.key, info.name, entry.urls):
            left.append(Left(subject=subject_of(info), reason=reason))
        elif _in_store(tiers, info):
            in_store += 1
        else:
            try:
                tree_bytes = sum(file.size_bytes for file in list_tree(entry))
            except (NotPackable, OSError) as exc:
                left.append(Left(subject=subject_of(info), reason=str(exc)))
            else:
                candidates.append(Candidate(entry=entry, tree_bytes=tree_bytes))
    return PromotePlan(
        candidates=tuple(candidates),
        in_store=in_store,
        restored=restored,
        left=tuple(left),
    )


def apply_promote(tiers: Tiers, plan: PromotePlan) -> PromoteReport:
    """Carry a plan out; what cannot be promoted is reported, and the rest goes on.

    Raises StoreError when the store takes no more; what was committed until then stays.
    """
    report = PromoteReport()
    if not plan.candidates:
        sweep_staging(tiers.staging, tiers.disk)
        return report
    with local_disk(tiers.staging):
        _promote(tiers, plan, report)
    tiers.store.sweep_staging(older_than_s=ABANDONED_S)
    return report


def _promote(tiers: Tiers, plan: PromotePlan, report: PromoteReport) -> None:
    with WorkDir.open(tiers.staging, disk=tiers.disk) as work, Pool() as pool:
        batch = _Batch(tiers, report)
        try:
            done_bytes = 0
            for done, candidate in enumerate(plan.candidates):
                tiers.emit(
                    progress(
                        "promoting",
                        done=done,
                        total=len(plan.candidates),
                        done_bytes=done_bytes,
                        total_bytes=plan.tree_bytes,
                    )
                )
                done_bytes += candidate.tree_bytes
                outcome = _pack(candidate.entry, work.path, tiers.disk, pool)
                if isinstance(outcome, Left):
                    report.rejected.append(outcome)
                    tiers.emit(_rejected(outcome))
                else:
                    batch.add(outcome)
            batch.commit()
        finally:
            batch.discard()


def subject_of(info: EntryInfo) -> str:
    """Name an entry for people."""
    return f"{info.name} {info.version} ({info.key.kind.value}, {info.format_id})"


def _in_store(tiers: Tiers, info: EntryInfo) -> bool:
    """Return whether the store has an entry, with all that this cache has of it.

    A record does not count if pull missed its pack; nor if it lacks metadata, which uv
    keeps of a downloaded wheel only from the first job on that resolves.
    """
    record = encode_record(info, pack="", pack_bytes=0, tree_bytes=0, tree_files=0)
    for light in tiers.view.find_identity(record.identity):
        if tiers.view.is_missing(light.pack):
            continue
        if not info.metadata:
            return True
        known = tiers.view.load(light.ref)
        if known is not None and METADATA in known.files:
            return True
    return False


def _pack(entry: CachedEntry, spool: Path, disk: Disk, pool: Pool) -> "_Packed | Left":
    """Pack an entry, and check what was packed against the wheel's own RECORD."""
    subject = subject_of(entry.info)
    try:
        files = list_tree(entry)
        record = read_record(files)
        pack = write_pack(files, spool, disk=disk, pool=pool)
    except (FileNotFoundError, ChangedWhilePacking) as exc:
        return Left(subject=subject, reason=f"changed while it was packed: {exc}")
    except SpoolFailed:
        raise
    except (NotPackable, IntegrityError, OSError) as exc:
        return Left(subject=subject, reason=str(exc))
    found = {file.path: (file.size_bytes, file.digest) for file in pack.table.files}
    issues = check_record(record, found)
    if issues:
        pack.close()
        return Left(subject=subject, reason="; ".join(map(str, issues[:_MAX_ISSUES])))
    if not is_unchanged(entry):
        pack.close()
        return Left(subject=subject, reason="was replaced while it was packed")
    catalogued = encode_record(
        entry.info,
        pack=pack.digest,
        pack_bytes=pack.pack_bytes,
        tree_bytes=pack.tree_bytes,
        tree_files=pack.tree_files,
    )
    try:
        encode_map(catalogued)
    except RecordMalformed as exc:
        pack.close()
        return Left(subject=subject, reason=f"no record can hold it: {exc.message}")
    return _Packed(pack=pack, record=catalogued)


def _rejected(left: Left) -> Event:
    return Event(
        name="entry.rejected",
        level=Level.WARNING,
        message=f"not promoted: {left.subject}: {left.reason}",
        fields={"subject": left.subject, "reason": left.reason},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """A pack that passed its check, and the record that is to name it."""

    pack: SpooledPack
    record: Record


class _Batch:
    """Packs that are in the store, and not yet named by a segment."""

    def __init__(self, tiers: Tiers, report: PromoteReport) -> None:
        self._tiers = tiers
        self._report = report
        self._records: list[Record] = []
        self._packs: dict[Digest, SpooledPack] = {}

    def add(self, packed: "_Packed") -> None:
        """Put a pack into the store; `discard` closes it from here on."""
        pack, digest = packed.pack, packed.record.pack
        if digest in self._packs:
            pack.close()
        else:
            self._packs[digest] = pack
            self._put(digest, pack)
        self._records.append(packed.record)
        spooled_bytes = sum(pack.pack_bytes for pack in self._packs.values())
        if len(self._records) >= BATCH_ENTRIES or spooled_bytes >= BATCH_BYTES:
            self.commit()

    def commit(self) -> None:
        """Write the segment, then put back what another host removed before it."""
        if not self._records:
            return
        tiers, report = self._tiers, self._report
        tiers.store.commit_segment(
            encode_segment(
                self._records, runner=tiers.runner, created_s=int(tiers.now())
            )
        )
        for digest in tiers.store.look_again(self._packs):
            self._put(digest, self._packs[digest])
        report.segments += 1
        report.promoted += self._records
        for record in self._records:
            tiers.view.forget_missing(record.pack)
            tiers.emit(_promoted(record))
        self.discard()

    def discard(self) -> None:
        """Remove the spooled packs."""
        for pack in self._packs.values():
            pack.close()
        self._packs.clear()
        self._records.clear()

    def _put(self, digest: Digest, pack: SpooledPack) -> None:
        outcome = self._tiers.store.put_object(
            pack.chunks(), digest=digest, size_bytes=pack.pack_bytes
        )
        if outcome is PutOutcome.ALREADY_PRESENT:
            self._report.packs_shared += 1
        else:
            self._report.bytes_written += pack.pack_bytes


def _promoted(record: Record) -> Event:
    return Event(
        name="entry.promoted",
        level=Level.DEBUG,
        message=f"promoted {record.name} {record.version} ({record.tags})",
        fields=event_fields(record),
    )
