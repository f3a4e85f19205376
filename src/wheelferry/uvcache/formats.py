"""The one table of the formats that uv's cache entries come in.

Pure.  A format is a bucket's name *and* the shape of the pointer's payload: uv 0.12.0
and 0.12.1 share bucket names with 0.11, which cannot read what they write.  The rows
state what was seen with the uv versions that `docs/uv-cache.md` lists.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple, NewType, TypeAlias

FormatId = NewType("FormatId", str)
"""Bucket and shape, such as `wheels-v6/map`; `git` is the shape of what has no pointer."""

GIT_SHAPE: Final = "git"

Release: TypeAlias = tuple[int, ...]
"""A uv version as numbers, `(0, 13, 9)`."""


class Family(StrEnum):
    """What a bucket's name begins with."""

    WHEELS = "wheels"
    SDISTS = "sdists"


class Framing(StrEnum):
    """What follows the payload in a pointer file.

    Attributes:
        POLICY: `payload | cache policy | u64 LE length of the policy`.
        CHECKED: `payload | zeros to 16 | policy | u32 LE CRC-32 | u64 LE length of the
            payload`; the CRC covers all after the payload but itself.
    """

    POLICY = "policy"
    CHECKED = "checked"


class Format(NamedTuple):
    """One row.

    Attributes:
        bucket: Directory below the cache root.
        shape: Of the payload: `array2` ... `array5`, `map`; `git`.
        framing: Of the pointer file.
        has_relative_links: How the uv that writes it makes links; both are read.
        first, end: Range of uv versions that read it: from `first`, before `end`.
        written_from: The first uv that writes it; of the formats that a uv reads, it
            writes the one with the highest.
    """

    bucket: str
    shape: str
    framing: Framing
    has_relative_links: bool
    first: Release
    end: Release
    written_from: Release

    @property
    def id(self) -> FormatId:
        """The row's id."""
        return FormatId(f"{self.bucket}/{self.shape}")

    @property
    def family(self) -> Family:
        """Whether it holds downloaded or built wheels."""
        return Family(self.bucket.partition("-")[0])

    def is_read_by(self, release: Release) -> bool:
        """Whether a uv of that version reads it."""
        return self.first <= release < self.end


def _row(
    bucket: str, shape: str, *, written: Release, read: tuple[Release, Release]
) -> Format:
    return Format(
        bucket=bucket,
        shape=shape,
        framing=Framing.CHECKED if written >= (0, 13) else Framing.POLICY,
        # 0.11.17 makes relative links too, in a format that 0.10 made with absolute ones.
        has_relative_links=written >= (0, 12),
        first=read[0],
        end=read[1],
        written_from=written,
    )


