"""Jobs alone, and beside a daemon that has much to promote, in turns."""

import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.runner import FORMATS, Runner, make_runner
from benchmarks.service import Service
from benchmarks.wheels import RESTORED, fetch, unpack
from tests.nfs.report.inputs import read_dist
from tests.support.git import make_repository
from tests.support.packages import build_packages
from tests.support.project import Project
from tests.support.runner import Runner as JobRunner
from tests.support.runner import make_runner as make_job_runner
from tests.support.site import Site, open_site
from tests.support.uvs import installed_uv

# Wheels of many sizes that need no others.
_WHEELS = (
    *("attrs", "certifi", "charset-normalizer", "click", "idna", "lxml", "markupsafe"),
    *("numpy", "packaging", "pyyaml", "six", "typing-extensions", "urllib3"),
)
_BUILT = ("cext-sdist", "pure-sdist==1.0", "git-dep", "url-sdist")
_COPIES = 3
_GIVE_UP_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One job alone, and the same beside a daemon.

    Attributes:
        alone_s, beside_s: What they took.
        daemon_s: CPU time that the daemon took meanwhile, all its processes together.
        promoted_bytes: Of packs, what it wrote to the store meanwhile.
        lonely_s, interrupted_s: What the daemon took, from its start on, until it had all
            of its backlog in the store; without a job, and with this one in between.
        packages: What is installed.
        builds: How many of them were built.
    """

    alone_s: float
    beside_s: float
    daemon_s: float
    promoted_bytes: int
    lonely_s: float
    interrupted_s: float
    packages: int
    builds: int


def measure_rounds(folder: Path, wheels: Path, rounds: int) -> list[Round]:
    """Measure so many; each of the jobs has a cache and a store of its own."""
    served = [read_dist(path) for path in fetch(_WHEELS, wheels)]
    template = make_runner(folder / "template", "backlog")
    backlog = [
        path
        for name in RESTORED
        if name not in _WHEELS
        for path in fetch([name], wheels)
    ]
    for number, wheel in enumerate(backlog * _COPIES):
        copy = number // len(backlog)
        name, version, rest = wheel.name.split("-", 2)
        archive = template.add_wheel(f"{name}-{version}.{copy}-{rest}", number)
        unpack(wheel, archive)
    with _serve(folder) as site:
        site.index.add(*served)
        version = platform.python_version().rpartition(".")[0]  # as the wheels are for
        project = site.project(
            [*(d.name for d in served), *_BUILT],
            settings=f"environments = [\"python_version == '{version}'\"]",
        )
        # The first one is there to have read everything once.
        found = [
            _measure(folder / f"round-{n}", site, project, template, turn=n)
            for n in range(rounds + 1)
        ]
    return found[1:]


class _Alone(NamedTuple):
    """Of `Round`."""

    job_s: float
    builds: int


class _Beside(NamedTuple):
    """Likewise."""

    beside_s: float
    daemon_s: float
    promoted_bytes: int
    interrupted_s: float
    packages: int


def _measure(
    folder: Path, site: Site, project: Project, template: Runner, *, turn: int
) -> Round:
    """Measure a round; in every other one the job beside the daemon comes first."""

    def alone() -> _Alone:
        runner = _prepare(folder, "alone", template)
        alone_s, _, builds = _run(_check_out(runner, site, project), runner)
        return _Alone(alone_s, builds)

    def beside() -> _Beside:
        runner = _prepare(folder, "beside", template)
        return _measure_beside(runner, _check_out(runner, site, project))

    def lonely() -> float:
        return _measure_lonely(_prepare(folder, "lonely", template))

    if turn % 2:
        job_beside, lonely_s, job_alone = beside(), lonely(), alone()
    else:
        job_alone, lonely_s, job_beside = alone(), lonely(), beside()
    return Round(
        alone_s=job_alone.job_s,
        builds=job_alone.builds,
        lonely_s=lonely_s,
        **job_beside._asdict(),
    )


def _measure_lonely(runner: Runner) -> float:
    began_s = time.monotonic()
    with Service(runner) as service:
        service.wait_until_calm()
        return time.monotonic() - began_s


def _measure_beside(runner: Runner, job: JobRunner) -> _Beside:
    began_s = time.monotonic()
    with Service(runner) as service:
        give_up_s = began_s + _GIVE_UP_S
        while not (before := _store_bytes(runner)):
            if time.monotonic() > give_up_s:
                raise SystemExit("the daemon promotes nothing")
            time.sleep(0.01)
        effort = service.effort()
        beside_s, packages, _ = _run(job, runner)
        daemon_s = service.effort().cpu_s - effort.cpu_s
        if not service.promotes():
            raise SystemExit("the daemon had too little to promote")
        after = _store_bytes(runner)
        service.wait_until_calm()
        interrupted_s = time.monotonic() - began_s
    return _Beside(
        beside_s=beside_s,
        daemon_s=daemon_s,
        promoted_bytes=after - before,
        interrupted_s=interrupted_s,
        packages=packages,
    )


def _prepare(folder: Path, name: str, template: Runner) -> Runner:
    runner = make_runner(folder / name, "runner", settings=FORMATS)
    shutil.copytree(
        template.cache,
        runner.cache,
        copy_function=os.link,
        symlinks=True,
        dirs_exist_ok=True,
    )
    # What interpreters there are is found out once in a runner's life.
    runner.wheelferry("pull", "--strict")
    return runner


def _check_out(runner: Runner, site: Site, project: Project) -> JobRunner:
    job = make_job_runner(runner.home / "job", installed_uv(), site.index)
    job.check_out(project)
    return job


def _run(job: JobRunner, runner: Runner) -> tuple[float, int, int]:
    """Return how long a job took, and how many packages it installed and built."""
    python = f"--python={job.python.executable}"
    cache = {"UV_CACHE_DIR": str(runner.cache)}
    began_s = time.perf_counter()
    done = job.run("sync", "--frozen", python, env=cache)
    took_s = time.perf_counter() - began_s
    return took_s, len(list(job.site_packages.glob("*.dist-info"))), len(done.builds)


def _store_bytes(runner: Runner) -> int:
    return sum(path.stat().st_size for path in runner.store.glob("objects/*/*"))


@contextmanager
def _serve(folder: Path) -> Iterator[Site]:
    packages = build_packages()
    git = folder / "git"
    commit = make_repository(git / "git-dep.git", packages.git_tree)
    site = open_site(
        packages, git_root=git, git_commit=commit, scratch=folder / "locks"
    )
    with site.index:
        yield site
