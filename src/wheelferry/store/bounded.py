"""Turn hostile bytes into plain values without letting them choose how much memory.

Pure.  All functions take `where`, which begins the message of the RecordMalformed that
they raise: it names the segment and the part of it.
"""

import re
from typing import Final, TypeVar

import msgpack
import xxhash

from wheelferry.errors import RecordMalformed
from wheelferry.pack import zstd

MAX_TOTAL_ITEMS: Final = 1 << 17

_Container = TypeVar("_Container", list[object], dict[object, object])

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_DECOMPRESSION: Final[dict[int, int]] = {zstd.DecompressionParameter.window_log_max: 24}


def checksum(data: bytes | memoryview) -> int:
    """Return the xxh3 (64 bits) of `data`: a guard against accident, nothing more."""
    return xxhash.xxh3_64_intdigest(data)


def decompress(data: bytes | memoryview, *, raw_bytes: int, where: str) -> bytes:
    """Decompress one zstd frame that must hold exactly `raw_bytes` bytes.

    The caller has compared `raw_bytes` with a limit; no more than that is allocated.
    """
    try:
        if zstd.get_frame_info(data).decompressed_size != raw_bytes:
            raise RecordMalformed(f"{where}: frame does not announce its size")
        decompressor = zstd.ZstdDecompressor(options=_DECOMPRESSION)
        raw = decompressor.decompress(data, raw_bytes + 1)
    except zstd.ZstdError as exc:
        raise RecordMalformed(f"{where}: cannot be decompressed: {exc}") from exc
    if len(raw) != raw_bytes or not decompressor.eof or decompressor.unused_data:
        raise RecordMalformed(f"{where}: frame does not hold {raw_bytes} bytes")
    return raw


def unpack(raw: bytes, *, max_items: int, where: str) -> object:
    """Decode one msgpack value that takes up all of `raw`.

    `max_items` is for each array or map, which takes 8 bytes an item before its items
    are read; they nest at most 1,024 deep.  All of them together, with their items, are
    at most MAX_TOTAL_ITEMS: an empty map takes one byte in `raw` and 80 in memory.
    """
    total = 0

    def count(container: _Container) -> _Container:
        nonlocal total
        total += 1 + len(container)
        if total > MAX_TOTAL_ITEMS:
            raise RecordMalformed(f"{where}: more than {MAX_TOTAL_ITEMS} items in all")
        return container

    try:
        value: object = msgpack.unpackb(
            raw,
            raw=False,
            strict_map_key=True,
            max_str_len=len(raw),
            max_bin_len=len(raw),
            max_array_len=max_items,
            max_map_len=max_items,
            max_ext_len=0,
            object_hook=count,
            list_hook=count,
        )
    except (ValueError, msgpack.UnpackException) as exc:
        raise RecordMalformed(f"{where}: not the msgpack it should be: {exc}") from exc
    return value


def as_map(value: object, where: str) -> dict[object, object]:
    """Return `value` if it is a map."""
    if not isinstance(value, dict):
        raise RecordMalformed(f"{where}: not a map")
    return value


def as_array(value: object, where: str, *, max_items: int) -> list[object]:
    """Return `value` if it is an array of at most `max_items`."""
    if not isinstance(value, list):
        raise RecordMalformed(f"{where}: not an array")
    if len(value) > max_items:
        raise RecordMalformed(f"{where}: {len(value)} items; the limit is {max_items}")
    return value


def as_int(value: object, where: str, *, below: int) -> int:
    """Return `value` if it is an integer from 0 to `below` - 1."""
    if type(value) is not int:  # bool is an int to isinstance
        raise RecordMalformed(f"{where}: not an integer")
    if not 0 <= value < below:
        raise RecordMalformed(f"{where}: {value} is out of range")
    return value


def as_text(value: object, where: str, *, max_chars: int) -> str:
    """Return `value` if it is a string of at most `max_chars`, no control characters."""
    if not isinstance(value, str):
        raise RecordMalformed(f"{where}: not a string")
    if len(value) > max_chars:
        raise RecordMalformed(f"{where}: {len(value)} characters; limit {max_chars}")
    if _CONTROL.search(value):
        raise RecordMalformed(f"{where}: has control characters: {value!r}")
    return value


def as_bytes(value: object, where: str, *, max_bytes: int) -> bytes:
    """Return `value` if it is a byte string of at most `max_bytes`."""
    if not isinstance(value, bytes):
        raise RecordMalformed(f"{where}: not a byte string")
    if len(value) > max_bytes:
        raise RecordMalformed(f"{where}: {len(value)} bytes; the limit is {max_bytes}")
    return value


def as_digest(value: object, where: str) -> str:
    """Return 32 bytes as 64 lower-case hex digits."""
    if not isinstance(value, bytes) or len(value) != 32:
        raise RecordMalformed(f"{where}: not a digest of 32 bytes")
    return value.hex()
