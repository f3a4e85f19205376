"""A record as the msgpack map that segments hold, and back.

Pure.  `docs/store-format.md` has the table of fields.  A map's unknown keys are ignored:
a later version may add some, such as a signature.  Known keys are checked for type and
range, and the entry's key for being a relative path that stays below where it is joined.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wheelferry.errors import RecordMalformed, UnsafePath
from wheelferry.pack.paths import check_path
from wheelferry.store.bounded import (
    as_array,
    as_bytes,
    as_digest,
    as_int,
    as_map,
    as_text,
)
from wheelferry.store.layout import parse_digest
from wheelferry.store.record import Digest, Record

MAX_TEXT_CHARS: Final = 1024
MAX_FIELDS: Final = 64
MAX_HASHES: Final = 16
MAX_FILES: Final = 16
MAX_FILES_BYTES: Final = 5 << 20
MAX_NEEDS: Final = 64
MAX_NEED_CHARS: Final = 8 << 10
SIZES_BELOW: Final = 1 << 44
TREE_FILES_BELOW: Final = 1 << 24

_HASH = re.compile(r"[a-z0-9_]{1,32}:[0-9a-f]{16,256}", re.ASCII)
_NO_FILES: Mapping[str, bytes] = MappingProxyType({})
_NO_NEEDS: Mapping[str, str] = MappingProxyType({})


def encode_map(record: Record) -> dict[str, object]:
    """Return the map for `record`; one record always gives the same bytes.

    Raises:
        RecordMalformed: `decode_map` would refuse it.
    """
    digest = parse_digest(record.pack)
    if digest is None:
        raise RecordMalformed(f"record of {record.name!r}: pack is not a digest")
    value: dict[str, object] = {
        "format": record.format_id,
        "kind": record.kind,
        "shard": record.shard,
        "settings": record.settings,
        "stem": record.stem,
        "name": record.name,
        "version": record.version,
        "tags": record.tags,
        "hashes": sorted(record.hashes),
        "size": record.size_bytes,
        "pack": bytes.fromhex(digest),
        "pack_bytes": record.pack_bytes,
        "tree_bytes": record.tree_bytes,
        "tree_files": record.tree_files,
    }
    if record.files:
        value["files"] = {role: record.files[role] for role in sorted(record.files)}
    if record.needs:
        value["needs"] = {need: record.needs[need] for need in sorted(record.needs)}
    decode_map(value, f"record of {record.name!r}")
    return value


def decode_map(value: object, where: str) -> Record:
    """Return the record that a decoded map describes.

    Raises:
        RecordMalformed: It lacks a field, or one is not what it should be; the message
            begins with `where`.
    """
    fields = as_map(value, where)
    if len(fields) > MAX_FIELDS:
        raise RecordMalformed(f"{where}: {len(fields)} fields; limit {MAX_FIELDS}")
    size = fields.get("size")
    record = Record(
        format_id=_text(fields, "format", where),
        kind=_text(fields, "kind", where),
        shard=_text(fields, "shard", where),
        settings=_text(fields, "settings", where),
        stem=_text(fields, "stem", where),
        name=_text(fields, "name", where),
        version=_text(fields, "version", where),
        tags=_text(fields, "tags", where),
        hashes=_decode_hashes(fields.get("hashes"), where),
        size_bytes=None if size is None else _size(fields, "size", where),
        pack=Digest(as_digest(fields.get("pack"), f"{where}: pack")),
        pack_bytes=_size(fields, "pack_bytes", where),
        tree_bytes=_size(fields, "tree_bytes", where),
        tree_files=as_int(
            fields.get("tree_files"), f"{where}: tree_files", below=TREE_FILES_BELOW
        ),
        files=_decode_files(fields.get("files"), where),
        needs=_decode_needs(fields.get("needs"), where),
    )
    _check_key(record, where)
    return record


def _text(fields: dict[object, object], name: str, where: str) -> str:
    return as_text(fields.get(name), f"{where}: {name}", max_chars=MAX_TEXT_CHARS)


def _size(fields: dict[object, object], name: str, where: str) -> int:
    return as_int(fields.get(name), f"{where}: {name}", below=SIZES_BELOW)


def _decode_hashes(value: object, where: str) -> tuple[str, ...]:
    where = f"{where}: hashes"
    found: list[str] = []
    for item in as_array(value, where, max_items=MAX_HASHES):
        text = as_text(item, where, max_chars=MAX_TEXT_CHARS)
        if not _HASH.fullmatch(text):
            raise RecordMalformed(f"{where}: {text!r} is not algorithm:hex")
        found.append(text)
    if found != sorted(found):
        raise RecordMalformed(f"{where}: not sorted")
    return tuple(found)


def _decode_files(value: object, where: str) -> Mapping[str, bytes]:
    if value is None:
        return _NO_FILES
    where = f"{where}: files"
    found: dict[str, bytes] = {}
    total = 0
    for key, content in as_map(value, where).items():
        role = as_text(key, where, max_chars=MAX_TEXT_CHARS)
        found[role] = as_bytes(content, f"{where}: {role}", max_bytes=MAX_FILES_BYTES)
        total += len(found[role])
    if len(found) > MAX_FILES or total > MAX_FILES_BYTES:
        raise RecordMalformed(f"{where}: {len(found)} files of {total} bytes")
    return found


def _decode_needs(value: object, where: str) -> Mapping[str, str]:
    if value is None:
        return _NO_NEEDS
    where = f"{where}: needs"
    found: dict[str, str] = {}
    for key, content in as_map(value, where).items():
        need = as_text(key, where, max_chars=MAX_TEXT_CHARS)
        found[need] = as_text(content, f"{where}: {need}", max_chars=MAX_NEED_CHARS)
    if len(found) > MAX_NEEDS:
        raise RecordMalformed(f"{where}: {len(found)} of them; limit {MAX_NEEDS}")
    return found


def _check_key(record: Record, where: str) -> None:
    path = f"{record.shard}/{record.settings or '-'}/{record.stem}"
    if "/" in record.stem or "/" in record.settings or not record.name:
        raise RecordMalformed(f"{where}: key {path!r} is not one that a cache can have")
    try:
        check_path(path)  # refuses what is empty, `..` or absolute in any part
    except UnsafePath as exc:
        raise RecordMalformed(f"{where}: key: {exc}") from exc
