"""Numbers and times as the page writes them.  Pure."""

from datetime import UTC, datetime
from typing import Final

from wheelferry.cli.units import format_bytes, format_seconds
from wheelferry.ops.figures import DAY_S, Sums, date_of

MINUS: Final = "\u2212"
UNKNOWN: Final = "\u2013"


def format_net(size_bytes: int) -> str:
    """Return a size that may be below 0."""
    return f"{MINUS if size_bytes < 0 else ''}{format_bytes(abs(size_bytes))}"


def format_net_s(seconds: float) -> str:
    """Return a duration that may be below 0."""
    return f"{MINUS if seconds < 0 else ''}{format_seconds(abs(seconds))}"


def format_build_time(sums: Sums) -> str:
    """Return how long avoided builds took; not 0 where nobody saw any of them."""
    if sums.builds and sums.untimed >= sums.builds:
        return "unknown"
    return format_seconds(sums.build_s)


def format_number(number: int) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,}"


def format_age(seconds: float) -> str:
    """Return how long ago something was, to a day: it is not known better."""
    days = int(max(0.0, seconds) // DAY_S)
    if days < 1:
        return "today"
    return "1 day ago" if days == 1 else f"{format_number(days)} days ago"


def format_day(day: int) -> str:
    """Return a day, counted from 1970-01-01, as a date."""
    return date_of(day).isoformat()


def format_time(when_s: float) -> str:
    """Return a time in seconds since the epoch."""
    return datetime.fromtimestamp(when_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def format_share(part: float, whole: float) -> str:
    """Return a part in percent."""
    return f"{100 * part / whole:.0f} %" if whole else UNKNOWN
