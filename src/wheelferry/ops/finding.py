"""What a check has to say about one thing it looked at."""

from dataclasses import dataclass
from enum import StrEnum


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
