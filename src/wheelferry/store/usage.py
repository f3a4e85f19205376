"""When one runner last had use for which packs, format 1.

Pure.  A runner's file says which packs its cache holds, and its time of modification, by
the server's clock, says when that was true; packs that the cache has given up since are
kept with the last such time.  So ages are differences on one clock, and a pack that every
runner holds is in use, though nobody pulls it.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgpack

from wheelferry.errors import RecordMalformed, StoreFormatUnsupported
from wheelferry.store.bounded import as_array, as_int, as_map, checksum, unpack
from wheelferry.store.record import Digest

MAX_USAGE_BYTES: Final = 16 << 20
KEPT_S: Final = 180 * 24 * 3600
"""After this a pack that no cache holds is as good as never used."""

_MAGIC: Final = b"\x89WFUS\r\n\x1a"
_VERSION: Final = 1
_HEAD_BYTES: Final = 12
_CHECKSUM_BYTES: Final = 8
_DIGEST_BYTES: Final = 32
_MAX_TIMES: Final = 1024


class Usage(NamedTuple):
    """What a runner says of the packs it uses.

    Attributes:
        held: Packs of the entries in its cache, sorted.
        before: Packs that were held until a time in seconds of the server's clock, the
            latest first.
    """

    held: tuple[Digest, ...]
    before: tuple[tuple[int, tuple[Digest, ...]], ...] = ()


def advance_usage(previous: Usage, written_s: int, held: Iterable[Digest]) -> Usage:
    """Return what to write next.

    Args:
        previous: What the runner wrote last.
        written_s: When that was, by the server's clock.
        held: Packs that its cache holds now.
    """
    now_held = tuple(sorted(set(held)))
    seen = set(now_held)
    before = []
    for time_s, packs in ((written_s, previous.held), *previous.before):
        given_up = tuple(pack for pack in packs if pack not in seen)
        seen.update(given_up)
        if given_up and written_s - time_s <= KEPT_S:
            before.append((time_s, given_up))
    return Usage(held=now_held, before=tuple(before[:_MAX_TIMES]))


def encode_usage(usage: Usage) -> bytes:
    """Return the bytes of a usage file."""
    body: bytes = msgpack.packb(
        {
            "held": _join(usage.held),
            "before": [[time_s, _join(packs)] for time_s, packs in usage.before],
        }
    )
    data = _MAGIC + _VERSION.to_bytes(4, "little") + body
    return data + checksum(data).to_bytes(_CHECKSUM_BYTES, "little")


def decode_usage(data: bytes, *, where: str) -> Usage:
    """Decode a usage file; `where` names it in messages.

    Raises:
        RecordMalformed: It is not one.
        StoreFormatUnsupported: It is of another version.
    """
    end = len(data) - _CHECKSUM_BYTES
    if not _HEAD_BYTES < end <= MAX_USAGE_BYTES or not data.startswith(_MAGIC):
        raise RecordMalformed(f"{where}: not a usage file")
    version = int.from_bytes(data[8:_HEAD_BYTES], "little")
    if version != _VERSION:
        raise StoreFormatUnsupported(
            f"{where}: usage format {version}; this wheelferry reads {_VERSION}",
            hint="upgrade wheelferry on this machine",
        )
    if checksum(data[:end]).to_bytes(_CHECKSUM_BYTES, "little") != data[end:]:
        raise RecordMalformed(f"{where}: checksum does not match")
    body = as_map(
        unpack(data[_HEAD_BYTES:end], max_items=_MAX_TIMES, where=where), where
    )
    before = as_array(body.get("before"), where, max_items=_MAX_TIMES)
    return Usage(
        held=_split(body.get("held"), where),
        before=tuple(_decode_time(item, where) for item in before),
    )


def _decode_time(item: object, where: str) -> tuple[int, tuple[Digest, ...]]:
    pair = as_array(item, where, max_items=2)
    if len(pair) != 2:
        raise RecordMalformed(f"{where}: not a time and its packs")
    return as_int(pair[0], where, below=1 << 40), _split(pair[1], where)


def _join(packs: Iterable[Digest]) -> bytes:
    return b"".join(map(bytes.fromhex, packs))


def _split(value: object, where: str) -> tuple[Digest, ...]:
    if not isinstance(value, bytes) or len(value) % _DIGEST_BYTES:
        raise RecordMalformed(f"{where}: not a list of digests")
    starts = range(0, len(value), _DIGEST_BYTES)
    return tuple(Digest(value[at : at + _DIGEST_BYTES].hex()) for at in starts)
