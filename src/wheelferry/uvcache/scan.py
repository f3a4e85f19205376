"""Find the settled entries of a uv cache: those that no writer will touch again.

A downloaded wheel is settled when its pointer is there, which uv renames into place
last; a built one when its link is there, or its `.whl` and `metadata.msgpack` (uv unzips
it only when it installs it).  Reads pointers and directories, never archives.

Never looked at: `.tmp*` and lock files, kinds `path` and `editable`, `.rev` pointers,
revisions that their pointer does not name (any more), and all other buckets.
"""

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from wheelferry.errors import CacheError
from wheelferry.uvcache.cached import CachedEntry, Scan, Skipped, Unknown, stamp_files
from wheelferry.uvcache.entry import EntryInfo, EntryKey, Kind
from wheelferry.uvcache.formats import GIT_SHAPE, Family, find_bucket
from wheelferry.uvcache.place import ARCHIVES
from wheelferry.uvcache.pointer import (
    MAX_POINTER_BYTES,
    Pointer,
    PointerMalformed,
    decode_pointer,
)
from wheelferry.uvcache.reading import (
    find_buckets,
    is_plain_dir,
    list_names,
    read_small,
    walk_dirs,
)
from wheelferry.uvcache.wheelname import WheelName, parse_wheel_name

MAX_METADATA_BYTES = 4 << 20
_KEY = re.compile(r"[0-9a-f]{16}")


def scan_cache(root: Path) -> Scan:
    """Return all that a cache has to share; a cache that is not there has nothing.

    What vanishes while it is looked at is left out.

    Raises CacheError if the cache cannot be read.
    """
    scanner = _Scanner(root)
    try:
        for bucket in find_buckets(root):
            scanner.scan_bucket(bucket)
    except PermissionError as exc:
        raise CacheError(
            f"cannot read the uv cache: {exc.filename}: {exc.strerror}",
            hint="run as the user whose jobs use this cache",
        ) from exc
    except OSError as exc:
        raise CacheError(
            f"cannot read the uv cache: {exc.filename}: {exc.strerror}",
            hint=f"check the disk that holds {root}",
        ) from exc
    return scanner.result()


class _Shard(NamedTuple):
    """A directory that has pointers in it, or is a git commit's.

    Attributes:
        path: Absolute.
        name: Of the package, where the shard has it; "" where only the wheel does.
    """

    kind: Kind
    bucket: str
    shard: str
    path: str
    name: str


class _Source(NamedTuple):
    """A pointer that was read; of git there is none."""

    path: str
    data: bytes
    pointer: Pointer


