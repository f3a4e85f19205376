"""Verify: read a store, all of it or a part, and say what is damaged.

Changes nothing in the store: `verify_fix` does what follows from it, if it is asked to.
Damage is reported after a second read only: one machine with bad memory must not talk a
whole fleet out of its store.
"""

from typing import Final

from wheelferry.disk import clock
from wheelferry.errors import (
    IntegrityError,
    ObjectCorrupt,
    StoreFormatUnsupported,
    StoreFull,
    StoreReadOnly,
    UnsafePath,
    WheelferryError,
)
from wheelferry.events import Sink, progress
from wheelferry.ops.finding import Findings, Severity
from wheelferry.ops.verify_catalog import (
    MENDED_BY,
    MISSED,
    UNREADABLE,
    Catalog,
    CatalogReader,
    Line,
)
from wheelferry.ops.verify_memory import Memory
from wheelferry.ops.verify_read import Verdict, read_packs
from wheelferry.ops.verify_report import VerifyReport
from wheelferry.ops.verify_scope import Scope, choose
from wheelferry.pack.reader import Extracted
from wheelferry.store import layout
from wheelferry.store.base import Store
from wheelferry.store.record import Digest
from wheelferry.store.upkeep import Dated, Foreign

__all__ = ["VerifyReport", "verify_store"]

EVERYTHING: Final = Scope()

LEFTOVER_S: Final = 24 * 3600
"""Age at which a temporary file belongs to nobody, as for its own runner."""


def verify_store(
    store: Store,
    emit: Sink,
    *,
    scope: Scope = EVERYTHING,
    memory: Memory | None = None,
    is_anew: bool = False,
) -> VerifyReport:
    """Check an opened store.

    All segments are read, all objects looked at, and the contents of those in the scope
    read, a few at a time.

    Args:
        store: The store.
        emit: Where findings and progress go.
        scope: What is to be read.
        memory: What this runner has read before.
        is_anew: Whether not to go on where a run before was cut off.

    Raises:
        UnsafePath: A directory of the store is none, such as a link to elsewhere.
        StoreError: The store cannot be read any further.
    """
    verification = _Verification(store, emit)
    verification.check_foreign()
    verification.read_catalog()
    verification.look_at_objects()
    verification.read_objects(scope, memory, is_anew=is_anew)
    verification.check_missing()
    verification.check_leftovers()
    return verification.finish()


