"""Jobs that run `uv sync` on the rig's machines, and what uv's log says of them.

    with serve_inputs(site) as index:
        jobs = [make_job(index, runner, uv, f"{runner.local}/a") for runner in four]
        for done in run_together([(job, [job.sync()]) for job in jobs]):
            print(done.lock_waits, done.builds, done.ran.traffic.locks)

Each job has its own folder on the disk of its machine, and there a checkout, a home and,
unless it is told of another one, a cache.
"""

import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.nfs.report.inputs import FOLDER, make_project
from tests.nfs.rig import Ran, Runner, Running, Site
from tests.nfs.rig.needs import PATH
from tests.support.pythons import this_python
from tests.support.uvs import Uv

Command = Sequence[str]

BUILD_TIME_S = 1800.0
"""How long a job may take, for those who wait for it."""

QUICK = {"CC": "tcc", "LDSHARED": "tcc -shared", "CFLAGS": "-Dsun"}
"""Build with a compiler that starts fast: in the guest, gcc takes 0.6 s for a small file.

reportlab asks which system this is that has `strcasecmp`, and takes nothing else for an
answer than gcc or such a name.
"""

_ROOT = Path(__file__).parents[3]
_PORT = 8080
_INDEX_LOG = "/run/index.log"
_LOG = "uv_fs=trace,uv_build_frontend=debug"

# Words of uv 0.5.14 and 0.13.9.
_WAIT = re.compile(r"Waiting to acquire .*?lock")
_TAKEN = re.compile(r"Acquired .*?lock")
_TIMEOUT = re.compile(r"Timeout \(\d+s\) when waiting for lock")
_COPIED = re.compile(r"^warning: Failed to (?:hardlink|clone) files", re.MULTILINE)
_BUILD = re.compile(r"Calling `[^`]*\bbuild_wheel\(")


class Log(NamedTuple):
    """What uv's log says of a job.

    Attributes:
        lock_waits: How often it had to wait for a lock.
        locks_taken: How many locks it got.
        timeouts: How often it gave up waiting for one.
        copy_warnings: How often it warned that it cannot make hardlinks.
        builds: How many wheels it had built.
    """

    lock_waits: int
    locks_taken: int
    timeouts: int
    copy_warnings: int
    builds: int


class Done(NamedTuple):
    """What a job did, as uv told: its process, and the fields of `Log`."""

    ran: Ran
    lock_waits: int
    locks_taken: int
    timeouts: int
    copy_warnings: int
    builds: int

    def __str__(self) -> str:
        said = [line for line in self.ran.stderr.splitlines() if _is_notable(line)]
        ran = self.ran._replace(stderr="\n".join(said))
        return f"{self._replace(ran=ran)._asdict()}\n{ran}"


def read_log(text: str) -> Log:
    """Return what uv's log says of a job."""
    return Log(
        lock_waits=len(_WAIT.findall(text)),
        locks_taken=len(_TAKEN.findall(text)),
        timeouts=len(_TIMEOUT.findall(text)),
        copy_warnings=len(_COPIED.findall(text)),
        builds=len(_BUILD.findall(text)),
    )


