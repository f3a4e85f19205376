"""Where the store is: a folder of this machine, or a mount of real NFS in a guest.

On a mount the kernel counts RPCs; it is mounted anew before each operation, so that the
client knows nothing of the store.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from benchmarks.measure import scratch
from tests.nfs import rig

_ROOT = Path(__file__).parents[2]
_LONG_S = 3600.0
_DISK_SIZE = "6G"
"""Of the file server: room, and inodes, for 100,000 files and their catalogs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One operation, done once.

    Attributes:
        place: Where.
        operation, packs, way: What, on how large a store, and by whom.
        elapsed_s, cpu_s: What it took.
        peak_bytes: Resident memory of its process at most, Python's own included.
        steps: What the program did to the store, by kind.
        rpcs: What the kernel made of it, by operation; None where there is no NFS.
        read_bytes: Content of files that it read from the server; 0 likewise.
    """

    place: str
    operation: str
    packs: int
    way: str
    elapsed_s: float
    cpu_s: float
    peak_bytes: int
    steps: Mapping[str, int]
    rpcs: Mapping[str, int] | None = None
    read_bytes: int = 0


class Place(Protocol):
    """Makes a store, and does operations on it, each in a process of its own.

    Attributes:
        name: For titles.
        counts_rpcs: Whether a kernel counts what is asked of the store.
    """

    name: str
    counts_rpcs: bool

    def prepare(self, packs: int) -> str:
        """Make the store to be worked on from now on; return what there is to say."""
        ...

    def work(self, operation: str, way: str, packs: int) -> Sample:
        """Do an operation once."""
        ...


def _command(module: str, *args: object) -> Sequence[str]:
    return [sys.executable, "-m", f"benchmarks.scale.{module}", *map(str, args)]


class Folder:
    """A store in a folder of this machine."""

    name = "a folder"
    counts_rpcs = False

    def __init__(self, root: Path) -> None:
        self._root = root

    def prepare(self, packs: int) -> str:
        """Make a store in a new folder."""
        shelf = self._shelf(packs)
        shelf.mkdir()
        return self._run(_command("shelf", shelf, packs))

    def work(self, operation: str, way: str, packs: int) -> Sample:
        """Do it on this machine."""
        local = self._root / f"local-{packs}"
        said = self._run(_command("work", operation, way, self._shelf(packs), local))
        return _decode(said, self.name, operation, way, packs)

    def _shelf(self, packs: int) -> Path:
        return self._root / f"shelf-{packs}"

    @staticmethod
    def _run(command: Sequence[str]) -> str:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout


class Mount:
    """A store on an export of a guest's file server, and a runner that mounts it."""

    name = "NFS in a guest"
    counts_rpcs = True

    def __init__(self, site: rig.Site) -> None:
        self._server = site.server
        [self._runner] = site.runners

    def prepare(self, packs: int) -> str:
        """Make a store on the server's own disk, and mount it."""
        export = self._server.export(f"shelf-{packs}")
        said = self._run(self._server, _command("shelf", export.path, packs))
        self._runner.settle()
        self._runner.mount(export)
        self._server.end_grace()
        return said.stdout

    def work(self, operation: str, way: str, packs: int) -> Sample:
        """Do it on the runner."""
        self._runner.remount()
        share, local = self._runner.share, f"{self._runner.local}/{packs}"
        ran = self._run(self._runner, _command("work", operation, way, share, local))
        sample = _decode(ran.stdout, self.name, operation, way, packs)
        return _with_traffic(sample, ran.traffic)

    @staticmethod
    def _run(machine: rig.Machine, command: Sequence[str]) -> rig.Ran:
        env = {"PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}"}
        ran = machine.run(*command, env=env, timeout_s=_LONG_S)
        if ran.returncode:
            raise SystemExit(f"{command} failed: {ran.stderr}")
        return ran


def _decode(said: str, place: str, operation: str, way: str, packs: int) -> Sample:
    took: dict[str, Any] = json.loads(said)
    return Sample(place=place, operation=operation, way=way, packs=packs, **took)


def _with_traffic(sample: Sample, traffic: rig.Traffic) -> Sample:
    return replace(sample, rpcs=dict(traffic.ops), read_bytes=traffic.bytes_read)


@contextmanager
def open_place(name: str, folder: Path | None) -> Iterator[Place]:
    """Make a place ready, by its name on the command line: `local` or `nfs`."""
    if name == "local":
        with scratch(folder) as root:
            yield Folder(root)
        return
    with rig.Site.open(runners=1, disk_size=_DISK_SIZE) as site:
        yield Mount(site)


PLACES = ("local", "nfs")
