"""Look at everything, and judge it; no look that fails keeps another from being made."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from wheelferry.disk import Disk
from wheelferry.doctor.checks.index import judge_indexes
from wheelferry.doctor.checks.mount import judge_mount
from wheelferry.doctor.checks.places import judge_places
from wheelferry.doctor.checks.service import judge_service
from wheelferry.doctor.checks.share import judge_share
from wheelferry.doctor.checks.table import CHECKS
from wheelferry.doctor.checks.uv import judge_uv
from wheelferry.doctor.checks.verdict import warning
from wheelferry.doctor.look.index import look_at_indexes
from wheelferry.doctor.look.places import look_at_places
from wheelferry.doctor.look.service import look_at_service
from wheelferry.doctor.look.share import look_at_mount, look_at_share
from wheelferry.doctor.look.uv import look_at_uv
from wheelferry.doctor.setup import Setup
from wheelferry.events import Event, Level, Sink
from wheelferry.ops.finding import Finding, Severity

T = TypeVar("T")

LIMIT_S: Final = 30.0
"""For one look: an index has 5 s, and so has each run of a uv."""

_WORST_FIRST: Final = tuple(Severity)
_ORDER: Final = tuple(CHECKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """All findings, the worst first, and what could not be looked at for want of others.

    Attributes:
        findings: At least one for each check that was made.
        left_out: Checks that were not made, as what comes before them failed.
    """

    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]

    @property
    def worst(self) -> Severity:
        """How bad the worst finding is."""
        return self.findings[0].severity if self.findings else Severity.OK

    def count(self, severity: Severity) -> int:
        """Return how many findings are so bad."""
        return sum(finding.severity is severity for finding in self.findings)


def examine(setup: Setup, disk: Disk, emit: Sink) -> Examination:
    """Return what is to be said of a runner; takes seconds, also on a share that hangs.

    Forks, for the share: to be called before there are threads.
    """
    examiner = Examiner(emit)
    # First, as it forks; and a share that is mounted when it is used is mounted then.
    share = examiner.look("store", lambda: look_at_share(setup, disk), judge_share)
    if setup.store is not None:
        store = setup.store
        examiner.look("mount", lambda: look_at_mount(store, setup, share), judge_mount)
    # None of these is the store; but a cache or a checkout may be on a share as well.
    places = bounded(lambda: look_at_places(setup, disk))
    examiner.look("hardlinks", places, judge_places)
    examiner.look("uv", bounded(lambda: look_at_uv(setup)), judge_uv)
    examiner.look("service", bounded(lambda: look_at_service(setup)), judge_service)
    examiner.look("index", bounded(lambda: look_at_indexes(setup)), judge_indexes)
    return conclude(examiner.findings)


class Unanswered(Exception):
    """A look does not end."""


def bounded(find: Callable[[], T], *, limit_s: float = LIMIT_S) -> Callable[[], T]:
    """Return a look that raises Unanswered if it does not end in time.

    What hangs is left to itself, in a thread that the end of the process ends.
    """

    def look() -> T:
        found: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                found.append(find())
            except BaseException as exc:  # noqa: BLE001 - raised in the other thread
                failed.append(exc)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(limit_s)
        if failed:
            raise failed[0]
        if not found:
            raise Unanswered(f"no answer within {limit_s:g} s")
        return found[0]

    return look


class Examiner:
    """Makes looks, and collects what follows from them.

    Args:
        emit: Hears the traceback of a look that could not be made.
    """

    def __init__(self, emit: Sink) -> None:
        self.findings: list[Finding] = []
        self._emit = emit

    def look(
        self,
        check: str,
        find: Callable[[], T],
        judge: Callable[[T], Iterable[Finding]],
    ) -> T | None:
        """Find facts out and judge them; return them, or None if that failed.

        `check` is the first that is made of them: a failure is reported under its name.
        """
        try:
            facts = find()
            self.findings += judge(facts)
        except Unanswered as exc:
            self.findings.append(
                warning(
                    check,
                    "this machine",
                    f"this could not be looked at: {exc}",
                    hint="are cache, checkouts or uv on a share that hangs? `wheelferry"
                    " config show` has the paths, `findmnt` the mounts",
                )
            )
            return None
        except Exception as exc:  # noqa: BLE001 - one look of several; said, not raised
            import traceback  # noqa: PLC0415 - for a fault only

            text = "".join(traceback.format_exception(exc))
            self._emit(Event(name="look.failed", level=Level.DEBUG, message=text))
            self.findings.append(
                warning(
                    check,
                    type(exc).__name__,
                    f"this could not be looked at: {exc}",
                    hint="`wheelferry doctor -v` says where it failed; please report that",
                )
            )
            return None
        return facts


def conclude(findings: Iterable[Finding]) -> Examination:
    """Return findings in order, and which checks have none."""
    found = sorted(
        findings,
        key=lambda f: (_WORST_FIRST.index(f.severity), _ORDER.index(f.reference)),
    )
    made = {finding.reference for finding in found}
    return Examination(
        findings=tuple(found),
        left_out=tuple(name for name in CHECKS if name not in made),
    )
