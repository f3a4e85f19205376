"""What the daemon takes of a machine: when nothing happens, and from a job beside it."""

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.beside import Round, measure_rounds
from benchmarks.measure import (
    MEGABYTE,
    Part,
    Report,
    add_folder,
    scratch,
    spread,
    table,
)
from benchmarks.process import Usage
from benchmarks.runner import FORMATS, Runner, make_runner
from benchmarks.service import Service, limits
from benchmarks.wheels import default_folder, write_small_wheel
from tests.support.procs import Holdings

_FILES = 20_000
_FILES_EACH = 100
_RESCAN_S = 600
_CPU_GOAL = 0.002
_PSS_GOAL_BYTES = 45 * MEGABYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """A daemon with nothing to do.

    Attributes:
        seconds: For how long.
        cpu_s: What all its processes took in that time.
        wakeups: How often one of them was woken.
        samples: What they held, second by second.
        start: What they held from the start on, until nothing was left to do.
        comparison: What a promotion and a pull take that find nothing to do.
    """

    seconds: float
    cpu_s: float
    wakeups: int
    samples: Sequence[Holdings]
    start: Sequence[Holdings]
    comparison: Sequence[Usage]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=60, help="to stay idle")
    parser.add_argument("--rounds", type=int, default=9, help="with and without")
    parser.add_argument("--wheels", type=Path, default=default_folder())
    add_folder(parser)


def run(args: argparse.Namespace) -> Report:
    with scratch(args.folder) as folder:
        idle = _measure_idle(folder, args.seconds)
        rounds = measure_rounds(folder, args.wheels, args.rounds)
    return Report(
        text=f"{_render_idle(idle)}\n\n{_render_rounds(rounds)}",
        results={
            "idle": {
                "seconds": idle.seconds,
                "cpu_s": idle.cpu_s,
                "wakeups": idle.wakeups,
                "samples": [one._asdict() for one in idle.samples],
                "start": [one._asdict() for one in idle.start],
                "comparison": [asdict(usage) for usage in idle.comparison],
            },
            "rounds": [asdict(one) for one in rounds],
        },
    )


def _measure_idle(folder: Path, seconds: float) -> Idle:
    runner = _make_full(folder)
    with Service(runner) as service:
        start = service.watch_until_calm()
        before, began_s = service.effort(), time.monotonic()
        samples = []
        while time.monotonic() < began_s + seconds:
            time.sleep(1)
            samples.append(service.holdings())
        after, took_s = service.effort(), time.monotonic() - began_s
    return Idle(
        seconds=took_s,
        cpu_s=after.cpu_s - before.cpu_s,
        wakeups=after.wakeups - before.wakeups,
        samples=samples,
        start=start,
        comparison=[
            runner.wheelferry(verb, "--strict") for verb in ("promote", "pull")
        ],
    )


def _make_full(folder: Path) -> Runner:
    """Make a runner with 20,000 files in its cache, all of them in the store too."""
    runner = make_runner(folder, "idle", settings=FORMATS)
    for number in range(_FILES // _FILES_EACH):
        name = f"p{number}"
        archive = runner.add_wheel(f"{name}-1.0-py3-none-any.whl", number)
        write_small_wheel(archive, name, files=_FILES_EACH)
    (runner.cache / "builds-v0").mkdir()
    runner.wheelferry("promote", "--strict")
    return runner


def _render_idle(idle: Idle) -> str:
    pss = max(one.pss_bytes for one in idle.samples) / MEGABYTE
    rss = max(one.rss_bytes for one in idle.samples) / MEGABYTE
    peak = max(one.pss_bytes for one in idle.start) / MEGABYTE
    comparison_s = sum(usage.cpu_s for usage in idle.comparison)
    rows = [
        ("CPU time, of a core", f"{idle.cpu_s / idle.seconds:.3%}", f"{_CPU_GOAL:.1%}"),
        (
            "the same with the comparison of everything each 10 min",
            f"{idle.cpu_s / idle.seconds + comparison_s / _RESCAN_S:.3%}",
            f"{_CPU_GOAL:.1%}",
        ),
        ("times woken, a minute", f"{60 * idle.wakeups / idle.seconds:.0f}", ""),
        ("memory (PSS), MB", f"{pss:.1f}", f"{_PSS_GOAL_BYTES / MEGABYTE:.0f}"),
        ("memory if nothing were shared (RSS), MB", f"{rss:.1f}", ""),
        ("memory (PSS) at most, while everything is compared, MB", f"{peak:.1f}", ""),
    ]
    return (
        f"Idle for {idle.seconds:.0f} s, with {_FILES:,} files in"
        f" {_FILES // _FILES_EACH} archives; default settings;"
        f" {idle.samples[0].processes} processes together, the largest of"
        f" {len(idle.samples)} samples. A comparison takes {comparison_s:.2f} s of CPU"
        " time.\n\n" + table(("what", "measured", "goal: less than"), rows)
    )


def _render_rounds(rounds: Sequence[Round]) -> str:
    alone = [one.alone_s for one in rounds]
    beside = [one.beside_s for one in rounds]
    daemon = [one.daemon_s for one in rounds]
    lonely = [one.lonely_s for one in rounds]
    interrupted = [one.interrupted_s for one in rounds]
    ratios = [one.beside_s / one.alone_s for one in rounds]
    rows = [
        ("`uv sync` alone", spread(alone), ""),
        (
            "beside a daemon that promotes",
            spread(beside),
            f"{statistics.median(beside) / statistics.median(alone):.3f}",
        ),
        ("one by the other, round by round", spread(ratios, 3), ""),
        ("CPU time of the daemon meanwhile", spread(daemon), ""),
        ("all promoted, from the daemon's start on, without a job", spread(lonely), ""),
        ("the same with this job in between", spread(interrupted), ""),
    ]
    megabytes = [one.promoted_bytes / MEGABYTE for one in rounds]
    return (
        f"A cold `uv sync` with {rounds[0].packages} packages, {rounds[0].builds} of"
        f" which it builds, in turns; {len(rounds)} rounds, median (range), seconds."
        f" The daemon runs as in its unit ({limits()}), and promoted"
        f" {spread(megabytes, 0)} MB of packs meanwhile.\n\n"
        + table(("run", "seconds", "times alone"), rows)
    )


PART = Part(
    name="daemon",
    summary="what the daemon takes when nothing happens, and from a job beside it",
    add_options=add_options,
    run=run,
)

if __name__ == "__main__":
    PART.main()
