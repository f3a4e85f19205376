"""Refresh a runner's view of the catalog: from nothing, and when one segment is new.

Segments have 200 records, as those of a few promotions; a record has a pointer of 700
bytes, and no metadata.  In `merged` they are as compaction leaves them: a runner that has
no view yet reads all of it, or (`named`) what a lock of 100 packages asks for, for this one
pull.  What compares with that reads only the ranges of the file that hold these packages.
"""

import hashlib
import random
import shutil
import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import msgpack

from benchmarks.compacted import compact_all
from benchmarks.measure import MEGABYTE
from benchmarks.steps import OURS, Group
from tests.support.records import digest_of, make_record
from wheelferry.disk import Disk
from wheelferry.pack import zstd
from wheelferry.store.create import create_store
from wheelferry.store.posix import PosixStore
from wheelferry.store.record import Record, SegmentId
from wheelferry.store.segment import decode_block, encode_segment, read_footer
from wheelferry.store.segment_footer import decode_footer, decode_trailer
from wheelferry.store.view import View

_EACH = 200
_NAMES = 5_000
_LOCKED = 100
_TAIL_BYTES = 64 << 10
_READ_BYTES = 1 << 20
_LARGE_BYTES = 256 << 10
_VIEW = "view.sqlite"
_OLD = "old.sqlite"
_URL = b"https://files.example/packages/"


def prepare(folder: Path, records: int, _wheels: Path) -> None:
    """Make a store with so many records, a view of them, and a segment to come."""
    create_store(folder / "store", disk=Disk(), now_s=0)
    choose = random.Random(records)
    for first in range(0, records, _EACH):
        _write_segment(folder / "store/catalog", choose, min(_EACH, records - first))
    _refresh(folder, _OLD)
    (folder / "new").mkdir()
    _write_segment(folder / "new", choose, _EACH)
    _merge_all(folder)


def _merge_all(folder: Path) -> None:
    """Make a store of the same catalog, as if it had been compacted all the time."""
    create_store(folder / "merged", disk=Disk(), now_s=0)
    segments = (path.read_bytes() for path in _segments(folder / "store/catalog"))
    for data in compact_all(segments):
        (folder / f"merged/catalog/{digest_of(data)}.seg").write_bytes(data)


def _write_segment(directory: Path, choose: random.Random, records: int) -> None:
    made = [_make_record(choose) for _ in range(records)]
    data = encode_segment(made, runner="benchmark", created_s=0)
    (directory / f"{digest_of(data)}.seg").write_bytes(data)


def _make_record(choose: random.Random) -> Record:
    # About a fifth of a pointer is digests and other noise.
    pointer = choose.randbytes(140) + _URL * 18
    version = f"{choose.randrange(100)}.{choose.randrange(1000)}"
    return make_record(
        f"package-{choose.randrange(_NAMES)}", version, files={"pointer": pointer}
    )


def _refresh(
    folder: Path, view: str, *, of: str = "store", names: Sequence[str] | None = None
) -> None:
    store = PosixStore(folder / of, disk=Disk(), runner="benchmark")
    store_id = store.open().id
    with View.open(folder / view, store_id=store_id, disk=Disk()) as opened:
        opened.refresh(store, names)


def refresh_merged(folder: Path) -> Callable[[], object]:
    """Read all of the merged catalog into a new view."""
    _remove_view(folder)
    return partial(_refresh, folder, _VIEW, of="merged")


def read_merged(folder: Path) -> Callable[[], object]:
    """Read the same bytes, and check their digests."""
    _remove_view(folder)
    return partial(_read_all, folder / "merged/catalog")


def refresh_named(folder: Path) -> Callable[[], object]:
    """Read of the merged catalog what a lock asks for into memory."""
    _remove_view(folder)
    return partial(_refresh, folder, _VIEW, of="merged", names=_lock())


def read_ranges(folder: Path) -> Callable[[], object]:
    """Decode the blocks of these packages, by ranged reads; no digest can be checked."""
    return partial(_read_ranges, folder / "merged/catalog")


def _lock() -> list[str]:
    return [f"package-{n}" for n in random.Random(1).sample(range(_NAMES), _LOCKED)]


def _read_ranges(catalog: Path) -> tuple[int, int]:
    """Return how many reads there were, and of how many bytes."""
    names = sorted(_lock())
    count = total_bytes = 0
    for path in _segments(catalog):
        with path.open("rb", buffering=0) as file:
            size_bytes = file.seek(0, 2)
            file.seek(max(0, size_bytes - _TAIL_BYTES))
            tail = file.read()
            count, total_bytes = count + 1, total_bytes + len(tail)
            trailer = decode_trailer(tail, size_bytes=size_bytes, segment=SegmentId(""))
            if trailer.tail_bytes > len(tail):
                file.seek(size_bytes - trailer.tail_bytes)
                tail = file.read()
                count, total_bytes = count + 1, total_bytes + len(tail)
            footer = decode_footer(tail, size_bytes=size_bytes, segment=SegmentId(""))
            for block in footer.blocks:
                at = bisect_left(names, block.first_name)
                if at < len(names) and names[at] <= block.last_name:
                    file.seek(block.offset)
                    data = file.read(block.comp_bytes)
                    count, total_bytes = count + 1, total_bytes + len(data)
                    decode_block(data, block, segment=SegmentId(""))
    return count, total_bytes


