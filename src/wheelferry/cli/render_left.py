"""What stays where it is, for people and for machines."""

from collections import Counter
from collections.abc import Iterable

from wheelferry.cli.output import Form, Output
from wheelferry.cli.units import count, printable
from wheelferry.events import Event, Level
from wheelferry.ops.left import Left


def encode_failed(failed: Iterable[Left]) -> list[dict[str, str]]:
    """Return entries that could not be moved, as JSON has them."""
    return [{"subject": entry.subject, "reason": entry.reason} for entry in failed]


def encode_left(left: Iterable[Left]) -> list[dict[str, object]]:
    """Return entries that stay where they are, as JSON has them."""
    return [
        {"subject": entry.subject, "reason": entry.reason, "fault": entry.is_fault}
        for entry in left
    ]


def count_unsettled(*lists: Iterable[Left]) -> int:
    """Return the number of entries for which it is worth to look again soon."""
    return sum(entry.is_unsettled for left in lists for entry in left)


def render_left(left: Iterable[Left]) -> list[str]:
    """Return one line for each reason, with the number of entries; faults are told apart."""
    reasons = Counter(entry.reason for entry in left if not entry.is_fault)
    return [
        printable(f"left: {count(number, 'entry', 'entries')}: {reason}")
        for reason, number in reasons.most_common()
    ]


def tell_left(output: Output, left: Iterable[Left]) -> None:
    """Warn of each entry that is left by a fault; under `-v`, name the others too."""
    for entry in left:
        message = f"left: {entry.subject}: {entry.reason}"
        if entry.is_fault:
            output.emit(
                Event(
                    name="entry.left",
                    level=Level.WARNING,
                    message=message,
                    fields={"subject": entry.subject, "reason": entry.reason},
                )
            )
        elif output.form is Form.TEXT:  # the summary, or the plan, lists them
            output.say(Level.DEBUG, message)
