"""The platform tags of wheels (PEP 425, 600 and 656), and what they ask of a machine.

Pure.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from wheelferry.native.needs import GLIBC, MUSL

_OLD_NAMES: Final = {
    "manylinux1": (2, 5),
    "manylinux2010": (2, 12),
    "manylinux2014": (2, 17),
}
_TAG = (
    r"(?a)(?:linux|(?P<old>manylinux(?:1|2010|2014))"
    r"|(?P<libc>many|musl)linux_(?P<major>\d{1,4})_(?P<minor>\d{1,4}))_(?P<arch>\w+)"
)


class Platform(NamedTuple):
    """One platform tag of Linux.

    Attributes:
        arch: Such as `x86_64`.
        libc: GLIBC or MUSL, or "" where the tag says nothing of it (`linux_x86_64`).
        version: The least that it needs of that libc.
    """

    arch: str
    libc: str
    version: tuple[int, int]


def find_tag(tags: str) -> str:
    """Return the platform part of a wheel's tags: `any`, one tag, or several with `.`."""
    return tags.rpartition("-")[2]


def parse_platforms(tag: str) -> Iterator[Platform]:
    """Yield what each of the tags in a platform part asks; others than Linux's are none.

    `manylinux_2_17_x86_64.manylinux2014_x86_64` are two, and one that fits is enough.
    """
    for part in tag.split("."):
        match = re.fullmatch(_TAG, part)
        if match is None:
            continue
        libc, version = "", (0, 0)
        if match["old"]:
            libc, version = GLIBC, _OLD_NAMES[match["old"]]
        elif match["libc"]:
            libc = GLIBC if match["libc"] == "many" else MUSL
            version = int(match["major"]), int(match["minor"])
        yield Platform(match["arch"], libc, version)
