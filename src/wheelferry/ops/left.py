"""What an operation leaves where it is, as a value: expected, and no error."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """An entry that stays where it is, and why."""

    subject: str
    reason: str
