"""What an operation leaves where it is, as a value: expected, and no error."""

from typing import NamedTuple


class Left(NamedTuple):
    """An entry that stays where it is, and why.

    Attributes:
        is_fault: Whether something is wrong with it, so that someone may want to act;
            not so if it is left by a rule, or belongs to another machine.
        is_unsettled: Whether only something that goes on just now keeps it there, so
            that it is worth to look again soon.
        is_unfit: Whether this machine could not use it.
    """

    subject: str
    reason: str
    is_fault: bool = False
    is_unsettled: bool = False
    is_unfit: bool = False
