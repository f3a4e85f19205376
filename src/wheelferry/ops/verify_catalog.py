"""Read all of a store's catalog, for `verify`: what counts in it, and what is wrong.

Of a record only what is compared later is kept: small files are most of a catalog.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from wheelferry.errors import IntegrityError, StoreFormatUnsupported, WheelferryError
from wheelferry.ops.convert import decode_entry
from wheelferry.ops.finding import Findings, Severity
from wheelferry.ops.verify_read import read_twice
from wheelferry.store.base import Store
from wheelferry.store.record import Digest, Record, SegmentId
from wheelferry.store.segment import Segment, decode_segment
from wheelferry.store.tombstones import Tombstone
from wheelferry.uvcache.recordcheck import check_restorable

MENDED_BY = (
    "`wheelferry verify --fix` makes it missing; then the next promotion of a runner"
    " that has it puts it back"
)

MISSED = (
    "pulls do without it; after `wheelferry verify --fix` the next promotion of a runner"
    " that has it puts it back"
)
UNREADABLE = "check the disk of the file server; if it is gone for good, delete it"


class Line(NamedTuple):
    """What is compared of a record that counts."""

    place: Tombstone
    subject: str
    pack_bytes: int
    tree_bytes: int
    tree_files: int


@dataclass(slots=True, kw_only=True)
class Catalog:
    """What was read of it.

    Attributes:
        segments: How many there are.
        records: How many records count.
        lines: Those by pack.
        damaged: Segments that cannot be read, and why.
    """

    segments: int = 0
    records: int = 0
    lines: dict[Digest, list[Line]] = field(default_factory=dict)
    damaged: dict[SegmentId, str] = field(default_factory=dict)

    def names(self, digest: Digest) -> str:
        """Name the first record of a pack, and how many more there are."""
        first, *rest = self.lines[digest]
        more = f" and {len(rest)} more" if rest else ""
        return f"{first.subject} in catalog/{first.place.segment[:12]}….seg{more}"


class CatalogReader:
    """Reads segments, and collects what of their records counts.

    Call `read_all` first; `read_new` brings what was committed since.
    """

    def __init__(
        self, store: Store, findings: Findings, doubt: Callable[[str, str], None]
    ) -> None:
        self.catalog = Catalog()
        self._store = store
        self._findings = findings
        self._doubt = doubt
        self._seen: set[SegmentId] = set()
        self._dead: set[Tombstone] = set()
        self._lines: dict[Tombstone, tuple[Digest, Line]] = {}
        self._unusable: dict[Tombstone, tuple[str, str]] = {}

    def read_all(self) -> Catalog:
        """Read what is in the catalog now; raises StoreError of the store as a whole."""
        self._read(self._store.list_segments())
        for place, (message, hint) in sorted(self._unusable.items()):
            if place in self._lines:
                self._findings.add(
                    Severity.ERROR,
                    "record-unusable",
                    f"catalog/{place.segment}.seg, record {place.number}",
                    message,
                    hint,
                )
        return self.catalog

    def read_new(self) -> Catalog:
        """Read what came since, be it only tombstones."""
        self._read(self._store.list_segments() - self._seen)
        return self.catalog

    def _read(self, segments: Collection[SegmentId]) -> None:
        for segment in sorted(segments):
            self._seen.add(segment)
            self.catalog.segments += 1
            decoded = self._decode(segment)
            if decoded is not None:
                self._dead.update(decoded.footer.tombstones)
                for number, record in enumerate(decoded.records):
                    self._take(Tombstone(segment=segment, number=number), record)
        for place in self._dead & self._lines.keys():
            del self._lines[place]
        lines: dict[Digest, list[Line]] = {}
        for pack, line in self._lines.values():
            lines.setdefault(pack, []).append(line)
        self.catalog.lines = lines
        self.catalog.records = len(self._lines)

    def _decode(self, segment: SegmentId) -> Segment | None:
        def read() -> Segment | None:
            data = self._store.read_segment(segment)
            return None if data is None else decode_segment(data, segment=segment)

        subject = f"catalog/{segment}.seg"
        found = read_twice(read)
        if found.doubt:
            self._doubt(subject, found.doubt)
        problem = found.problem
        if problem is None:
            return found.value
        if isinstance(problem, StoreFormatUnsupported):
            self._findings.add(
                Severity.WARNING,
                problem.reference,
                subject,
                problem.message,
                problem.hint or "",
            )
            return None
        hint = UNREADABLE
        if isinstance(problem, IntegrityError):
            self.catalog.damaged[segment] = problem.message
            hint = (
                "`wheelferry verify --fix` moves it aside; runners that have what it"
                " named promote it again. If a package was ever removed with"
                " `wheelferry rm`, run that again: the ban may have been in it"
            )
        self._findings.add(
            Severity.ERROR, problem.reference, subject, problem.message, hint
        )
        return None

    def _take(self, place: Tombstone, record: Record) -> None:
        line = Line(
            place=place,
            subject=f"{record.name} {record.version}",
            pack_bytes=record.pack_bytes,
            tree_bytes=record.tree_bytes,
            tree_files=record.tree_files,
        )
        self._lines[place] = record.pack, line
        try:
            check_restorable(decode_entry(record, record.files), record.pack)
        except WheelferryError as exc:
            hint = exc.hint or "pulls leave it; see who wrote it"
            self._unusable[place] = exc.message, hint
