"""Pointer files, `.http` and `revision.http`: what they say, and how to say it anew.

Pure.  A pointer is a msgpack payload (which archive or revision, the digests of the file
it came from) and the HTTP cache policy that uv keeps for it, in an encoding of its own
(rkyv) that is passed on as it is.  `formats.Framing` says how the two are joined.
Pointers come out of the store too, so every byte of one is hostile until decoded here.
"""

import re
import zlib
from typing import Final, NamedTuple, TypeAlias, TypeVar

import msgpack

from wheelferry.uvcache.entry import Hash
from wheelferry.uvcache.formats import Family, Framing

T = TypeVar("T")
Payload: TypeAlias = dict[str, object] | list[object]

MAX_POINTER_BYTES: Final = 256 << 10
"""uv's own have about 600; one with a hundred long headers would still be accepted."""

_U64 = 8
_U32 = 4
_ALIGNMENT = 16
_MAX_SIZE_BYTES = 1 << 50
_MAX_NAME = 512
_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")
_FIELD = r"[a-z_]{1,32}"  # compiled when it is used: few pointers are maps
_DIGEST_CHARS = {
    "md5": 32,
    "sha256": 64,
    "sha384": 96,
    "sha512": 128,
    "blake2b": 128,
}
_NAMES = {
    (Family.WHEELS, 2): ("id", "hashes"),
    (Family.WHEELS, 3): ("id", "hashes", "version"),
    (Family.WHEELS, 4): ("id", "hashes", "filename", "version"),
    (Family.WHEELS, 5): ("id", "hashes", "filename", "version", "size"),
    (Family.SDISTS, 2): ("id", "hashes"),
    (Family.SDISTS, 3): ("id", "hashes", "size"),
}
"""Fields by number of items; `version` is that of the archive's layout."""

_MAP_FIELDS = {Family.WHEELS: 5, Family.SDISTS: 3}
"""Number of fields where they are in a map: all of them."""


class PointerMalformed(ValueError):
    """A pointer file is not what any known uv writes.

    Attributes:
        shape: If it is sound but of a shape that no known uv writes, that shape, such
            as `array6`: a newer uv wrote it.  None if it is damaged.
    """

    def __init__(self, message: str, *, shape: str | None = None) -> None:
        super().__init__(message)
        self.shape = shape


class Pointer(NamedTuple):
    """A pointer file, taken apart.

    Attributes:
        target_id: The archive's id, or the revision's: one plain path component.
        hashes: Of the file that was downloaded.
        filename: Of the wheel, where it is recorded (uv 0.6.4 and later).
        size_bytes: Of the downloaded file, where it is recorded (uv 0.12 and later).
        shape: `array2` ... `array5`, or `map`.
        framing: How payload and policy are joined.
        payload: What msgpack makes of the payload.
        policy: The cache policy, in uv's encoding.
    """

    target_id: str
    hashes: tuple[Hash, ...]
    filename: str | None
    size_bytes: int | None
    shape: str
    framing: Framing
    payload: Payload
    policy: bytes

    def with_id(self, target_id: str) -> bytes:
        """Return the bytes of the same pointer, to another archive or revision.

        With its own id, they are those of the file, if uv wrote it.
        """
        payload: Payload = (
            {**self.payload, "id": target_id}
            if isinstance(self.payload, dict)
            else [target_id, *self.payload[1:]]
        )
        return _join(_pack(payload), self.policy, self.framing)

    def find_urls(self) -> tuple[str, ...]:
        """Return the URLs that the cache policy holds: whence the file came."""
        from wheelferry.uvcache.urls import find_urls  # noqa: PLC0415 - loads urllib

        return find_urls(self.policy)


def decode_pointer(data: bytes, *, family: Family, framing: Framing) -> Pointer:
    """Take a pointer file apart.

    Raises PointerMalformed, with the reason.
    """
    encoded, policy = _split(data, framing)
    payload = _unpack(encoded)
    fields, shape = _name_fields(payload, family)
    filename = _as_optional(str, fields.get("filename"), "filename")
    size_bytes = _as_optional(int, fields.get("size"), "size")
    if filename is not None and len(filename) > _MAX_NAME:
        raise PointerMalformed("its filename is too long")
    if size_bytes is not None and not 0 <= size_bytes <= _MAX_SIZE_BYTES:
        raise PointerMalformed(f"its size is {size_bytes}")
    version = _as(int, fields.get("version", 0), "version")
    if version:
        name = f"{shape}, archive version {version}"
        raise PointerMalformed(f"it is for {name}", shape=name)
    target_id = _as(str, fields["id"], "id")
    if not _ID.fullmatch(target_id):
        raise PointerMalformed("its id is none")
    return Pointer(
        target_id=target_id,
        hashes=tuple(map(_decode_hash, _as(list, fields["hashes"], "hashes"))),
        filename=filename,
        size_bytes=size_bytes,
        shape=shape,
        framing=framing,
        payload=payload,
        policy=policy,
    )


