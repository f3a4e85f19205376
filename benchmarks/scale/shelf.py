"""Make the store that is measured: `python -m benchmarks.scale.shelf FOLDER PACKS`.

`store/` is as years leave it: packs of one file, made by the writer of packs, and a catalog
that was compacted whenever that was due; a few runners have said which packs they hold.
`loose/` has the same catalog as promotions wrote it, never compacted, and no packs.
"""

import io
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.compacted import compact_all
from benchmarks.runner import BUCKET, make_pointer
from tests.support.records import digest_of
from tests.support.tiers import Ferry
from wheelferry.disk import Disk
from wheelferry.ops.convert import encode_record
from wheelferry.ops.usage import note_usage
from wheelferry.pack.pool import Pool
from wheelferry.pack.writer import SourceFile, write_pack
from wheelferry.store.create import create_store
from wheelferry.store.record import Record
from wheelferry.store.segment import encode_segment
from wheelferry.uvcache.entry import EntryInfo, EntryKey, Kind
from wheelferry.uvcache.formats import find_bucket

STORE, LOOSE = "store", "loose"
EACH = 10
"""Packs of one promotion."""

_NAMES = 5_000
_URL = b"https://files.example/packages/"
_RUNNERS = 8
_DAY_S = 24 * 3600
_YEARS_S = 2 * 365 * _DAY_S


def make_shelf(folder: Path, packs: int) -> None:
    """Make both stores in a folder that is there."""
    for name in (STORE, LOOSE):
        create_store(folder / name, disk=Disk(), now_s=0)
    began_s = time.time() - _YEARS_S
    records: list[Record] = []
    segments: list[bytes] = []
    with Pool(1) as pool:
        for first in range(0, packs, EACH):
            numbers = range(first, min(first + EACH, packs))
            at_s = int(began_s + first / packs * _YEARS_S)
            some = [_add_pack(folder / STORE, n, at_s, pool=pool) for n in numbers]
            records += some
            runner = f"runner-{first // EACH % _RUNNERS}"
            data = encode_segment(some, runner=runner, created_s=at_s)
            _write_segment(folder / LOOSE, data, at_s)
            segments.append(data)
    for data in compact_all(segments):
        _write_segment(folder / STORE, data, int(began_s))
    _note_uses(folder / STORE, records)


def _add_pack(store: Path, number: int, at_s: int, *, pool: Pool) -> Record:
    """Write a pack, and return its record; the bytes differ from all others'."""
    data = b"p%d/__init__.py,,\n" % number
    file = SourceFile(
        path=f"p{number}-1.0.dist-info/RECORD",
        size_bytes=len(data),
        executable=False,
        open=partial(io.BytesIO, data),
    )
    with write_pack([file], store / "staging", disk=Disk(), pool=pool) as pack:
        path = store / "objects" / pack.digest[:2] / pack.digest
        path.write_bytes(b"".join(pack.chunks()))
        os.utime(path, (at_s, at_s))
        return encode_record(
            _make_info(number),
            pack=pack.digest,
            pack_bytes=pack.pack_bytes,
            tree_bytes=pack.tree_bytes,
            tree_files=pack.tree_files,
        )


def _make_info(number: int) -> EntryInfo:
    name, version = f"p{number % _NAMES}", f"1.{number // _NAMES}"
    tags = "py3-none-any"
    [row] = find_bucket(BUCKET)
    # About a fifth of a pointer is digests and other noise.
    policy = os.urandom(140) + _URL * 18
    pointer = make_pointer("0" * 21, f"{name}-{version}-{tags}.whl", policy)
    return EntryInfo(
        format_id=row.id,
        key=EntryKey(
            kind=Kind.REGISTRY_WHEEL,
            shard=f"pypi/{name}",
            settings="",
            stem=f"{version}-{tags}",
        ),
        name=name,
        version=version,
        tags=tags,
        hashes=pointer.hashes,
        size_bytes=pointer.size_bytes,
        pointer=pointer.with_id(pointer.target_id),
        metadata=b"",
    )


def _write_segment(store: Path, data: bytes, at_s: int) -> None:
    path = store / "catalog" / f"{digest_of(data)}.seg"
    path.write_bytes(data)
    os.utime(path, (at_s, at_s))


def _note_uses(store: Path, records: Sequence[Record]) -> None:
    """Have each runner hold a quarter of the packs."""
    choose = random.Random(len(records))
    with tempfile.TemporaryDirectory(prefix="wheelferry-runners-") as folder:
        for number in range(_RUNNERS):
            name = f"runner-{number}"
            runner = Ferry(cache=Path(folder, name), store=store, runner=name)
            runner.state.mkdir()
            held = choose.sample(records, len(records) // 4)
            with runner.open(Disk()) as tiers:
                note_usage(tiers, [record.pack for record in held])


def describe(folder: Path, packs: int) -> str:
    """Say in one line what there is."""
    few, many = (
        [path.stat().st_size for path in (folder / name / "catalog").iterdir()]
        for name in (STORE, LOOSE)
    )
    return (
        f"{packs:,} packs: a catalog of {len(few):,} segments, {sum(few) / packs:.0f}"
        f" bytes a pack; before all compaction {len(many):,} segments,"
        f" {sum(many) / packs:.0f} bytes a pack"
    )


def main() -> None:
    """Make it as the command line says, and say what it is."""
    folder, packs = Path(sys.argv[1]), int(sys.argv[2])
    make_shelf(folder, packs)
    print(describe(folder, packs))


if __name__ == "__main__":
    main()
