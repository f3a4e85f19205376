"""A record: one entry's line in the catalog.

Pure.  The store does not know uv; `key`, `format_id` and `files` are opaque here and are
given meaning by `ops`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, NewType

Digest = NewType("Digest", str)
"""SHA-256 of an object's bytes, 64 lower-case hex digits."""

SegmentId = NewType("SegmentId", str)
"""SHA-256 of a segment's bytes, 64 lower-case hex digits: its file name's stem."""

Identity = NewType("Identity", str)
"""What two records of one entry have in common, 32 lower-case hex digits."""


class Record(NamedTuple):
    """What the catalog says of one entry.

    Attributes:
        format_id: The uv cache format the small files are in.
        kind: Value of `uvcache.entry.Kind`.
        shard, settings, stem: The entry's key, as `uvcache.entry.EntryKey`.
        name, version, tags: Of the wheel, as `uvcache.entry.EntryInfo`.
        hashes: `algorithm:hex` of the downloaded file, sorted.
        size_bytes: Of the downloaded file, if the pointer has it.
        pack: Digest of the object that holds the archive tree.
        pack_bytes: Size of that object.
        tree_bytes: Sum of the sizes of the files in the tree.
        tree_files: Number of files in the tree.
        files: Small files that travel with the record, by role: `pointer`, `metadata`.
        needs: What a natively built wheel needs of a machine; empty if unknown.
    """

    format_id: str
    kind: str
    shard: str
    settings: str
    stem: str
    name: str
    version: str
    tags: str
    hashes: tuple[str, ...]
    size_bytes: int | None
    pack: Digest
    pack_bytes: int
    tree_bytes: int
    tree_files: int
    files: Mapping[str, bytes] = MappingProxyType({})
    needs: Mapping[str, str] = MappingProxyType({})

    @property
    def identity(self) -> Identity:
        """Return the digest of format + key + tags + content hashes.

        Not of the pack, nor of the small files: two runners that cached the same file
        at different times have records of one identity.
        """
        import hashlib  # noqa: PLC0415 - 3 ms, and a pull computes none

        parts = (
            self.format_id,
            self.kind,
            self.shard,
            self.settings,
            self.stem,
            self.tags,
            *self.hashes,
        )
        joined = "\0".join(parts).encode()
        return Identity(hashlib.sha256(joined).hexdigest()[:32])
