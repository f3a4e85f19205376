"""The machines of a site: what a test calls.

Each is a network namespace, a mount namespace and a host name inside one guest, on a
bridge whose cables can be pulled and slowed.
"""

import itertools
import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from tests.nfs.rig import mountstats
from tests.nfs.rig.guest import SHARED_MEMORY, Guest, GuestFailed, make_disk
from tests.nfs.rig.mountstats import Traffic

SHARE = "/share"
LOCAL = "/local"
MOUNT_OPTIONS = "vers=4.2,hard"
EXPORT_OPTIONS = "rw,sync,no_root_squash"
GRACE_S = 10
"""How long a restarted server lets nobody but its former clients open files."""

_ALWAYS = "no_subtree_check,insecure"
SERVER_IP = "10.9.0.1"
MODULES = (
    "for m in nfsd nfsv4 nfsv3 veth bridge sch_netem loop quota_v2;"
    " do modprobe -d /run/modules $m; done"
)
"""Loads what the server, its clients and the cables need."""
BRIDGE = (
    "ip link set lo up; ip netns add sw; ip -n sw link set lo up;"
    " ip -n sw link add br0 type bridge stp_state 0 forward_delay 0;"
    " ip -n sw link set br0 up"
)
"""Makes what the cables lead to."""


class Ran(NamedTuple):
    """What a command did.

    Attributes:
        returncode: Negative if a signal ended it.
        stdout: What it wrote.
        stderr: The same.
        wall_s: How long it took.
        traffic: What its machine's share saw meanwhile.
        peak_bytes: Resident memory of the largest of its processes, or of the guest's
            agent, about 12 MB, if that is more.
    """

    returncode: int
    stdout: str
    stderr: str
    wall_s: float
    traffic: Traffic
    peak_bytes: int

    def __str__(self) -> str:
        return (
            f"exit {self.returncode} after {self.wall_s:.2f} s; {self.traffic}\n"
            f"stdout:\n{self.stdout}\nstderr:\n{self.stderr}"
        )


class StillRunning(AssertionError):
    """A command did not end in the time that it was given."""


