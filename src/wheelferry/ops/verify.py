"""Verify: read all of a store and say what is damaged; changes nothing.

Damage is reported after a second read only: one machine with bad memory must not talk a
whole fleet out of its store.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from wheelferry.errors import (
    IntegrityError,
    StoreFormatUnsupported,
    StoreSilent,
    StoreUnavailable,
    WheelferryError,
)
from wheelferry.events import Event, Level, Sink, progress
from wheelferry.ops.convert import decode_entry
from wheelferry.ops.finding import Finding, Severity
from wheelferry.pack.reader import Extracted, check_pack
from wheelferry.store.base import Store
from wheelferry.store.record import Digest, Record, SegmentId
from wheelferry.store.segment import Segment, decode_segment
from wheelferry.uvcache.recordcheck import check_restorable

T = TypeVar("T")

_DAMAGE = (IntegrityError, StoreUnavailable)
"""What one file can have, and the store as a whole be well."""

_LEVELS = {
    Severity.ERROR: Level.ERROR,
    Severity.WARNING: Level.WARNING,
    Severity.INFO: Level.INFO,
}

PULL_AGAIN = (
    "pull takes it as missing; the next promotion of a runner that missed it mends it"
)


@dataclass(slots=True, kw_only=True)
class VerifyReport:
    """What was read, and what was found; sizes in bytes."""

    segments: int = 0
    records: int = 0
    objects: int = 0
    object_bytes: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found that is an error."""
        return all(f.severity is not Severity.ERROR for f in self.findings)


def verify_store(store: Store, emit: Sink, *, contents: bool = True) -> VerifyReport:
    """Check every segment, record and object of an opened store.

    With `contents` false, objects are checked for presence and size only.

    Raises StoreError when the store cannot be read any further.
    """
    verification = _Verification(store, emit, contents=contents)
    verification.check_foreign()
    verification.check_segments()
    verification.check_objects()
    return verification.report


class _Verification:
    def __init__(self, store: Store, emit: Sink, *, contents: bool) -> None:
        self.report = VerifyReport()
        self._store = store
        self._emit = emit
        self._contents = contents
        self._records: dict[Digest, list[tuple[SegmentId, Record]]] = {}

    def check_foreign(self) -> None:
        """Find what is in the store's directories and is not the store's."""
        for path, message in self._store.list_foreign():
            self._find(
                Severity.WARNING, "foreign-file", path, message, "look at it, remove it"
            )

    def check_segments(self) -> None:
        """Decode every segment, and collect the records that are not removed."""
        segments: dict[SegmentId, Segment] = {}
        for name in sorted(self._store.list_segments()):
            self.report.segments += 1
            decoded = self._read_segment(name)
            if decoded is not None:
                segments[name] = decoded
        dead = {
            (tombstone.segment, tombstone.number)
            for segment in segments.values()
            for tombstone in segment.footer.tombstones
        }
        for name, segment in segments.items():
            for number, record in enumerate(segment.records):
                if (name, number) not in dead:
                    self.report.records += 1
                    self._check_record(name, number, record)

    def check_objects(self) -> None:
        """Check every object, and that each one a record names is there."""
        seen: set[Digest] = set()
        for digest, size_bytes in self._store.list_objects():
            seen.add(digest)
            self.report.objects += 1
            self.report.object_bytes += size_bytes
            self._check_object(digest, size_bytes)
            self._emit(
                progress(
                    "verifying", done=len(seen), total=len(seen | self._records.keys())
                )
            )
        for digest in sorted(self._records.keys() - seen):
            if self._store.object_size(digest) is None:
                self._find(
                    Severity.ERROR,
                    "object-missing",
                    digest,
                    f"named by {self._names(digest)}, but there is no such object",
                    PULL_AGAIN,
                )

    def _read_segment(self, segment: SegmentId) -> Segment | None:
        def read() -> Segment | None:
            data = self._store.read_segment(segment)
            return None if data is None else decode_segment(data, segment=segment)

        return self._twice(f"catalog/{segment}.seg", read)

    def _check_record(self, segment: SegmentId, number: int, record: Record) -> None:
        self._records.setdefault(record.pack, []).append((segment, record))
        try:
            check_restorable(decode_entry(record, record.files), record.pack)
        except WheelferryError as exc:
            self._find(
                Severity.ERROR,
                "record-unusable",
                f"catalog/{segment}.seg, record {number}",
                exc.message,
                exc.hint or PULL_AGAIN,
            )

    def _check_object(self, digest: Digest, size_bytes: int) -> None:
        named = self._records.get(digest, [])
        if not named:
            self._find(
                Severity.INFO,
                "object-orphan",
                digest,
                f"no record names it ({size_bytes} bytes): a promoter was interrupted, "
                "or is at work",
            )
        announced = {record.pack_bytes for _, record in named}
        if announced - {size_bytes}:
            self._find(
                Severity.ERROR,
                "object-size",
                digest,
                f"has {size_bytes} bytes, but {self._names(digest)} says "
                f"{', '.join(map(str, sorted(announced)))}",
                PULL_AGAIN,
            )
        elif self._contents:
            self._check_contents(digest, size_bytes)

    def _check_contents(self, digest: Digest, size_bytes: int) -> None:
        def read() -> Extracted | None:
            stream = self._store.open_object(digest)
            if stream is None:
                return None
            with stream:
                return check_pack(stream.read, digest=digest, size_bytes=size_bytes)

        extracted = self._twice(digest, read)
        for segment, record in self._records.get(digest, []) if extracted else []:
            said = Extracted(tree_bytes=record.tree_bytes, tree_files=record.tree_files)
            if said != extracted:
                self._find(
                    Severity.ERROR,
                    "record-disagrees",
                    f"catalog/{segment}.seg, {record.name} {record.version}",
                    f"says {said}, its pack {digest} has {extracted}",
                    "promote the wheel again from a runner that has it",
                )

    def _twice(self, subject: str, read: Callable[[], T | None]) -> T | None:
        """Return what `read` returns; if it finds damage, ask it once more."""
        try:
            return read()
        except StoreFormatUnsupported as exc:
            self._find(
                Severity.WARNING, exc.reference, subject, exc.message, exc.hint or ""
            )
            return None
        except StoreSilent:
            raise  # so is all the rest of the store
        except _DAMAGE as first:
            try:
                value = read()
            except _DAMAGE as second:
                self._find(
                    Severity.ERROR,
                    second.reference,
                    subject,
                    second.message,
                    PULL_AGAIN,
                )
                return None
            self._find(
                Severity.WARNING,
                "read-unstable",
                subject,
                f"one read found: {first.message}; the next read found nothing wrong",
                "check this machine's memory, and its network",
            )
            return value

    def _names(self, digest: Digest) -> str:
        """Name the first record of an object, and how many more there are."""
        named = self._records[digest]
        segment, record = named[0]
        more = f" and {len(named) - 1} more" if len(named) > 1 else ""
        return f"{record.name} {record.version} in catalog/{segment[:12]}….seg{more}"

    def _find(
        self,
        severity: Severity,
        reference: str,
        subject: str,
        message: str,
        hint: str = "",
    ) -> None:
        finding = Finding(
            severity=severity,
            reference=reference,
            subject=subject,
            message=message,
            hint=hint,
        )
        self.report.findings.append(finding)
        self._emit(
            Event(
                name="finding.made",
                level=_LEVELS[severity],
                message=f"{reference}: {subject}: {message}",
                fields={"severity": severity.value, "reference": reference},
            )
        )
