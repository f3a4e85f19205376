"""Prepare or run one step, in this process; print what each run took, as JSON."""

import argparse
import cProfile
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.steps import MODULES, OURS, find_group


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steps")
    parser.add_argument("step", choices=MODULES)
    parser.add_argument("folder", type=Path, help="with the inputs")
    parser.add_argument("--way", default=OURS)
    parser.add_argument("--repeat", type=int, default=1, metavar="N")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="of cProfile")
    parser.add_argument("--prepare", type=int, metavar="SIZE", help="make the inputs")
    parser.add_argument("--wheels", type=Path, help="where to find real ones for that")
    args = parser.parse_args()
    group = find_group(args.step)
    if args.prepare is not None:
        group.prepare(args.folder, args.prepare, args.wheels)
        return
    way = group.steps[args.step][args.way]
    profile = cProfile.Profile() if args.profile else None
    print(json.dumps([_run(way(args.folder), profile) for _ in range(args.repeat)]))
    if profile is not None:
        profile.dump_stats(args.profile)


def _run(
    call: Callable[[], object], profile: cProfile.Profile | None
) -> dict[str, float]:
    before_s, began_s = cpu_s(), time.perf_counter()
    if profile is None:
        call()
    else:
        profile.runcall(call)
    return {
        "elapsed_s": time.perf_counter() - began_s,
        "cpu_s": cpu_s() - before_s,
        "peak_bytes": peak_bytes(),
    }


def cpu_s() -> float:
    """Return the CPU time of this process, and of its children that have ended."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, who))


def peak_bytes() -> int:
    """Return the peak of this process; `ru_maxrss` has its parent's in it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


if __name__ == "__main__":
    main()
