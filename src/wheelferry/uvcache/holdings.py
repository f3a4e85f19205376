"""See what fills a cache: archives, what names them, and all the rest, with sizes.

For whoever wants to make room.  A *holder* is what uv finds by one name: the files of a
downloaded wheel (pointer, link, metadata), or the whole directory of an sdist with all
that was built of it.  Holders name archives; an archive may have several, and one that
has none is of no use to uv.

Reads only, and opens no file of an archive, since that would count as a use of it.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from wheelferry.uvcache.formats import Family, find_bucket
from wheelferry.uvcache.place import ARCHIVES
from wheelferry.uvcache.pointer import MAX_POINTER_BYTES
from wheelferry.uvcache.reading import find_buckets, list_names, read_small, walk_dirs
from wheelferry.uvcache.used import is_witness, used_s

_POINTERS: Final = (".http", ".rev")
_SUFFIXES: Final = (".msgpack", ".lock", *_POINTERS, "")
"""What follows the stem of a downloaded wheel; "" is the link.

In the order of removal: what is left after a kill still names its archive, or is gone.
"""

_DEPTHS: Final[Mapping[Family, Mapping[str, int]]] = {
    Family.WHEELS: {"pypi": 1, "index": 2, "url": 2, "path": 2},
    Family.SDISTS: {
        "pypi": 2,
        "index": 3,
        "url": 1,
        "git": 2,
        "path": 1,
        "editable": 1,
    },
}
"""How far below a bucket's directories the shards are."""

_SOURCES: Final = "src"
"""Of an unpacked sdist: it may have anything in it, and no link of uv's."""

_BLOCK_BYTES: Final = 512
"""The unit of `st_blocks`, whatever the filesystem's own is."""

Facts: TypeAlias = tuple[tuple[str, str | int, int], ...]


class Archive(NamedTuple):
    """An unpacked wheel.

    Attributes:
        id: Its name in `archive-v0`.
        size_bytes: What it takes on the disk.
        shared_bytes: How much of that environments have hardlinks to: they keep it.
        used_s: When one of its files was last linked, unlinked, read or made.
        witness: That file, relative to the archive; "" if there is none.
    """

    id: str
    size_bytes: int
    shared_bytes: int
    used_s: float
    witness: str


class Holder(NamedTuple):
    """What uv finds by one name.

    Attributes:
        path: Relative to the root: shard and stem of a downloaded wheel, which no file
            need have, or the shard of an sdist, which is a directory.
        files: Those of a downloaded wheel, relative to the root, in the order of
            removal; none of an sdist's.
        facts: Changes when uv, or a pull, changes anything of it.
        archives: Ids that its links and pointers name.
        has_wheel: Whether a `.whl` is in it.
    """

    path: str
    files: tuple[str, ...]
    facts: Facts
    archives: frozenset[str]
    has_wheel: bool = False


class Held(NamedTuple):
    """A holder's size on the disk, and when a file in it was last read or made."""

    holder: Holder
    size_bytes: int
    used_s: float


class Holdings(NamedTuple):
    """All that a cache has.

    Attributes:
        archives: By id.
        holders: Those of known buckets.
        foreign: Ids of archives that something else names, such as an environment.
        sizes: Bytes of each name at the top of the cache, `archive-v0` included.
    """

    archives: Mapping[str, Archive]
    holders: tuple[Held, ...]
    foreign: frozenset[str]
    sizes: Mapping[str, int]

    @property
    def size_bytes(self) -> int:
        """What the cache takes on the disk."""
        return sum(self.sizes.values())