class _Verification:
    def __init__(self, store: Store, emit: Sink) -> None:
        self._report = VerifyReport()
        self._findings = Findings(emit)
        self._store = store
        self._upkeep = store.upkeep
        self._emit = emit
        self._reader = CatalogReader(store, self._findings, self._doubt)
        self._catalog = Catalog()
        self._objects: list[Dated] = []
        self._vanished: set[Digest] = set()

    def check_foreign(self) -> None:
        """Find what is not the store's, in all directories but those of objects."""
        for item in self._upkeep.list_foreign():
            if item.path in layout.DIRECTORIES:
                raise UnsafePath(
                    f"{item.path} in the store {self._store.location}: {item.problem}",
                    hint="nothing is read through it; see who can write to the store,"
                    " remove it, and run `wheelferry init` again",
                )
            self._report_foreign(item)

    def read_catalog(self) -> None:
        """Decode every segment, and collect the records that are not removed."""
        self._catalog = self._reader.read_all()

    def look_at_objects(self) -> None:
        """Look at every object, and find what is among them and is none."""
        for item in self._upkeep.list_objects():
            if isinstance(item, Foreign):
                self._report_foreign(item)
            else:
                self._objects.append(item)
        for item in self._objects:
            if item.digest not in self._catalog.lines:
                self._findings.add(
                    Severity.INFO,
                    "object-orphan",
                    item.digest,
                    f"no record names it ({item.size_bytes} bytes): a promoter was"
                    " interrupted, or is at work; `wheelferry gc` removes it in time",
                )

    def read_objects(
        self, scope: Scope, memory: Memory | None, *, is_anew: bool
    ) -> None:
        """Read the objects that are in the scope."""
        is_dated = scope.since_s < float("inf")
        choice = choose(
            self._objects,
            scope,
            read_s=memory.read_times() if memory else {},
            began_s=memory.begin(is_anew=is_anew) if memory and scope.is_whole else 0.0,
            now_s=self._now_s() if is_dated else 0.0,
        )
        wanted = dict.fromkeys((*choice.wanted, *self._of_other_sizes()))
        self._report.resumed = choice.resumed
        total_bytes = sum(item.size_bytes for item in wanted)

        def settle(item: Dated, verdict: Verdict[Extracted]) -> None:
            self._report.read += 1
            self._report.read_bytes += item.size_bytes
            if self._judge(item, verdict) and memory is not None:
                memory.note(item.digest)
            self._emit(
                progress(
                    "verifying",
                    done=self._report.read,
                    total=len(wanted),
                    done_bytes=self._report.read_bytes,
                    total_bytes=total_bytes,
                )
            )

        read_packs(self._store, wanted, settle)
        if memory is not None:
            memory.forget_all_but(item.digest for item in self._objects)
            if scope.is_whole:
                memory.finish()

    def check_missing(self) -> None:
        """Find records whose objects are not there."""
        there = {item.digest for item in self._objects} - self._vanished
        missing = self._store.look_again(sorted(self._catalog.lines.keys() - there))
        if not missing:
            return
        # What was removed in the meantime is not missed.
        self._catalog = self._reader.read_new()
        for digest in missing:
            if digest in self._catalog.lines:
                self._findings.add(
                    Severity.ERROR,
                    "object-missing",
                    digest,
                    f"named by {self._catalog.names(digest)}, but there is no such object",
                    MISSED,
                )

    def check_leftovers(self) -> None:
        """Find temporary files that belong to nobody, and say what lies in quarantine."""
        staged = list(self._upkeep.list_leftovers())
        aside = self._upkeep.list_quarantine()
        self._report.quarantined = len(aside)
        self._report.quarantined_bytes = sum(item.size_bytes for item in aside)
        # By the host's clock: to ask the server's, a file would have to be written.
        limit_s = clock.now_s() - LEFTOVER_S
        for path, size_bytes, written_s in staged:
            if written_s < limit_s:
                self._findings.add(
                    Severity.INFO,
                    "staging-leftover",
                    path,
                    f"{size_bytes} bytes that nobody has written to for a day",
                    "`wheelferry verify --fix` removes it",
                )

    def finish(self) -> VerifyReport:
        """Return the report."""
        report = self._report
        report.segments = self._catalog.segments
        report.records = self._catalog.records
        report.objects = len(self._objects)
        report.object_bytes = sum(item.size_bytes for item in self._objects)
        report.bad_segments = self._catalog.damaged
        report.findings = self._findings.items
        there = {item.digest for item in self._objects} - self._vanished
        report.present = frozenset(there - report.bad_packs.keys())
        return report

    def _report_foreign(self, item: Foreign) -> None:
        self._findings.add(
            Severity.WARNING,
            "foreign-file",
            item.path,
            item.problem,
            "look at it, remove it",
        )

    def _of_other_sizes(self) -> list[Dated]:
        """Return the objects that are longer or shorter than a record says."""
        return [
            item
            for item in self._objects
            for line in self._catalog.lines.get(item.digest, ())
            if line.pack_bytes != item.size_bytes
        ]

    def _judge(self, item: Dated, verdict: Verdict[Extracted]) -> bool:
        """Compare an object with what is said of it; return whether all is well."""
        digest = item.digest
        if verdict.doubt:
            self._doubt(digest, verdict.doubt)
        lines = self._catalog.lines.get(digest, [])
        problem = verdict.problem
        if problem is None and verdict.value is None:
            self._vanished.add(digest)
            return False
        if problem is None:
            wrong = [line for line in lines if not _agrees(line, item, verdict.value)]
            for line in wrong:
                self._disagree(line, item, verdict.value)
            return not wrong
        self._blame(item, problem, lines)
        return False

    def _blame(self, item: Dated, problem: WheelferryError, lines: list[Line]) -> None:
        """Say what two reads complained of, and whom that concerns."""
        digest, said = item.digest, {line.pack_bytes for line in lines}
        severity, hint = Severity.ERROR, UNREADABLE
        if isinstance(problem, StoreFormatUnsupported):
            severity, hint = Severity.WARNING, problem.hint or "upgrade this runner"
        elif isinstance(problem, ObjectCorrupt):
            self._report.bad_packs[digest] = problem.message
            hint = MENDED_BY
        elif isinstance(problem, IntegrityError):
            # It has the bytes that its name says: whoever made it is to blame.
            if not lines:
                severity = Severity.WARNING  # it harms nobody
            self._report.false_records += [line.place for line in lines]
            hint = (
                "see who wrote it; `wheelferry verify --fix` removes its records, and"
                " `wheelferry gc` then removes it"
            )
        if digest in self._report.bad_packs and said - {item.size_bytes}:
            self._findings.add(
                severity,
                "object-size",
                digest,
                f"has {item.size_bytes} bytes, but {self._catalog.names(digest)} says"
                f" {', '.join(map(str, sorted(said)))}",
                hint,
            )
        else:
            self._findings.add(
                severity, problem.reference, digest, problem.message, hint
            )

    def _disagree(self, line: Line, item: Dated, found: Extracted | None) -> None:
        said = Extracted(tree_bytes=line.tree_bytes, tree_files=line.tree_files)
        self._report.false_records.append(line.place)
        self._findings.add(
            Severity.ERROR,
            "record-disagrees",
            f"catalog/{line.place.segment}.seg, {line.subject}",
            f"says {said}, packed into {line.pack_bytes} bytes; its pack"
            f" {item.digest} of {item.size_bytes} bytes has {found}",
            "`wheelferry verify --fix` removes the record; then the next promotion of a"
            " runner that has the wheel adds a right one",
        )

    def _doubt(self, subject: str, message: str) -> None:
        self._report.is_doubtful = True
        self._findings.add(
            Severity.WARNING,
            "read-unstable",
            subject,
            message,
            "check this machine's memory, and its network",
        )

    def _now_s(self) -> float:
        try:
            return self._upkeep.clock_s()
        except (StoreFull, StoreReadOnly):  # this host's will do for what takes days
            return clock.now_s()


def _agrees(line: Line, item: Dated, found: Extracted | None) -> bool:
    said = Extracted(tree_bytes=line.tree_bytes, tree_files=line.tree_files)
    return line.pack_bytes == item.size_bytes and said == found