def refresh(folder: Path) -> Callable[[], object]:
    """Read all of the catalog into a new view."""
    _remove_view(folder)
    return partial(_refresh, folder, _VIEW)


def refresh_warm(folder: Path) -> Callable[[], object]:
    """Add one segment to a view that has all others."""
    _remove_view(folder)
    shutil.copy(folder / _OLD, folder / _VIEW)
    _add_new(folder)
    return partial(_refresh, folder, _VIEW)


def _add_new(folder: Path) -> None:
    for path in (folder / "new").iterdir():
        shutil.copy(path, folder / "store/catalog")


def _remove_new(folder: Path) -> None:
    for path in (folder / "new").iterdir():
        (folder / "store/catalog" / path.name).unlink(missing_ok=True)


def _remove_view(folder: Path) -> None:
    _remove_new(folder)
    for path in folder.glob(f"{_VIEW}*"):
        path.unlink()


def read_all(folder: Path) -> Callable[[], object]:
    """Read the same bytes, and check their digests."""
    _remove_view(folder)
    return partial(_read_all, folder / "store/catalog")


def _read_all(catalog: Path) -> None:
    for path in _segments(catalog):
        hashlib.sha256(path.read_bytes()).digest()


def read_new(folder: Path) -> Callable[[], object]:
    """List the catalog, and read the one segment that is new."""
    _add_new(folder)

    def look() -> None:
        list((folder / "store/catalog").iterdir())
        for path in (folder / "new").iterdir():
            hashlib.sha256(path.read_bytes()).digest()

    return look


def insert_plainly(folder: Path) -> Callable[[], object]:
    """Decode them and insert them into a table with one index, checking nothing."""
    _remove_view(folder)
    return partial(_insert_plainly, folder)


def _insert_plainly(folder: Path) -> None:
    db = sqlite3.connect(folder / _VIEW)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    fields = list(make_record()._fields)
    db.execute(f"CREATE TABLE records ({', '.join(fields)})")
    db.execute("CREATE INDEX by_name ON records (name)")
    marks = ", ".join("?" * len(fields))
    for path in _segments(folder / "store/catalog"):
        rows = _rows(path.read_bytes())
        db.executemany(f"INSERT INTO records VALUES ({marks})", rows)
    db.commit()
    db.close()


def _rows(data: bytes) -> Iterator[Sequence[object]]:
    names = ("format", "kind", "shard", "settings", "stem", "name", "version", "tags")
    numbers = ("size", "pack", "pack_bytes", "tree_bytes", "tree_files")
    for block in read_footer(data, segment=SegmentId("")).blocks:
        raw = zstd.ZstdDecompressor().decompress(
            data[block.offset : block.offset + block.comp_bytes]
        )
        for item in msgpack.unpackb(raw):
            head = [item[name] for name in names]
            tail = [item[name] for name in numbers]
            yield (*head, " ".join(item["hashes"]), *tail, item["files"]["pointer"], "")


def _segments(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


def describe(folder: Path) -> str:
    """Say how large catalog and view are."""
    _remove_new(folder)
    sizes = [p.stat().st_size for p in _segments(folder / "store/catalog")]
    records = _count(folder / _OLD)
    view_bytes = (folder / _OLD).stat().st_size
    return (
        f"{records:,} records in {len(sizes)} segments: {sum(sizes) / records:.0f} bytes"
        f" a record in the catalog, {view_bytes / records:.0f} in the view; merged, "
        + _describe_merged(folder / "merged/catalog", records)
    )


def _describe_merged(catalog: Path, records: int) -> str:
    sizes = [path.stat().st_size for path in _segments(catalog)]
    large = [size for size in sizes if size > _LARGE_BYTES]
    reads = sum(-(-size // _READ_BYTES) for size in sizes)
    count, range_bytes = _read_ranges(catalog)
    return (
        f"{len(sizes)} segments, {len(large)} of them large, and {sum(sizes) / records:.0f}"
        f" bytes a record: {sum(sizes) / MEGABYTE:.1f} MB in {reads} reads of at most 1 MiB;"
        f" the ranges for a lock of {_LOCKED} packages are {range_bytes / MEGABYTE:.1f} MB"
        f" in {count:,} reads"
    )


def _count(view: Path) -> int:
    db = sqlite3.connect(view)
    try:
        (records,) = db.execute("SELECT count(*) FROM records").fetchone()
    finally:
        db.close()
    return int(records)


GROUP = Group(
    unit="records",
    sizes=(1_000, 10_000, 100_000),
    prepare=prepare,
    describe=describe,
    steps={
        "refresh": {
            OURS: refresh,
            "insert plainly": insert_plainly,
            "read": read_all,
        },
        "refresh-merged": {OURS: refresh_merged, "read": read_merged},
        "refresh-named": {
            OURS: refresh_named,
            "read": read_merged,
            "read ranges": read_ranges,
        },
        "refresh-warm": {OURS: refresh_warm, "list and read": read_new},
    },
)
