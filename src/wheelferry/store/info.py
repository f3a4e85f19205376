"""`wheelferry.json`: what a store says of itself.

Pure.  The one file of a store that is not named by its content, so it is written once
and never replaced.
"""

import re
from typing import Final

from wheelferry.errors import StoreFormatUnsupported, StoreNotInitialised
from wheelferry.store.base import StoreInfo
from wheelferry.store.layout import FORMAT_VERSION, is_store_id

SCHEMA: Final = "wheelferry/store/1"
MAX_INFO_BYTES: Final = 64 << 10
_MAX_CREATED_CHARS: Final = 64
_AS_WRITTEN: Final = (
    rb'{\n  "schema": "wheelferry/store/1",\n  "format": 1,\n'
    rb'  "id": "([0-9a-f]{32})",\n  "created": "([0-9T:+-]{1,64})"\n}\n'
)
"""What `encode_info` makes.  To load json for four values takes each pull 2 ms."""


def encode_info(info: StoreInfo) -> bytes:
    """Return the content of `wheelferry.json`."""
    import json  # noqa: PLC0415 (only `init` writes one)

    value = {
        "schema": SCHEMA,
        "format": info.format_version,
        "id": info.id,
        "created": info.created,
    }
    return json.dumps(value, indent=2).encode() + b"\n"


def decode_info(data: bytes, *, location: str) -> StoreInfo:
    """Decode `wheelferry.json`, read from the store at `location`.

    Unknown keys are ignored.

    Raises:
        StoreNotInitialised: It is damaged.
        StoreFormatUnsupported: The store has a newer format.
    """
    if own := re.fullmatch(_AS_WRITTEN, data):
        store_id, created = (text.decode() for text in own.groups())
        return StoreInfo(id=store_id, format_version=FORMAT_VERSION, created=created)
    return _decode_other(data, location)


def _decode_other(data: bytes, location: str) -> StoreInfo:
    """Decode a file that somebody has edited, or that another version wrote."""
    import json  # noqa: PLC0415

    if len(data) > MAX_INFO_BYTES:
        raise _damaged(location, f"it has more than {MAX_INFO_BYTES} bytes")
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise _damaged(location, str(exc)) from exc
    if not isinstance(value, dict):
        raise _damaged(location, "it is not a JSON object")
    version = value.get("format")
    if type(version) is not int or version < 1:
        raise _damaged(location, "`format` is not a positive number")
    if version != FORMAT_VERSION:
        raise StoreFormatUnsupported(
            f"the store in {location} has format {version}; "
            f"this Wheelferry knows format {FORMAT_VERSION}",
            hint="upgrade Wheelferry on this machine",
        )
    store_id, created = value.get("id"), value.get("created")
    if not isinstance(store_id, str) or not is_store_id(store_id):
        raise _damaged(location, "`id` is not 32 lower-case hex digits")
    if not isinstance(created, str) or len(created) > _MAX_CREATED_CHARS:
        raise _damaged(location, "`created` is not a time")
    return StoreInfo(id=store_id, format_version=version, created=created)


def _damaged(location: str, reason: str) -> StoreNotInitialised:
    return StoreNotInitialised(
        f"wheelferry.json in {location} is damaged: {reason}",
        hint="restore the file from a backup, or delete the whole store and run "
        "`wheelferry init` again: it is a cache",
    )
