"""Make entries, archives and caches without uv, for tests of what restores them."""

import base64
import hashlib
from pathlib import Path

import msgpack

from wheelferry.uvcache.entry import EntryInfo, EntryKey, Hash, Kind
from wheelferry.uvcache.formats import Family, Framing, find_format
from wheelferry.uvcache.pointer import Payload, Pointer
from wheelferry.uvcache.seahash import cache_digest

POLICY = b"http://index.invalid/files/some.file" + bytes(28)
INDEX = "http://index.invalid/simple"
KEY = cache_digest(INDEX)
TAGS = "py3-none-any"
FILE = Hash(algorithm="sha256", value="1f" * 32)
OTHER_FILE = Hash(algorithm="sha256", value="2e" * 32)
PACK = "ab" * 32
OTHER_PACK = "cd" * 32

_SHARDS = {
    Kind.REGISTRY_WHEEL: "index/{key}/{name}",
    Kind.URL_WHEEL: "url/{key}/{name}",
    Kind.REGISTRY_SDIST: "index/{key}/{name}/{version}",
    Kind.URL_SDIST: "url/{key}",
    Kind.GIT: "git/{key}/bbbdabc292d81c23",
}


def encode(
    format_id: str, target_id: str, hashes: tuple[Hash, ...], name: str
) -> bytes:
    """Return a pointer's bytes; `name` is the wheel's file name, if it records one."""
    row = find_format(format_id)
    assert row is not None
    spelled = [
        {h.algorithm.capitalize(): h.value}
        if row.framing is Framing.CHECKED
        else [h.algorithm.capitalize(), h.value]
        for h in hashes
    ]
    fields: dict[str, object] = {"id": target_id, "hashes": spelled}
    if row.family is Family.WHEELS and row.shape != "array2":
        fields |= {"version": 0} if row.shape == "array3" else {}
        fields |= {"filename": name, "version": 0} if row.shape != "array3" else {}
    if row.shape in ("array5", "map") or (row.family, row.shape) == (
        Family.SDISTS,
        "array3",
    ):
        fields["size"] = 1234
    payload: Payload = fields if row.shape == "map" else list(fields.values())
    pointer = Pointer(
        target_id=target_id,
        hashes=hashes,
        filename=None,
        size_bytes=None,
        shape=row.shape,
        framing=row.framing,
        payload=payload,
        policy=POLICY,
    )
    return pointer.with_id(target_id)


def make_info(
    kind: Kind = Kind.REGISTRY_WHEEL,
    *,
    name: str = "pure-wheel",
    version: str = "1.0",
    tags: str = TAGS,
    format_id: str | None = None,
    hashes: tuple[Hash, ...] = (FILE,),
    settings: str = "",
    metadata: bytes = b"metadata",
) -> EntryInfo:
    """Make an entry of the newest format, as another runner could have promoted it."""
    if format_id is None:
        format_id = "sdists-v11/array3" if kind.is_built else "wheels-v8/array5"
        format_id = format_id if kind.has_pointer else "sdists-v11/git"
    stem = f"{version}-{tags}"
    full_stem = f"{name.replace('-', '_')}-{stem}"
    if kind.is_built or format_id == "wheels-v3/array2":
        stem = full_stem
    hashes = hashes if kind.has_pointer else ()
    pointer = b""
    if kind.has_pointer:
        pointer = encode(format_id, "id-of-its-runner", hashes, f"{full_stem}.whl")
    return EntryInfo(
        format_id=format_id,
        key=EntryKey(
            kind=kind,
            shard=_SHARDS[kind].format(key=KEY, name=name, version=version),
            settings=settings,
            stem=stem,
        ),
        name=name,
        version=version,
        tags=tags,
        hashes=hashes,
        size_bytes=1234,
        pointer=pointer,
        metadata=metadata,
    )


def make_tree(path: Path, name: str = "pure-wheel", version: str = "1.0") -> Path:
    """Make the tree of a wheel, with a RECORD that is right."""
    module = name.replace("-", "_")
    files = {
        f"{module}/__init__.py": b"__version__ = '1.0'\n",
        f"{module}-{version}.dist-info/METADATA": f"Name: {name}\n".encode(),
        f"{module}-{version}.dist-info/WHEEL": b"Wheel-Version: 1.0\n",
    }
    lines = []
    for member, data in files.items():
        target = path / member
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
        lines.append(f"{member},sha256={digest.decode()},{len(data)}\n")
    record = f"{module}-{version}.dist-info/RECORD"
    (path / record).write_text("".join([*lines, f"{record},,\n"]))
    return path


def payload_id(path: Path) -> str:
    """Return what a pointer file on the disk names."""
    unpacker = msgpack.Unpacker()
    unpacker.feed(path.read_bytes())
    payload = unpacker.unpack()
    found = payload["id"] if isinstance(payload, dict) else payload[0]
    assert isinstance(found, str)
    return found
