"""A line at the top of a file by which it is recognised as ours, and as unchanged.

Pure.
"""

import hashlib
import re
from enum import StrEnum
from typing import Final

_LINE: Final = "# Written by `wheelferry {}`; sha256 of the rest: "
_KNOWN: Final = r"# Written by `wheelferry [a-z ]+`; sha256 of the rest: ([0-9a-f]{64})"


class Seal(StrEnum):
    """What the top of a file tells."""

    WHOLE = "whole"
    """We wrote it, and nobody has changed it since."""
    BROKEN = "broken"
    """We wrote it, and somebody has changed it."""
    FOREIGN = "foreign"
    """We did not write it."""


def seal(text: str, *, command: str) -> str:
    """Return `text` with a line that has its digest, at the top.

    Args:
        text: What is to be in the file; a line that names an interpreter stays the first.
        command: What writes it, such as `systemd install`.
    """
    program, rest = _split(text)
    line = f"{_LINE.format(command)}{_digest(program + rest)}\n"
    return f"{program}{line}{rest}"


def read_seal(text: str) -> Seal:
    """Return what the top of `text` tells."""
    program, rest = _split(text)
    line, _, rest = rest.partition("\n")
    if not line.startswith("# Written by `wheelferry "):
        return Seal.FOREIGN
    match = re.fullmatch(_KNOWN, line)
    is_whole = match is not None and match[1] == _digest(program + rest)
    return Seal.WHOLE if is_whole else Seal.BROKEN


def _split(text: str) -> tuple[str, str]:
    """Return the line that names an interpreter, if there is one, and the rest."""
    first, end, rest = text.partition("\n")
    return (first + end, rest) if text.startswith("#!") and end else ("", text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