class Running:
    """A command at work."""

    def __init__(self, guest: Guest, name: str, at: str) -> None:
        self._guest = guest
        self._name = name
        self._at = at

    def wait(self, timeout_s: float = 60.0) -> Ran:
        """Wait for the end; raises StillRunning, and kills it, if there is none."""
        ended = self._guest.wait(self._name, timeout_s)
        if ended is None:
            self.kill()
            said = self._guest.output(self._name, "err")
            raise StillRunning(f"no end within {timeout_s} s; it said:\n{said}")
        before, after = (
            mountstats.parse(self._guest.output(self._name, when)).get(self._at, {})
            for when in ("before", "after")
        )
        return Ran(
            returncode=ended["exit"],
            stdout=self._guest.output(self._name, "out"),
            stderr=self._guest.output(self._name, "err"),
            wall_s=ended["wall_s"],
            traffic=mountstats.subtract(after, before),
            peak_bytes=ended["peak_bytes"],
        )

    @property
    def stdout(self) -> str:
        """What it has written until now."""
        return self._guest.output(self._name, "out")

    def is_running(self) -> bool:
        """Return whether it has not ended yet."""
        return self._guest.wait(self._name, 0) is None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to it, and to all that it started in its session."""
        self._guest.kill(self._name, number)

    def wait_for(self, text: str, timeout_s: float = 60.0) -> None:
        """Wait until it has written `text` to stdout."""
        deadline_s = time.monotonic() + timeout_s
        while text not in self.stdout:
            if not self.is_running() or time.monotonic() > deadline_s:
                said = self._guest.output(self._name, "err")
                raise StillRunning(f"never said {text!r}: {self.stdout}\n{said}")
            time.sleep(0.02)


class Export(NamedTuple):
    """A directory of the server: `path` there, `name` to those who mount it."""

    name: str
    path: str


class Machine:
    """A machine of the site."""

    def __init__(self, guest: Guest, name: str, ip: str) -> None:
        self.guest = guest
        self.name = name
        self.ip = ip
        self._undo: set[str] = set()
        guest.shell(
            f"ip netns add {name}; ip link add v-{name} netns sw type veth"
            f" peer name eth0 netns {name};"
            f" ip -n sw link set v-{name} master br0 up; ip -n {name} link set lo up;"
            f" ip -n {name} addr add {ip}/24 dev eth0; ip -n {name} link set eth0 up"
        )
        namespaces = ["nsenter", f"--net=/run/netns/{name}", "unshare", "-m", "-u"]
        sleep = [*namespaces, "--propagation", "private", "sleep", "infinity"]
        _, self._holder = guest.spawn(sleep)
        comm = f"/proc/{self._holder}/comm"
        guest.shell(f"until grep -qx sleep {comm}; do sleep 0.01; done")
        self.shell(f"hostname {name}; mount -t sysfs sys /sys")

    @property
    def prefix(self) -> list[str]:
        """What makes a command run on this machine."""
        return ["nsenter", "-t", str(self._holder), "-n", "-m", "-u", "--"]

    def shell(self, script: str) -> str:
        """Run a script as root, which has to succeed; return its output."""
        return self.guest.shell(script, prefix=self.prefix)

    def start(
        self,
        *argv: str,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        user: str = "",
        umask: int | None = None,
    ) -> Running:
        """Start a command; `user` is `uid:gid`, root by default."""
        prefix: list[str] = []
        if umask is not None:
            prefix = ["sh", "-c", f'umask {umask:o}; exec "$@"', "sh"]
        if user:
            uid, _, gid = user.partition(":")
            prefix += ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
        name, _ = self.guest.spawn(
            [*prefix, *argv],
            env={"HOME": f"{LOCAL}/home", **(env or {})},
            cwd=cwd,
            machine=self._holder,
        )
        return Running(self.guest, name, SHARE)

    def run(
        self,
        *argv: str,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        user: str = "",
        umask: int | None = None,
        timeout_s: float = 60.0,
    ) -> Ran:
        """Run a command to its end."""
        started = self.start(*argv, env=env, cwd=cwd, user=user, umask=umask)
        return started.wait(timeout_s)

    def shape(self, *, delay_ms: float = 0.0, rate: str = "") -> None:
        """Slow its cable down: delay in each direction, and rate as tc has it."""
        options = f" delay {delay_ms}ms" if delay_ms else ""
        options += f" rate {rate}" if rate else ""
        self._undo.add("shape")
        for tc, device in self._cable_ends():
            # Anew: a change of netem keeps what is not named.
            self.guest.shell(
                f"{tc} del dev {device} root 2>/dev/null || true;"
                f"{tc} add dev {device} root netem limit 20000{options}"
            )

    def unplug(self) -> None:
        """Pull its cable."""
        self._undo.add("plug")
        self.guest.shell(f"ip -n sw link set v-{self.name} down")

    def plug(self) -> None:
        """Put the cable in again."""
        self._undo.discard("plug")
        self.guest.shell(f"ip -n sw link set v-{self.name} up")

    def settle(self) -> None:
        """Undo what was done to it."""
        if "plug" in self._undo:
            self.plug()
        if "shape" in self._undo:
            for tc, device in self._cable_ends():
                self.guest.shell(f"{tc} del dev {device} root")
        self._undo.clear()

    def _cable_ends(self) -> list[tuple[str, str]]:
        ends = ((self.name, "eth0"), ("sw", f"v-{self.name}"))
        return [(f"tc -n {namespace} qdisc", device) for namespace, device in ends]

    @contextmanager
    def unplugged(self) -> Iterator[None]:
        """Have the cable pulled during a `with` block."""
        self.unplug()
        try:
            yield
        finally:
            self.plug()


class Server(Machine):
    """The file server: the kernel's nfsd, and ext4 behind it."""

    def __init__(self, guest: Guest) -> None:
        super().__init__(guest, "srv", SERVER_IP)
        self._exports: dict[str, tuple[str, int]] = {}
        self._fsids = itertools.count(1)
        state = "/var/lib/nfs"
        self.shell(
            "mkdir -p /disk /export /run/rpcbind /etc/exports.d;"
            " mount -t ext4 -o noatime /dev/ubda /disk;"
            " mount -t tmpfs -o mode=755 exports /export;"
            f" mount -t tmpfs state {state};"
            f" mkdir {state}/sm {state}/sm.bak {state}/rpc_pipefs {state}/nfsdcld;"
            f" touch {state}/etab {state}/rmtab {state}/state;"
            f" mount -t rpc_pipefs pipes {state}/rpc_pipefs;"
            " mount -t nfsd nfsd /proc/fs/nfsd;"
            " touch /run/exports /etc/exports; mount --bind /run/exports /etc/exports"
        )
        for daemon in (
            ["rpcbind", "-f", "-w"],
            ["nfsdcld", "-F", "-p", f"{state}/rpc_pipefs"],
        ):
            guest.spawn([*self.prefix, *daemon])
        self._apply()
        self.shell(
            f"echo {GRACE_S} >/proc/fs/nfsd/nfsv4gracetime;"
            f" until [ -S /run/rpcbind.sock ] && [ -e {state}/nfsdcld/main.sqlite ];"
            " do sleep 0.05; done; rpc.statd --no-notify; rpc.mountd"
        )
        self.start_nfsd()
        self.end_grace()

    def export(
        self, name: str, options: str = EXPORT_OPTIONS, *, size_mib: int = 0
    ) -> Export:
        """Export a new directory; with `size_mib`, a filesystem of that size."""
        # A mount point each: nfsd looks for another export only where it crosses one.
        path, kept = f"/export/{name}", f"/disk/{name}"
        if size_mib:
            self.shell(
                f"truncate -s {size_mib}M {kept}; mkfs.ext4 -qF -m0 -O quota {kept};"
                f" mkdir {path}; mount -o loop,noatime,usrquota {kept} {path}"
            )
        else:
            self.shell(f"mkdir -p {kept} {path}; mount --bind {kept} {path}")
        self._exports[path] = (options, next(self._fsids))
        self._apply()
        return Export(name, path)

    def remove(self, export: Export) -> None:
        """End an export that nobody mounts any more, and free what it has on the disk."""
        del self._exports[export.path]
        self._apply()
        self.shell(  # -l: nfsd lets go of it a moment later
            f"umount -l {export.path}; rmdir {export.path};"
            f" rm -rf /disk/{export.name}; fstrim /disk"
        )

    def change(self, export: Export, options: str) -> None:
        """Give an export other options, at once."""
        self._exports[export.path] = (options, self._exports[export.path][1])
        self._apply()

    def start_nfsd(self) -> None:
        """Start nfsd."""
        self.shell("rpc.nfsd --no-udp 8")

    def stop_nfsd(self) -> None:
        """Stop nfsd; its clients' state is lost, as in a reboot."""
        self.shell("rpc.nfsd 0")

    def restart_nfsd(self) -> None:
        """Stop nfsd and start it."""
        self.stop_nfsd()
        self.start_nfsd()

    def end_grace(self) -> None:
        """Let nfsd and lockd grant locks at once, as a server that has run for long.

        lockd has a grace period of its own: while it lasts, OPEN works and every LOCK is
        refused, so that the first lock seems to be contended.  A write to its file takes
        effect, and fails with EIO.
        """
        files = "/proc/fs/nfsd/v4_end_grace /proc/fs/lockd/nlm_end_grace"
        self.shell(
            f"for file in {files}; do until [ $(head -c1 $file) = Y ];"
            " do (echo Y >$file) 2>/dev/null || sleep 0.02; done; done"
        )

    def _apply(self) -> None:
        lines = [f"/export *(ro,fsid=0,crossmnt,{_ALWAYS})"]
        for path, (options, number) in self._exports.items():
            lines.append(f"{path} *({options},{_ALWAYS},fsid={number})")
        text = shlex.quote("\n".join(lines))
        self.shell(f"echo {text} >/run/exports; exportfs -ra; exportfs -f")


