"""A fleet on real NFS: machines in a guest, on cables of a chosen speed.

One virtual CPU works for all of them, so times are to be compared within one run only;
RPCs and bytes are what the kernels of the machines counted.
"""

import compileall
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet.place import Ran, Runner
from tests.nfs import rig
from tests.nfs.rig.needs import PATH

RTT_MS = 0.7
MBIT = 1000.0
MEMORY = "5G"
"""Of the guest: four caches of 400 MB, four copies of them, and what is read by NFS."""
DISK_SIZE = "2G"
"""Of the file server: a cache of 400 MB, and the same once more."""

_SHELL_S = 600.0
_LOOKUPS = 200
_READ_MIB = 64


class GuestRunning:
    """A command at work on a machine of the guest."""

    def __init__(self, running: rig.Running) -> None:
        self._running = running

    def wait(self, timeout_s: float) -> Ran:
        """Wait for its end; raises AssertionError, and kills it, if there is none."""
        ran = self._running.wait(timeout_s)
        return Ran(
            returncode=ran.returncode,
            stdout=ran.stdout,
            stderr=ran.stderr,
            wall_s=ran.wall_s,
            peak_bytes=ran.peak_bytes,
            traffic=ran.traffic,
            network_bytes=ran.network_bytes,
        )

    def stop(self) -> None:
        """Ask it, and all that it started, to end."""
        self._running.kill(signal.SIGTERM)


class GuestRunner:
    """A machine of the guest: a disk in memory, and the share by NFS."""

    def __init__(self, machine: rig.Runner, index_proxy: str) -> None:
        self.name = machine.name
        self.share = machine.share
        self.local = machine.local
        self.index_proxy = index_proxy
        self._machine = machine

    def start(self, argv: Sequence[str], *, env: Mapping[str, str]) -> GuestRunning:
        """Start a command, with nothing in its environment but `env` and `PATH`."""
        variables = {"PATH": PATH, **env}
        settings = [f"{name}={value}" for name, value in variables.items()]
        return GuestRunning(self._machine.start("env", "-i", *settings, *argv))

    def shell(self, script: str) -> str:
        """Run a script, which has to succeed and is not measured; return its output."""
        ran = self._machine.run("sh", "-euc", script, timeout_s=_SHELL_S)
        assert ran.returncode == 0, f"{script}\n{ran}"
        return ran.stdout

    def forget(self) -> None:
        """Mount the share anew."""
        self._machine.remount()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the network turned out to be, for one runner alone.

    Attributes:
        rtt_s: From sending a LOOKUP to its answer.
        read_bytes_s: Content of a large file, in a second.
    """

    rtt_s: float
    read_bytes_s: float


class GuestPlace:
    """A fleet in a guest, as `place.Place` has it.

    Args:
        site: The guest's machines.
        index_proxies: One per runner.
        rtt_ms: Of the cable between a runner and the server; 0 for none added.
        mbit: What the cable of a runner carries in a second, in each direction.

    Attributes:
        seen: What a runner saw of that.
    """

    name = "guest"
    seen: Seen

    def __init__(
        self,
        site: rig.Site,
        index_proxies: Sequence[str],
        *,
        rtt_ms: float = RTT_MS,
        mbit: float = MBIT,
    ) -> None:
        self._site = site
        self._machines = site.runners[: len(index_proxies)]
        self._export: rig.Export | None = None
        self.runners: Sequence[Runner] = [
            GuestRunner(machine, proxy)
            for machine, proxy in zip(self._machines, index_proxies, strict=True)
        ]
        # An installed program has its byte code, too.
        compileall.compile_dir(Path(__file__).parents[2] / "src", quiet=1)
        self.network = ""
        self.reshape(rtt_ms=rtt_ms, mbit=mbit)

    def reshape(self, *, rtt_ms: float, mbit: float) -> None:
        """Have another network from now on, and look at it; no share may be there."""
        for machine in self._machines:
            machine.shape(delay_ms=rtt_ms / 2, rate=f"{mbit:g}mbit")
        with self.new_share("probe"):
            self.seen = self._look()
        self.network = (
            f"RTT {rtt_ms:g} ms, {mbit / 1000:g} Gbit/s (a LOOKUP took"
            f" {self.seen.rtt_s * 1000:.2f} ms, {self.seen.read_bytes_s / 1e6:.0f} MB/s"
            " were read)"
        )

    @contextmanager
    def new_share(self, name: str) -> Iterator[None]:
        """Have an empty share on all runners, for a `with` block."""
        server = self._site.server
        export = self._export = server.export(name)
        for machine in self._machines:
            machine.mount(export)
        server.end_grace()
        try:
            yield
        finally:
            self._export = None
            for machine in self._machines:
                machine.unmount()
            server.remove(export)

    def share_bytes(self) -> int:
        """Return what the share holds now, as `du` counts apparent sizes."""
        assert self._export, "there is no share now"
        return int(self._site.server.shell(f"du -sb {self._export.path}").split()[0])

    def _look(self) -> Seen:
        machine = self._machines[0]
        names = f"for n in $(seq {_LOOKUPS}); do [ ! -e {machine.share}/$n ]; done"
        looked = machine.run("sh", "-c", names).traffic
        file = f"{machine.share}/file"
        machine.shell(f"head -c {_READ_MIB}M /dev/urandom >{file}")
        machine.remount()
        read = machine.run("dd", f"if={file}", "of=/dev/null", "bs=1M")
        return Seen(
            rtt_s=looked.waited_s / looked.rpcs,
            read_bytes_s=read.traffic.bytes_read / read.wall_s,
        )
