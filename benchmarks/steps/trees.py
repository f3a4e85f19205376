"""Pack the entries of a cache as a promotion does, and restore the packs as a pull does.

Neither reads or writes a store: packs go to a folder, and come from one.
"""

import os
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeAlias

from benchmarks.extract import extract_all
from benchmarks.runner import Runner, make_runner
from benchmarks.steps import OURS, Group
from benchmarks.wheels import RESTORED, fetch, unpack
from tests.support.machines import MACHINE
from wheelferry.disk import Disk
from wheelferry.ops.packing import Packed, pack_entry
from wheelferry.pack import zstd
from wheelferry.pack.pool import Pool
from wheelferry.pack.table import FRAME_BYTES
from wheelferry.pack.writer import LEVEL
from wheelferry.uvcache.cached import CachedEntry
from wheelferry.uvcache.scan import scan_cache

_Files: TypeAlias = list[tuple[str, bytes]]


def prepare(folder: Path, wheels: int, where: Path) -> None:
    """Make a cache of so many real wheels, and their packs."""
    runner = make_runner(folder, "runner")
    for number, wheel in enumerate(fetch(RESTORED[:wheels], where)):
        unpack(wheel, runner.add_wheel(wheel.name, number))
    packs, spool = folder / "packs", folder / "spool"
    packs.mkdir()
    spool.mkdir()
    with Pool() as pool:
        for entry in _entries(folder):
            with _pack(entry, spool, pool).pack as pack:
                (packs / pack.digest).write_bytes(b"".join(pack.chunks()))


def _entries(folder: Path) -> tuple[CachedEntry, ...]:
    runner = Runner(home=folder / "runner", store=folder / "store")
    return scan_cache(runner.cache).entries


def _pack(entry: CachedEntry, spool: Path, pool: Pool) -> Packed:
    packed = pack_entry(entry, spool, Disk(), pool, machine=MACHINE)
    if not isinstance(packed, Packed):
        raise SystemExit(f"not packed: {packed.left}")
    return packed


def pack(folder: Path) -> Callable[[], object]:
    """Pack all entries, and check each against its RECORD."""
    return partial(_pack_all, _entries(folder), folder / "spool")


def _pack_all(entries: tuple[CachedEntry, ...], spool: Path) -> None:
    with Pool() as pool:
        for entry in entries:
            _pack(entry, spool, pool).pack.close()


def compress(folder: Path) -> Callable[[], object]:
    """Read the same files, and compress them, with as many threads."""
    return partial(_compress_all, _entries(folder))


def _compress_all(entries: tuple[CachedEntry, ...]) -> None:
    with ThreadPoolExecutor(2) as pool:
        jobs: deque[Future[bytes]] = deque()
        for entry in entries:
            assert entry.archive is not None
            # In the order of packs, since that is what makes them small.
            files = sorted(_find_files(entry.archive), key=lambda path: path.suffix)
            for frame in _frames(files):
                jobs.append(pool.submit(zstd.compress, frame, LEVEL))
                if len(jobs) > 4:
                    jobs.popleft().result()


def _frames(files: list[Path]) -> Iterator[bytes]:
    frame = bytearray()
    for path in files:
        frame += path.read_bytes()
        if len(frame) >= FRAME_BYTES:
            yield bytes(frame)
            frame.clear()
    yield bytes(frame)


def restore(folder: Path) -> Callable[[], object]:
    """Restore all packs to a new folder."""
    target = _new_target(folder)
    return partial(extract_all, folder / "packs", target, readers=2, workers=2)


def write_files(folder: Path) -> Callable[[], object]:
    """Write the same files from memory, with one thread."""
    return partial(_write_files, _load(folder), _new_target(folder))


def _new_target(folder: Path) -> Path:
    target = folder / f"target-{uuid.uuid4().hex}"
    target.mkdir()
    return target


def _load(folder: Path) -> _Files:
    root = folder / "runner/.cache/uv/archive-v0"
    return [(str(p.relative_to(root)), p.read_bytes()) for p in _find_files(root)]


def _write_files(files: _Files, target: Path) -> None:
    made: set[str] = set()
    for path, data in files:
        above = path.rpartition("/")[0]
        if above not in made:
            os.makedirs(f"{target}/{above}", exist_ok=True)  # noqa: PTH103
            made.add(above)
        fd = os.open(f"{target}/{path}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(fd, data)
        os.close(fd)


def _find_files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def describe(folder: Path) -> str:
    """Say how much there is."""
    sizes = [
        path.stat().st_size
        for path in _find_files(folder / "runner/.cache/uv/archive-v0")
    ]
    packs = [path.stat().st_size for path in (folder / "packs").iterdir()]
    return (
        f"{len(packs)} wheels, {len(sizes):,} files, {sum(sizes) / 1e6:.0f} MB;"
        f" {sum(packs) / 1e6:.0f} MB as packs"
    )


GROUP = Group(
    unit="wheels",
    sizes=(len(RESTORED),),
    prepare=prepare,
    describe=describe,
    steps={
        "pack": {OURS: pack, "read and zstd": compress},
        "restore": {OURS: restore, "write from memory": write_files},
    },
)
