"""What a verification has looked at and found."""

from dataclasses import dataclass, field

from wheelferry.ops.finding import Finding, Severity
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.tombstones import Tombstone


@dataclass(slots=True, kw_only=True)
class VerifyReport:
    """What was looked at, and what was found; sizes in bytes.

    Attributes:
        segments, records, objects, object_bytes: What the store has.
        read, read_bytes: Objects whose content was read.
        resumed: Objects that a run before, which was cut off, has read.
        quarantined, quarantined_bytes: What was moved aside before.
        findings: All of them.
        bad_packs: Objects that do not have the bytes that they should, and why.
        bad_segments: Segments that cannot be read, and why.
        false_records: Records that say something else than their packs.
        present: The objects that are there, as far as they are sound.
        is_doubtful: Whether a second read has found nothing where the first found damage.
    """

    segments: int = 0
    records: int = 0
    objects: int = 0
    object_bytes: int = 0
    read: int = 0
    read_bytes: int = 0
    resumed: int = 0
    quarantined: int = 0
    quarantined_bytes: int = 0
    findings: list[Finding] = field(default_factory=list)
    bad_packs: dict[Digest, str] = field(default_factory=dict)
    bad_segments: dict[SegmentId, str] = field(default_factory=dict)
    false_records: list[Tombstone] = field(default_factory=list)
    present: frozenset[Digest] = frozenset()
    is_doubtful: bool = False

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found that is an error."""
        return all(f.severity is not Severity.ERROR for f in self.findings)
