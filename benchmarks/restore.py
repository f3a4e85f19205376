"""Restore about 9,000 files (170 MB) from packs, against tar, rsync and cp.

The pack layer alone, as it works within `wheelferry pull`; `benchmarks.pull` has the
whole of that.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.measure import MEGABYTE, Part, Report, add_folder, scratch
from benchmarks.rivals import Method, encode, make_rivals, race, render
from benchmarks.wheels import RESTORED, default_folder, fetch, members, unpack
from wheelferry.disk import Disk
from wheelferry.pack.pool import Pool
from wheelferry.pack.writer import write_pack


def prepare(folder: Path, wheels: list[Path]) -> tuple[int, int]:
    """Make `tree/` and `packs/`; return the number of files and bytes of the tree."""
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


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--wheels", type=Path, default=default_folder())
    add_folder(parser)


def run(args: argparse.Namespace) -> Report:
    wheels = fetch(RESTORED, args.wheels)
    with scratch(args.folder) as folder:
        file_count, tree_bytes = prepare(folder, wheels)
        packs = folder / "packs"
        command = (sys.executable, "-m", "benchmarks.extract", str(packs), "TARGET")
        ours = Method(name="packs", command=command)
        rivals = make_rivals(folder / "tree", folder / "tree.tar.zst")
        samples = race((ours, *rivals), folder, args.rounds)
        packs_bytes = sum(path.stat().st_size for path in packs.iterdir())
    return Report(
        text=f"{len(wheels)} wheels, {file_count:,} files, "
        f"{tree_bytes / MEGABYTE:.0f} MB, as packs {packs_bytes / MEGABYTE:.0f} MB; "
        f"{args.rounds} rounds, median (range).\n\n{render(samples)}",
        results={
            "files": file_count,
            "tree_bytes": tree_bytes,
            "packs_bytes": packs_bytes,
            "wheels": [wheel.name for wheel in wheels],
            "samples": encode(samples),
        },
    )


PART = Part(
    name="restore",
    summary="the pack layer: about 9,000 files (170 MB), against tar, rsync and cp",
    add_options=add_options,
    run=run,
)

if __name__ == "__main__":
    PART.main()
