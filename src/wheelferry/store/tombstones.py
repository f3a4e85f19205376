"""What a segment says is gone: tombstones, evictions and bans, and their bytes in it.

Pure.  `docs/store-format.md` says where in a segment's footer they are.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final, NamedTuple

from wheelferry.errors import RecordMalformed
from wheelferry.store.bounded import as_array, as_bytes, as_digest, as_int, as_text
from wheelferry.store.record import Identity, SegmentId
from wheelferry.store.record_map import MAX_TEXT_CHARS

MAX_RECORDS: Final = 1 << 20
"""Of a segment: their numbers are below."""
MAX_LISTED_SEGMENTS: Final = 4096
"""How many segments a footer may name in `tombstones`, and again in `replaces`."""
MAX_TOMBSTONES: Final = 1 << 16
MAX_EVICTIONS: Final = 1 << 16
MAX_BANS: Final = 1024

TIME_BELOW: Final = 1 << 40
"""What a time in a segment is, in seconds since the epoch."""

# identity, time
_EVICTION = struct.Struct("<16sQ")
_NUMBER_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Tombstone:
    """Says that one record of one segment is dead; other occurrences are not.

    Attributes:
        segment: The segment that holds the record.
        number: Of the record in it, counted from 0 over all blocks.
    """

    segment: SegmentId
    number: int


class Eviction(NamedTuple):
    """Says that an entry was removed from the store.

    It outlives the record and its tombstone, so that who missed both knows it too.

    Attributes:
        identity: Of its records.
        at_s: When, by the clock of whoever removed it, seconds since the epoch.
    """

    identity: Identity
    at_s: int


class Ban(NamedTuple):
    """A package that nobody may promote or restore, for as long as the segment is there.

    Attributes:
        name: Normalised.
        version: Of the release; "" for all of them.
    """

    name: str
    version: str


def split_tombstones(tombstones: Sequence[Tombstone]) -> Iterator[list[Tombstone]]:
    """Yield sorted tombstones in parts that each fit into one segment."""
    part: list[Tombstone] = []
    segments = 0
    for _, group in groupby(tombstones, key=lambda tombstone: tombstone.segment):
        of_one = list(group)
        while of_one:
            if segments == MAX_LISTED_SEGMENTS or len(part) == MAX_TOMBSTONES:
                yield part
                part, segments = [], 0
            room = MAX_TOMBSTONES - len(part)
            part += of_one[:room]
            of_one = of_one[room:]
            segments += 1
    if part:
        yield part


def encode_tombstones(tombstones: Iterable[Tombstone]) -> list[list[bytes]]:
    """Return them as a footer has them: a pair for each segment, sorted, each once.

    Raises RecordMalformed for a number that no record has.
    """
    grouped = groupby(sorted(set(tombstones)), key=lambda item: item.segment)
    return [
        [bytes.fromhex(segment), _encode_numbers([item.number for item in items])]
        for segment, items in grouped
    ]


def decode_tombstones(value: object, where: str) -> tuple[Tombstone, ...]:
    """Return what `encode_tombstones` was given; raises RecordMalformed."""
    found: list[Tombstone] = []
    for item in as_array(value, where, max_items=MAX_LISTED_SEGMENTS):
        pair = as_array(item, where, max_items=2)
        if len(pair) != 2:
            raise RecordMalformed(f"{where}: {len(pair)} fields instead of 2")
        segment = SegmentId(as_digest(pair[0], where))
        packed = as_bytes(pair[1], where, max_bytes=_NUMBER_BYTES * MAX_TOMBSTONES)
        if len(packed) % _NUMBER_BYTES:
            raise RecordMalformed(f"{where}: numbers take {len(packed)} bytes")
        if len(found) + len(packed) // _NUMBER_BYTES > MAX_TOMBSTONES:
            raise RecordMalformed(f"{where}: more than {MAX_TOMBSTONES}")
        for (number,) in struct.iter_unpack("<I", packed):
            as_int(number, where, below=MAX_RECORDS)
            found.append(Tombstone(segment=segment, number=number))
    if any(first >= second for first, second in pairwise(found)):
        raise RecordMalformed(f"{where}: not sorted, or one comes twice")
    return tuple(found)


def encode_evictions(evictions: Iterable[Eviction]) -> bytes:
    """Return them as a footer has them; raises RecordMalformed for a wrong time."""
    return b"".join(
        _EVICTION.pack(
            bytes.fromhex(identity), as_int(at_s, "eviction", below=TIME_BELOW)
        )
        for identity, at_s in evictions
    )


def decode_evictions(value: object, where: str) -> tuple[Eviction, ...]:
    """Return what `encode_evictions` was given; raises RecordMalformed."""
    packed = as_bytes(value, where, max_bytes=MAX_EVICTIONS * _EVICTION.size)
    if len(packed) % _EVICTION.size:
        raise RecordMalformed(f"{where}: takes {len(packed)} bytes")
    found = tuple(
        Eviction(Identity(raw.hex()), as_int(at_s, where, below=TIME_BELOW))
        for raw, at_s in _EVICTION.iter_unpack(packed)
    )
    if any(first.identity >= second.identity for first, second in pairwise(found)):
        raise RecordMalformed(f"{where}: not sorted, or one comes twice")
    return found


def decode_bans(value: object, where: str) -> tuple[Ban, ...]:
    """Return bans that are pairs in a footer; raises RecordMalformed."""
    bans: list[Ban] = []
    for item in as_array(value, where, max_items=MAX_BANS):
        pair = as_array(item, where, max_items=2)
        if len(pair) != 2:
            raise RecordMalformed(f"{where}: {len(pair)} fields instead of 2")
        name = as_text(pair[0], where, max_chars=MAX_TEXT_CHARS)
        bans.append(Ban(name, as_text(pair[1], where, max_chars=MAX_TEXT_CHARS)))
    return tuple(bans)


def _encode_numbers(numbers: Sequence[int]) -> bytes:
    for number in numbers:
        as_int(number, "tombstone", below=MAX_RECORDS)
    return struct.pack(f"<{len(numbers)}I", *numbers)
