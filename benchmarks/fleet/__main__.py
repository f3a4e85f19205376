"""A fleet of runners, and every way that it can share: on a local folder, or on real NFS."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.fleet import report
from benchmarks.fleet.course import Course
from benchmarks.fleet.guest import NETWORK, open_guest
from benchmarks.fleet.inputs import default_folder, load_real
from benchmarks.fleet.local import open_local
from benchmarks.fleet.names import Scenario
from benchmarks.fleet.network import Network
from benchmarks.fleet.place import Place
from benchmarks.fleet.sample import Sample
from benchmarks.fleet.ways import BY_ID
from benchmarks.measure import (
    INTERRUPTED,
    Json,
    Part,
    Report,
    add_folder,
    warn,
    write_json,
)
from tests.nfs.rig import HOW_TO, find_missing
from tests.support.uvs import installed_uv, load_uv

_SCENARIOS = {scenario.name.lower(): scenario for scenario in Scenario}
_PLACES = ("local", "nfs")
_QUICK_WAYS = ("none", "tar", "lock", "floor")
_QUICK_SCENARIOS = ("warm", "joins", "nothing")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--place", nargs="+", choices=_PLACES, default=["local"])
    parser.add_argument("--runners", type=int, metavar="N", help="2 or more; 4")
    parser.add_argument(
        "--jobs", type=int, metavar="J", help="with nothing new, in each round; 3"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="of all ways; 3")
    parser.add_argument(
        "--ways", nargs="+", metavar="WAY", choices=BY_ID, help=", ".join(BY_ID)
    )
    parser.add_argument(
        "--scenarios",
        nargs="+",
        metavar="SCENARIO",
        choices=_SCENARIOS,
        help=", ".join(_SCENARIOS),
    )
    parser.add_argument("--uv", metavar="VERSION", help="another than the installed")
    parser.add_argument(
        "--network",
        nargs=2,
        type=float,
        action="append",
        metavar=("RTT_MS", "MBIT"),
        help=f"of nfs; several are measured in turns within a round; {NETWORK}",
    )
    parser.add_argument(
        "--quick", action="store_true", help="2 runners, 1 round, what is most usual"
    )
    add_folder(parser)
    report.add_options(parser)


@contextmanager
def _open_place(
    name: str, args: argparse.Namespace, *, files: Path, runners: int
) -> Iterator[Place]:
    if name == "local":
        with open_local(files, runners=runners, folder=args.folder) as local:
            yield local
        return
    networks = [Network(rtt_ms=rtt, mbit=mbit) for rtt, mbit in args.network or ()]
    with open_guest(files, runners=runners, networks=networks or [NETWORK]) as guest:
        yield guest


def measure(args: argparse.Namespace) -> Report:
    if "nfs" in args.place and find_missing():
        raise SystemExit(HOW_TO)
    is_quick = args.quick
    runners = args.runners or (2 if is_quick else 4)
    if runners < 2:
        raise SystemExit("a fleet has 2 runners at least")
    scenarios = args.scenarios or (_QUICK_SCENARIOS if is_quick else _SCENARIOS)
    inputs = load_real(default_folder())
    uv = load_uv(args.uv) if args.uv else installed_uv()
    ways = [BY_ID[each] for each in args.ways or (_QUICK_WAYS if is_quick else BY_ID)]
    conditions = f"{inputs.describe()}; uv {uv}."
    samples: list[Sample] = []
    failure: BaseException | None = None
    try:
        for name in args.place:
            with _open_place(name, args, files=inputs.files, runners=runners) as place:
                course = Course(
                    place=place,
                    inputs=inputs,
                    uv=uv,
                    ways=ways,
                    scenarios=[_SCENARIOS[each] for each in scenarios],
                    jobs=args.jobs or (1 if is_quick else 3),
                    folder=default_folder(),
                )
                for sample in course.run(args.rounds or (1 if is_quick else 3)):
                    samples.append(sample)
                    if args.json is not None:  # a crash after hours loses one job
                        write_json(args.json, "fleet", _encode(conditions, samples))
    except KeyboardInterrupt:
        warn("interrupted: what is complete until here follows")
        failure = SystemExit(INTERRUPTED)
    except Exception as exc:
        if not samples:
            raise
        warn("failed: what is complete until here follows")
        failure = exc
    return Report(
        text=f"{conditions}\n\n{report.make_report(samples, args)}",
        results=_encode(conditions, samples),
        failure=failure,
    )


def _encode(conditions: str, samples: Sequence[Sample]) -> dict[str, Json]:
    return {
        "conditions": conditions,
        "samples": [each.encode() for each in samples],
    }


PART = Part(
    name="fleet",
    summary="a fleet of runners, and every way that it can share what uv downloads",
    add_options=add_options,
    run=measure,
    quick=("--quick",),
    full=("--place", *_PLACES),
)

if __name__ == "__main__":
    PART.main()
