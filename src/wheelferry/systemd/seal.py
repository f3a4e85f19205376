"""A line at the top of a file by which it is recognised as ours, and as unchanged.

Pure.
"""

import hashlib
import re
from enum import StrEnum
from typing import Final

_LINE: Final = "# Written by `wheelferry systemd install`; sha256 of the rest: "
_HINT: Final = (
    "# To change something, add a drop-in of your own (systemctl edit): this file is"
    " replaced.\n"
)


class Seal(StrEnum):
    """What the top of a file tells."""

    WHOLE = "whole"
    """We wrote it, and nobody has changed it since."""
    BROKEN = "broken"
    """We wrote it, and somebody has changed it."""
    FOREIGN = "foreign"
    """We did not write it."""


def seal(text: str) -> str:
    """Return `text` below a line with its digest."""
    rest = f"{_HINT}{text}"
    return f"{_LINE}{_digest(rest)}\n{rest}"


def read_seal(text: str) -> Seal:
    """Return what the first line of `text` tells."""
    first, _, rest = text.partition("\n")
    if not first.startswith(_LINE):
        return Seal.FOREIGN
    found = first.removeprefix(_LINE).strip()
    is_whole = re.fullmatch(r"[0-9a-f]{64}", found) and found == _digest(rest)
    return Seal.WHOLE if is_whole else Seal.BROKEN


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
