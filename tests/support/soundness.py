"""Judge a store and a cache after something went wrong, without uv."""

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.cachetree import Files, Planned
from tests.support.packing import read_tree
from wheelferry.disk import Disk
from wheelferry.events import discard
from wheelferry.ops.finding import Finding, Severity
from wheelferry.ops.verify import verify_store
from wheelferry.store.posix import PosixStore
from wheelferry.store.segment import decode_segment
from wheelferry.uvcache.formats import find_format
from wheelferry.uvcache.pointer import decode_pointer


def findings(root: Path) -> list[Finding]:
    """Return all that `verify` has to say of the store."""
    store = PosixStore(root, disk=Disk(), runner="judge")
    store.open()
    return verify_store(store, discard).findings


def damage(root: Path) -> list[Finding]:
    """Return what `verify` finds damaged or foreign in the store."""
    return [f for f in findings(root) if f.severity is not Severity.INFO]


def catalog(root: Path) -> set[tuple[str, str]]:
    """Return identity and pack of all records in the store."""
    store = PosixStore(root, disk=Disk(), runner="judge")
    found: set[tuple[str, str]] = set()
    for name in store.list_segments():
        data = store.read_segment(name)
        assert data is not None
        records = decode_segment(data, segment=name).records
        found |= {(record.identity, record.pack) for record in records}
    return found


def objects(root: Path) -> dict[str, bytes]:
    """Return all objects by name."""
    return {path.name: path.read_bytes() for path in root.glob("objects/*/*")}


def staged_in(root: Path) -> list[str]:
    """Return what is left in the store's staging."""
    return sorted(p.name for p in root.glob("staging/*/*"))


class CacheJudge:
    """Says what uv would find in a cache that these entries were restored into.

    `wrong` lists what uv would trip over, or take for something that it is not; what is
    missing is not wrong.
    """

    def __init__(self, planned: Sequence[Planned]) -> None:
        self._trees: dict[str, list[Files]] = {}
        self._metadata: dict[str, bytes] = {}
        for entry in planned:
            self._trees.setdefault(entry.info.name, []).append(entry.files)
            self._metadata[entry.info.name] = entry.info.metadata
        self._planned = planned

    def wrong(self, root: Path) -> list[str]:
        """Return what is wrong, as `path: what`."""
        found: list[str] = []
        for directory, dirs, files in os.walk(root):
            home = Path(directory)
            below = home.relative_to(root)
            if below.parts[:1] == ("archive-v0",):
                continue
            for name in (*dirs, *files):
                path = home / name
                if what := self._judge(root, path):
                    found.append(f"{below / name}: {what}")
        for archive in root.glob("archive-v0/*"):
            # Without a name in a bucket uv ignores it, but a pull takes it for whole.
            records = archive.glob("*.dist-info/RECORD")
            is_taken = any(record.stat().st_size for record in records)
            if is_taken and not self._is_known(archive):
                found.append(f"archive-v0/{archive.name}: is no tree that was promoted")
        return sorted(found)

    def usable(self, root: Path) -> set[str]:
        """Return the entries, by key, that uv installs without any request."""
        return {
            f"{entry.info.format_id} {entry.info.key}"
            for entry in self._planned
            if self._is_usable(root, entry)
        }

    def _judge(self, root: Path, path: Path) -> str | None:
        name = self._package_of(path.relative_to(root))
        if path.is_symlink():
            return self._judge_archive(path.resolve(), name, "link")
        if path.suffix == ".http":
            return self._judge_pointer(root, path, name)
        if path.suffix == ".whl":
            return None if _unzip(path) in self._trees[name] else "not the wheel"
        if path.suffix == ".msgpack":
            right = path.read_bytes() == self._metadata[name]
            return None if right else "not the metadata"
        return None

    def _judge_pointer(self, root: Path, path: Path, name: str) -> str | None:
        target = self._target_of(root, path)
        if target is None:
            return "pointer is damaged"
        if path.name == "revision.http":
            return None
        return self._judge_archive(root / "archive-v0" / target, name, "pointer")

    def _judge_archive(self, archive: Path, name: str, what: str) -> str | None:
        if not archive.is_dir():
            return f"{what} to an archive that is not there"
        if read_tree(archive) not in self._trees[name]:
            return f"{what} to an archive that is not whole"
        return None

    def _is_known(self, archive: Path) -> bool:
        tree = read_tree(archive)
        return any(tree in trees for trees in self._trees.values())

    def _is_usable(self, root: Path, entry: Planned) -> bool:
        info = entry.info
        row = find_format(info.format_id)
        assert row is not None
        home = root / row.bucket / info.key.shard
        if not info.key.kind.is_built:
            return (home / f"{info.key.stem}.http").exists()
        if info.key.kind.has_pointer:
            pointer = home / "revision.http"
            if not pointer.exists():
                return False
            home = home / (self._target_of(root, pointer) or "")
        return (home / info.key.settings / info.key.stem).is_symlink()

    def _target_of(self, root: Path, path: Path) -> str | None:
        bucket = path.relative_to(root).parts[0]
        row = next(
            row
            for entry in self._planned
            if (row := find_format(entry.info.format_id)) and row.bucket == bucket
        )
        try:
            pointer = decode_pointer(
                path.read_bytes(), family=row.family, framing=row.framing
            )
        except ValueError:
            return None
        return pointer.target_id

    def _package_of(self, path: Path) -> str:
        """Return the package that a path in a bucket belongs to; "" if none is said."""
        text = path.as_posix()
        for entry in self._planned:
            row = find_format(entry.info.format_id)
            assert row is not None
            if text.startswith(f"{row.bucket}/{entry.info.key.shard}/"):
                return entry.info.name
        return ""


def _unzip(path: Path) -> Files | None:
    try:
        with zipfile.ZipFile(path) as wheel:
            return {
                member.filename: (
                    wheel.read(member),
                    bool(member.external_attr >> 16 & 0o100),
                )
                for member in wheel.infolist()
            }
    except (zipfile.BadZipFile, EOFError):
        return None
