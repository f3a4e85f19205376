"""Tombstones in parts that readers accept: pure."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from wheelferry.store.segment_footer import (
    MAX_LISTED_SEGMENTS,
    MAX_TOMBSTONES,
    Tombstone,
)


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
