"""What a fleet's jobs install: files for the index, and projects with their locks.

Files are fetched once, by `pip download`, and kept in the temporary directory; locks are made
once, by uv itself, against the index that serves them.
"""

import hashlib
import os
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

from benchmarks.fleet.index import SIMPLE_URL, open_index
from benchmarks.measure import warn
from tests.nfs.report.inputs import SDISTS, InputsUnavailable, find_dists, load_inputs
from tests.nfs.report.jobs import QUICK, job_environment
from tests.support.packages import write_tree
from tests.support.pip import DownloadFailed, download
from tests.support.pythons import this_python
from tests.support.uvs import installed_uv
from wheelferry.sample import make_sdist, make_wheel, render_pyproject

WHEELS = tuple(Path(__file__).with_name("wheels.txt").read_text().split())
"""What a web service with some data work has; closed under requirements."""

BUMPED = ("sqlalchemy==2.1.8", "sqlalchemy==2.1.9")
ADDED = "networkx==3.6.1"

_SETTINGS = """\
environments = ["sys_platform == 'linux' and implementation_name == 'cpython'"]
"""


class Lock(StrEnum):
    """Which lock a job has."""

    BASE = "base"
    BUMPED = "bumped"
    ADDED = "added"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What there is to install.

    Attributes:
        files: The folder of the index.
        projects: Folders with `pyproject.toml` and `uv.lock`.
        packages: How many a job installs.
        sdists: How many of them it has to build.
    """

    files: Path
    projects: Mapping[Lock, Path]
    packages: Mapping[Lock, int]
    sdists: int

    def describe(self) -> str:
        """Say it in one line."""
        size = sum(path.stat().st_size for path in find_dists(self.files))
        return (
            f"{self.packages[Lock.BASE]} packages, {self.sdists} of them sdists, from an"
            f" index with {size / 1e6:.0f} MB"
        )


def default_folder() -> Path:
    """Return where files and locks are kept between runs."""
    return Path(tempfile.gettempdir()) / "wheelferry-benchmark-fleet"


def load_real(folder: Path) -> Inputs:
    """Return the lock of about 90 packages; fetches what is not in the folder yet.

    Without the sdists, where they cannot be built; that is said.
    """
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    old, new = BUMPED
    try:
        _fetch([*WHEELS, old, ADDED], files)
        _fetch([new], files)
    except DownloadFailed as exc:
        raise SystemExit(f"cannot fetch what the fleet installs: {exc}") from exc
    sdists: tuple[str, ...] = ()
    try:
        for dist in load_inputs():
            if not (files / dist.filename).exists():
                (files / dist.filename).write_bytes(dist.data)
        sdists = SDISTS
    except InputsUnavailable as exc:
        warn(f"without the sdists of the report: {exc}")
    base = [*WHEELS, *sdists]
    return lock(
        folder,
        {
            Lock.BASE: [*base, old],
            Lock.BUMPED: [*base, new],
            Lock.ADDED: [*base, old, ADDED],
        },
    )


def make_sample(folder: Path) -> Inputs:
    """Return a small one of sample packages, that takes no network."""
    dists = [make_wheel(f"wheel-{n}", files=_modules(f"wheel_{n}")) for n in range(3)]
    dists += [make_wheel("bumped", version) for version in ("1.0", "1.1")]
    dists += [make_wheel("added"), make_sdist("built")]
    write_tree(folder / "files", {dist.filename: dist.data for dist in dists})
    base = ["wheel-0", "wheel-1", "wheel-2", "built"]
    return lock(
        folder,
        {
            Lock.BASE: [*base, "bumped==1.0"],
            Lock.BUMPED: [*base, "bumped==1.1"],
            Lock.ADDED: [*base, "bumped==1.0", "added"],
        },
    )


def lock(folder: Path, requirements: Mapping[Lock, Sequence[str]]) -> Inputs:
    """Lock these for the files in `folder/files`, unless that was done already."""
    files = folder / "files"
    known = [
        *(installed_uv().version, this_python().release),
        sorted(path.name for path in files.iterdir()),
    ]
    key = hashlib.sha256(repr((known, dict(requirements))).encode()).hexdigest()[:16]
    projects = {which: folder / f"locks-{key}" / which for which in requirements}
    missing = [w for w, project in projects.items() if not _is_locked(project)]
    if missing:
        with open_index(files, clients=1) as [proxy]:
            for which in missing:
                _lock(projects[which], requirements[which], proxy)
    locked = {which: _read_packages(project) for which, project in projects.items()}
    return Inputs(
        files=files,
        projects=projects,
        packages={which: len(packages) for which, packages in locked.items()},
        sdists=sum("sdist" in p and "wheels" not in p for p in locked[Lock.BASE]),
    )


def _modules(package: str) -> dict[str, bytes]:
    return {f"{package}/m{n}.py": b"answer = %d\n" % n * 500 for n in range(20)}


def find_wheels(files: Path) -> set[str]:
    """Return which wheels are there that this Python can use, as `name==1.0`."""
    fitting = frozenset(sys_tags())
    parsed = (parse_wheel_filename(path.name) for path in files.glob("*.whl"))
    return {f"{name}=={version}" for name, version, _, tags in parsed if tags & fitting}


def _fetch(wanted: Sequence[str], files: Path) -> None:
    have = find_wheels(files)
    missing = [text for text in wanted if text not in have]
    if missing:
        warn(f"fetching {len(missing)} wheels from the package index, into {files}")
        download(files, "--only-binary=:all:", *missing, timeout_s=900)


def _is_locked(project: Path) -> bool:
    return (project / "uv.lock").exists()


def _lock(project: Path, requirements: Sequence[str], proxy: str) -> None:
    project.mkdir(parents=True, exist_ok=True)
    python = ".".join(map(str, this_python().release))
    text = render_pyproject(
        requirements=requirements,
        index_url=SIMPLE_URL,
        requires_python=f"=={python}.*",
        settings=_SETTINGS,
    )
    (project / "pyproject.toml").write_text(text)
    with tempfile.TemporaryDirectory(prefix="wheelferry-lock-") as home:
        for name in ("home", "tmp"):
            Path(home, name).mkdir()
        done = subprocess.run(
            [installed_uv().binary, "lock"],
            cwd=project,
            env={
                "PATH": os.environ["PATH"],
                **job_environment(home, cache=f"{home}/cache"),
                **QUICK,
                "HTTP_PROXY": proxy,
            },
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"uv cannot lock {project}:\n{done.stderr[-4000:]}")


def _read_packages(project: Path) -> list[Mapping[str, object]]:
    """Return what a lock has, but for the project itself."""
    locked = tomllib.loads((project / "uv.lock").read_text())
    return [p for p in locked["package"] if "registry" in p["source"]]
