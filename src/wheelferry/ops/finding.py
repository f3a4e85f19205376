"""What a check has to say about one thing it looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is: only an error makes a check fail."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One verdict.

    Attributes:
        reference: Kebab-case name of the kind of finding; `docs/cli.md` lists them.
        subject: The file or record it is about.
        message: What is the matter.
        hint: What to do about it; "" if nothing has to be done.
    """

    severity: Severity
    reference: str
    subject: str
    message: str
    hint: str = ""
