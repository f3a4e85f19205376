"""Time our restore and what an administrator would use instead, side by side.

All methods run as processes of their own, interleaved, on one disk, from a warm page
cache.  Then the filesystem is synced, and that is timed apart, because `wheelferry pull`
syncs before it shows anything to uv, and the others never do.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measure import Json, spread, table
from benchmarks.process import is_installed, make_environ, run
from wheelferry.disk import Disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to get the tree onto the disk.

    Attributes:
        name: For the table.
        command: `TARGET` in it stands for the target.
        prepare: Makes the target ready; not timed.
        environ: Of the process.
    """

    name: str
    command: Sequence[str]
    prepare: Callable[[Path], object] = Path.mkdir
    environ: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One restore of everything by one method; times in seconds."""

    method: str
    elapsed_s: float
    cpu_s: float
    sync_s: float


def make_rivals(tree: Path, tarball: Path) -> list[Method]:
    """Return the others; makes the tar file of `tree`, if it can be read here."""
    found = [
        Method(
            name="tar --zstd -x",
            command=("tar", "--zstd", "-xf", str(tarball), "-C", "TARGET"),
        ),
        Method(name="rsync -a", command=("rsync", "-a", f"{tree}/", "TARGET/")),
        Method(name="cp -a", command=("cp", "-a", f"{tree}/.", "TARGET/")),
    ]
    if is_installed(("zstd",)) and is_installed(("tar",)):
        made = ["tar", "--zstd", "-cf", str(tarball), "-C", str(tree), "."]
        subprocess.run(made, check=True)
    else:
        del found[0]
    return [method for method in found if is_installed(method.command)]


def race(methods: Sequence[Method], folder: Path, rounds: int) -> list[Sample]:
    """Run all methods in turns, each to a new target below `folder`.

    Targets stay there: an ext4 avoids inodes that were freed lately, by a linear search,
    so removing trees would slow whatever comes next.  One round before is not counted.
    """
    samples: list[Sample] = []
    for number in range(-1, rounds):
        # Whoever comes second finds the disk busy with what the first one wrote.
        turn = number % len(methods)
        for method in (*methods[turn:], *methods[:turn]):
            name = method.name.replace(" ", "")
            sample = _run_once(method, folder / f"target-{number}-{name}")
            if number >= 0:
                samples.append(sample)
    return samples


def _run_once(method: Method, target: Path) -> Sample:
    method.prepare(target)
    os.sync()
    command = [part.replace("TARGET", str(target)) for part in method.command]
    environ = method.environ
    if environ is None:
        environ = make_environ(target)
    usage = run(
        command, {k: v.replace("TARGET", str(target)) for k, v in environ.items()}
    )
    start_s = time.perf_counter()
    Disk().sync_filesystem(target)
    return Sample(
        method=method.name,
        elapsed_s=usage.elapsed_s,
        cpu_s=usage.cpu_s,
        sync_s=time.perf_counter() - start_s,
    )


def encode(samples: Sequence[Sample]) -> list[Json]:
    """Return samples for the JSON file."""
    return [asdict(sample) for sample in samples]


def render(samples: Sequence[Sample]) -> str:
    """Return the table; the first method is ours, ratios are of medians."""
    by_method: dict[str, list[Sample]] = {}
    for sample in samples:
        by_method.setdefault(sample.method, []).append(sample)

    def medians(of: Sequence[Sample]) -> tuple[float, float]:
        return (
            statistics.median(s.elapsed_s for s in of),
            statistics.median(s.elapsed_s + s.sync_s for s in of),
        )

    ours, ours_synced = medians(next(iter(by_method.values())))
    rows = []
    for method, of in by_method.items():
        seconds, synced = medians(of)
        rows.append(
            (
                f"`{method}`",
                spread([s.elapsed_s for s in of]),
                f"{seconds / ours:.1f}",
                f"{statistics.median(s.cpu_s for s in of):.2f}",
                spread([s.elapsed_s + s.sync_s for s in of]),
                f"{synced / ours_synced:.1f}",
            )
        )
    columns = ("method", "seconds", "times ours", "CPU s", "and syncfs, s")
    return table((*columns, "times ours"), rows)
