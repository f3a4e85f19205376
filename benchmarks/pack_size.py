"""Pack about 60 real wheels: bytes against the wheels' own, and time, per zstd level."""

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measure import MEGABYTE, Part, Report, scratch, spread, table
from benchmarks.wheels import ALL, default_folder, fetch, members
from wheelferry.disk import Disk
from wheelferry.pack.pool import Pool
from wheelferry.pack.writer import LEVEL, SourceFile, write_pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One packing of one wheel."""

    wheel: str
    level: int
    wheel_bytes: int
    pack_bytes: int
    tree_bytes: int
    tree_files: int
    elapsed_s: float
    cpu_s: float


def pack_one(
    wheel: Path, files: list[SourceFile], level: int, spool: Path, pool: Pool
) -> Sample:
    """Pack the members of a wheel, which are in memory already."""
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    with write_pack(files, spool, disk=Disk(), pool=pool, level=level) as pack:
        return Sample(
            wheel=wheel.name,
            level=level,
            wheel_bytes=wheel.stat().st_size,
            pack_bytes=pack.pack_bytes,
            tree_bytes=pack.tree_bytes,
            tree_files=pack.tree_files,
            elapsed_s=time.perf_counter() - start_s,
            cpu_s=time.process_time() - start_cpu_s,
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--levels", type=int, nargs="+", default=[3, 6, LEVEL, 12])
    parser.add_argument("--wheels", type=Path, default=default_folder())


def run(args: argparse.Namespace) -> Report:
    wheels = fetch(ALL, args.wheels)
    samples = []
    with scratch(None) as spool, Pool() as pool:
        for wheel in wheels:
            files = list(members(wheel))
            samples += [
                pack_one(wheel, files, level, spool, pool) for level in args.levels
            ]
    return Report(
        text=render(samples, args.levels),
        results={"samples": [asdict(sample) for sample in samples]},
    )


def render(samples: list[Sample], levels: list[int]) -> str:
    """Return the sums per level."""
    rows = []
    for level in levels:
        of = [sample for sample in samples if sample.level == level]
        wheel_bytes = sum(sample.wheel_bytes for sample in of)
        pack_bytes = sum(sample.pack_bytes for sample in of)
        tree_bytes = sum(sample.tree_bytes for sample in of)
        ratios = [sample.pack_bytes / sample.wheel_bytes for sample in of]
        cpu_s = sum(sample.cpu_s for sample in of)
        rows.append(
            (
                f"**{level}**" if level == LEVEL else level,
                f"{pack_bytes / MEGABYTE:.1f}",
                f"{pack_bytes / wheel_bytes:.3f}",
                spread(ratios),
                f"{sum(sample.elapsed_s for sample in of):.1f}",
                f"{cpu_s:.1f}",
                f"{tree_bytes / MEGABYTE / cpu_s:.0f}",
            )
        )
    of = [sample for sample in samples if sample.level == levels[0]]
    columns = ("level", "packs, MB", "of the wheels", "per wheel, median (range)")
    return (
        f"{len(of)} wheels, {sum(s.wheel_bytes for s in of) / MEGABYTE:.1f} MB; "
        f"{sum(s.tree_files for s in of):,} files, "
        f"{sum(s.tree_bytes for s in of) / MEGABYTE:.1f} MB unpacked.\n\n"
        + table((*columns, "seconds", "CPU s", "MB per CPU s"), rows)
    )


PART = Part(
    name="pack_size",
    summary="packs of about 60 real wheels: bytes against the wheels' own, per level",
    add_options=add_options,
    run=run,
)

if __name__ == "__main__":
    PART.main()
