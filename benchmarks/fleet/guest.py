"""A fleet on real NFS: machines in a guest, on cables of a chosen speed.

One virtual CPU works for all of them, so times are to be compared within one run only;
RPCs and bytes are what the kernels of the machines counted.
"""

import compileall
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.fleet.network import Network
from benchmarks.fleet.place import Ran, Runner
from tests.nfs import rig

NETWORK = Network(rtt_ms=0.7, mbit=1000)
"""Of an office: what the guest has, unless told otherwise."""
MEMORY = "5G"
"""Of the guest: four caches of 400 MB, four copies of them, and what is read by NFS."""
DISK_SIZE = "2G"
"""Of the file server: a cache of 400 MB and the same once more, and what a proxy keeps."""

_TOUCH_MEMORY = """\
mkdir /tmp/touched
mount -t tmpfs -o size=100% none /tmp/touched
head -c 4G /dev/zero >/tmp/touched/file
umount /tmp/touched
rmdir /tmp/touched
"""
"""The machine gives the guest a page when it is first written to, and takes its time:
three times that of writing to it again.  So the first way would pay for all others."""

_ROOT = Path(__file__).parents[2]
_SHELL_S = 600.0
_FIRST_PORT = 8101
_SERVER_DISK = "/disk/local"
_SERVER_SHARE = "/disk/share"
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
        )

    def stop(self) -> None:
        """Ask it, and all that it started, to end."""
        self._running.kill(signal.SIGTERM)


class GuestMachine:
    """A machine of the guest, as `place.Runner` has it."""

    def __init__(
        self, machine: rig.Machine, *, share: str, local: str, index_proxy: str
    ) -> None:
        self.name = machine.name
        self.share = share
        self.local = local
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
        """Mount the share anew, where it is mounted; no program may be using it."""
        if isinstance(self._machine, rig.Runner):
            self._machine.remount()


class GuestPlace:
    """A fleet in a guest, as `place.Place` has it.

    Args:
        site: The guest's machines.
        proxies: One per runner, and at the end that of the server.
        networks: As in `place.Place`.

    Attributes:
        network: What `reshape` made of it; None before.
        seen: What a runner saw of that: RTT of a LOOKUP, and rate of reading a large file.
    """

    name: str = "NFS in a guest"
    network: Network | None = None
    seen: Network | None = None

    def __init__(
        self, site: rig.Site, proxies: Sequence[str], networks: Sequence[Network] = ()
    ) -> None:
        *runner_proxies, server_proxy = proxies
        self.networks = networks
        self._site = site
        self._machines = site.runners[: len(runner_proxies)]
        self.runners: Sequence[Runner] = [
            GuestMachine(m, share=m.share, local=m.local, index_proxy=proxy)
            for m, proxy in zip(self._machines, runner_proxies, strict=True)
        ]
        site.server.shell(f"mkdir -p {_SERVER_DISK}")
        self.server: Runner = GuestMachine(
            site.server,
            share=_SERVER_SHARE,
            local=_SERVER_DISK,
            index_proxy=server_proxy,
        )
        self.server_address = site.server.ip

    def reshape(self, network: Network) -> None:
        """Have such cables at the runners from now on, and look; no share may be there.

        A cable delays and limits both directions; what the machines take is added.
        """
        for machine in self._machines:
            machine.shape(delay_ms=network.rtt_ms / 2, rate=f"{network.mbit:g}mbit")
        with self.new_share("probe"):
            self.seen = self._look()
        self.network = network

    @contextmanager
    def new_share(self, name: str) -> Iterator[None]:
        """Have an empty share on all runners, for a `with` block."""
        server = self._site.server
        export = server.export(name)
        server.shell(f"ln -s {export.path} {_SERVER_SHARE}")
        for machine in self._machines:
            machine.mount(export)
        server.end_grace()
        try:
            yield
        finally:
            server.shell(f"rm {_SERVER_SHARE}")
            for machine in self._machines:
                machine.unmount()
            server.remove(export)

    def share_bytes(self) -> int:
        """Return what the share holds now, as `du` counts apparent sizes."""
        return int(self._site.server.shell(f"du -sbD {_SERVER_SHARE}").split()[0])

    def _look(self) -> Network:
        machine = self._machines[0]
        names = f"for n in $(seq {_LOOKUPS}); do [ ! -e {machine.share}/$n ]; done"
        looked = machine.run("sh", "-c", names).traffic
        file = f"{machine.share}/file"
        machine.shell(f"head -c {_READ_MIB}M /dev/zero >{file}")
        machine.remount()
        read = machine.run("dd", f"if={file}", "of=/dev/null", "bs=1M")
        return Network(
            rtt_ms=round(looked.waited_s / looked.rpcs * 1000, 2),
            mbit=round(read.traffic.bytes_read * 8 / read.wall_s / 1e6),
        )


@contextmanager
def open_guest(
    files: Path, *, runners: int, networks: Sequence[Network]
) -> Iterator[GuestPlace]:
    """Boot a guest with so many runners, and an index of `files` on its server."""
    # An installed program has its byte code, too.
    compileall.compile_dir(_ROOT / "src", quiet=1)
    with (
        rig.Site.open(runners=runners, memory=MEMORY, disk_size=DISK_SIZE) as site,
        serve_index(site.server, files, clients=runners + 1) as proxies,
    ):
        site.server.shell(_TOUCH_MEMORY)
        yield GuestPlace(site, proxies, networks)


@contextmanager
def serve_index(
    machine: rig.Machine, files: Path, *, clients: int
) -> Iterator[list[str]]:
    """Run the index of a folder on a machine; yield a URL for each client."""
    ports = [str(_FIRST_PORT + number) for number in range(clients)]
    running = machine.start(
        *(sys.executable, "-m", "benchmarks.fleet.index", machine.ip, str(files)),
        *ports,
        env={"PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}"},
    )
    try:
        running.wait_for("ready")
        yield [f"http://{machine.ip}:{port}" for port in ports]
    finally:
        running.kill()
        running.wait()
