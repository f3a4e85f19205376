"""A project of about 60 packages: extras, groups, markers, and wheels for many machines."""

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.project import Project
from tests.support.runner import Runner
from tests.support.site import Site
from wheelferry.sample import Dist, make_sdist, make_wheel

VERSIONS = ("1.0", "1.1", "1.2")
PLAIN, TAGGED, BUILT = 30, 8, 3

_MINE = f"cp{sys.version_info[0]}{sys.version_info[1]}"
_LINUX = "manylinux_2_17_x86_64.manylinux2014_x86_64"
TAGS = (
    f"{_MINE}-{_MINE}-{_LINUX}",
    "cp310-cp310-manylinux_2_17_x86_64",
    "cp39-abi3-manylinux_2_17_x86_64",
    f"{_MINE}-{_MINE}-musllinux_1_2_x86_64",
    f"{_MINE}-{_MINE}-win_amd64",
    "py3-none-any",
)
"""Of each `tagged-...`: the first is the one to choose on CPython."""

EXTRAS = {"gpu": 4, "docs": 4}
GROUPS = {"dev": 5, "lint": 3}
ELSEWHERE = ("only-windows", "only-old")


def plain_names() -> list[str]:
    """Return the packages that each job installs, but for those of `site`."""
    names = [f"plain-{number:02}" for number in range(PLAIN)]
    names += [f"tagged-{number:02}" for number in range(TAGGED)]
    return names + [f"built-{number:02}" for number in range(BUILT)]


def part_names(parts: dict[str, int]) -> list[str]:
    """Return the packages of extras or groups."""
    return [
        f"{part}-{number}" for part, many in parts.items() for number in range(many)
    ]


def make_dists(versions: Sequence[str] = VERSIONS) -> list[Dist]:
    """Make all files of the index, in these versions."""
    dists: list[Dist] = []
    for version in versions:
        for number in range(PLAIN):
            # A chain, so that a lock has edges to follow.
            requires = [f"plain-{number + 1:02}"] if number + 1 < PLAIN else []
            dists.append(make_wheel(f"plain-{number:02}", version, requires=requires))
        for number in range(TAGGED):
            name = f"tagged-{number:02}"
            dists += [make_wheel(name, version, tag=tag) for tag in TAGS]
        dists += [make_sdist(f"built-{number:02}", version) for number in range(BUILT)]
        names = [*part_names(EXTRAS), *part_names(GROUPS), *ELSEWHERE]
        dists += [make_wheel(name, version) for name in names]
    return dists


def make_project(site: Site, runner: Runner, version: str) -> Project:
    """Lock the project, with all packages of that version, by the uv of a runner."""
    named = ["plain-00", *(n for n in plain_names() if not n.startswith("plain"))]
    pinned = [f"{name}=={version}" for name in named]
    pinned += [f"only-windows=={version} ; sys_platform == 'win32'"]
    pinned += [f"only-old=={version} ; python_version < '3.9'"]
    pinned += ["git-dep", "url-wheel", "url-sdist"]
    text = site.pyproject(pinned, settings=_constraints(version))
    text = text.replace("[tool.uv]", f"{_parts(version)}\n[tool.uv]", 1)
    runner.work.mkdir(parents=True, exist_ok=True)
    (runner.work / "pyproject.toml").write_text(text)
    runner.run("lock", f"--python={runner.python.executable}")
    lock = (runner.work / "uv.lock").read_text()
    site.index.forget_requests()
    return Project(pyproject=text, lock=lock)


def cache_version(site: Site, runner: Runner, version: str) -> None:
    """Have a runner's cache filled with all packages in one version, by `uv pip`."""
    names = [*plain_names(), *part_names(EXTRAS), *part_names(GROUPS), *ELSEWHERE]
    runner.work.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{name}=={version}\n" for name in names)
    (runner.work / "requirements.txt").write_text(lines)
    runner.run(
        *("pip", "install", "--no-config", "--no-deps", "-r", "requirements.txt"),
        *(f"--target=other-{version}", f"--python={runner.python.executable}"),
        f"--default-index={site.index.simple_url}",
    )


def _constraints(version: str) -> str:
    names = [f"plain-{number:02}=={version}" for number in range(PLAIN)]
    return f"constraint-dependencies = {names!r}"


def _parts(version: str) -> str:
    lines = ["[project.optional-dependencies]"]
    for extra, many in EXTRAS.items():
        lines.append(f"{extra} = {[f'{extra}-{n}=={version}' for n in range(many)]!r}")
    lines.append("[dependency-groups]")
    for group, many in GROUPS.items():
        lines.append(f"{group} = {[f'{group}-{n}=={version}' for n in range(many)]!r}")
    return "\n".join(lines)


def pin(site: Site, name: str, version: str) -> str:
    """Return a line of a requirements file that pins all files of a package."""
    dists = [d for d in site.index.dists if (d.name, d.version) == (name, version)]
    hashes = "".join(f" --hash=sha256:{dist.sha256}" for dist in dists)
    return f"{name}=={version}{hashes}\n"


def installed(runner: Runner) -> set[str]:
    """Return `name version` of what is in the environment of a checkout."""
    found = (
        path.stem.rpartition("-") for path in runner.site_packages.glob("*.dist-info")
    )
    return {f"{name.replace('_', '-')} {version}" for name, _, version in found}


def used_archives(runner: Runner) -> tuple[set[str], set[str]]:
    """Return the archives of the cache, and those that the environment is linked to."""
    linked = {path.stat().st_ino for path in runner.site_packages.rglob("*.py")}
    every: set[str] = set()
    used: set[str] = set()
    for archive in Path(runner.cache / "archive-v0").iterdir():
        every.add(archive.name)
        if any(path.stat().st_ino in linked for path in archive.rglob("*.py")):
            used.add(archive.name)
    return every, used