def read_holdings(root: Path) -> Holdings:
    """Return all that a cache has; what vanishes meanwhile is left out.

    Raises OSError for what cannot be read.
    """
    top = os.path.abspath(root)
    tour = _Tour(top)
    with os.scandir(top) as found:
        names = sorted(entry.name for entry in found)
    sizes = {name: tour.visit(name) for name in names if name != ARCHIVES}
    archives = {
        name: _measure_archive(f"{top}/{ARCHIVES}/{name}", name)
        for name in list_names(f"{top}/{ARCHIVES}", only_directories=True)
    }
    if ARCHIVES in names:
        sizes[ARCHIVES] = sum(archive.size_bytes for archive in archives.values())
    holders = find_holders(root)
    named = _read_names(top, tour.pointers, archives.keys() - tour.links_to())
    known: set[str] = set()
    held = []
    for holder in holders.values():
        inside = f"{holder.path}/"
        own = holder.files or [p for p in named if p.startswith(inside)]
        known.update(own)
        more = frozenset(i for path in own for i in named.get(path, ()))
        held.append(
            Held(
                holder._replace(archives=holder.archives | more),
                *_measure_holder(top, holder),
            )
        )
    return Holdings(
        archives=archives,
        holders=tuple(held),
        foreign=_find_foreign(tour.links, named, holders, known),
        sizes=sizes,
    )


def find_holders(root: Path) -> Mapping[str, Holder]:
    """Return the holders of a cache by their path, without what only pointers name.

    It takes a moment for a cache of any size: no archive and no source is looked into.
    """
    top = os.path.abspath(root)
    found: dict[str, Holder] = {}
    for bucket in find_buckets(root):
        if not (rows := find_bucket(bucket)):
            continue
        family = rows[0].family
        for below, depth in _DEPTHS[family].items():
            for shard in walk_dirs(f"{top}/{bucket}", below, depth):
                path = f"{bucket}/{shard}"
                if family is Family.WHEELS:
                    found.update((h.path, h) for h in _find_wheels(top, path))
                else:
                    found[path] = _find_sdist(top, path)
    return found


def is_unused_since(root: Path, archive: Archive) -> bool:
    """Return whether an archive is there, and its witness is as it was seen."""
    path = f"{os.path.abspath(root)}/{ARCHIVES}/{archive.id}/{archive.witness}"
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return (used_s(status) if archive.witness else status.st_ctime) <= archive.used_s


def _find_wheels(top: str, shard: str) -> Iterator[Holder]:
    """Yield the wheels of one package from one index, or from one URL."""
    files: defaultdict[str, list[str]] = defaultdict(list)
    for name in list_names(f"{top}/{shard}"):
        suffix = next(s for s in _SUFFIXES if name.endswith(s))
        files[name.removesuffix(suffix)].append(suffix)
    for stem, suffixes in files.items():
        path = f"{shard}/{stem}"
        paths = [f"{path}{s}" for s in sorted(suffixes, key=_SUFFIXES.index)]
        facts = tuple(_fact(top, p) for p in paths)
        yield Holder(path, tuple(paths), facts, _archives_of(facts))


def _find_sdist(top: str, shard: str) -> Holder:
    facts = tuple(_sdist_facts(top, shard))
    has_wheel = any(path.endswith(".whl") for path, *_ in facts)
    return Holder(shard, (), facts, _archives_of(facts), has_wheel=has_wheel)


def _sdist_facts(top: str, directory: str) -> Iterator[tuple[str, str | int, int]]:
    try:
        with os.scandir(f"{top}/{directory}") as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        path = f"{directory}/{entry.name}"
        if not entry.is_dir(follow_symlinks=False):
            yield _fact(top, path)
        elif entry.name != _SOURCES:
            yield from _sdist_facts(top, path)


def _fact(top: str, path: str) -> tuple[str, str | int, int]:
    """Return what a link says, or a file's inode and time of modification."""
    try:
        status = os.lstat(f"{top}/{path}")
        if stat.S_ISLNK(status.st_mode):
            return path, os.readlink(f"{top}/{path}"), 0
    except OSError:
        return path, 0, 0
    return path, status.st_ino, status.st_mtime_ns


