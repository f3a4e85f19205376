"""Figures as msgpack has them: on this runner's disk, and in its file in the store.

Pure.  What is read may be hostile, and is bounded: by days, packages, digits.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import msgpack

from wheelferry.errors import RecordMalformed
from wheelferry.ops.figures import (
    PACKAGE_SUMS,
    SUMS,
    Day,
    PackageSums,
    Sums,
    merge_days,
)
from wheelferry.store.bounded import as_array, as_int, as_text, unpack

MAX_DAYS: Final = 400
"""On which something was done; the latest are kept."""

DAY_PACKAGES: Final = 50
MAX_PACKAGES: Final = 2000
"""Of a day, and of all days: the largest are kept, of the latest days."""

MAX_NAME_CHARS: Final = 128

_MAX_DAY: Final = 1 << 20
"""The year 4840: what a date can be."""

_MAX_SUM: Final = 1 << 53
_SECONDS: Final = frozenset(
    {"waited_s", "background_s", "build_s", "longest_s"},
)
_PACKAGE: Final = (*PACKAGE_SUMS, "longest_s")


def bound_days(days: Iterable[Day]) -> tuple[Day, ...]:
    """Return days without what is too much to be kept."""
    room = MAX_PACKAGES
    kept: list[Day] = []
    for day in reversed(merge_days(days)[-MAX_DAYS:]):
        packages = heaviest(day.packages, min(DAY_PACKAGES, room))
        room -= len(packages)
        kept.append(Day(day=day.day, sums=day.sums, packages=packages))
    return tuple(reversed(kept))


def heaviest(packages: Iterable[PackageSums], number: int) -> tuple[PackageSums, ...]:
    """Return those packages of which most came, or was avoided; by name."""
    largest = sorted(packages, key=_weight, reverse=True)[:number]
    return tuple(sorted(largest, key=lambda package: package.name))


def encode_days(days: Iterable[Day]) -> list[object]:
    """Return days in built-in types, for msgpack."""
    return [
        [
            day.day,
            [getattr(day.sums, name) for name in SUMS],
            [
                [package.name, *(getattr(package, name) for name in _PACKAGE)]
                for package in day.packages
            ],
        ]
        for day in days
    ]


def decode_days(value: object, where: str) -> tuple[Day, ...]:
    """Undo `encode_days`; raises RecordMalformed, with `where`."""
    days = as_array(value, where, max_items=MAX_DAYS)
    found = tuple(_decode_day(item, where) for item in days)
    if sum(len(day.packages) for day in found) > MAX_PACKAGES:
        raise RecordMalformed(f"{where}: more than {MAX_PACKAGES} packages")
    return found


def encode_figures(days: Iterable[Day]) -> bytes:
    """Return what a runner's file in the store has of its figures."""
    data: bytes = msgpack.packb(encode_days(bound_days(days)))
    return data


def decode_figures(data: bytes, where: str) -> tuple[Day, ...]:
    """Undo `encode_figures`; b"" is of a runner that did nothing.

    Raises RecordMalformed.
    """
    if not data:
        return ()
    return decode_days(unpack(data, max_items=MAX_PACKAGES, where=where), where)


def _decode_day(item: object, where: str) -> Day:
    parts = as_array(item, where, max_items=3)
    if len(parts) != 3:
        raise RecordMalformed(f"{where}: not a day, its sums and its packages")
    packages = as_array(parts[2], where, max_items=DAY_PACKAGES)
    return Day(
        day=as_int(parts[0], where, below=_MAX_DAY),
        sums=Sums(**_decode_sums(parts[1], SUMS, where)),  # type: ignore[arg-type]
        packages=tuple(_decode_package(package, where) for package in packages),
    )


def _decode_package(item: object, where: str) -> PackageSums:
    name, *sums = as_array(item, where, max_items=1 + len(_PACKAGE)) or [None]
    return PackageSums(
        name=as_text(name, where, max_chars=MAX_NAME_CHARS),
        **_decode_sums(sums, _PACKAGE, where),  # type: ignore[arg-type]
    )


def _decode_sums(value: object, names: Sequence[str], where: str) -> dict[str, float]:
    numbers = as_array(value, where, max_items=len(names))
    if len(numbers) != len(names):
        raise RecordMalformed(f"{where}: {len(numbers)} sums instead of {len(names)}")
    return {
        name: _decode_number(name, number, where)
        for name, number in zip(names, numbers, strict=True)
    }


def _decode_number(name: str, value: object, where: str) -> float:
    if name not in _SECONDS:
        return as_int(value, where, below=_MAX_SUM)
    if type(value) not in (int, float):
        raise RecordMalformed(f"{where}: {name} is no number")
    seconds = float(value)  # type: ignore[arg-type]
    if not (math.isfinite(seconds) and 0 <= seconds < _MAX_SUM):
        raise RecordMalformed(f"{where}: {name} is out of range")
    return seconds


def _weight(package: PackageSums) -> tuple[int, float, str]:
    most_bytes = max(package.avoided_bytes, package.pulled_bytes)
    return most_bytes, package.build_s, package.name