class _Scanner:
    def __init__(self, root: Path) -> None:
        self._root = os.path.abspath(root)
        self._archives = f"{self._root}/{ARCHIVES}"
        self._entries: list[CachedEntry] = []
        self._skipped: list[Skipped] = []
        self._unknown: Counter[str] = Counter()

    def result(self) -> Scan:
        unknown = sorted(self._unknown.items())
        return Scan(
            entries=tuple(self._entries),
            skipped=tuple(self._skipped),
            unknown=tuple(Unknown(name=name, count=count) for name, count in unknown),
        )

    def scan_bucket(self, bucket: str) -> None:
        family = Family(bucket.partition("-")[0])
        shards = self._shards(bucket, family)
        if not find_bucket(bucket):
            self._unknown[bucket] = sum(_count_pointers(s.path) for s in shards)
        elif family is Family.WHEELS:
            for shard in shards:
                self._scan_wheels(shard)
        else:
            for shard in shards:
                self._scan_sdist(shard)

    def _shards(self, bucket: str, family: Family) -> Iterator[_Shard]:
        is_wheels = family is Family.WHEELS
        registry = Kind.REGISTRY_WHEEL if is_wheels else Kind.REGISTRY_SDIST
        direct = Kind.URL_WHEEL if is_wheels else Kind.URL_SDIST
        below_index = 1 if is_wheels else 2  # name, or name and version
        # Where each kind is, how deep, and at which level the package's name is.
        places = (
            (registry, "pypi", below_index, 1),
            (registry, "index", 1 + below_index, 2),
            (direct, "url", 2 if is_wheels else 1, 2),
            *(() if is_wheels else ((Kind.GIT, "git", 2, 3),)),
        )
        for kind, top, depth, name_at in places:
            for shard in walk_dirs(f"{self._root}/{bucket}", top, depth):
                levels = shard.split("/")
                yield _Shard(
                    kind=kind,
                    bucket=bucket,
                    shard=shard,
                    path=f"{self._root}/{bucket}/{shard}",
                    name=levels[name_at] if name_at < len(levels) else "",
                )

    def _scan_wheels(self, shard: _Shard) -> None:
        for file in list_names(shard.path):
            stem = file.removesuffix(".http")
            if stem == file:
                continue
            source = self._read_source(f"{shard.path}/{file}", shard.bucket)
            if source is None:
                continue
            wheel = _find_wheel_name(shard.name, stem, source.pointer.filename)
            archive = f"{self._archives}/{source.pointer.target_id}"
            if wheel is None:
                self._skip(source.path, f"its name is not that of a {shard.name} wheel")
            elif not is_plain_dir(archive):
                self._skip(source.path, "its archive is missing")
            else:
                self._add(
                    shard,
                    EntryKey(
                        kind=shard.kind, shard=shard.shard, settings="", stem=stem
                    ),
                    wheel,
                    source,
                    archive=archive,
                    wheel_file=None,
                    metadata_path=f"{shard.path}/{stem}.msgpack",
                )

    def _scan_sdist(self, shard: _Shard) -> None:
        source = None
        home = shard.path
        if shard.kind.has_pointer:
            source = self._read_source(f"{shard.path}/revision.http", shard.bucket)
            if source is None:
                return  # being downloaded, or from a local file (`revision.rev`)
            home = f"{shard.path}/{source.pointer.target_id}"
        self._scan_builds(shard, source, home, "")
        for name in list_names(home):
            if _KEY.fullmatch(name):
                self._scan_builds(shard, source, f"{home}/{name}", name)

    def _scan_builds(
        self, shard: _Shard, source: _Source | None, home: str, settings: str
    ) -> None:
        names = set(list_names(home))
        if any(name.startswith("hashes.") for name in names):
            self._skip(home, "an archive inside a git repository")
            return
        for stem, (wheel, link_name, file) in sorted(_find_builds(names).items()):
            wheel_file = f"{home}/{file}" if file else None
            link = f"{home}/{link_name}"
            archive = self._follow(link) if link_name else None
            if archive is None and not (wheel_file and "metadata.msgpack" in names):
                continue  # being built
            if shard.name not in ("", wheel.name):
                self._skip(f"{home}/{stem}", f"its name is not that of {shard.name}")
                continue
            self._add(
                shard,
                EntryKey(
                    kind=shard.kind, shard=shard.shard, settings=settings, stem=stem
                ),
                wheel,
                source,
                archive=archive,
                wheel_file=wheel_file,
                metadata_path=f"{home}/metadata.msgpack",
                link=link if archive else None,
            )

    def _follow(self, link: str) -> str | None:
        """Return the archive that a link leads to, if it is one of this cache.

        Only the last component counts: uv before 0.11.17 wrote absolute links, and the
        cache may have moved since.
        """
        try:
            archive_id = os.readlink(link).rpartition("/")[2]
        except OSError:  # it vanished, or is not a link
            return None
        archive = f"{self._archives}/{archive_id}"
        return archive if archive_id and is_plain_dir(archive) else None

    def _read_source(self, path: str, bucket: str) -> _Source | None:
        rows = find_bucket(bucket)
        try:
            data = read_small(path, MAX_POINTER_BYTES)
            if data is None:
                return None
            pointer = decode_pointer(
                data, family=rows[0].family, framing=rows[0].framing
            )
        except PointerMalformed as exc:
            if exc.shape is None:
                self._skip(path, f"its pointer cannot be read: {exc}")
            else:
                self._unknown[f"{bucket}/{exc.shape}"] += 1
            return None
        if pointer.shape not in {row.shape for row in rows}:
            self._unknown[f"{bucket}/{pointer.shape}"] += 1
            return None
        return _Source(path, data, pointer)

    def _add(
        self,
        shard: _Shard,
        key: EntryKey,
        wheel: WheelName,
        source: _Source | None,
        *,
        archive: str | None,
        wheel_file: str | None,
        metadata_path: str,
        link: str | None = None,
    ) -> None:
        stamp = stamp_files(
            [p for p in (source and source.path, link, wheel_file) if p]
        )
        if stamp is None:
            return
        pointer = source.pointer if source else None
        info = EntryInfo(
            format_id=f"{shard.bucket}/{pointer.shape if pointer else GIT_SHAPE}",
            key=key,
            name=wheel.name,
            version=wheel.version,
            tags=wheel.tags,
            hashes=pointer.hashes if pointer else (),
            size_bytes=pointer.size_bytes if pointer else None,
            pointer=source.data if source else b"",
            metadata=self._read_metadata(metadata_path),
        )
        self._entries.append(
            CachedEntry(
                info=info,
                archive=Path(archive) if archive else None,
                wheel_file=Path(wheel_file) if wheel_file else None,
                policy=pointer.policy if pointer else b"",
                stamp=stamp,
            )
        )

    def _read_metadata(self, path: str) -> bytes:
        """Return the metadata; it is of use only for resolving, so b"" will do."""
        data = read_small(path, MAX_METADATA_BYTES)
        return b"" if data is None or len(data) > MAX_METADATA_BYTES else data

    def _skip(self, path: str, reason: str) -> None:
        self._skipped.append(
            Skipped(path=path.removeprefix(f"{self._root}/"), reason=reason)
        )


