"""What a check has to say about one thing it looked at."""

from dataclasses import dataclass
from enum import StrEnum

from wheelferry.events import Event, Level, Sink


class Severity(StrEnum):
    """How bad a finding is, the worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One verdict.

    Attributes:
        reference: Kebab-case name of the kind of finding, or of the check that made it;
            `docs/cli.md` lists them.
        subject: The file or record it is about.
        message: What is the matter.
        meaning: What follows from that; "" where it is plain.
        hint: What to do about it; "" if nothing has to be done.
    """

    severity: Severity
    reference: str
    subject: str
    message: str
    meaning: str = ""
    hint: str = ""


_LEVELS = {
    Severity.ERROR: Level.ERROR,
    Severity.WARNING: Level.WARNING,
    Severity.INFO: Level.INFO,
    Severity.OK: Level.DEBUG,
}


class Findings:
    """What one check has found so far; each finding is told as an event, too."""

    def __init__(self, emit: Sink) -> None:
        self.items: list[Finding] = []
        self._emit = emit

    def add(
        self,
        severity: Severity,
        reference: str,
        subject: str,
        message: str,
        hint: str = "",
    ) -> None:
        """Add a finding."""
        finding = Finding(
            severity=severity,
            reference=reference,
            subject=subject,
            message=message,
            hint=hint,
        )
        self.items.append(finding)
        self._emit(
            Event(
                name="finding.made",
                level=_LEVELS[severity],
                message=f"{reference}: {subject}: {message}",
                fields={"severity": severity.value, "reference": reference},
            )
        )

    @property
    def is_clean(self) -> bool:
        """Whether none of them is an error."""
        return all(item.severity is not Severity.ERROR for item in self.items)
