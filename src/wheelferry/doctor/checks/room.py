"""Is there room?  For the disk of the cache and for the share alike.

Pure.
"""

from dataclasses import dataclass
from typing import Final

from wheelferry.doctor.checks.verdict import error, ok, spell_bytes, warning
from wheelferry.ops.finding import Finding

LOW_BYTES: Final = 1 << 30
LOW_FILES: Final = 10_000
"""A wheel may have thousands of files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is free for this user, and how much there is in all.

    `size_files` is 0 where nothing limits the number of files.
    """

    free_bytes: int
    size_bytes: int
    free_files: int
    size_files: int


def judge_room(
    reference: str, place: str, room: Room, *, meaning: str, hint: str
) -> Finding:
    """Return the finding on a filesystem; `meaning` is what follows when it is full."""
    has_files = room.size_files > 0
    free = f"{spell_bytes(room.free_bytes)} free of {spell_bytes(room.size_bytes)}"
    if has_files:
        free += f", {room.free_files} files of {room.size_files}"
    # Of a small filesystem a tenth is enough.
    low_bytes = min(LOW_BYTES, room.size_bytes // 10)
    low_files = min(LOW_FILES, room.size_files // 10)
    if room.free_bytes == 0 or (has_files and room.free_files == 0):
        what = "no room" if room.free_bytes == 0 else "no inode"
        return error(
            reference,
            place,
            f"{what} is left: {free}",
            meaning=meaning,
            hint=hint,
        )
    if room.free_bytes < low_bytes or (has_files and room.free_files < low_files):
        return warning(
            reference,
            place,
            f"little room is left: {free}",
            meaning=f"once it is full, {meaning}",
            hint=hint,
        )
    return ok(reference, place, free)