def _find_wheel_name(name: str, stem: str, filename: str | None) -> WheelName | None:
    """Return the parts of a wheel's file name, or None if it is of another package.

    Pointers have the file's name from uv 0.6.4 on, where stems may be shortened; before
    that, stems are the name in full.
    """
    wheel = parse_wheel_name((filename or stem).removesuffix(".whl"))
    return wheel if wheel is not None and wheel.name == name else None


def _find_builds(names: Collection[str]) -> dict[str, tuple[WheelName, str, str]]:
    """Return the builds in a directory: wheel, link and `.whl` by the stem of its key.

    A link's name is in uv's spelling.  A `.whl` has the name that its build backend gave
    it, and belongs to the link of that name, tags and, if there are several, version.
    Without a link, the stem is what uv would call it.  Link or file may be "".
    """
    links: dict[str, WheelName] = {}
    files: dict[str, WheelName] = {}
    for name in sorted(names):
        stem = name.removesuffix(".whl")
        wheel = parse_wheel_name(stem)
        if wheel is not None:
            (links if stem == name else files)[name] = wheel
    builds: dict[str, tuple[WheelName, str, str]] = {}
    for link, wheel in links.items():
        alike = [file for file, other in files.items() if _is_alike(other, wheel)]
        alike.sort(key=lambda file: files[file] != wheel)
        builds[link] = wheel, link, alike[0] if alike else ""
    for file, wheel in files.items():
        if not any(_is_alike(wheel, other) for other in links.values()):
            builds.setdefault(wheel.stem, (wheel, "", file))
    return builds


def _is_alike(wheel: WheelName, other: WheelName) -> bool:
    return (wheel.name, wheel.tags) == (other.name, other.tags)


def _count_pointers(directory: str) -> int:
    return sum(name.endswith(".http") for name in list_names(directory))
