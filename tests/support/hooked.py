"""A runner with hooks: its scripts, a store in a state of one's choice, and its cache."""

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.cachetree import few, make_cache
from tests.support.entries import INDEX
from tests.support.tiers import Ferry, make_store

ROOT: Final = Path(__file__).parents[2]
UV_VERSION: Final = "0.13.9"

STATES: Final = ("healthy", "frozen", "missing", "corrupt", "no-wheelferry")
"""In which a hook may find the store, or Wheelferry itself."""

SHELLS: Final = {"bash -e": ("bash", "-e"), "dash": ("dash",), "itself": ()}
"""As GitHub's runner runs a script, as a small shell does, and as a program."""


def lock(project: Path) -> None:
    """Let a project ask for both entries of the store."""
    wheel, built = (entry.info for entry in few())
    (project / "pylock.toml").write_text(f"""
lock-version = "1.0"
created-by = "a test"
[[packages]]
name = "{wheel.name}"
version = "{wheel.version}"
index = "{INDEX}"
[[packages.wheels]]
url = "{INDEX}/{wheel.name.replace("-", "_")}-{wheel.version}-{wheel.tags}.whl"
hashes = {{ sha256 = "{wheel.hashes[0].value}" }}
[[packages]]
name = "{built.name}"
version = "{built.version}"
index = "{INDEX}"
[packages.sdist]
url = "{INDEX}/{built.name}-{built.version}.tar.gz"
hashes = {{ sha256 = "{built.hashes[0].value}" }}
""")


class Hooked:
    """A machine whose jobs have a hook before and after them.

    Attributes:
        scripts: Where `hooks install` has put them.
        cache: The uv cache of the jobs; empty.
        store: With two entries, unless its state says otherwise.
        project: What a job has checked out.
    """

    def __init__(self, root: Path, state: str = "healthy", *, socket: str = "") -> None:
        self.root = root
        self.state = state
        self.scripts = root / "hooks"
        self.cache = root / "uv"
        self.project = root / "builds" / "group" / "it's a project"
        self.project.mkdir(parents=True)
        lock(self.project)
        self.store = make_store(root / "store")
        full = make_cache(root / "full", few())
        Ferry(cache=full, store=self.store).promote()
        # One that hangs is waited for; any other may be slow where much else runs.
        deadline = "2s" if state == "frozen" or socket else "20s"
        self.config = root / "config.toml"
        self.config.write_text(
            f"[store]\npath = '{self.store}'\ntimeout = '20s'\n"
            f"[cache]\npath = '{self.cache}'\n"
            f"[uv]\nversions = ['{UV_VERSION}']\n[python]\nversions = ['3.11']\n"
            f"paths = ['{Path(sys.executable).parent}']\n"
            f"[pull]\ndeadline = '{deadline}'\n[promote]\ndeadline = '{deadline}'\n"
            f"[daemon]\nprojects = ['{root / 'builds'}']\n"
            + (f"socket = '{socket}'\n" if socket else "")
        )
        self._prepare()

    @property
    def restored(self) -> list[Path]:
        """The archives in the cache."""
        return list(self.cache.glob("archive-v0/*"))

    def install(self, ci: str, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Run `wheelferry hooks install`."""
        places = ["--scripts", str(self.scripts), "--config", str(self.config)]
        return self._run(
            [sys.executable, "-m", "wheelferry", "hooks", "install", ci, *places, *argv]
        )

    def script(self, name: str) -> Path:
        """Return a script, which runs the program in this machine's state."""
        path = self.scripts / f"{name}.sh"
        text = path.read_text()
        python = self.root / "python"
        path.write_text(text.replace(f"='{sys.executable}'", f"='{python}'"))
        assert path.read_text() != text or f"'{python}'" in text
        return path

    def run(
        self, argv: Sequence[str | Path], cwd: Path | None = None, **environ: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run something with an environment as a job has it."""
        env = {**os.environ, "HOME": str(self.root), **environ}
        return self._run(argv, cwd=cwd or self.root, env=env)

    def _run(
        self, argv: Sequence[str | Path], **more: object
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # type: ignore[call-overload, no-any-return]
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
            **more,
        )

    def _prepare(self) -> None:
        """Bring about the state; `python` is the interpreter that a script finds."""
        python = f"exec {shlex.quote(sys.executable)} "
        if self.state == "missing":
            self.store.rename(self.root / "unmounted")
        elif self.state == "corrupt":
            for path in self.store.glob("objects/*/*"):
                path.write_bytes(b"\0" * path.stat().st_size)
        elif self.state == "frozen":
            frozen = f"-m tests.support.frozen freeze {shlex.quote(str(self.store))}"
            python = f"cd {ROOT}; shift 3; {python}{frozen} "
        elif self.state == "no-wheelferry":
            return
        path = self.root / "python"
        path.write_text(f'#!/bin/sh\n{python}"$@"\n')
        path.chmod(0o755)
