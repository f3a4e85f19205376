"""A uv cache with entries of several kinds and formats, made without uv.

What uv would have put there, at the places where uv puts it; the pointers' cache policy
is made up, since nothing but uv looks into it.
"""

import base64
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.entries import encode, make_info
from wheelferry.uvcache.entry import EntryInfo, Hash, Kind
from wheelferry.uvcache.formats import find_format
from wheelferry.uvcache.wheelname import WheelName

Files = Mapping[str, tuple[bytes, bool]]
"""Content and x bit, by path in the tree."""

CPYTHON = "cp311-cp311-linux_x86_64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An entry that is to be made.

    Attributes:
        info: All of it but its tree and its ids.
        files: Its tree, RECORD included.
        is_unpacked: Whether uv installed it, or only built it to resolve.
    """

    info: EntryInfo
    files: Files
    is_unpacked: bool = True


def make_files(name: str, version: str = "1.0", **more: tuple[bytes, bool]) -> Files:
    """Return the tree of a small wheel; `more` are further files, `__` for `/`."""
    module = name.replace("-", "_")
    dist_info = f"{module}-{version}.dist-info"
    files: dict[str, tuple[bytes, bool]] = {
        f"{module}/__init__.py": (f"name = {name!r}\n".encode(), False),
        f"{dist_info}/METADATA": (f"Name: {name}\n".encode(), False),
    }
    for path, content in more.items():
        files[f"{module}/{path.replace('__', '/')}"] = content
    lines = [
        f"{path},sha256={_digest(data)},{len(data)}\n"
        for path, (data, _) in files.items()
    ]
    record = f"{dist_info}/RECORD"
    files[record] = ("".join([*lines, f"{record},,\n"]).encode(), False)
    return files


def plan(
    name: str,
    kind: Kind = Kind.REGISTRY_WHEEL,
    *,
    version: str = "1.0",
    files: Files | None = None,
    is_unpacked: bool = True,
    **changes: str,
) -> Planned:
    """Return a small entry, to be made; `changes` are arguments of `make_info`."""
    digest = hashlib.sha256(f"{name} {version} {kind}".encode()).hexdigest()
    info = make_info(
        kind,
        name=name,
        version=version,
        hashes=(Hash(algorithm="sha256", value=digest),),
        metadata=f"metadata of {name}".encode(),
        format_id=changes.get("format_id"),
        tags=changes.get("tags", "py3-none-any"),
        settings=changes.get("settings", ""),
    )
    return Planned(
        info=info, files=files or make_files(name, version), is_unpacked=is_unpacked
    )


def few() -> tuple[Planned, ...]:
    """Return a downloaded wheel and a built one: the fewest steps."""
    return (plan("pure-wheel"), plan("built", Kind.REGISTRY_SDIST, tags=CPYTHON))


def many() -> tuple[Planned, ...]:
    """Return entries of all kinds, of formats from uv 0.5.14 to the newest."""
    shared = make_files("pure-wheel", tool=(b"#!/bin/sh\n", True), empty=(b"", False))
    return (
        plan("pure-wheel", files=shared),
        plan("pure-wheel", files=shared, format_id="wheels-v3/array2"),
        plan("url-wheel", Kind.URL_WHEEL, format_id="wheels-v6/map"),
        plan("built", Kind.REGISTRY_SDIST, tags=CPYTHON),
        plan("mint", Kind.URL_SDIST, format_id="sdists-v9/map", settings="ab" * 8),
        plan("git-dep", Kind.GIT),
        plan("resolved", Kind.REGISTRY_SDIST, is_unpacked=False),
    )


def formats_of(planned: Sequence[Planned]) -> tuple[str, ...]:
    """Return the formats that are among them."""
    return tuple(dict.fromkeys(entry.info.format_id for entry in planned))


def make_cache(root: Path, planned: Sequence[Planned], *, first: int = 0) -> Path:
    """Make a cache that has these entries, as uv would have left it.

    Their archives are numbered from `first`.
    """
    for number, entry in enumerate(planned, start=first):
        _make_entry(root, entry, archive_id=f"archive{number:09}")
    (root / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    return root


def _make_entry(root: Path, entry: Planned, *, archive_id: str) -> None:
    info = entry.info
    key, row = info.key, find_format(info.format_id)
    assert row is not None
    home = shard = root / row.bucket / key.shard
    shard.mkdir(parents=True, exist_ok=True)
    if not key.kind.is_built:
        _write_tree(root / "archive-v0" / archive_id, entry.files)
        (shard / f"{key.stem}.http").write_bytes(_pointer(info, archive_id))
        (shard / f"{key.stem}.msgpack").write_bytes(info.metadata)
    else:
        if key.kind.has_pointer:
            home = shard / "revision01234567"
            (shard / "revision.http").write_bytes(_pointer(info, home.name))
        home = home / key.settings
        home.mkdir(parents=True, exist_ok=True)
        _write_wheel(home / f"{key.stem}.whl", entry.files)
        (home / "metadata.msgpack").write_bytes(info.metadata)
        if not entry.is_unpacked:
            return
        _write_tree(root / "archive-v0" / archive_id, entry.files)
    up = "../" * len(home.relative_to(root).parts) if row.has_relative_links else ""
    (home / key.stem).symlink_to(f"{up or f'{root}/'}archive-v0/{archive_id}")


def _pointer(info: EntryInfo, target_id: str) -> bytes:
    filename = f"{WheelName(info.name, info.version, info.tags).stem}.whl"
    return encode(info.format_id, target_id, info.hashes, filename)


def _write_tree(root: Path, files: Files) -> None:
    for path, (data, is_executable) in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o755 if is_executable else 0o644)


def _write_wheel(path: Path, files: Files) -> None:
    with zipfile.ZipFile(path, "w") as wheel:
        for name, (data, is_executable) in files.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (0o100755 if is_executable else 0o100644) << 16
            wheel.writestr(member, data)


def _digest(data: bytes) -> str:
    raw = hashlib.sha256(data).digest()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
