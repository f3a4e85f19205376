"""Move entries from one cache to another without a store: scan, copy, publish."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from wheelferry.disk import Disk, WorkDir
from wheelferry.uvcache.cached import CachedEntry
from wheelferry.uvcache.locks import lock_cache
from wheelferry.uvcache.restore import Outcome, Restorable, publish
from wheelferry.uvcache.scan import scan_cache
from wheelferry.uvcache.stage import Stage


def tree_digest(tree: Path) -> str:
    """Return a digest of a tree's content, in place of its pack's."""
    hasher = hashlib.sha256()
    for path in sorted(tree.rglob("*")):
        if path.is_file():
            hasher.update(f"{path.relative_to(tree)}\0".encode())
            hasher.update(hashlib.sha256(path.read_bytes()).digest())
    return hasher.hexdigest()


def ferry(
    source: Path,
    target: Path,
    *,
    disk: Disk | None = None,
    wanted: Callable[[CachedEntry], bool] = lambda _: True,
) -> list[Outcome]:
    """Restore all that a cache has, and uv has unpacked, into another one."""
    disk = disk or Disk()
    state = target.with_name(f"{target.name}.wheelferry")
    with WorkDir.open(state / "staging", disk=disk) as work:
        stage = Stage(target, work.path, disk)
        staged: dict[str, Path | None] = {}
        batch = []
        for entry in scan_cache(source).entries:
            if entry.archive is None or not wanted(entry):
                continue
            digest = tree_digest(entry.archive)
            if digest not in staged:
                staged[digest] = stage.archive_dir(digest, entry.info.name)
                if path := staged[digest]:
                    shutil.copytree(entry.archive, path, dirs_exist_ok=True)
            batch.append(
                Restorable(info=entry.info, archive_id=digest, staged=staged[digest])
            )
        lock = lock_cache(target, disk=disk, wait_s=10)
        assert lock is not None
        with lock:
            return publish(stage, batch, lock=lock)
