"""The steps of a promotion and a pull, one by one, each against what it cannot do without.

Ours and what compares with it run in turns, as processes of their own; only the step is
timed, not the start of Python nor what makes it ready.  To see where the time goes:

    python -m benchmarks.micro scan --profile scan.prof --repeat 20
    python -m pstats scan.prof

cProfile sees the main thread only.  Other profilers see all, of a step that is repeated
in one process: `--keep DIR` leaves the inputs there, and says the command.
"""

import argparse
import io
import json
import pstats
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measure import (
    MEGABYTE,
    Part,
    Report,
    add_folder,
    scratch,
    spread,
    table,
)
from benchmarks.steps import MODULES, OURS, find_group
from benchmarks.wheels import default_folder

_TOP = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run of a step.

    Attributes:
        step, size, way: What ran.
        elapsed_s, cpu_s: What it took, with its children.
        peak_bytes: Resident memory of the process at most, Python's own included.
    """

    step: str
    size: int
    way: str
    elapsed_s: float
    cpu_s: float
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inputs:
    step: str
    size: int
    folder: Path


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(MODULES))
    parser.add_argument("--sizes", type=int, nargs="+", metavar="N", help="of inputs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", type=Path, metavar="FILE", help="of the last STEP")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="for that")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="for the inputs")
    parser.add_argument("--wheels", type=Path, default=default_folder())
    add_folder(parser)


def run(args: argparse.Namespace) -> Report:
    steps: Sequence[str] = args.steps or tuple(MODULES)
    if unknown := [step for step in steps if step not in MODULES]:
        raise SystemExit(f"no step {unknown[0]!r}; there are: {', '.join(MODULES)}")
    if args.keep is not None:
        return _run(steps, args, args.keep)
    with scratch(args.folder) as folder:
        return _run(steps, args, folder)


def _run(steps: Sequence[str], args: argparse.Namespace, folder: Path) -> Report:
    inputs = list(_prepare(steps, args, folder))
    if args.profile is not None:
        return _profile(inputs[-1], args.profile, args.repeat)
    samples = [sample for one in inputs for sample in _measure(one, args.rounds)]
    facts = {find_group(one.step).describe(one.folder): one for one in inputs}
    text = f"{_render(samples, args.rounds)}\n\n" + "\n".join(
        f"* {MODULES[one.step]}: {fact}." for fact, one in facts.items()
    )
    if args.keep is not None:
        text += "\n\n" + "\n".join(
            f"    python -m benchmarks.steps {one.step} {one.folder} --repeat 20"
            for one in inputs
        )
    return Report(text=text, results={"samples": [asdict(s) for s in samples]})


def _prepare(
    steps: Sequence[str], args: argparse.Namespace, parent: Path
) -> Iterator[_Inputs]:
    """Make the inputs that are not there yet; steps of one group share theirs."""
    for step in steps:
        for size in args.sizes or find_group(step).sizes:
            folder = parent.absolute() / f"{MODULES[step]}-{size}"
            if not (whole := folder / "whole").exists():
                folder.mkdir(parents=True)
                wheels = ("--wheels", str(args.wheels))
                _call(step, folder, "--prepare", str(size), *wheels)
                whole.touch()
            yield _Inputs(step=step, size=size, folder=folder)


def _measure(inputs: _Inputs, rounds: int) -> list[Sample]:
    ways = list(find_group(inputs.step).steps[inputs.step])
    samples = []
    for number in range(-1, rounds):  # the first one fills the page cache
        for way in ways:
            [took] = json.loads(_call(inputs.step, inputs.folder, "--way", way))
            if number >= 0:
                samples.append(
                    Sample(step=inputs.step, size=inputs.size, way=way, **took)
                )
    return samples


def _profile(inputs: _Inputs, path: Path, repeat: int) -> Report:
    options = ("--profile", str(path.absolute()), "--repeat", str(repeat))
    _call(inputs.step, inputs.folder, *options)
    out = io.StringIO()
    stats = pstats.Stats(str(path), stream=out).strip_dirs()
    stats.sort_stats("tottime").print_stats(_TOP)
    return Report(text=out.getvalue().strip(), results={})


def _call(step: str, folder: Path, *args: str) -> str:
    command = (sys.executable, "-m", "benchmarks.steps", step, str(folder), *args)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _render(samples: Sequence[Sample], rounds: int) -> str:
    found: dict[tuple[str, int], dict[str, list[Sample]]] = {}
    for sample in samples:
        ways = found.setdefault((sample.step, sample.size), {})
        ways.setdefault(sample.way, []).append(sample)
    rows = []
    for (step, size), ways in found.items():
        ours = statistics.median(sample.cpu_s for sample in ways[OURS])
        for way, of in ways.items():
            cpu_s = statistics.median(sample.cpu_s for sample in of)
            peak_bytes = max(sample.peak_bytes for sample in of)
            rows.append(
                (
                    f"`{step}`, {size:,} {find_group(step).unit}"
                    if way == OURS
                    else "",
                    way,
                    spread([1000 * sample.elapsed_s for sample in of], digits=1),
                    f"{1000 * cpu_s:.1f}",
                    "" if way == OURS else f"{ours / cpu_s:.1f}",
                    f"{peak_bytes / MEGABYTE:.0f}",
                )
            )
    columns = ("step", "way", "ms", "CPU ms", "ours, times its CPU", "peak, MB")
    return f"{rounds} rounds in turns, median (range).\n\n{table(columns, rows)}"


PART = Part(
    name="micro",
    summary="pack, restore, scan, compare, refresh and start, against their floors",
    add_options=add_options,
    run=run,
)

if __name__ == "__main__":
    PART.main()
