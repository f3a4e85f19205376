"""What stays where it is, for people and for machines."""

from collections.abc import Iterable

from wheelferry.cli.units import printable
from wheelferry.ops.left import Left


def encode_left(left: Iterable[Left]) -> list[dict[str, str]]:
    """Return entries that stay where they are, as JSON has them."""
    return [{"subject": entry.subject, "reason": entry.reason} for entry in left]


def render_left(left: Iterable[Left]) -> list[str]:
    """Return one line for each."""
    return [printable(f"left: {entry.subject}: {entry.reason}") for entry in left]
