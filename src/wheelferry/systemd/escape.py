"""How words are written in a unit file, so that systemd reads them as they were.

Pure.  See systemd.syntax(7): C-like escapes in double quotes, and `%` for specifiers.
"""

import re

from wheelferry.errors import UnitsError


def quote(text: str) -> str:
    """Return `text` as one word of a setting.

    Raises UnitsError for what no path has that was meant: control characters.
    """
    if not text.isprintable():
        raise UnitsError(
            f"{text!r} cannot be written into a unit: it has characters that do not print"
        )
    escaped = double_percent(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def quote_program(path: str) -> str:
    """Return the path of a program as the first word of a command.

    Raises UnitsError for characters that systemd takes in no program's path.
    """
    if re.search(r"[\"'\\]", path):
        raise UnitsError(
            f"systemd runs no program whose path has quotes or backslashes: {path}",
            hint="install wheelferry elsewhere, such as in /opt/wheelferry",
        )
    return quote(path)


def double_percent(text: str) -> str:
    """Return `text` for a setting that takes all of the line: quotes would be part of it."""
    return text.replace("%", "%%")
