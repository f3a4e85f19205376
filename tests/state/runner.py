"""A machine with a cache, and what jobs do there."""

import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.state.wares import WARES, Ware
from tests.support.cachetree import make_cache
from wheelferry.ops.tiers import VIEW
from wheelferry.uvcache.formats import find_format
from wheelferry.uvcache.place import find_place
from wheelferry.uvcache.pointer import decode_pointer


@dataclass(slots=True)
class Runner:
    """A machine with a cache.

    Attributes:
        skew_s: How much its clock is ahead of the server's.
        downloads: Archives of what its jobs have downloaded or built, by ware.
        edited: Wares of which a job has changed a file, through its environment.
        made: How many archives they have made.
        used_s: When a job last used a ware, on the clock of this machine.
    """

    name: str
    cache: Path
    skew_s: int
    downloads: dict[Ware, str] = field(default_factory=dict)
    edited: set[Ware] = field(default_factory=set)
    used_s: dict[Ware, float] = field(default_factory=dict)
    made: int = 0

    @property
    def state(self) -> Path:
        """Its state directory."""
        return self.cache.with_name(f"{self.cache.name}.wheelferry")

    def download(self, ware: Ware) -> bool:
        """Have a job get what its cache lacks, from the index; return whether it did."""
        if ware in read_cache(self, [ware]):
            return False
        for path in _names(self, ware):  # what is left of it, uv writes over
            path.unlink(missing_ok=True)
        make_cache(self.cache, [ware.planned], first=self.made)
        self.downloads[ware] = f"archive{self.made:09}"
        self.made += 1
        self.use(ware)
        return True

    def use(self, ware: Ware) -> None:
        """Have a job install what it has downloaded, by copies: access times tell."""
        archive = self.cache / "archive-v0" / self.downloads[ware]
        now_ns = time.time_ns()
        for path in archive.rglob("*"):
            if path.is_file():
                os.utime(path, ns=(now_ns, path.stat().st_mtime_ns))
        self.used_s[ware] = time.time()

    def edit(self, ware: Ware) -> None:
        """Have a job change a file of its environment, that is a link to the cache's."""
        archive = self.cache / "archive-v0" / self.downloads[ware]
        path = archive / ware.name / "__init__.py"
        path.write_bytes(path.read_bytes() + b"edited = True\n")
        self.edited.add(ware)

    def clean(self, name: str) -> None:
        """Do as `uv cache clean NAME`."""
        for ware in WARES:
            if ware.name != name:
                continue
            for archive in (ware.pack, self.downloads.pop(ware, ware.pack)):
                _remove(self.cache / "archive-v0" / archive)
            _remove(_home(self, ware))
            self.edited.discard(ware)

    def forget_view(self) -> None:
        """Have a runner lose its view of the catalog."""
        for path in self.state.glob(f"{VIEW}*"):
            path.unlink()


def read_cache(runner: Runner, wares: Iterable[Ware] = WARES) -> dict[Ware, str]:
    """Return the archives, by ware, of what uv can install without asking an index."""
    found: dict[Ware, str] = {}
    for ware in wares:
        archive_id = find_archive(runner.cache, ware)
        if archive_id and (runner.cache / "archive-v0" / archive_id).is_dir():
            found[ware] = archive_id
    return found


def find_archive(cache: Path, ware: Ware) -> str | None:
    """Return the archive that a cache names for a ware, there or not."""
    info = ware.planned.info
    row = find_format(info.format_id)
    assert row is not None

    def read(path: str) -> str | None:
        try:
            data = (cache / path).read_bytes()
            pointer = decode_pointer(data, family=row.family, framing=row.framing)
        except (OSError, ValueError):
            return None
        return pointer.target_id

    place = find_place(row.bucket, info)
    if not info.key.kind.is_built:
        return read(place.pointer)
    revision = read(place.pointer)
    link = cache / find_place(row.bucket, info, revision or "none").link
    return link.readlink().name if link.is_symlink() else None


def _home(runner: Runner, ware: Ware) -> Path:
    row = find_format(ware.planned.info.format_id)
    assert row is not None
    return runner.cache / row.bucket / ware.planned.info.key.shard


def _names(runner: Runner, ware: Ware) -> list[Path]:
    """Return what a cache has of a ware besides its archive."""
    if ware.planned.info.key.kind.is_built:
        return [path for path in _home(runner, ware).rglob("*") if not path.is_dir()]
    stem = ware.planned.info.key.stem
    return [_home(runner, ware) / f"{stem}{end}" for end in ("", ".http", ".msgpack")]


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
