"""Trees as dictionaries, made into packs and read back."""

import hashlib
import io
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from wheelferry.disk import Disk
from wheelferry.pack.pool import Pool
from wheelferry.pack.reader import Extracted, extract_pack
from wheelferry.pack.writer import SourceFile, write_pack

Tree = Mapping[str, tuple[bytes, bool]]
"""Content and x bit, by path."""


def sources(tree: Tree) -> list[SourceFile]:
    """Return the files of `tree`, in its own order."""
    return [
        SourceFile(
            path=path,
            size_bytes=len(content),
            executable=executable,
            open=partial(io.BytesIO, content),
        )
        for path, (content, executable) in tree.items()
    ]


def pack_tree(tree: Tree, spool: Path, pool: Pool) -> bytes:
    """Return the bytes of the pack of `tree`; nothing is left in `spool`."""
    with write_pack(sources(tree), spool, disk=Disk(), pool=pool) as pack:
        data = b"".join(pack.chunks())
        assert pack.pack_bytes == len(data)
        assert pack.digest == digest_of(data)
    assert not list(spool.iterdir())
    return data


def digest_of(data: bytes) -> str:
    """Return the name of an object with these bytes."""
    return hashlib.sha256(data).hexdigest()


def restore(
    data: bytes,
    target: Path,
    pool: Pool,
    *,
    digest: str | None = None,
    size_bytes: int | None = None,
    disk: Disk | None = None,
) -> Extracted:
    """Extract `data`, by default under the digest and size it really has."""
    return extract_pack(
        io.BytesIO(data).read,
        digest=digest or digest_of(data),
        size_bytes=len(data) if size_bytes is None else size_bytes,
        target=target,
        disk=disk or Disk(),
        pool=pool,
    )


def read_tree(root: Path) -> dict[str, tuple[bytes, bool]]:
    """Return what is in a directory, as a tree; refuses anything but files."""
    tree = {}
    for path in root.rglob("*"):
        assert not path.is_symlink()
        if not path.is_dir():
            executable = bool(path.stat().st_mode & 0o100)
            tree[path.relative_to(root).as_posix()] = (path.read_bytes(), executable)
    return tree
