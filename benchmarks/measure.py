"""What the benchmarks share: parts and reports, the environment, tables."""

import argparse
import json
import os
import platform
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

from wheelferry.pack.zstd import zstd_version

Json: TypeAlias = (
    str | int | float | bool | Mapping[str, "Json"] | Sequence["Json"] | None
)

MEGABYTE = 1_000_000
INTERRUPTED = 128 + signal.SIGINT
"""Exit code of what Ctrl-C ended, as a shell has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a part measured.

    Attributes:
        text: Markdown, for people.
        results: Every sample.
        failure: What ended it early, if anything did.
    """

    text: str
    results: Mapping[str, Json]
    failure: BaseException | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One benchmark.

    Attributes:
        name: Of its module.
        summary: What it measures, in one line.
        add_options: Adds what it can be told.
        run: Measures.
        quick: What to tell it in a quick run of the parts; None if it has no place there.
        full: What to tell it in a full one.
    """

    name: str
    summary: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Report]
    quick: Sequence[str] | None = None
    full: Sequence[str] = ()

    def main(self) -> None:
        """Measure as the command line says, print, and write the JSON if asked for.

        What was measured before a failure is not lost by it.
        """
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks.{self.name}", description=self.summary
        )
        parser.add_argument("--json", type=Path, metavar="FILE", help="write samples")
        self.add_options(parser)
        args = parser.parse_args()
        if args.json is not None:  # or hours of samples have no place to be written to
            args.json.parent.mkdir(parents=True, exist_ok=True)
        machine = describe_machine()
        report = self.run(args)
        print(machine, report.text, sep="\n\n")
        if args.json is not None:
            write_json(args.json, self.name, report.results)
        if report.failure is not None:
            raise report.failure


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add the option that says which disk to measure."""
    parser.add_argument("--folder", type=Path, help="on the disk to measure")


@contextmanager
def scratch(parent: Path | None) -> Iterator[Path]:
    """Yield a new folder; it is removed when all is measured, and not before."""
    above = None if parent is None else parent.absolute()
    with tempfile.TemporaryDirectory(prefix="wheelferry-", dir=above) as name:
        yield Path(name)


@cache
def _load_before() -> float:
    """Return the load of the minute before this was asked for the first time."""
    return os.getloadavg()[0]


def environment() -> dict[str, Json]:
    """Return what a reader needs to compare these figures with others."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": _load_before(),
        "zstd": zstd_version,
        "wheelferry": version("wheelferry"),
    }


def describe_machine() -> str:
    """Return the same, in one line."""
    return (
        f"{len(os.sched_getaffinity(0))} cores ({_processor()}), "
        f"Linux {platform.release().partition('-')[0]}, "
        f"Python {platform.python_version()}, zstd {zstd_version}; "
        f"load before: {_load_before():.1f}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def spread(samples: Sequence[float], digits: int = 2) -> str:
    """Return the median and the range of some samples, for people; one has no range."""
    if len(samples) == 1:
        return f"{samples[0]:.{digits}f}"
    middle, low, high = statistics.median(samples), min(samples), max(samples)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def write_json(path: Path, name: str, results: Mapping[str, Json]) -> None:
    """Write the environment and the samples; whoever reads meanwhile finds all or none."""
    document = {
        "schema": f"wheelferry/benchmark-{name}/1",
        "environment": environment(),
        "machine": describe_machine(),
        **results,
    }
    unfinished = path.with_name(f".{path.name}.tmp")
    unfinished.write_text(json.dumps(document, indent=1) + "\n")
    unfinished.replace(path)


def warn(message: str) -> None:
    """Say something that is no result."""
    print(f"benchmarks: {message}", file=sys.stderr, flush=True)
