"""What the benchmarks share: the environment, samples, tables and the JSON file."""

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

from wheelferry.pack.zstd import zstd_version

Json: TypeAlias = (
    str | int | float | bool | Mapping[str, "Json"] | Sequence["Json"] | None
)

MEGABYTE = 1_000_000


def parser(module_doc: str | None, name: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=(module_doc or "").split("\n")[0],
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write every sample")
    return made


def environment() -> dict[str, Json]:
    """Return what a reader needs to compare these figures with others."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "zstd": zstd_version,
        "wheelferry": version("wheelferry"),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def spread(samples: Sequence[float]) -> str:
    """Return the median and the range of some seconds, for people."""
    middle = statistics.median(samples)
    return f"{middle:.2f} ({min(samples):.2f} to {max(samples):.2f})"


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    sys.stdout.flush()


def write_json(path: Path | None, name: str, results: Mapping[str, Json]) -> None:
    """Write the environment and the results, if the user asked for it."""
    if path is None:
        return
    document = {
        "schema": f"wheelferry/benchmark-{name}/1",
        "environment": environment(),
        **results,
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
