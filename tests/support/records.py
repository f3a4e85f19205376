"""Records for tests that do not care where they come from."""

import hashlib
from typing import Any

from wheelferry.store.record import Digest, Record, SegmentId


def digest_of(data: bytes | str) -> Digest:
    """Return the SHA-256 of `data`."""
    raw = data.encode() if isinstance(data, str) else data
    return Digest(hashlib.sha256(raw).hexdigest())


def segment_id_of(data: bytes) -> SegmentId:
    """Return the name that a segment of these bytes has."""
    return SegmentId(digest_of(data))


def make_record(
    name: str = "iniconfig", version: str = "2.0.0", **changes: Any
) -> Record:
    """Return the record of a pure wheel from PyPI, with `changes` made to it."""
    fields: dict[str, Any] = {
        "format_id": "wheels-v6/map5",
        "kind": "registry-wheel",
        "shard": f"pypi/{name}",
        "settings": "",
        "stem": f"{version}-py3-none-any",
        "name": name,
        "version": version,
        "tags": "py3-none-any",
        "hashes": (f"sha256:{digest_of(name + version)}",),
        "size_bytes": 5892,
        "pack": digest_of(f"pack of {name} {version}"),
        "pack_bytes": 4096,
        "tree_bytes": 12345,
        "tree_files": 9,
        "files": {"pointer": b"\x85pointer", "metadata": b"\x96metadata"},
    }
    return Record(**(fields | changes))
