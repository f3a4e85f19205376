"""Restore about 9,000 files (170 MB): packs against tar, rsync and cp.

All methods run as a process of their own, interleaved, on one disk, from a warm page
cache; what is timed is the whole process.  Then the filesystem is synced, and that is
timed apart, because `wheelferry pull` syncs once and the others never do.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measure import (
    MEGABYTE,
    parser,
    print_table,
    spread,
    write_json,
)
from benchmarks.wheels import RESTORED, default_folder, fetch, members, unpack
from wheelferry.disk import Disk
from wheelferry.pack.pool import Pool
from wheelferry.pack.writer import write_pack

OURS = "wheelferry packs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One restore of everything by one method; times in seconds."""

    method: str
    elapsed_s: float
    cpu_s: float
    sync_s: float


def prepare(folder: Path, wheels: list[Path]) -> tuple[int, int]:
    """Make `tree/`, `packs/` and `tree.tar.zst`; return files and bytes of the tree."""
    tree, packs = folder / "tree", folder / "packs"
    packs.mkdir()
    disk = Disk()
    file_count = tree_bytes = 0
    with Pool() as pool:
        for wheel in wheels:
            unpack(wheel, tree / wheel.stem)
            with write_pack(members(wheel), folder, disk=disk, pool=pool) as pack:
                (packs / pack.digest).write_bytes(b"".join(pack.chunks()))
                file_count += pack.tree_files
                tree_bytes += pack.tree_bytes
    return file_count, tree_bytes


def methods(folder: Path) -> dict[str, list[str]]:
    """Return the command of each method; `TARGET` in it stands for the target."""
    return {
        OURS: [sys.executable, "-m", "benchmarks.extract", f"{folder}/packs", "TARGET"],
        "tar --zstd -x": [
            "tar",
            "--zstd",
            "-xf",
            f"{folder}/tree.tar.zst",
            "-C",
            "TARGET",
        ],
        "rsync -a": ["rsync", "-a", f"{folder}/tree/", "TARGET/"],
        "cp -a": ["cp", "-a", f"{folder}/tree/.", "TARGET/"],
    }


def run_once(method: str, command: list[str], target: Path) -> Sample:
    """Restore to a new `target`.

    It is left there: an ext4 without a journal avoids inodes that were freed in the last
    minutes, by a linear search, so removing trees would slow whatever comes next.
    """
    target.mkdir()
    os.sync()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        [part.replace("TARGET", str(target)) for part in command], check=True
    )
    elapsed_s = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    Disk().sync_filesystem(target)
    sync_s = time.perf_counter() - start
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Sample(method=method, elapsed_s=elapsed_s, cpu_s=cpu_s, sync_s=sync_s)


def main() -> None:
    options = parser(__doc__, "restore")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--wheels", type=Path, default=default_folder())
    options.add_argument("--folder", type=Path, help="on the disk to measure")
    args = options.parse_args()
    wheels = fetch(RESTORED, args.wheels)
    with tempfile.TemporaryDirectory(prefix="wheelferry-", dir=args.folder) as name:
        folder = Path(name)
        file_count, tree_bytes = prepare(folder, wheels)
        commands = methods(folder)
        missing = [m for m, command in commands.items() if not shutil.which(command[0])]
        if not {"tar --zstd -x"} & set(missing):
            subprocess.run(
                [
                    "tar",
                    "--zstd",
                    "-cf",
                    f"{folder}/tree.tar.zst",
                    "-C",
                    f"{folder}/tree",
                    ".",
                ],
                check=True,
            )
        samples = [
            run_once(method, command, folder / f"target-{number}-{index}")
            for number in range(args.rounds)
            for index, (method, command) in enumerate(commands.items())
            if method not in missing
        ]
        packs_bytes = sum(e.stat().st_size for e in os.scandir(folder / "packs"))
    report(samples, file_count, tree_bytes, packs_bytes, len(wheels))
    for method in missing:
        print(f"\nNot measured, because the program is not installed: {method}")
    write_json(
        args.json,
        "restore",
        {
            "files": file_count,
            "tree_bytes": tree_bytes,
            "packs_bytes": packs_bytes,
            "wheels": [wheel.name for wheel in wheels],
            "missing": missing,
            "samples": [asdict(sample) for sample in samples],
        },
    )


def report(
    samples: list[Sample],
    file_count: int,
    tree_bytes: int,
    packs_bytes: int,
    wheel_count: int,
) -> None:
    """Print the table; ratios are of medians."""
    print(
        f"{wheel_count} wheels, {file_count:,} files, {tree_bytes / MEGABYTE:.0f} MB; "
        f"packs {packs_bytes / MEGABYTE:.0f} MB; {len(samples)} samples\n"
    )
    by_method: dict[str, list[Sample]] = {}
    for sample in samples:
        by_method.setdefault(sample.method, []).append(sample)

    def medians(method: str) -> tuple[float, float]:
        of = by_method[method]
        return (
            statistics.median(s.elapsed_s for s in of),
            statistics.median(s.elapsed_s + s.sync_s for s in of),
        )

    ours, ours_synced = medians(OURS)
    print_table(
        (
            "method",
            "seconds, median (range)",
            "times ours",
            "CPU s",
            "with syncfs",
            "times ours",
        ),
        [
            (
                method,
                spread([s.elapsed_s for s in of]),
                f"{medians(method)[0] / ours:.1f}",
                f"{statistics.median(s.cpu_s for s in of):.2f}",
                spread([s.elapsed_s + s.sync_s for s in of]),
                f"{medians(method)[1] / ours_synced:.1f}",
            )
            for method, of in by_method.items()
        ],
    )


if __name__ == "__main__":
    main()
