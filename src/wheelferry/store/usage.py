"""When runners last had use for which packs, and what they did, format 1.

Pure.  A file says which packs a runner's cache holds, and its time of modification, by
the server's clock, says when that was true; packs that the cache has given up since are
kept with the last such time.  So ages are differences on one clock, and a pack that every
runner holds is in use, though nobody pulls it.

A file is written once, under a name that nobody else can have, and says which ones it
carries on.  Those count no more, whether they are still there or not.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgpack

from wheelferry.errors import RecordMalformed, StoreFormatUnsupported
from wheelferry.store.bounded import (
    as_array,
    as_bytes,
    as_int,
    as_map,
    as_text,
    checksum,
    unpack,
)
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
_MAX_REPLACED: Final = 4096
_MAX_NAME_CHARS: Final = 96
_DAY_S: Final = 24 * 3600

MAX_FIGURES_BYTES: Final = 1 << 20
MAX_PACKS: Final = 400_000
"""Of a file; more do not fit into MAX_USAGE_BYTES."""


class Usage(NamedTuple):
    """What a runner says of the packs it uses.

    Attributes:
        held: Packs of the entries in its cache, sorted.
        before: Packs that were held until a time in seconds of the server's clock, the
            latest first.
        figures: What it did, as `ops` encodes it; the store does not look into it.
        replaces: Names of the files that this one carries on.
    """

    held: tuple[Digest, ...]
    before: tuple[tuple[int, tuple[Digest, ...]], ...] = ()
    figures: bytes = b""
    replaces: tuple[str, ...] = ()


class UsageFile(NamedTuple):
    """A file in `usage/`; times in seconds of the server's clock.

    Attributes:
        name: Its name, without suffix.
        written_s: When it was written.
        named_s: When it got this name, or later.
        usage: What it says.
    """

    name: str
    written_s: int
    named_s: int
    usage: Usage


def find_replaced(files: Iterable[UsageFile]) -> frozenset[str]:
    """Return the names of those that others carry on."""
    return frozenset(name for file in files for name in file.usage.replaces)


def find_last_uses(files: Iterable[UsageFile]) -> dict[Digest, int]:
    """Return when each pack was last held, as far as files say so."""
    found: dict[Digest, int] = {}
    for file in files:
        for time_s, packs in ((file.written_s, file.usage.held), *file.usage.before):
            for pack in packs:
                found[pack] = max(time_s, found.get(pack, time_s))
    return found


def fold_usages(files: Iterable[UsageFile], now_s: int) -> list[Usage]:
    """Return what together says when each pack was last held, to the day.

    Of runners that are not expected back: nobody holds anything any more.  A time is never
    earlier than it was.  In several parts where one file could not hold it; at least one.
    """
    days: dict[int, list[Digest]] = {}
    for pack, time_s in find_last_uses(files).items():
        if now_s - time_s <= KEPT_S:
            days.setdefault(-(-time_s // _DAY_S) * _DAY_S, []).append(pack)
    parts: list[Usage] = []
    before: list[tuple[int, tuple[Digest, ...]]] = []
    room = MAX_PACKS
    for time_s in sorted(days, reverse=True)[:_MAX_TIMES]:
        packs = sorted(days[time_s])
        while packs:
            taken, packs = packs[:room], packs[room:]
            before.append((time_s, tuple(taken)))
            room -= len(taken)
            if not room:
                parts.append(Usage(held=(), before=tuple(before)))
                before, room = [], MAX_PACKS
    if before or not parts:
        parts.append(Usage(held=(), before=tuple(before)))
    return parts


def advance_usage(previous: Usage, written_s: int, held: Iterable[Digest]) -> Usage:
    """Return what to write next.

    Packs that were given up on one day, by the server's clock, have one time: the last.
    So there is room for all days, though many runners carry on one file in turn.

    Args:
        previous: What the runner wrote last.
        written_s: When that was, by the server's clock.
        held: Packs that its cache holds now.
    """
    now_held = tuple(sorted(set(held)))
    seen = set(now_held)
    before: list[tuple[int, tuple[Digest, ...]]] = []
    for time_s, packs in ((written_s, previous.held), *previous.before):
        given_up = tuple(pack for pack in packs if pack not in seen)
        seen.update(given_up)
        if not given_up or written_s - time_s > KEPT_S:
            continue
        if before and before[-1][0] // _DAY_S == time_s // _DAY_S:
            last_s, packs_then = before.pop()
            before.append((last_s, packs_then + given_up))
        else:
            before.append((time_s, given_up))
    return Usage(held=now_held, before=tuple(before[:_MAX_TIMES]))


def has_room(usage: Usage) -> bool:
    """Return whether a file can hold it."""
    return len(usage.held) + sum(len(p) for _, p in usage.before) <= MAX_PACKS


def encode_usage(usage: Usage) -> bytes:
    """Return the bytes of a usage file."""
    body: bytes = msgpack.packb(
        {
            "held": _join(usage.held),
            "before": [[time_s, _join(packs)] for time_s, packs in usage.before],
            "figures": usage.figures,
            "replaces": usage.replaces,
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
        unpack(data[_HEAD_BYTES:end], max_items=_MAX_REPLACED, where=where), where
    )
    before = as_array(body.get("before"), where, max_items=_MAX_TIMES)
    figures = as_bytes(body.get("figures"), where, max_bytes=MAX_FIGURES_BYTES)
    replaces = as_array(body.get("replaces"), where, max_items=_MAX_REPLACED)
    return Usage(
        held=_split(body.get("held"), where),
        before=tuple(_decode_time(item, where) for item in before),
        figures=figures,
        replaces=tuple(
            as_text(name, where, max_chars=_MAX_NAME_CHARS) for name in replaces
        ),
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