def parse_release(text: str) -> Release:
    """Return `0.13.9` as numbers; what follows them (`rc1`, `+build`) is left out.

    Raises ValueError if it does not begin with a number.
    """
    match = re.match(r"\d+(?:\.\d+)*", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a version of uv")
    return tuple(map(int, match[0].split(".")))


_END = (999,)

FORMATS: Final[tuple[Format, ...]] = (
    _row("wheels-v3", "array2", written=(0, 5, 14), read=((0, 5, 14), (0, 6))),
    _row("wheels-v4", "array3", written=(0, 6, 0), read=((0, 6, 0), (0, 6, 4))),
    _row("wheels-v5", "array4", written=(0, 6, 4), read=((0, 6, 4), (0, 10))),
    _row("wheels-v6", "array4", written=(0, 10, 0), read=((0, 10, 0), (0, 13))),
    _row("wheels-v6", "array5", written=(0, 12, 0), read=((0, 12, 0), (0, 13))),
    _row("wheels-v6", "map", written=(0, 12, 2), read=((0, 10, 0), (0, 13))),
    _row("wheels-v7", "array5", written=(0, 13, 0), read=((0, 13, 0), (0, 13, 9))),
    _row("wheels-v8", "array5", written=(0, 13, 9), read=((0, 13, 9), _END)),
    _row("sdists-v6", "array2", written=(0, 5, 14), read=((0, 5, 14), (0, 5, 26))),
    _row("sdists-v6", "git", written=(0, 5, 14), read=((0, 5, 14), (0, 5, 26))),
    _row("sdists-v7", "array2", written=(0, 5, 26), read=((0, 5, 26), (0, 6))),
    _row("sdists-v7", "git", written=(0, 5, 26), read=((0, 5, 26), (0, 6))),
    _row("sdists-v8", "array2", written=(0, 6, 0), read=((0, 6, 0), (0, 6, 8))),
    _row("sdists-v8", "git", written=(0, 6, 0), read=((0, 6, 0), (0, 6, 8))),
    _row("sdists-v9", "array2", written=(0, 6, 8), read=((0, 6, 8), (0, 13))),
    _row("sdists-v9", "array3", written=(0, 12, 0), read=((0, 12, 0), (0, 13))),
    _row("sdists-v9", "map", written=(0, 12, 2), read=((0, 6, 8), (0, 13))),
    _row("sdists-v9", "git", written=(0, 6, 8), read=((0, 6, 8), (0, 13))),
    _row("sdists-v10", "array3", written=(0, 13, 0), read=((0, 13, 0), (0, 13, 9))),
    _row("sdists-v10", "git", written=(0, 13, 0), read=((0, 13, 0), (0, 13, 9))),
    _row("sdists-v11", "array3", written=(0, 13, 9), read=((0, 13, 9), _END)),
    _row("sdists-v11", "git", written=(0, 13, 9), read=((0, 13, 9), _END)),
)
"""Every format that is known.  A uv that is newer than the last row is taken to read it:
a change shows as an unknown bucket or shape, which is reported."""

NEWEST_SEEN: Final[Release] = (0, 13, 9)
"""The newest uv that the table was checked with."""

_BY_ID: Final = {row.id: row for row in FORMATS}
_BY_BUCKET: Final[dict[str, tuple[Format, ...]]] = {
    bucket: tuple(row for row in FORMATS if row.bucket == bucket)
    for bucket in {row.bucket for row in FORMATS}
}


def find_format(format_id: str) -> Format | None:
    """Return the row with that id, or None if this version does not know it."""
    return _BY_ID.get(FormatId(format_id))


def find_bucket(bucket: str) -> tuple[Format, ...]:
    """Return the rows of a bucket; none if this version does not know it."""
    return _BY_BUCKET.get(bucket, ())


def is_newer_format(name: str) -> bool:
    """Return whether only a uv newer than this table can have made a bucket or shape.

    `name` is a bucket, or a bucket and a shape.
    """
    bucket, _, shape = name.partition("/")
    family, _, number = bucket.partition("-v")
    known = [
        int(row.bucket.partition("-v")[2]) for row in FORMATS if row.family == family
    ]
    if not known or not number.isdecimal():
        return False
    newest = max(known)
    return int(number) > newest or (int(number) == newest and bool(shape))


def formats_for_uv(release: Release) -> tuple[FormatId, ...]:
    """Return what a uv of that version reads, the format that it writes first."""
    rows = [row for row in FORMATS if row.is_read_by(release)]
    # What it could have written itself comes before what only a later uv writes.
    rows.sort(
        key=lambda row: (row.written_from <= release, row.written_from), reverse=True
    )
    return tuple(row.id for row in rows)


def formats_for_bucket(bucket: str) -> tuple[FormatId, ...]:
    """Return the formats of a bucket that each uv which has such a bucket reads."""
    rows = find_bucket(bucket)
    if not rows:
        return ()
    span = _span(bucket)
    return tuple(row.id for row in rows if (row.first, row.end) == span)


def choose_formats(
    releases: Iterable[Release], buckets: Iterable[str]
) -> tuple[FormatId, ...]:
    """Return the formats to restore for these uv versions and buckets, preferred first.

    A bucket alone, as in the cache of a pull that was cut short, stands for the other
    buckets of the uv versions that have it.  With neither, all that can be read by each
    uv that has such a bucket.
    """
    found = set(releases)
    chosen: dict[FormatId, None] = {}
    for release in sorted(found, reverse=True):
        chosen.update(dict.fromkeys(formats_for_uv(release)))
    # Of formats that share a place, one that all of them read is the better choice.
    shared = sorted(chosen, key=lambda format_id: -_count_readers(format_id, found))
    chosen = dict.fromkeys(shared)
    for bucket in sorted(_with_partners(set(buckets) & _BY_BUCKET.keys())):
        chosen.update(dict.fromkeys(formats_for_bucket(bucket)))
    if not chosen:
        for bucket in sorted(_BY_BUCKET):
            chosen.update(dict.fromkeys(formats_for_bucket(bucket)))
    return tuple(chosen)


def _with_partners(buckets: set[str]) -> set[str]:
    """Return buckets, and for one without any of the other family all that may be its."""
    found = set(buckets)
    for bucket in buckets:
        first, end = _span(bucket)
        partners = {
            other
            for other in _BY_BUCKET
            if _BY_BUCKET[other][0].family != _BY_BUCKET[bucket][0].family
            and max(first, _span(other)[0]) < min(end, _span(other)[1])
        }
        if not partners & buckets:
            found |= partners
    return found


def _span(bucket: str) -> tuple[Release, Release]:
    """Return the range of uv versions that have a bucket."""
    rows = _BY_BUCKET[bucket]
    return min(row.first for row in rows), max(row.end for row in rows)


def _count_readers(format_id: FormatId, releases: Iterable[Release]) -> int:
    return sum(_BY_ID[format_id].is_read_by(release) for release in releases)