def job_environment(folder: str, *, cache: str) -> dict[str, str]:
    """Return what a job has set that has all its own in a folder, but for `PATH`.

    Nothing of this machine's settings is in it.
    """
    home = f"{folder}/home"
    return {
        "HOME": home,
        "XDG_CONFIG_DIRS": f"{home}/no-system-config",
        # Machines may share one /tmp, and uv locks environments by path there.
        "TMPDIR": f"{folder}/tmp",
        "NO_COLOR": "1",
        "RUST_LOG": _LOG,
        "UV_CACHE_DIR": cache,
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON": str(this_python().executable),
        "UV_PYTHON_DOWNLOADS": "never",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The package index on the site's server."""

    site: Site

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://{self.site.server.ip}:{_PORT}"

    @property
    def requests(self) -> list[str]:
        """What it was asked so far: method, path, status."""
        return self.site.server.shell(f"cat {_INDEX_LOG}").splitlines()[1:]


@contextmanager
def serve_inputs(site: Site) -> Iterator[Index]:
    """Run an index with the inputs on the site's server, for a `with` block."""
    site.server.shell(f"rm -f {_INDEX_LOG}")
    module = ("-m", "tests.nfs.report.index", site.server.ip, str(_PORT), str(FOLDER))
    running = site.server.start(
        *("sh", "-c", f'exec "$@" >{_INDEX_LOG}', "sh", sys.executable, *module),
        env={"PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}"},
    )
    try:
        site.server.shell(
            "n=0; until grep -qs ready "
            f"{_INDEX_LOG}; do sleep 0.1; n=$((n+1)); [ $n -lt 300 ]; done"
        )
        yield Index(site=site)
    finally:
        running.kill()
        running.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A checkout on a machine, and the environment that its commands run in.

    Attributes:
        machine: Where it is.
        folder: Its place on the machine's disk.
        cache: The uv cache that it uses.
        uv: Which uv.
    """

    machine: Runner
    folder: str
    cache: str
    uv: Uv

    @property
    def work(self) -> str:
        """Its checkout."""
        return f"{self.folder}/work"

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return what its commands have set."""
        known = job_environment(self.folder, cache=self.cache)
        return {"PATH": PATH, **known, **(extra or {})}

    def sync(self, *args: str) -> Command:
        """Return the command that makes the environment."""
        return (str(self.uv.binary), "sync", "--frozen", *args)

    def start(
        self, commands: Sequence[Command], extra: Mapping[str, str] | None = None
    ) -> Running:
        """Start commands in the checkout, one after the other, until one fails."""
        script = " && ".join(map(shlex.join, [("cd", self.work), *commands]))
        return self.machine.start("sh", "-c", script, env=self.environment(extra))

    def copied_files(self) -> list[str]:
        """Return installed files that are not hardlinks into the cache.

        Without those that uv writes afresh for each environment.
        """
        kept = self._inodes(f"{self.cache}/archive-v0")
        installed = self._inodes(f"{self.work}/.venv/lib")
        return sorted(
            path
            for inode, path in installed.items()
            if inode not in kept and not _is_written_by_uv(path)
        )

    def _inodes(self, tree: str) -> dict[str, str]:
        listed = self.machine.shell(f"find {tree} -type f -printf '%D:%i %P\\n'")
        return dict(line.split(" ", 1) for line in listed.splitlines())

    def remove(self) -> None:
        """Remove its folder: it is in the guest's memory."""
        self.machine.shell(f"rm -rf {self.folder}")


def make_job(
    index: Index, machine: Runner, uv: Uv, folder: str, *, cache: str = ""
) -> Job:
    """Check the project out on a machine, in a folder that is made."""
    job = Job(machine=machine, folder=folder, cache=cache or f"{folder}/cache", uv=uv)
    staged = machine.guest.out / "project"
    make_project(index.url).write(staged)
    machine.shell(
        f"mkdir -p {folder}/home {folder}/tmp {job.work};"
        f" cp /run/out/{staged.name}/* {job.work}"
    )
    return job


def run_together(
    jobs: Sequence[tuple[Job, Sequence[Command]]],
    extra: Mapping[str, str] | None = None,
    *,
    timeout_s: float = BUILD_TIME_S,
) -> list[Done]:
    """Start the commands of all jobs at once, and wait for all of them."""
    running = [job.start(commands, extra) for job, commands in jobs]
    rans = [each.wait(timeout_s) for each in running]
    return [Done(ran, *read_log(ran.stderr)) for ran in rans]


def _is_notable(line: str) -> bool:
    return not line.startswith("DEBUG") or " lock" in line or "Calling `" in line


def _is_written_by_uv(path: str) -> bool:
    *_, folder, name = ("", *path.split("/"))
    if name.startswith("_virtualenv."):
        return True
    names = ("RECORD", "INSTALLER", "REQUESTED", "uv_cache.json", "uv_build.json")
    return folder.endswith(".dist-info") and name in names
