"""Where an archive is unpacked before uv may see it.

Outside the cache root, because `uv cache prune` removes what it does not know there; on
the same filesystem, because only a rename makes a whole tree appear at once.
"""

import os
from pathlib import Path

from wheelferry.disk import Disk
from wheelferry.errors import CacheError
from wheelferry.uvcache.owner import check_owner
from wheelferry.uvcache.presence import Inspector


class Stage:
    """The staging area of one restore, or of one trim.

    No step of the disk leads out of the cache from then on: jobs own what is in it.  Those
    in a container may put links there that lead nowhere for them, but somewhere here.

    Args:
        root: Of the cache; need not exist yet.
        work: A directory of this process's own, such as a `WorkDir` has; who opened it
            removes it, and sweeps those of dead processes.
        disk: What changes the disk.

    Raises:
        CacheError: The cache is another user's, or `work` is on another filesystem.
    """

    def __init__(self, root: Path, work: Path, disk: Disk) -> None:
        self.root = Path(os.path.abspath(root))
        self.work = work
        self.disk = disk
        self._made = 0
        check_owner(self.root)
        disk.confine(self.root)
        existing = self.root
        while not existing.exists():
            existing = existing.parent
        if existing.stat().st_dev != work.stat().st_dev:
            raise not_same_filesystem(self.root, work)

    def archive_dir(self, archive_id: str, name: str) -> Path | None:
        """Make an empty directory to extract a pack into.

        Args:
            archive_id: The pack's digest.
            name: The normalised name of the package in it.

        Returns:
            None if the cache has that archive already, in a state that uv can use.
        """
        if Inspector(self.root).has_archive(archive_id, name):
            return None
        path = self.new_path("archive")
        self.disk.make_dir(path)
        return path

    def new_path(self, what: str) -> Path:
        """Return a path in the staging area that has not been used."""
        self._made += 1
        return self.work / f"{what}-{self._made}"


def not_same_filesystem(root: Path, work: Path) -> CacheError:
    """Return the error for a staging area from which nothing can be renamed."""
    return CacheError(
        f"{work} is not on the filesystem of the uv cache {root}",
        hint="archives are moved into the cache by rename: if the cache is a mount of its "
        "own, use a directory in it as UV_CACHE_DIR; or set cache.state (--state) to one "
        "on the cache's filesystem, outside the cache",
    )
