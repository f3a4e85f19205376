"""Everything that a job may ask for, on one loopback server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.packages import Packages
from tests.support.project import Project
from tests.support.pythons import Python
from tests.support.runner import Runner, make_runner
from tests.support.uvs import Uv, installed_uv
from wheelferry.sample import PYPI, Index, Policy, render_pyproject

STANDARD = (
    "pure-wheel==1.0",
    "native-wheel",
    "pure-sdist==1.0",
    "cext-sdist",
    "git-dep",
    "url-wheel",
    "url-sdist",
)
"""One requirement of each kind."""

STANDARD_BUILDS = ("cext-sdist", "git-dep", "pure-sdist", "url-sdist")
"""Those of them that uv has to build, sorted."""

_PLACEHOLDER = "http://sample.invalid"
_LOCKED: dict[tuple[object, ...], Project] = {}


@dataclass(slots=True, kw_only=True)
class Site:
    """An index with the sample packages, and a git repository beside it.

    Attributes:
        index: The server.
        packages: What it has.
        git_url: The repository of `git-dep`, served over HTTP.
        git_commit: Its only commit.
        scratch: A folder of our own.
    """

    index: Index
    packages: Packages
    git_url: str
    git_commit: str
    scratch: Path
    _locks_made: int = field(default=0, init=False)

    def pyproject(
        self,
        requirements: Sequence[str],
        *,
        settings: str = "",
        sources: Mapping[str, str] | None = None,
    ) -> str:
        """Return a pyproject.toml; packages that are not on the index get a source.

        The arguments are those of `project`.
        """
        known = {"git-dep": f'git = "{self.git_url}", rev = "{self.git_commit}"'}
        for dist in self.packages.direct:
            known[dist.name] = f'url = "{self.index.direct_url(dist.filename)}"'
        used = {name: known[name] for name in requirements if name in known}
        return render_pyproject(
            requirements=requirements,
            index_url=self.index.simple_url,
            sources={**used, **(sources or {})},
            settings=settings,
        )

    def project(
        self,
        requirements: Sequence[str] = STANDARD,
        *,
        settings: str = "",
        sources: Mapping[str, str] | None = None,
        uv: Uv | None = None,
    ) -> Project:
        """Return a project with its lock.

        Locks are remembered over the session, as long as the index has the same files.
        The index forgets all requests so far: its log is about jobs.

        Args:
            requirements: Such as `pure-wheel==1.0`, `git-dep`, `url-sdist`.
            settings: More lines for `[tool.uv]`.
            sources: By package, the inside of a `[tool.uv.sources]` table.
            uv: Which uv locks it; the installed one if not given.
        """
        uv = uv or installed_uv()
        text = self.pyproject(requirements, settings=settings, sources=sources)
        files = tuple((dist.filename, dist.sha256) for dist in self.index.dists)
        portable = text.replace(self.index.url, _PLACEHOLDER)
        key = (portable, files, uv.version, self.index.policy)
        if key not in _LOCKED:
            project = self._lock(text, uv)
            _LOCKED[key] = project.replaced(self.index.url, _PLACEHOLDER)
        self.index.forget_requests()
        return _LOCKED[key].replaced(_PLACEHOLDER, self.index.url)

    def _lock(self, pyproject: str, uv: Uv) -> Project:
        self._locks_made += 1
        runner = make_runner(self.scratch / f"lock-{self._locks_made}", uv, self.index)
        runner.work.mkdir()
        (runner.work / "pyproject.toml").write_text(pyproject)
        runner.run("lock", f"--python={runner.python.executable}")
        return Project(pyproject=pyproject, lock=(runner.work / "uv.lock").read_text())


def open_site(
    packages: Packages,
    *,
    git_root: Path,
    git_commit: str,
    scratch: Path,
    policy: Policy = PYPI,
) -> Site:
    """Start a server with all packages; the caller closes `site.index`.

    Args:
        packages: What it shall have.
        git_root: A folder with `git-dep.git`.
        git_commit: The commit there.
        scratch: A folder for making locks.
        policy: How the index behaves; may be changed later.
    """
    index = Index(packages.listed, policy=policy)
    index.add(*packages.direct, listed=False)
    return Site(
        index=index,
        packages=packages,
        git_url=f"{index.mount('git', git_root)}/git-dep.git",
        git_commit=git_commit,
        scratch=scratch,
    )


@dataclass(frozen=True, slots=True)
class NewRunner:
    """Makes runners that share one index; calling it with a name gives a new one."""

    root: Path
    site: Site
    uv: Uv

    def __call__(
        self, name: str, uv: Uv | None = None, *, python: Python | None = None
    ) -> Runner:
        """Make a runner with an empty cache, in a folder of that name."""
        return make_runner(
            self.root / name, uv or self.uv, self.site.index, python=python
        )
