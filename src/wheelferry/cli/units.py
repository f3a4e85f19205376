"""Sizes, durations, names and tables, as people read them.

Pure.  Machines get plain bytes and seconds.
"""

from collections.abc import Sequence

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def format_bytes(size_bytes: int) -> str:
    """Return a size such as `212 MiB` or `1.1 GiB`: two digits at least, three at most."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in _UNITS:
        size /= 1024
        if size < 9.95:
            return f"{size:.1f} {unit}"
        if size < 1023.5 or unit == _UNITS[-1]:
            break
    return f"{size:.0f} {unit}"


def format_seconds(seconds: float) -> str:
    """Return a duration such as `2.3 s`, `4 min 12 s` or `3 h 05 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """Return `1 entry` or `43 entries`; the plural is made with an `s` unless given."""
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"


def printable(text: str, *, keep: str = "") -> str:
    """Return `text` with all but printable characters, and those of `keep`, escaped.

    Names come from stores and caches: they must not be able to move a cursor, nor to
    start a line that a CI system would obey.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else _escape(char) for char in text
    )


def render_table(
    rows: Sequence[Sequence[str]], *, header: Sequence[str], right: Sequence[int] = ()
) -> str:
    """Return rows under a header in aligned columns, those in `right` to the right."""
    table = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    lines = []
    for row in table:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
