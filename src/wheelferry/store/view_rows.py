"""How a record lies in the tables of a view, and how it is taken out again."""

import sqlite3
from collections.abc import Mapping
from typing import Final, NamedTuple, NewType

from wheelferry.store.record import Digest, Identity, Record

RecordRef = NewType("RecordRef", int)
"""Names one record in one view file; never used again for another."""


class LightRecord(NamedTuple):
    """All of a record but its small files.

    A tuple, since a pull makes one for each record of the store: reading 100,000 took
    0.7 to 1.0 s on a busy machine, and with frozen dataclasses 1.2 to 1.7 s.
    """

    ref: RecordRef
    identity: Identity
    format_id: str
    kind: str
    shard: str
    settings: str
    stem: str
    name: str
    version: str
    tags: str
    joined_hashes: str
    size_bytes: int | None
    pack: Digest
    pack_bytes: int
    tree_bytes: int
    tree_files: int
    joined_needs: str = ""

    @property
    def needs(self) -> Mapping[str, str]:
        """The record's `needs`."""
        lines = self.joined_needs.split("\n") if self.joined_needs else ()
        pairs = (line.partition("\t") for line in lines)
        return {name: value for name, _, value in pairs}

    @property
    def hashes(self) -> tuple[str, ...]:
        """The record's `hashes`."""
        return tuple(self.joined_hashes.split())


class Rejection(NamedTuple):
    """An entry of the cache that a promotion refused.

    Attributes:
        stamp: What the entry was then: any text that changes when the entry does.
        reason: Why, in words.
    """

    stamp: str
    reason: str


class Totals(NamedTuple):
    """What the view holds in sum.

    Attributes:
        segments: In the catalog, without those that could not be read.
        records: Alive, without duplicates.
        packs: That these records name.
        pack_bytes: Sizes of these packs.
        tree_bytes: What they unpack to.
    """

    segments: int
    records: int
    packs: int
    pack_bytes: int
    tree_bytes: int


LIGHT_COLUMNS: Final = ", ".join(
    f"r.{name.removeprefix('joined_')}" for name in LightRecord._fields
)
"""Of `records AS r`, in the order of a `LightRecord`."""


def columns(record: Record) -> tuple[object, ...]:
    """Return the columns from `roles` on."""
    return (
        len(record.files),
        record.identity,
        record.format_id,
        record.kind,
        record.shard,
        record.settings,
        record.stem,
        record.name,
        record.version,
        record.tags,
        " ".join(record.hashes),
        record.size_bytes,
        record.pack,
        record.pack_bytes,
        record.tree_bytes,
        record.tree_files,
        _join_needs(record.needs),
    )


def _join_needs(needs: Mapping[str, str]) -> str:
    # A record's text has no control characters.
    return "\n".join(f"{name}\t{needs[name]}" for name in sorted(needs))


def encode_body(files: Mapping[str, bytes]) -> bytes:
    """Return a record's small files as `bodies` has them, with a checksum.

    SQLite notices damage to its own structure only, and these are most of the file.
    """
    import msgpack  # noqa: PLC0415 (most refreshes find nothing new)
    import xxhash  # noqa: PLC0415

    packed: bytes = msgpack.packb(dict(files))
    return xxhash.xxh3_64_digest(packed) + packed


def _decode_body(body: bytes) -> Mapping[str, bytes]:
    """Undo `encode_body`; raises what `is_corrupt` takes for damage."""
    import msgpack  # noqa: PLC0415 (a pull with nothing to do loads no whole record)
    import xxhash  # noqa: PLC0415

    packed = body[8:]
    if xxhash.xxh3_64_digest(packed) != body[:8]:
        error = sqlite3.DatabaseError("small files are not what was written")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error
    files: Mapping[str, bytes] = msgpack.unpackb(packed)
    return files


def whole(row: LightRecord, body: bytes | None) -> Record:
    """Return the record of which `row` and `body` were read."""
    files = {} if body is None else _decode_body(body)
    return Record(
        format_id=row.format_id,
        kind=row.kind,
        shard=row.shard,
        settings=row.settings,
        stem=row.stem,
        name=row.name,
        version=row.version,
        tags=row.tags,
        hashes=row.hashes,
        size_bytes=row.size_bytes,
        pack=row.pack,
        pack_bytes=row.pack_bytes,
        tree_bytes=row.tree_bytes,
        tree_files=row.tree_files,
        files=files,
        needs=row.needs,
    )