class Runner(Machine):
    """A CI runner: a client of the server, with a disk of its own in memory.

    Attributes:
        share: Where the export is mounted.
        local: Its own disk.
    """

    share = SHARE
    local = LOCAL

    def __init__(self, guest: Guest, number: int) -> None:
        super().__init__(guest, f"r{number}", f"10.9.0.{100 + number}")
        self._options = MOUNT_OPTIONS
        self._export: Export | None = None
        # Otherwise all clients of one kernel are one client to the server.
        identity = "/sys/fs/nfs/net/nfs_client/identifier"
        self.shell(
            f"echo {self.name} >{identity}; mkdir -p {SHARE} {LOCAL};"
            f" mount -t tmpfs -o mode=755 local {LOCAL}"
        )

    def mount(self, export: Export, options: str = MOUNT_OPTIONS) -> None:
        """Mount an export at `share`: a client that knows nothing of it."""
        self._export, self._options = export, options
        is_old = "vers=3" in options
        source = export.path if is_old else f"/{export.name}"
        kind = "nfs" if is_old else "nfs4"
        self.shell(f"mount -t {kind} -o {options} {SERVER_IP}:{source} {SHARE}")

    def unmount(self) -> None:
        """Unmount the share, whatever is the matter with it."""
        self.shell(f"umount {SHARE} 2>/dev/null || umount -fl {SHARE}")
        self._export = None

    def settle(self) -> None:
        """Undo what was done to it, mounts too."""
        super().settle()
        if self._export is not None:
            self.unmount()

    def remount(self) -> None:
        """Unmount, and mount with the same options: what was cached is forgotten.

        Fails if a program uses the share.
        """
        if self._export is not None:
            self.shell(f"umount {SHARE}")
            self.mount(self._export, self._options)


class Site:
    """A guest with a server and some runners."""

    def __init__(self, guest: Guest, runners: int) -> None:
        self.guest = guest
        started_s = time.monotonic()
        guest.shell(f"{MODULES}; {BRIDGE}")
        self.server = Server(guest)
        self.runners = tuple(Runner(guest, n + 1) for n in range(runners))
        self.setup_s = time.monotonic() - started_s

    @classmethod
    @contextmanager
    def open(
        cls,
        *,
        runners: int,
        disk: Path | None = None,
        disk_size: str = "4G",
        memory: str = "5G",
    ) -> Iterator[Self]:
        """Boot a site; with `disk`, the server's disk is that image, as it is."""
        scratch = Path(tempfile.mkdtemp(prefix="wheelferry-rig-", dir=SHARED_MEMORY))
        try:
            image = disk or make_disk(scratch / "disk.img", disk_size)
            with Guest(scratch, disk=image, memory=memory) as guest:
                yield cls(guest, runners)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def settle(self) -> None:
        """Undo what a test did to cables, services and mounts."""
        for machine in (self.server, *self.runners):
            machine.settle()

    def start_all(self, commands: Mapping[Runner, Sequence[str]]) -> list[Running]:
        """Start commands on several runners at once."""
        return [runner.start(*argv) for runner, argv in commands.items()]


__all__ = [
    "Export",
    "GuestFailed",
    "Machine",
    "Ran",
    "Runner",
    "Running",
    "Server",
    "Site",
]
