"""A progress bar of one line, for terminals.

Drawn on stderr and taken away when the work is done or something else is to be said, so
that nothing of it stays.  Where there is no terminal there is no bar.
"""

from wheelferry.cli.units import format_bytes
from wheelferry.events import Event

CLEAR = "\r\x1b[K"
REDRAW_S = 0.1
_WIDTH = 24


def is_progress(event: Event) -> bool:
    """Return whether an event only says how far the work is.

    Such an event has the fields `done` and `total`, and `done_bytes` and `total_bytes`
    where bytes are counted.
    """
    return event.name.endswith(".progressed")


def render_bar(event: Event, columns: int) -> str:
    """Return the line for a progress event, at most `columns` wide."""
    done, total = _number(event, "done"), _number(event, "total")
    part, whole = _number(event, "done_bytes"), _number(event, "total_bytes")
    share = part / whole if whole else done / total if total else 0.0
    filled = int(min(max(share, 0.0), 1.0) * _WIDTH)
    line = f"{event.message} [{'#' * filled:.<{_WIDTH}}] {done}/{total}"
    if whole:
        line += f", {format_bytes(part)} of {format_bytes(whole)}"
    return line[: max(columns - 1, 0)]


def _number(event: Event, field: str) -> int:
    value = event.fields.get(field)
    return value if isinstance(value, int) else 0