def _archives_of(facts: Facts) -> frozenset[str]:
    """Return the ids that links lead to; as uv does, by their last component.

    A cache may have been moved since uv wrote an absolute link.
    """
    return frozenset(
        found for _, said, _ in facts if isinstance(said, str) and (found := _id(said))
    )


def _id(link: str) -> str:
    parent, _, name = link.rpartition("/")
    return name if parent.rpartition("/")[2] == ARCHIVES else ""


class _Tour:
    """Looks at everything below one root but archives; notes links and pointers.

    Attributes:
        links: Archive id by the link's path.
        pointers: Paths of files that may name an archive.
    """

    def __init__(self, top: str) -> None:
        self._top = top
        self.links: dict[str, str] = {}
        self.pointers: list[str] = []

    def links_to(self) -> set[str]:
        """Return the ids of archives that have a link."""
        return set(self.links.values())

    def visit(self, name: str) -> int:
        """Look at one name at the top, and return its size in bytes."""
        size_bytes = 0
        for path, status in _walk(f"{self._top}/{name}"):
            size_bytes += status.st_blocks * _BLOCK_BYTES
            if stat.S_ISLNK(status.st_mode):
                self._note_link(path)
            elif path.endswith(_POINTERS):
                self.pointers.append(path[len(self._top) + 1 :])
        return size_bytes

    def _note_link(self, path: str) -> None:
        try:
            found = _id(os.readlink(path))
        except OSError:
            return
        if found:
            self.links[path[len(self._top) + 1 :]] = found


def _walk(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield a path and all below it, following no link."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    yield path, status
    waiting = [path] if stat.S_ISDIR(status.st_mode) else []
    while waiting:
        directory = waiting.pop()
        try:
            with os.scandir(directory) as found:
                for entry in found:
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    yield entry.path, status
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            continue


def _measure_archive(path: str, name: str) -> Archive:
    size_bytes = shared_bytes = 0
    last_s, witness = 0.0, ""
    for place, status in _walk(path):
        here_bytes = status.st_blocks * _BLOCK_BYTES
        size_bytes += here_bytes
        if stat.S_ISDIR(status.st_mode):
            # To look into a directory, as has just been done, is a use of it.
            last_s = last_s if witness else max(last_s, status.st_ctime)
            continue
        if status.st_nlink > 1:
            shared_bytes += here_bytes
        if not is_witness(place.rpartition("/")[2]):
            continue
        if not witness or used_s(status) > last_s:
            last_s, witness = used_s(status), place[len(path) + 1 :]
    return Archive(name, size_bytes, shared_bytes, last_s, witness)


def _measure_holder(top: str, holder: Holder) -> tuple[int, float]:
    size_bytes, last_s = 0, 0.0
    for path in holder.files or (holder.path,):
        for place, status in _walk(f"{top}/{path}"):
            size_bytes += status.st_blocks * _BLOCK_BYTES
            if place.endswith(".whl"):
                last_s = max(last_s, used_s(status))
    return size_bytes, last_s


def _read_names(
    top: str, pointers: list[str], unlinked: set[str]
) -> Mapping[str, tuple[str, ...]]:
    """Return which of the archives without a link a pointer names, by its path.

    In whatever format: an id is in there as it is.
    """
    if not unlinked:
        return {}
    wanted = {name: os.fsencode(name) for name in unlinked}
    named = {}
    for path in pointers:
        data = read_small(f"{top}/{path}", MAX_POINTER_BYTES) or b""
        if found := tuple(name for name, text in wanted.items() if text in data):
            named[path] = found
    return named


def _find_foreign(
    links: Mapping[str, str],
    named: Mapping[str, tuple[str, ...]],
    holders: Mapping[str, Holder],
    known: set[str],
) -> frozenset[str]:
    inside = known | {path for h in holders.values() for path, *_ in h.facts}
    found = {name for path, name in links.items() if path not in inside}
    for path, names in named.items():
        if path not in inside:
            found.update(names)
    return frozenset(found)
