"""Peak memory of packing and restoring one tree of 500 MB, each in its own process."""

import hashlib
import io
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from benchmarks.measure import MEGABYTE, parser, print_table, write_json
from wheelferry.disk import Disk
from wheelferry.pack.pool import Pool
from wheelferry.pack.reader import check_pack, extract_pack
from wheelferry.pack.writer import SourceFile, write_pack

_LARGE_BYTES = 400 * MEGABYTE
_SMALL_BYTES = 25_000
_SMALL_FILES = 4_000


class _HalfRandom(io.RawIOBase):
    """A stream that compresses about as code does: half noise, half repetition."""

    def __init__(self, seed: str, size_bytes: int) -> None:
        self._left_bytes = size_bytes
        self._block = hashlib.shake_256(seed.encode()).digest(32_768) + bytes(32_768)
        self._number = 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` with up to a block."""
        size_bytes = min(len(buffer), len(self._block), self._left_bytes)
        self._number += 1
        buffer[:size_bytes] = self._block[:size_bytes]
        label = self._number.to_bytes(8, "little")[:size_bytes]
        buffer[: len(label)] = label
        self._left_bytes -= size_bytes
        return size_bytes


def sources() -> Iterator[SourceFile]:
    """Yield one file of 400 MB and 4,000 of 25 kB."""

    def file(path: str, size_bytes: int) -> SourceFile:
        def opened() -> BinaryIO:
            return io.BufferedReader(_HalfRandom(path, size_bytes), 1 << 16)

        return SourceFile(
            path=path, size_bytes=size_bytes, executable=False, open=opened
        )

    yield file("big/lib/libbig.so", _LARGE_BYTES)
    for number in range(_SMALL_FILES):
        yield file(f"big/m{number % 50}/mod{number}.py", _SMALL_BYTES)


def pack(folder: Path) -> None:
    """Pack the tree into `folder`, under the pack's digest."""
    spool = folder / "spool"
    spool.mkdir()
    with (
        Pool() as pool,
        write_pack(sources(), spool, disk=Disk(), pool=pool) as made,
        (folder / made.digest).open("wb") as stream,
    ):
        for chunk in made.chunks():
            stream.write(chunk)
    spool.rmdir()


def _the_pack(folder: Path) -> Path:
    [found] = [path for path in folder.iterdir() if path.is_file()]
    return found


def extract(folder: Path) -> None:
    """Restore the pack in `folder`."""
    path, target = _the_pack(folder), folder / "target"
    target.mkdir()
    with path.open("rb", buffering=0) as stream, Pool() as pool:
        extract_pack(
            stream.read,
            digest=path.name,
            size_bytes=path.stat().st_size,
            target=target,
            disk=Disk(),
            pool=pool,
        )


def check(folder: Path) -> None:
    """Check the pack in `folder`."""
    path = _the_pack(folder)
    with path.open("rb", buffering=0) as stream:
        check_pack(stream.read, digest=path.name, size_bytes=path.stat().st_size)


STEPS = {"pack": pack, "extract": extract, "check": check}


def main() -> None:
    options = parser(__doc__, "memory")
    options.add_argument("--child", nargs=2, metavar=("STEP", "FOLDER"))
    args = options.parse_args()
    if args.child:
        step, folder = args.child
        STEPS[step](Path(folder))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        return
    peaks: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="wheelferry-") as name:
        for step in STEPS:
            command = [sys.executable, "-m", "benchmarks.memory", "--child", step, name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks[step] = int(done.stdout)
        pack_bytes = _the_pack(Path(name)).stat().st_size
        shutil.rmtree(Path(name) / "target")
    tree_bytes = _LARGE_BYTES + _SMALL_FILES * _SMALL_BYTES
    print(
        f"One tree of {tree_bytes / MEGABYTE:.0f} MB in {_SMALL_FILES + 1:,} files, "
        f"pack of {pack_bytes / MEGABYTE:.0f} MB\n"
    )
    print_table(
        ("step", "peak resident, MB"),
        [(step, f"{peak / MEGABYTE:.0f}") for step, peak in peaks.items()],
    )
    write_json(
        args.json,
        "memory",
        {"tree_bytes": tree_bytes, "pack_bytes": pack_bytes, "peak_bytes": peaks},
    )


if __name__ == "__main__":
    main()