def _split(data: bytes, framing: Framing) -> tuple[bytes, bytes]:
    """Return the payload and the cache policy."""
    if len(data) > MAX_POINTER_BYTES:
        raise PointerMalformed(f"it has more than {MAX_POINTER_BYTES} bytes")
    if len(data) < _U64:
        raise PointerMalformed("it is cut short")
    length = int.from_bytes(data[-_U64:], "little")
    if framing is Framing.POLICY:
        payload_bytes = len(data) - _U64 - length
        if payload_bytes <= 0:
            raise PointerMalformed("its policy is longer than the file")
        return data[:payload_bytes], data[payload_bytes:-_U64]
    end = len(data) - _U64 - _U32
    start = _padded(length)
    if not 0 < length <= start <= end:
        raise PointerMalformed("its payload is longer than the file")
    covered = data[length:end] + data[-_U64:]
    if zlib.crc32(covered) != int.from_bytes(data[end:-_U64], "little"):
        raise PointerMalformed("its checksum does not match")
    if any(data[length:start]):
        raise PointerMalformed("its padding is not empty")
    return data[:length], data[start:end]


def _join(payload: bytes, policy: bytes, framing: Framing) -> bytes:
    if framing is Framing.POLICY:
        return payload + policy + len(policy).to_bytes(_U64, "little")
    padding = bytes(_padded(len(payload)) - len(payload))
    length = len(payload).to_bytes(_U64, "little")
    checksum = zlib.crc32(padding + policy + length).to_bytes(_U32, "little")
    return payload + padding + policy + checksum + length


def _padded(length: int) -> int:
    return -(-length // _ALIGNMENT) * _ALIGNMENT


def _pack(payload: Payload) -> bytes:
    packed: bytes = msgpack.packb(payload)
    return packed


def _unpack(encoded: bytes) -> Payload:
    """Return a payload; it has no more levels or items than its bytes allow."""
    try:
        payload = msgpack.unpackb(
            encoded, strict_map_key=True, max_array_len=64, max_map_len=64
        )
    except (ValueError, msgpack.UnpackException) as exc:
        raise PointerMalformed(f"its payload is not msgpack: {exc}") from exc
    if isinstance(payload, dict):
        if all(isinstance(key, str) and re.fullmatch(_FIELD, key) for key in payload):
            return payload
    elif isinstance(payload, list):
        return payload
    raise PointerMalformed("its payload is neither an array nor a map of fields")


def _name_fields(payload: Payload, family: Family) -> tuple[dict[str, object], str]:
    """Return a payload's fields by name, and its shape."""
    names = _NAMES.get((family, len(payload)))
    if isinstance(payload, list):
        shape = f"array{len(payload)}"
        if names is not None:
            return dict(zip(names, payload, strict=True)), shape
    else:
        if len(payload) == _MAP_FIELDS[family] and payload.keys() == set(names or ()):
            return payload, "map"
        shape = f"map({','.join(sorted(payload)[:8])})"
    raise PointerMalformed(f"its payload has the unknown shape {shape}", shape=shape)


def _decode_hash(item: object) -> Hash:
    """Decode `["Sha256", hex]` (up to uv 0.12) or `{"Sha256": hex}` (0.13)."""
    pair = list(*item.items()) if isinstance(item, dict) and len(item) == 1 else item
    if not isinstance(pair, list) or len(pair) != 2:
        raise PointerMalformed("a hash in it has another form")
    algorithm = _as(str, pair[0], "hash").lower()
    value = _as(str, pair[1], "hash").lower()
    if len(value) != _DIGEST_CHARS.get(algorithm) or set(value) - set(
        "0123456789abcdef"
    ):
        raise PointerMalformed("a hash in it is no hash")
    return Hash(algorithm=algorithm, value=value)


def _as(kind: type[T], value: object, name: str) -> T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise PointerMalformed(f"its {name} is not a {kind.__name__}")
    return value


def _as_optional(kind: type[T], value: object, name: str) -> T | None:
    return None if value is None else _as(kind, value, name)
