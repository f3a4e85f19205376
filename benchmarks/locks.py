"""What four runners wait for that are cold at one moment, by where their uv cache is.

On real NFS in a guest (tests/nfs), with the four sdists of the original report.  All
three ways run in one guest, one after the other.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.measure import Json, Part, Report, table, warn
from tests.nfs.fleet import make_fleet
from tests.nfs.report.ferried import around, ferry_job
from tests.nfs.report.inputs import SDISTS, InputsUnavailable, load_inputs
from tests.nfs.report.jobs import Done, Index, make_job, run_together, serve_inputs
from tests.nfs.rig import HOW_TO, Site, find_missing
from tests.support.uvs import Uv, installed_uv, load_uv

_RUNNERS = 4
_OLD = "0.5.14"
_COLUMNS = (
    *("uv", "the uv cache", "jobs failed", "lock waits of each job", "lock timeouts"),
    *("jobs that could not hardlink", "wheels built", "`LOCK` RPCs", "longest job, s"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the jobs of one way did, with one uv."""

    uv: str
    way: str
    jobs: Sequence[Done]

    def encode(self) -> dict[str, Json]:
        """Return it for the JSON file."""
        return {
            "uv": self.uv,
            "way": self.way,
            "jobs": [
                {
                    "exit": job.ran.returncode,
                    "lock_waits": job.lock_waits,
                    "locks_taken": job.locks_taken,
                    "timeouts": job.timeouts,
                    "copy_warnings": job.copy_warnings,
                    "builds": job.builds,
                    "wall_s": job.ran.wall_s,
                    "rpcs": job.ran.traffic.ops,
                }
                for job in self.jobs
            ],
        }

    def row(self) -> tuple[object, ...]:
        """Return its line of the table."""
        jobs = self.jobs
        return (
            self.uv,
            self.way,
            sum(job.ran.returncode != 0 for job in jobs),
            " ".join(str(job.lock_waits) for job in jobs),
            sum(job.timeouts for job in jobs),
            sum(job.copy_warnings > 0 for job in jobs),
            sum(job.builds for job in jobs),
            sum(job.ran.traffic.of("LOCK") for job in jobs),
            round(max(job.ran.wall_s for job in jobs)),
        )


def _ferried(index: Index, uv: Uv) -> list[Done]:
    runners = make_fleet(index.site, f"ferried-{uv}", runners=_RUNNERS).runners
    jobs = [(runner, ferry_job(index, runner, uv)) for runner in runners]
    done = run_together([(job, around(runner, job)) for runner, job in jobs])
    for _, job in jobs:
        job.remove()
    return done


def _on_share(index: Index, uv: Uv) -> list[Done]:
    export = index.site.server.export(f"cache-{uv}")
    runners = index.site.runners[:_RUNNERS]
    for runner in runners:
        runner.mount(export)
    jobs = [
        make_job(index, r, uv, f"{r.local}/on-share", cache=f"{r.share}/cache")
        for r in runners
    ]
    done = run_together([(job, [job.sync()]) for job in jobs])
    for job in jobs:
        job.remove()
    return done


def _on_one_disk(index: Index, uv: Uv) -> list[Done]:
    runner = index.site.runners[0]
    above = f"{runner.local}/one-disk"
    jobs = [
        make_job(index, runner, uv, f"{above}/{n}", cache=f"{above}/cache")
        for n in range(_RUNNERS)
    ]
    done = run_together([(job, [job.sync()]) for job in jobs])
    runner.shell(f"rm -rf {above}")
    return done


_WAYS: dict[str, Callable[[Index, Uv], list[Done]]] = {
    "Wheelferry, a cache per runner": _ferried,
    "one cache, on NFS": _on_share,
    "one cache, on a local disk": _on_one_disk,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--uv", nargs="+", metavar="VERSION", help="which uvs")


def run(args: argparse.Namespace) -> Report:
    if find_missing():
        raise SystemExit(HOW_TO)
    try:
        load_inputs()
    except InputsUnavailable as exc:
        raise SystemExit(str(exc)) from exc
    uvs = [load_uv(version) for version in args.uv or (_OLD, installed_uv().version)]
    outcomes = []
    with Site.open(runners=_RUNNERS) as site, serve_inputs(site) as index:
        for uv in uvs:
            for way, act in _WAYS.items():
                site.server.end_grace()
                outcomes.append(Outcome(uv=str(uv), way=way, jobs=act(index, uv)))
                warn(f"done: {outcomes[-1].row()}")
                site.settle()
    return Report(text=_render(outcomes), results=_encode(outcomes))


def _render(outcomes: Sequence[Outcome]) -> str:
    return (
        f"{_RUNNERS} jobs at once, with nothing in any cache; sdists:"
        f" {', '.join(text.replace('==', ' ') for text in SDISTS)}. Default settings of"
        " uv and of the mounts; one virtual CPU.\n\n"
        f"{table(_COLUMNS, [outcome.row() for outcome in outcomes])}"
    )


def _encode(outcomes: Sequence[Outcome]) -> dict[str, Json]:
    return {"outcomes": [outcome.encode() for outcome in outcomes]}


PART = Part(
    name="locks",
    summary="four cold runners on NFS: waits for locks, by where the uv cache is",
    add_options=add_options,
    run=run,
)

if __name__ == "__main__":
    PART.main()
