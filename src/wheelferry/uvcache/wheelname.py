"""Names in and of wheels (PEP 427), as far as uv's cache needs them taken apart.  Pure."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

DIST_INFO: Final = ".dist-info"

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

    @property
    def stem(self) -> str:
        """The file name without its suffix, as uv spells it whatever the backend did."""
        return f"{self.name.replace('-', '_')}-{self.version}-{self.tags}"


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


def pick_dist_info(tops: Iterable[str], name: str | None = None) -> str | None:
    """Return the one `*.dist-info` among the names at the top of a wheel, or None.

    With a normalised `name`, only if it is that package's: uv refuses a wheel with
    another's.  A version has no `-` in it there, while some backends leave one in the
    name.
    """
    found = [top for top in tops if top.endswith(DIST_INFO)]
    if len(found) != 1:
        return None
    owner = found[0].removesuffix(DIST_INFO).rpartition("-")[0]
    return found[0] if name is None or normalise_name(owner) == name else None
