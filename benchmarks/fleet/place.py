"""Where a fleet runs: what the ways and scenarios may ask of it.

Two are there: a folder of this machine (`local`), and machines in a guest with real
kernel NFS between them (`guest`).
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from benchmarks.fleet.network import Network
from tests.nfs.rig.mountstats import Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command did.

    Attributes:
        returncode: Negative if a signal ended it.
        stdout: What it wrote.
        stderr: The same.
        wall_s: How long it took.
        peak_bytes: Resident memory of the largest of its processes, at most.
        traffic: What its machine asked of the share meanwhile; None where no kernel
            counts that.
    """

    returncode: int
    stdout: str
    stderr: str
    wall_s: float
    peak_bytes: int
    traffic: Traffic | None


class Running(Protocol):
    """A command at work."""

    def wait(self, timeout_s: float) -> Ran:
        """Wait for its end; raises AssertionError, and kills it, if there is none."""
        ...

    def stop(self) -> None:
        """Ask it to end, as a service manager does (SIGTERM)."""
        ...


class Runner(Protocol):
    """A CI runner: a disk of its own, and the share.

    Attributes:
        name: Unique in its place.
        share: Where it has the share mounted.
        local: A folder on its own disk.
        index_proxy: What to set `HTTP_PROXY` to, so that the index knows who asks.
    """

    name: str
    share: str
    local: str
    index_proxy: str

    def start(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Running:
        """Start a command, with nothing in its environment but `env` and `PATH`."""
        ...

    def shell(self, script: str) -> str:
        """Run a script, which is not measured; return its output.

        Raises:
            AssertionError: It failed.
        """
        ...

    def forget(self) -> None:
        """Forget what was cached of the share, as after mounting it anew."""
        ...


class Place(Protocol):
    """A fleet's runners, their share, and the machine that serves it.

    Attributes:
        name: For tables.
        networks: What there can be between runners and share, each in turn; none in a folder.
        network: What there is.
        runners: All that there are.
        server: The machine that serves the share; a caching proxy runs there.
        server_address: How runners reach it.
    """

    name: str
    networks: Sequence[Network]
    network: Network | None
    runners: Sequence[Runner]
    server: Runner
    server_address: str

    def new_share(self, name: str) -> AbstractContextManager[None]:
        """Have an empty share on all runners, for a `with` block."""
        ...

    def reshape(self, network: Network) -> None:
        """Have this between runners and share from now on; no share may be there."""
        ...

    def share_bytes(self) -> int:
        """Return what the share holds now, as `du` counts apparent sizes."""
        ...
