"""What an operation leaves where it is, as a value: expected, and no error."""

from typing import NamedTuple


class Left(NamedTuple):
    """An entry that stays where it is, and why."""

    subject: str
    reason: str
