"""A CI runner in a folder: a home, a uv cache, and checkouts of projects."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.project import Project
from tests.support.pythons import Python, this_python
from tests.support.uvs import Uv
from wheelferry.sample import BUILD_LOG, Index, Request, RequestKind

_LINK_FALLBACK = re.compile(r"[Ff]ailed to (hardlink|clone)|Falling back to")


@dataclass(frozen=True, slots=True, kw_only=True)
class UvResult:
    """What one run of uv did.

    Attributes:
        requests: What it asked the index, git repositories there included.
        builds: `name version tag` of each wheel that was built, as told by the build
            backend itself, not by uv.
    """

    returncode: int
    stdout: str
    stderr: str
    requests: tuple[Request, ...]
    builds: tuple[str, ...]

    @property
    def downloads(self) -> tuple[Request, ...]:
        """Requests for package files, not for pages or metadata."""
        return tuple(r for r in self.requests if r.kind is RequestKind.FILE)

    @property
    def body_bytes(self) -> int:
        """What the index sent."""
        return sum(request.body_bytes for request in self.requests)

    @property
    def fell_back_to_copies(self) -> bool:
        """Whether uv said that it could not make hardlinks."""
        return _LINK_FALLBACK.search(self.stderr) is not None

    def __str__(self) -> str:
        asked = "\n".join(f"  {r.method} {r.path} {r.status}" for r in self.requests)
        built = "\n".join(f"  {line}" for line in self.builds)
        return (
            f"exit {self.returncode}\nrequests:\n{asked}\nbuilds:\n{built}\n"
            f"stdout:\n{self.stdout}\nstderr:\n{self.stderr}"
        )


class UvFailed(AssertionError):
    """uv failed where a test expected it to succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A runner; nothing it does leaves `root`, or depends on the machine's settings.

    Attributes:
        root: Its folder, for home, cache and checkouts: one filesystem.
        uv: The uv it has.
        index: Whose requests are counted.
        python: The interpreter of its virtual environments.
    """

    root: Path
    uv: Uv
    index: Index
    python: Python

    @property
    def cache(self) -> Path:
        """Its uv cache."""
        return self.root / "cache"

    @property
    def work(self) -> Path:
        """Where its jobs run: the checkout of the project at hand."""
        return self.root / "work"

    @property
    def venv(self) -> Path:
        """The virtual environment of the checkout."""
        return self.work / ".venv"

    @property
    def site_packages(self) -> Path:
        """Where that environment has its packages."""
        (path,) = self.venv.glob("lib/*/site-packages")
        return path

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of its jobs, with no settings from outside."""
        home = self.root / "home"
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_CONFIG_DIRS": str(home / "no-system-config"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_STATE_HOME": str(home / "state"),
            "TMPDIR": str(self.root / "tmp"),
            "NO_COLOR": "1",
            "NO_PROXY": "127.0.0.1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "UV_CACHE_DIR": str(self.cache),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_PROGRESS": "1",
            BUILD_LOG: str(self.root / "builds.log"),
        }
        return {**environment, **(extra or {})}

    def run(
        self,
        *args: str,
        ok: bool = True,
        umask: int = -1,
        env: Mapping[str, str] | None = None,
    ) -> UvResult:
        """Run uv in the checkout; raises UvFailed if it fails, unless not `ok`."""
        for folder in (self.work, self.root / "home", self.root / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        builds_log = self.root / "builds.log"
        builds_log.unlink(missing_ok=True)
        before = len(self.index.requests)
        done = subprocess.run(
            [self.uv.binary, *args],
            cwd=self.work,
            env=self.environment(env),
            umask=umask,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        result = UvResult(
            returncode=done.returncode,
            stdout=done.stdout,
            stderr=done.stderr,
            requests=self.index.requests[before:],
            builds=tuple(builds_log.read_text().splitlines())
            if builds_log.exists()
            else (),
        )
        if ok and result.returncode != 0:
            raise UvFailed(f"uv {self.uv} {' '.join(args)}: {result}")
        return result

    def check_out(self, project: Project) -> None:
        """Put a project's files into the checkout, and remove the environment."""
        self.remove_venv()
        project.write(self.work)

    def remove_venv(self) -> None:
        """Remove the virtual environment, as a fresh job finds none."""
        shutil.rmtree(self.venv, ignore_errors=True)

    def sync(
        self,
        project: Project,
        *args: str,
        ok: bool = True,
        umask: int = -1,
        env: Mapping[str, str] | None = None,
    ) -> UvResult:
        """Run a job: check out, then `uv sync --frozen` into a new environment.

        `args` come after; if they name `--locked`, it takes the place of `--frozen`.
        """
        self.check_out(project)
        mode = () if "--locked" in args else ("--frozen",)
        python = f"--python={self.python.executable}"
        return self.run("sync", python, *mode, *args, ok=ok, umask=umask, env=env)

    def pip(self, *args: str, ok: bool = True) -> UvResult:
        """Run `uv pip` on the checkout's environment, which is made if missing."""
        if not self.venv.exists():
            self.run("venv", f"--python={self.python.executable}", str(self.venv))
        command, *rest = args
        python = f"--python={self.venv / 'bin/python'}"
        index = f"--default-index={self.index.simple_url}"
        return self.run("pip", command, python, index, *rest, ok=ok)

    def python_says(self, code: str) -> str:
        """Run code in the environment, and return what it prints."""
        done = subprocess.run(
            [self.venv / "bin/python", "-c", code],
            env=self.environment(),
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def copied_files(self) -> list[str]:
        """Return installed files that are not hardlinks into the cache.

        Without those that uv writes afresh for each environment.
        """
        archives = (self.cache / "archive-v0").rglob("*")
        cached = {_identity(path) for path in archives}
        copied = []
        for path in sorted(self.site_packages.rglob("*")):
            if path.is_dir() or _identity(path) in cached:
                continue
            if not _is_written_by_uv(path):
                copied.append(path.relative_to(self.site_packages).as_posix())
        return copied


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino


def _is_written_by_uv(path: Path) -> bool:
    if path.name.startswith("_virtualenv."):
        return True
    names = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
    names |= {"uv_cache.json", "uv_build.json"}
    return path.parent.name.endswith(".dist-info") and path.name in names


def make_runner(
    root: Path, uv: Uv, index: Index, *, python: Python | None = None
) -> Runner:
    """Make a runner; by default it has the interpreter that runs the tests."""
    root.mkdir(parents=True, exist_ok=True)
    return Runner(root=root, uv=uv, index=index, python=python or this_python())
