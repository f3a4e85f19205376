"""The single steps by which an entry's parts get into a cache.

Each makes a name only if it is absent, or replaces what uv cannot use.  `restore` says
in which order, and what a kill in between leaves.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from wheelferry.uvcache.entry import EntryInfo
from wheelferry.uvcache.formats import Format
from wheelferry.uvcache.place import ARCHIVES, link_content
from wheelferry.uvcache.pointer import Pointer
from wheelferry.uvcache.presence import Inspector, Part, Presence
from wheelferry.uvcache.stage import Stage
from wheelferry.uvcache.wheelfile import write_wheel

_OCCUPIED = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})
_TRIES = 5

FILES = (Part.WHEEL, Part.METADATA, Part.POINTER)
"""The parts that are plain files, and are written in the staging area first."""


class Placer:
    """Takes these steps for the entries of one batch."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._disk = stage.disk
        self._root = os.fspath(stage.root)
        self._plain: set[str] = set()
        self._wheels: dict[str, Path] = {}

    def stage_files(
        self,
        info: EntryInfo,
        pointer: Pointer | None,
        presence: Presence,
        tree: Path | None,
    ) -> dict[Part, Path]:
        """Write the files that are missing into the staging area, not synced.

        `tree` is the staged archive; without one, the archive in the cache is used.
        """
        staged: dict[Part, Path] = {}
        if Part.WHEEL in presence.missing:
            if tree is None or Part.ARCHIVE not in presence.missing:
                tree = Path(self._root, ARCHIVES, presence.archive_id)
            staged[Part.WHEEL] = self._stage_wheel(tree)
        if Part.METADATA in presence.missing:
            staged[Part.METADATA] = self._stage_bytes("metadata", info.metadata)
        if pointer is not None and Part.POINTER in presence.missing:
            target = presence.place.revision_id or presence.archive_id
            staged[Part.POINTER] = self._stage_bytes("pointer", pointer.with_id(target))
        return staged

    def ensure_dir(self, path: str) -> None:
        """Make a directory below the root, and refuse to go through links.

        uv keeps no links to directories but those to archives: one in the place of a
        bucket, say, leads out of the cache, and uv's prune removes it.

        Raises NotADirectoryError for one.
        """
        if path in self._plain:
            return
        parent = path.rpartition("/")[0]
        if parent:
            self.ensure_dir(parent)
        full = f"{self._root}/{path}"
        if not os.path.lexists(full):
            with suppress(FileExistsError):  # uv made it at the same time
                self._disk.make_dir(full)
        if not stat.S_ISDIR(os.lstat(full).st_mode):
            text = "a link or file is in the place of a directory"
            raise NotADirectoryError(errno.ENOTDIR, text, full)
        self._plain.add(path)

    def place_archive(self, staged: Path, archive_id: str, name: str) -> None:
        """Rename a staged tree into the archive bucket, unless a good one is there.

        That is another pull's, which may have made its pointer already: it stays where
        it is.  Only what uv would fail on is moved aside; killed between the two
        renames, there is none where a broken one was: that is no worse, and the next
        restore has it to do again.

        `name` is that of the package.
        """
        self.ensure_dir(ARCHIVES)
        target = f"{self._root}/{ARCHIVES}/{archive_id}"
        for tries_left in reversed(range(_TRIES)):
            try:
                self._disk.rename(staged, target)
            except OSError as exc:
                if exc.errno not in _OCCUPIED or not tries_left:
                    raise
            else:
                return
            if Inspector(self._stage.root).has_archive(archive_id, name):
                return
            with suppress(FileNotFoundError):  # another pull moved it
                self._disk.rename(target, self._stage.new_path("broken"))

    def place_file(self, staged: Path, path: str, *, is_broken: bool) -> None:
        """Give a staged file its name in the cache, if that is free or of no use."""
        target = f"{self._root}/{path}"
        if is_broken:
            self._disk.rename(staged, target)
        else:
            self._disk.link_new(staged, target)

    def place_link(self, seen: Presence, row: Format) -> None:
        """Make the link to the archive; one that uv made meanwhile is as good."""
        content = link_content(
            seen.place,
            seen.archive_id,
            root=self._root,
            relative=row.has_relative_links,
        )
        target = f"{self._root}/{seen.place.link}"
        if Part.LINK in seen.broken:
            staged = self._stage.new_path("link")
            self._disk.symlink(content, staged)
            self._disk.rename(staged, target)
            return
        with suppress(FileExistsError):
            self._disk.symlink(content, target)

    def withdraw(self, seen: Presence) -> None:
        """Remove what names an archive that is gone: uv 0.5 fails on such a pointer."""
        place = seen.place
        if Part.POINTER in seen.broken and not place.revision_id:
            self._disk.unlink(f"{self._root}/{place.pointer}")
        if Part.LINK in seen.broken:
            self._disk.unlink(f"{self._root}/{place.link}")

    def _stage_bytes(self, what: str, data: bytes) -> Path:
        path = self._stage.new_path(what)
        self._disk.create_file(path, data)
        return path

    def _stage_wheel(self, tree: Path) -> Path:
        """Make the `.whl` of a tree; entries with one archive share the file."""
        path = self._wheels.get(os.fspath(tree))
        if path is None:
            path = self._stage.new_path("wheel")
            write_wheel(tree, path, disk=self._disk)
            self._wheels[os.fspath(tree)] = path
        return path
