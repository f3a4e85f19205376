"""A fleet of runners, and every way that it can share: on a local folder, or on real NFS."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.fleet import report
from benchmarks.fleet.course import Course
from benchmarks.fleet.inputs import Inputs, default_folder, load_real
from benchmarks.fleet.local import open_local
from benchmarks.fleet.names import Scenario
from benchmarks.fleet.place import Place
from benchmarks.fleet.ways import BY_ID
from benchmarks.measure import Part, Report, add_folder
from tests.nfs.rig import HOW_TO, find_missing
from tests.support.uvs import installed_uv, load_uv

_SCENARIOS = {scenario.name.lower(): scenario for scenario in Scenario}
_QUICK_WAYS = ("none", "shared", "rsync", "tar", "lock", "floor")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--place", choices=("local", "nfs"), default="local", help="where it runs"
    )
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
    parser.add_argument(
        "--uv", metavar="VERSION", help="another than the installed one"
    )
    parser.add_argument(
        "--quick", action="store_true", help="2 runners, 1 round, the most usual ways"
    )
    add_folder(parser)
    report.add_options(parser)


@contextmanager
def _open_place(
    args: argparse.Namespace, inputs: Inputs, runners: int
) -> Iterator[Place]:
    if args.place == "local":
        with open_local(inputs.files, runners=runners, folder=args.folder) as local:
            yield local
        return
    if find_missing():
        raise SystemExit(HOW_TO)
    from benchmarks.fleet.guest import open_guest  # noqa: PLC0415 - TODO

    with open_guest(inputs.files, runners=runners) as guest:
        yield guest


def measure(args: argparse.Namespace) -> Report:
    inputs = load_real(default_folder())
    ids = args.ways or (_QUICK_WAYS if args.quick else BY_ID)
    scenarios = [_SCENARIOS[name] for name in args.scenarios or _SCENARIOS]
    runners = args.runners or (2 if args.quick else 4)
    with _open_place(args, inputs, runners) as place:
        course = Course(
            place=place,
            inputs=inputs,
            uv=load_uv(args.uv) if args.uv else installed_uv(),
            ways=[BY_ID[name] for name in ids],
            scenarios=scenarios,
            folder=default_folder(),
            jobs=args.jobs or (1 if args.quick else 3),
        )
        samples = course.run(args.rounds or (1 if args.quick else 3))
    text = (
        f"{inputs.describe()}; uv {course.uv}.\n\n{report.make_report(samples, args)}"
    )
    return Report(text=text, results={"samples": [each.encode() for each in samples]})


PART = Part(
    name="fleet",
    summary="a fleet of runners, and every way that it can share what uv downloads",
    add_options=add_options,
    run=measure,
)

if __name__ == "__main__":
    PART.main()
