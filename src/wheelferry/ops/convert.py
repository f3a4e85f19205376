"""Between tier 1's words (entries) and tier 2's (records); neither tier knows the other."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from wheelferry.errors import RecordMalformed
from wheelferry.events import Value
from wheelferry.store.record import Digest, Record
from wheelferry.uvcache.entry import EntryInfo, EntryKey, Hash, Kind

if TYPE_CHECKING:
    from wheelferry.store.view import LightRecord

POINTER = "pointer"
METADATA = "metadata"
NO_FILES: Mapping[str, bytes] = MappingProxyType({})
NO_NEEDS: Mapping[str, str] = MappingProxyType({})


def encode_record(
    info: EntryInfo,
    *,
    pack: str,
    pack_bytes: int,
    tree_bytes: int,
    tree_files: int,
    needs: Mapping[str, str] = NO_NEEDS,
) -> Record:
    """Return the catalog record of an entry whose archive tree is in `pack`.

    `pack` is the object's SHA-256 (hex); sizes are in bytes; `needs` are those of a
    natively built wheel.
    """
    files: dict[str, bytes] = {}
    if info.pointer:
        files[POINTER] = info.pointer
    if info.metadata:
        files[METADATA] = info.metadata
    return Record(
        format_id=info.format_id,
        kind=info.key.kind.value,
        shard=info.key.shard,
        settings=info.key.settings,
        stem=info.key.stem,
        name=info.name,
        version=info.version,
        tags=info.tags,
        hashes=tuple(sorted(map(str, info.hashes))),
        size_bytes=info.size_bytes,
        pack=Digest(pack),
        pack_bytes=pack_bytes,
        tree_bytes=tree_bytes,
        tree_files=tree_files,
        files=files,
        needs=needs,
    )


def decode_key(kind: str, shard: str, settings: str, stem: str) -> EntryKey:
    """Return the entry key that a record's columns spell.

    Raises RecordMalformed for a kind that this version does not know.
    """
    try:
        known = Kind(kind)
    except ValueError as exc:
        raise RecordMalformed(
            f"a record for {shard}/{stem} has the unknown kind {kind!r}",
            hint="a newer wheelferry promoted it; upgrade this runner to pull it",
        ) from exc
    return EntryKey(kind=known, shard=shard, settings=settings, stem=stem)


def decode_hashes(hashes: tuple[str, ...]) -> tuple[Hash, ...]:
    """Return `algorithm:hex` strings as values."""
    parts = (text.partition(":") for text in hashes)
    return tuple(Hash(algorithm=name, value=value) for name, _, value in parts)


def decode_entry(
    record: "Record | LightRecord", files: Mapping[str, bytes] = NO_FILES
) -> EntryInfo:
    """Return the entry that a record describes, with its small files if they are given.

    All of it is still hostile input.

    Raises RecordMalformed for a kind that this version does not know.
    """
    return EntryInfo(
        format_id=record.format_id,
        key=decode_key(record.kind, record.shard, record.settings, record.stem),
        name=record.name,
        version=record.version,
        tags=record.tags,
        hashes=decode_hashes(record.hashes),
        size_bytes=record.size_bytes,
        pointer=files.get(POINTER, b""),
        metadata=files.get(METADATA, b""),
    )


def event_fields(record: "Record | LightRecord") -> dict[str, Value]:
    """Return what an event says of a record; sizes in bytes."""
    return {
        "name": record.name,
        "version": record.version,
        "tags": record.tags,
        "format": record.format_id,
        "pack": record.pack,
        "pack_bytes": record.pack_bytes,
        "tree_bytes": record.tree_bytes,
    }
