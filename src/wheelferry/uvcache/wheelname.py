"""Wheel file names (PEP 427), as far as uv's cache needs them taken apart.  Pure."""

import re
from typing import NamedTuple

_SEPARATORS = re.compile(r"[-_.]+")


class WheelName(NamedTuple):
    """The parts of `name-version(-build)-python-abi-platform`.

    Attributes:
        name: Normalised (PEP 503).
        version: As the file name has it.
        tags: Build tag, if any, and Python, ABI and platform tags, joined by `-`.
    """

    name: str
    version: str
    tags: str


def normalise_name(name: str) -> str:
    """Return a package name as indexes compare it (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


def parse_wheel_name(stem: str) -> WheelName | None:
    """Return the parts of a wheel's file name without its suffix, or None."""
    parts = stem.split("-")
    if len(parts) not in (5, 6) or not all(parts):
        return None
    name, version, *tags = parts
    return WheelName(normalise_name(name), version, "-".join(tags))
