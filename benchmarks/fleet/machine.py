"""A runner that shares in one way: its folders, its environment, and its jobs."""

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks.fleet.place import Runner, Running
from benchmarks.fleet.sample import Share
from benchmarks.fleet.ways import Way
from benchmarks.process import find_wheelferry
from tests.nfs.report.jobs import QUICK, job_environment
from tests.support.pythons import this_python
from tests.support.uvs import Uv

_STEPS = Path(__file__).with_name("steps.py")
_ROOT = str(Path(__file__).parents[2])
_TAIL_LINES = 8


class Took(NamedTuple):
    """What a step of a job did.

    Attributes:
        exit: Its code.
        elapsed_s: How long it took.
        peak_bytes: Resident memory of the largest of its processes, at most.
        text: What it wrote.
    """

    exit: int
    elapsed_s: float
    peak_bytes: int
    text: str

    @property
    def tail(self) -> str:
        """The end of that, without uv's log."""
        lines = [line for line in self.text.splitlines() if "DEBUG" not in line]
        return "\n".join(lines[-_TAIL_LINES:])


NOTHING = Took(0, 0.0, 0, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """What a job did.

    Attributes:
        steps: Those that were run, by name.
        share: What it asked of the share.
        wrong: What failed; empty if nothing did.
    """

    steps: Mapping[str, Took]
    share: Share | None
    wrong: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A runner with a disk of its own for one way.

    Attributes:
        runner: Where it is.
        way: How it shares.
        folder: What stands for its disk.
        uv: The uv of its jobs.
        proxy_url: Of the caching proxy, if there is one.
    """

    runner: Runner
    way: Way
    folder: str
    uv: Uv
    proxy_url: str

    @property
    def work(self) -> str:
        """Its checkout."""
        return f"{self.folder}/work"

    @property
    def cache(self) -> str:
        """Its uv cache."""
        places = {"$LOCAL": self.folder, "$SHARE": self.runner.share}
        root, _, rest = self.way.cache.partition("/")
        return f"{places[root]}/{rest}"

    def environment(self) -> dict[str, str]:
        """Return what its jobs have set."""
        return {
            **job_environment(self.folder, cache=self.cache),
            **QUICK,
            "HTTP_PROXY": self.runner.index_proxy,
            "SHARE": self.runner.share,
            "LOCAL": self.folder,
            "CACHE": self.cache,
            "WORK": self.work,
            "RUNNER": self.runner.name,
            "NO_PROXY": urlsplit(self.proxy_url).hostname or "",
            "PROXY_URL": self.proxy_url,
            "PYTHON": sys.executable,
            "BENCHMARKS": _ROOT,
            "WHEELFERRY": find_wheelferry(),
            "WHEELFERRY_STORE_PATH": f"{self.runner.share}/store",
            "WHEELFERRY_RUNNER_NAME": self.runner.name,
            "WHEELFERRY_UV_PATHS": str(self.uv.binary.parent),
            "WHEELFERRY_PYTHON_PATHS": str(this_python().executable.parent),
        }

    def renew(self) -> None:
        """Have a new disk, and know nothing of the share."""
        self.remove()
        mine = self.way.cache.startswith("$LOCAL")
        cache = [self.cache] if mine else []
        self._make(self.folder, f"{self.folder}/home", f"{self.folder}/tmp", *cache)
        self.runner.forget()
        if self.way.prepare:
            self.shell(self.way.prepare)
            self.runner.forget()

    def _make(self, *folders: str) -> None:
        self.runner.shell(shlex.join(["mkdir", "-p", *folders]))

    def remove(self) -> None:
        """Remove all that it has on its disk."""
        if self.way.end:
            self.shell(self.way.end)
        self.runner.shell(shlex.join(["rm", "-rf", self.folder]))

    def shell(self, script: str) -> str:
        """Run a script with the variables of a job; it is not measured."""
        known = shlex.join(f"{k}={v}" for k, v in self.environment().items())
        return self.runner.shell(f"export {known}\n{script}")

    def check_out(self, project: Path) -> None:
        """Have a fresh checkout, without an environment."""
        work, source = shlex.quote(self.work), shlex.quote(str(project))
        self.runner.shell(f"rm -rf {work}; mkdir {work}; cp {source}/* {work}")
        if self.way.check_out:
            self.shell(self.way.check_out)

    def start(self) -> Running:
        """Start a job."""
        sync = ["env", "-C", self.work, str(self.uv.binary), "sync", "--frozen"]
        settle, before, after = (
            [{"name": name, "argv": ["sh", "-euc", script]}] if script else []
            for name, script in (
                ("settle", self.way.settle),
                ("before", self.way.before),
                ("after", self.way.after),
            )
        )
        job = [*before, {"name": "sync", "argv": sync}, *after]
        order = [*settle, *job, *settle]
        python = str(this_python().executable)
        argv = [python, "-I", "-S", str(_STEPS), json.dumps(order)]
        return self.runner.start(argv, env=self.environment())

    def count_installed(self) -> int:
        """Return how many packages the environment has."""
        work = shlex.quote(self.work)
        listed = f"{work}/.venv/lib/*/site-packages/*.dist-info"
        return int(self.runner.shell(f"ls -d {listed} 2>/dev/null | wc -l"))


def wait_for_job(running: Running, timeout_s: float) -> Did:
    """Wait for the end of a job; one that does not come is killed, and has failed."""
    try:
        ran = running.wait(timeout_s)
    except AssertionError as exc:
        return Did(steps={}, share=None, wrong=str(exc))
    if ran.returncode:
        return Did(steps={}, share=None, wrong=ran.stderr)
    steps = {step.pop("name"): Took(**step) for step in json.loads(ran.stdout)}
    wrong = [f"{name}:\n{took.tail}" for name, took in steps.items() if took.exit]
    traffic = ran.traffic
    share = None
    if traffic is not None:
        share = Share(
            rpcs=dict(traffic.ops),
            read_bytes=traffic.bytes_read,
            written_bytes=traffic.bytes_written,
            waited_s=traffic.waited_s,
        )
    return Did(steps=steps, share=share, wrong="\n".join(wrong))
