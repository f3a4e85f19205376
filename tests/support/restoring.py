"""Restore entries made by `entries` into a cache, and judge a cache without uv."""

import os
from collections.abc import Sequence
from pathlib import Path

from tests.support.entries import PACK, make_tree
from wheelferry.disk import Disk, WorkDir
from wheelferry.uvcache.entry import EntryInfo
from wheelferry.uvcache.locks import lock_cache
from wheelferry.uvcache.presence import Inspector, Presence
from wheelferry.uvcache.restore import Outcome, Restorable, publish
from wheelferry.uvcache.stage import Stage


def staging_of(root: Path) -> Path:
    """Return where the tests have their staging areas."""
    return root.with_name(f"{root.name}.wheelferry")


def restore(
    root: Path,
    *entries: EntryInfo | tuple[EntryInfo, str],
    disk: Disk | None = None,
) -> list[Outcome]:
    """Restore entries, given with the digest of their pack if it is not `PACK`.

    Each pack's tree is made where a pull would extract it.
    """
    disk = disk or Disk()
    pairs = [(e, PACK) if isinstance(e, EntryInfo) else e for e in entries]
    with WorkDir.open(staging_of(root), disk=Disk()) as work:
        stage = Stage(root, work.path, disk)
        return publish_staged(stage, pairs)


def publish_staged(
    stage: Stage, pairs: Sequence[tuple[EntryInfo, str]]
) -> list[Outcome]:
    """Make the trees and publish, as `restore`."""
    trees: dict[str, Path | None] = {}
    batch = []
    for info, digest in pairs:
        if digest not in trees:
            trees[digest] = stage.archive_dir(digest, info.name)
            if tree := trees[digest]:
                make_tree(tree, info.name, info.version)
        batch.append(Restorable(info=info, archive_id=digest, staged=trees[digest]))
    lock = lock_cache(stage.root, disk=stage.disk, wait_s=0)
    assert lock is not None
    with lock:
        return publish(stage, batch, lock=lock)


def look(root: Path, info: EntryInfo, digest: str = PACK) -> Presence:
    """Return what is there of an entry."""
    return Inspector(root).find(info, digest)


def snapshot(root: Path) -> dict[str, str]:
    """Return all paths of a cache with what they are, and the bytes of small files."""
    found: dict[str, str] = {}
    for parent, dirs, files in os.walk(root):
        for name in (*dirs, *files):
            path = Path(parent, name)
            key = str(path.relative_to(root))
            if path.is_symlink():
                found[key] = f"link to {path.readlink()}"
            elif path.is_dir():
                found[key] = "directory"
            else:
                found[key] = path.read_bytes().hex()
    return found
