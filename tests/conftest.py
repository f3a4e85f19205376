"""Fixtures and guards for all tests; `tests/support/__init__.py` shows their use."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.support import gitlab, promtool, pythons, uvs
from tests.support.git import make_repository
from tests.support.leftovers import nothing_left_running
from tests.support.packages import Packages, build_packages
from tests.support.pythons import Python
from tests.support.site import NewRunner, Site, open_site
from tests.support.uvs import Uv

# Other work on the machine must not fail a property test.
hypothesis.settings.register_profile("wheelferry", deadline=None)
hypothesis.settings.load_profile("wheelferry")

_OURS = ("WHEELFERRY_", "UV_", "XDG_", "GIT_")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what the tests can be told."""
    parser.addoption(
        "--soak",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long tests go on that look for what only shows after a while",
    )


@pytest.fixture
def soak_s(request: pytest.FixtureRequest) -> float:
    """How long to go on at least: 0 unless told so."""
    return float(request.config.getoption("--soak"))


def pytest_report_header() -> list[str]:
    """Say which tests can run here, and how to enable the others."""
    found = [v for v in uvs.OLD_VERSIONS if uvs.find_uv(v)]
    missing = [v for v in uvs.OLD_VERSIONS if v not in found]
    lines = [f"uv: {', '.join([*found, str(uvs.installed_uv())])}"]
    if missing:
        lines.append(f"uv not here yet: {', '.join(missing)}; they are fetched on use")
    others = ", ".join(str(python) for python in pythons.other_pythons())
    lines.append(f"other Python: {others or 'none; ' + pythons.HOW_TO}")
    if not gitlab.PROGRAM.exists():
        lines.append(f"no gitlab-ci-local; {gitlab.HOW_TO}")
    if promtool.find() is None:
        lines.append(f"no promtool; {promtool.HOW_TO}")
    absent = [tool for tool in ("gcc", "git") if not shutil.which(tool)]
    if not pythons.this_python().has_headers:
        absent.append("python3-dev")
    if absent:
        install = f"apt-get install -y {' '.join(absent)}"
        lines.append(f"no tests of real uv without {', '.join(absent)}: {install}")
    return lines


@pytest.fixture(scope="session")
def _session_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _clean_environment(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    _session_home: Path,
) -> None:
    """Take away the machine's settings, and its home."""
    for name in list(os.environ):
        if name.startswith(_OURS):
            monkeypatch.delenv(name)
    home = _session_home
    if "tmp_path" in request.fixturenames:
        tmp_path: Path = request.getfixturevalue("tmp_path")
        home = tmp_path / ".home"
        home.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(home))
    for kind in ("CONFIG", "CACHE", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections of this process to anything but the loopback."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        inet = self.family in (socket.AF_INET, socket.AF_INET6)
        if inet and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test wanted to connect to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """Fail a test that leaves a thread or a child process behind."""
    with nothing_left_running():
        yield


@pytest.fixture(scope="session")
def packages() -> Packages:
    """One package of each kind."""
    if not shutil.which("gcc"):
        pytest.skip("no C compiler; run: apt-get install -y gcc")
    if not pythons.this_python().has_headers:
        pytest.skip("no Python.h for this Python; run: apt-get install -y python3-dev")
    return build_packages()


@pytest.fixture(scope="session")
def _git_root(
    packages: Packages, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    if not shutil.which("git"):
        pytest.skip("no git; run: apt-get install -y git")
    root = tmp_path_factory.mktemp("git")
    return root, make_repository(root / "git-dep.git", packages.git_tree)


@pytest.fixture
def site(
    packages: Packages, _git_root: tuple[Path, str], tmp_path: Path
) -> Iterator[Site]:
    """An index with all packages, a git server beside it, and an empty log."""
    root, commit = _git_root
    scratch = tmp_path / ".site"
    site = open_site(packages, git_root=root, git_commit=commit, scratch=scratch)
    with site.index:
        yield site


@pytest.fixture
def uv() -> Uv:
    """The uv that is installed with the tests: the newest."""
    return uvs.installed_uv()


@pytest.fixture(params=[*uvs.OLD_VERSIONS, "newest"])
def each_uv(request: pytest.FixtureRequest) -> Uv:
    """Each uv version that the tests promise to work with; the test runs once per uv."""
    return uvs.load_uv_or_skip(request.param)


@pytest.fixture
def other_python() -> Python:
    """An interpreter of another version than the one that runs the tests."""
    others = pythons.other_pythons()
    if not others:
        pytest.skip(pythons.HOW_TO)
    return others[0]


@pytest.fixture
def new_runner(tmp_path: Path, site: Site, uv: Uv) -> NewRunner:
    """Make runners: `new_runner("a")`, `new_runner("b", each_uv)`."""
    return NewRunner(tmp_path, site, uv)
