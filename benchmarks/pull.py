"""A whole `wheelferry pull` into an empty cache, against tar, rsync and cp of that cache.

What an administrator would see: the process starts, reads the catalog, restores about
9,000 files (170 MB), syncs, and shows them to uv.  The store is on the same disk.
"""

import argparse
from pathlib import Path

from benchmarks.measure import MEGABYTE, Part, Report, add_folder, scratch
from benchmarks.process import find_wheelferry, make_environ
from benchmarks.rivals import Method, encode, make_rivals, race, render
from benchmarks.runner import FORMATS, make_runner
from benchmarks.wheels import RESTORED, default_folder, fetch, unpack


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--wheels", type=Path, default=default_folder())
    add_folder(parser)


def run(args: argparse.Namespace) -> Report:
    wheels = fetch(RESTORED, args.wheels)
    with scratch(args.folder) as folder:
        source = make_runner(folder, "source")
        for number, wheel in enumerate(wheels):
            unpack(wheel, source.add_wheel(wheel.name, number))
        source.wheelferry("promote", "--strict")

        def prepare(target: Path) -> None:
            make_runner(target.parent, target.name, settings=FORMATS)

        ours = Method(
            name="wheelferry pull",
            command=(find_wheelferry(), "pull", "--strict"),
            prepare=prepare,
            environ=make_environ(Path("TARGET")),
        )
        rivals = make_rivals(source.cache, folder / "cache.tar.zst")
        samples = race((ours, *rivals), folder, args.rounds)
        restored = [folder / f"target-{n}-wheelferrypull" for n in range(args.rounds)]
        found = {_count(target / ".cache/uv/archive-v0") for target in restored}
        if found != {_count(source.cache / "archive-v0")}:
            raise SystemExit(f"not all was restored: {found}")
        [(file_count, tree_bytes)] = found
    return Report(
        text=f"{len(wheels)} entries, {file_count:,} files, "
        f"{tree_bytes / MEGABYTE:.0f} MB; {args.rounds} rounds, median (range). The "
        "first column of ours has its own sync in it, the last one a second."
        f"\n\n{render(samples)}",
        results={
            "files": file_count,
            "tree_bytes": tree_bytes,
            "wheels": [wheel.name for wheel in wheels],
            "samples": encode(samples),
        },
    )


def _count(tree: Path) -> tuple[int, int]:
    """Return the number of files and their bytes."""
    sizes = [path.stat().st_size for path in tree.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)


PART = Part(
    name="pull",
    summary="`wheelferry pull` into an empty cache, against tar, rsync and cp",
    add_options=add_options,
    run=run,
    quick=("--rounds=2",),
)

if __name__ == "__main__":
    PART.main()
