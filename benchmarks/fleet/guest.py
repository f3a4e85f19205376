"""A fleet on real NFS: machines in a guest, on cables of a chosen speed.

One virtual CPU works for all of them, so times are to be compared within one run only;
RPCs and bytes are what the kernels of the machines counted.
"""

import compileall
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet.place import Ran, Runner
from tests.nfs import rig

RTT_MS = 0.7
MBIT = 1000.0
MEMORY = "5G"
"""Of the guest: four caches of 400 MB, four copies of them, and what is read by NFS."""
DISK_SIZE = "2G"
"""Of the file server: a cache of 400 MB, and the same once more."""

_ROOT = Path(__file__).parents[2]
_SHELL_S = 600.0
_FIRST_PORT = 8101
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
        """Start a command, with `env` and the guest's `PATH`, `HOME` and `LC_ALL`."""
        return GuestRunning(self._machine.start(*argv, env=env))

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

    Attributes:
        network: As `reshape` made it, and as it was seen; empty before.
        seen: The same in figures; None before.
    """

    name = "guest"
    network = ""
    seen: Seen | None = None

    def __init__(self, site: rig.Site, index_proxies: Sequence[str]) -> None:
        self._site = site
        self._machines = site.runners[: len(index_proxies)]
        self._export: rig.Export | None = None
        self.runners: Sequence[Runner] = [
            GuestRunner(machine, proxy)
            for machine, proxy in zip(self._machines, index_proxies, strict=True)
        ]

    def reshape(self, *, rtt_ms: float, mbit: float) -> None:
        """Have another network from now on, and look at it; no share may be there.

        Args:
            rtt_ms: What the cable of a runner adds to a round trip.
            mbit: What it carries in a second, in each direction.
        """
        for machine in self._machines:
            machine.shape(delay_ms=rtt_ms / 2, rate=f"{mbit:g}mbit")
        with self.new_share("probe"):
            seen = self.seen = self._look()
        self.network = (
            f"RTT {rtt_ms:g} ms, {mbit / 1000:g} Gbit/s"
            f" (seen: {seen.rtt_s * 1000:.2f} ms, {seen.read_bytes_s / 1e6:.0f} MB/s)"
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
        machine.shell(f"head -c {_READ_MIB}M /dev/zero >{file}")
        machine.remount()
        read = machine.run("dd", f"if={file}", "of=/dev/null", "bs=1M")
        return Seen(
            rtt_s=looked.waited_s / looked.rpcs,
            read_bytes_s=read.traffic.bytes_read / read.wall_s,
        )


@contextmanager
def open_guest(
    wheels: Path, *, runners: int, rtt_ms: float = RTT_MS, mbit: float = MBIT
) -> Iterator[GuestPlace]:
    """Boot a guest with so many runners, and an index of a folder on its server."""
    # An installed program has its byte code, too.
    compileall.compile_dir(_ROOT / "src", quiet=1)
    with (
        rig.Site.open(runners=runners, memory=MEMORY, disk_size=DISK_SIZE) as site,
        serve_index(site.server, wheels, clients=runners) as proxies,
    ):
        place = GuestPlace(site, proxies)
        place.reshape(rtt_ms=rtt_ms, mbit=mbit)
        yield place


@contextmanager
def serve_index(
    machine: rig.Machine, wheels: Path, *, clients: int
) -> Iterator[list[str]]:
    """Run the index of a folder on a machine; yield a URL for each client."""
    ports = [str(_FIRST_PORT + number) for number in range(clients)]
    running = machine.start(
        *(sys.executable, "-m", "benchmarks.fleet.index", machine.ip, str(wheels)),
        *ports,
        env={"PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}"},
    )
    try:
        running.wait_for("ready")
        yield [f"http://{machine.ip}:{port}" for port in ports]
    finally:
        running.kill()
        running.wait()
