"""What a natively built wheel needs of a machine, as a catalog record carries it.

Pure.  This is the one place that knows the keys of a record's `needs`; the table of them
is in `docs/store-format.md`.  Interpreter and ABI are not among them: they are in the
tags, which every record has.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

ARCH: Final = "arch"
LIBC: Final = "libc"
LIBRARIES: Final = "libraries"
DISTRIBUTION: Final = "distribution"

GLIBC: Final = "glibc"
MUSL: Final = "musl"

MAX_LIBRARIES: Final = 256
"""Libraries of one wheel; a record's `needs` are bounded too."""

Versions = tuple[str, ...]

# Compiled when they are used: most pulls decode no needs.
_NAME = r"(?a)[A-Za-z0-9_][A-Za-z0-9_.+~-]{0,199}"
_LIBRARY = rf"{_NAME}(?:\([A-Za-z0-9_][A-Za-z0-9_.,+~-]{{0,999}}\))?"
_NUMBERED = r"(?a)(.*_)(\d{1,9}(?:\.\d{1,9}){0,4})"


class UnknownNeeds(ValueError):
    """A record's needs are not such as this version writes; says what is odd."""


class Needs(NamedTuple):
    """What a wheel needs.

    Attributes:
        arch: As in its platform tag, such as `x86_64`.
        libc: GLIBC or MUSL; "" if nothing says so.
        libraries: Those that it does not bring along, sorted by name, each with the
            versions of symbols that it uses: of each series the highest, see `reduce`.
        distribution: What it was built on, as `judge.Machine` has it.
    """

    arch: str
    libc: str
    libraries: tuple[tuple[str, Versions], ...]
    distribution: str


def encode_needs(needs: Needs) -> dict[str, str]:
    """Return what a record has; the same needs always give the same text."""
    text = {
        ARCH: needs.arch,
        DISTRIBUTION: needs.distribution,
        LIBC: needs.libc,
        LIBRARIES: " ".join(
            f"{name}({','.join(versions)})" if versions else name
            for name, versions in needs.libraries
        ),
    }
    return {key: value for key, value in text.items() if value}


def decode_needs(needs: Mapping[str, str]) -> Needs:
    """Return what a record says; it is hostile until it has passed here.

    Raises:
        UnknownNeeds: It has keys or values that this version does not know, so nothing
            can be said of what it needs.
    """
    rest = dict(needs)
    arch = rest.pop(ARCH, "")
    libc = rest.pop(LIBC, "")
    distribution = rest.pop(DISTRIBUTION, "")
    libraries = tuple(map(_decode_library, rest.pop(LIBRARIES, "").split()))
    if rest:
        raise UnknownNeeds(f"{min(rest)!r}")
    if not re.fullmatch(_NAME, arch):
        raise UnknownNeeds(f"{ARCH} {arch!r}")
    if libc not in ("", GLIBC, MUSL):
        raise UnknownNeeds(f"{LIBC} {libc!r}")
    if len(libraries) > MAX_LIBRARIES:
        raise UnknownNeeds(f"{len(libraries)} {LIBRARIES}")
    return Needs(arch, libc, libraries, distribution)


def is_name(text: str) -> bool:
    """Return whether a library's or a version's name is one that a record can have."""
    return re.fullmatch(_NAME, text) is not None


def reduce(versions: Iterable[str]) -> Versions:
    """Return the highest version of each series, and those that have no number, sorted.

    A library that has `GLIBC_2.34` has `GLIBC_2.17` too: a version stays for as long as
    the library keeps its name.  `GLIBC_ABI_DT_RELR` belongs to no series.
    """
    highest: dict[str, tuple[tuple[int, ...], str]] = {}
    for version in versions:
        series, number = parse_version(version)
        found = highest.get(series)
        if found is None or found[0] < number:
            highest[series] = number, version
    return tuple(sorted(version for _, version in highest.values()))


def parse_version(version: str) -> tuple[str, tuple[int, ...]]:
    """Return series and number: `GLIBC_2.34` is `GLIBC_` and (2, 34).

    One without a number is a series of its own.
    """
    match = re.fullmatch(_NUMBERED, version)
    if match is None:
        return version, ()
    return match[1], tuple(map(int, match[2].split(".")))


def _decode_library(text: str) -> tuple[str, Versions]:
    if not re.fullmatch(_LIBRARY, text):
        raise UnknownNeeds(f"{LIBRARIES} {text[:80]!r}")
    name, _, versions = text.rstrip(")").partition("(")
    return name, tuple(versions.split(",")) if versions else ()
