"""Check what a record of the store says of an entry, before it becomes paths and files.

(The RECORD file inside a wheel is another thing: see `wheelrecord`.)

Pure.  Records come out of the store, so they are hostile until they have passed here:
then every path component is a plain name, of the form and at the depth that uv uses, no
entry's file can take the place of another kind of file, and the pointer says what the
record says.
"""

import re

from wheelferry.errors import RecordMalformed, UnsafePath
from wheelferry.uvcache.entry import EntryInfo, Kind
from wheelferry.uvcache.formats import Family, Format, find_format
from wheelferry.uvcache.pointer import Pointer, PointerMalformed, decode_pointer
from wheelferry.uvcache.wheelname import parse_wheel_name

MAX_COMPONENT = 240
"""Bytes of one path component, so that uv's longest suffix still fits into 255."""

_NAME = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_VERSION = r"[0-9A-Za-z_][0-9A-Za-z_.+!-]*"
_KEY = r"[0-9a-f]{16}"

# Patterns are compiled when they are used: hardly any pull meets all of them.
_SHARDS = {
    Kind.REGISTRY_WHEEL: rf"(?:pypi|index/{_KEY})/({_NAME})",
    Kind.URL_WHEEL: rf"url/{_KEY}/({_NAME})",
    Kind.REGISTRY_SDIST: rf"(?:pypi|index/{_KEY})/({_NAME})/{_VERSION}",
    Kind.URL_SDIST: rf"url/{_KEY}",
    Kind.GIT: rf"git/{_KEY}/{_KEY}",
}
_STEM = r"[0-9A-Za-z_][0-9A-Za-z_.+!-]*-[0-9A-Za-z_.-]*[0-9A-Za-z_]"
_ARCHIVE_ID = r"[0-9a-f]{64}"
_HINT = "the store holds a forged or damaged record; see who can write to it"
_TAKEN_SUFFIXES = (".http", ".rev", ".lock", ".msgpack", ".whl", ".rkyv")


def check_restorable(info: EntryInfo, archive_id: str) -> Pointer | None:
    """Check an entry, and return its pointer; None for git, which has none.

    Args:
        info: As the record has it.
        archive_id: The digest of its pack: 64 lower-case hex digits.

    Raises:
        UnsafePath: A path made from it would not be where uv keeps such an entry.
        RecordMalformed: Its format is unknown, or its pointer says something else.
    """
    row = find_format(info.format_id)
    family = Family.SDISTS if info.key.kind.is_built else Family.WHEELS
    if row is None or row.family is not family:
        raise _malformed(info, f"it has the format {info.format_id!r}")
    if (row.shape == "git") != (not info.key.kind.has_pointer):
        raise _malformed(info, f"{info.format_id} does not fit {info.key.kind.value}")
    if not re.fullmatch(_ARCHIVE_ID, archive_id):
        raise _unsafe(info, f"the archive id {archive_id!r} is not a SHA-256")
    check_key(info)
    return _check_pointer(info, row) if info.key.kind.has_pointer else None


def check_key(info: EntryInfo) -> None:
    """Raise UnsafePath unless the entry's paths are where uv keeps such entries.

    Enough for looking at a cache; before anything is written, `check_restorable`.
    """
    key = info.key
    if any(len(part) > MAX_COMPONENT for part in str(key).split("/")):
        raise _unsafe(info, f"a component is longer than {MAX_COMPONENT} bytes")
    shard = re.fullmatch(_SHARDS[key.kind], key.shard)
    if shard is None:
        raise _unsafe(info, f"the shard {key.shard!r} is none of kind {key.kind.value}")
    if shard.groups() and shard[1] != info.name:
        raise _unsafe(info, f"the shard {key.shard!r} belongs to another package")
    if key.settings and not (key.kind.is_built and re.fullmatch(_KEY, key.settings)):
        raise _unsafe(info, f"the settings shard {key.settings!r} is none")
    if not re.fullmatch(_STEM, key.stem) or key.stem.endswith(_TAKEN_SUFFIXES):
        raise _unsafe(info, f"the stem {key.stem!r} is none that uv writes")
    is_short = not key.kind.is_built and (
        key.stem == f"{info.version}-{info.tags}" or _is_shortened(info)
    )
    if not is_short and not _is_of(info, key.stem):
        raise _unsafe(info, f"the stem {key.stem!r} belongs to another wheel")


def _check_pointer(info: EntryInfo, row: Format) -> Pointer:
    try:
        pointer = decode_pointer(info.pointer, family=row.family, framing=row.framing)
    except PointerMalformed as exc:
        raise _malformed(info, f"its pointer is none: {exc}") from exc
    if pointer.shape != row.shape:
        raise _malformed(info, f"its pointer is {pointer.shape}, not {row.shape}")
    # uv compares these with the lock, and a wrong one it never mends (it exits 1).
    if set(pointer.hashes) != set(info.hashes):
        raise _malformed(info, "its pointer has other digests")
    if pointer.filename is not None and not _is_of(info, pointer.filename):
        raise _malformed(info, f"its pointer is for {pointer.filename!r}")
    return pointer


def _is_shortened(info: EntryInfo) -> bool:
    """Return whether the stem is what uv makes of versions and tags that are long."""
    version, _, digest = info.key.stem.rpartition("-")
    return bool(re.fullmatch(_KEY, digest)) and info.version.startswith(version)


def _is_of(info: EntryInfo, filename: str) -> bool:
    name = parse_wheel_name(filename.removesuffix(".whl"))
    return name == (info.name, info.version, info.tags)


def _unsafe(info: EntryInfo, reason: str) -> UnsafePath:
    return UnsafePath(f"{_subject(info)}: {reason}", hint=_HINT)


def _malformed(info: EntryInfo, reason: str) -> RecordMalformed:
    return RecordMalformed(f"{_subject(info)}: {reason}", hint=_HINT)


def _subject(info: EntryInfo) -> str:
    return f"the record of {info.name!r} {info.version!r} cannot be restored"
