"""A machine with systemd as PID 1, and a file server at the other end of its cable.

Both are in one guest.  What is written to the machine's disk is there after the next boot:
units, users, homes.  The guest's own network is the machine's; the server is a
namespace, as in a `Site`.
"""

import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

from tests.nfs.rig.guest import SHARED_MEMORY, Guest, GuestFailed, make_disk
from tests.nfs.rig.machines import (
    BRIDGE,
    MODULES,
    SERVER_IP,
    Export,
    Ran,
    Running,
    Server,
)

SHARE = "/mnt/wheels"
UNIT = "mnt-wheels.mount"
"""What systemd calls the mount of the share."""

HOST_IP = "10.9.0.100"
"""Its address on the cable."""

USERS = {"runner1": 2001, "runner2": 2002}
"""Ordinary users, and their ids; each has a group of the same name."""

FSTAB_OPTIONS = "vers=4.2,hard,nofail,_netdev"
"""As docs/operations.md recommends them for a share that may be missing."""

_BOOT_S = 60.0
_T = TypeVar("_T")


class Host:
    """One such machine, running.

    Attributes:
        guest: Where it runs; another one after each boot.
        server: The file server.
        export: What the machine mounts at SHARE.
        boot_s: How long the last boot took, with the server's.
    """

    guest: Guest
    server: Server
    export: Export

    def __init__(self, scratch: Path, binds: Mapping[str, str]) -> None:
        self._scratch = scratch
        self._disks = [make_disk(scratch / f"{name}.img") for name in ("srv", "host")]
        self._binds = "".join(
            f"{source} {target}\n" for target, source in binds.items()
        )
        self._boots = 0
        self.boot_s = 0.0

    @classmethod
    @contextmanager
    def open(cls, binds: Mapping[str, str]) -> Iterator[Self]:
        """Boot one; `binds` are directories of this machine, by where they shall be."""
        scratch = Path(tempfile.mkdtemp(prefix="wheelferry-host-", dir=SHARED_MEMORY))
        try:
            host = cls(scratch, binds)
            try:
                host.boot()
                yield host
            finally:
                if host._boots:
                    host.guest.close()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def boot(self, *, is_server_away: bool = False) -> None:
        """Switch it on; return when it has started all that is enabled."""
        started_s = time.monotonic()
        self._boots += 1
        out = self._scratch / f"boot-{self._boots}"
        out.mkdir()
        (out / "binds").write_text(self._binds)
        server_disk, disk = self._disks
        self.guest = Guest(out, disk=server_disk, system_disk=disk, memory="3G")
        self.shell(
            f"{MODULES}; {BRIDGE};"
            " ip link add v-host netns sw type veth peer name eth0;"
            " ip -n sw link set v-host master br0 up;"
            f" ip addr add {HOST_IP}/24 dev eth0; ip link set eth0 up"
        )
        self.server = Server(self.guest)
        self.export = self.server.export("wheels")
        if self._boots == 1:
            self._set_up()
        if is_server_away:
            self.server.unplug()
        self.shell("touch /run/network-is-up")
        self.wait_until(self._is_up, "the end of the boot", _BOOT_S)
        self.boot_s = time.monotonic() - started_s

    def _set_up(self) -> None:
        users = "; ".join(
            f"useradd -m -U -u {number} -s /bin/sh {name}"
            for name, number in USERS.items()
        )
        fstab = f"{SERVER_IP}:/wheels {SHARE} nfs4 {FSTAB_OPTIONS} 0 0"
        self.shell(f"{users}; mkdir -p {SHARE}; echo {fstab} >/etc/fstab")
        self.systemctl("daemon-reload")
        self.systemctl("start", "--no-block", UNIT)

    def _is_up(self) -> bool:
        return self.show("multi-user.target", "ActiveState") == "active"

    def reboot(self, *, is_server_away: bool = False) -> None:
        """Shut it down as systemd does, and switch it on again."""
        self.shell("systemctl --no-block poweroff")
        self.guest.wait_for_end(60)
        self.guest.close()
        self.boot(is_server_away=is_server_away)

    def lose_power(self, *, is_server_away: bool = False) -> None:
        """Cut the power, and switch it on again: what was not yet on disk is lost."""
        self.guest.cut_power()
        self.boot(is_server_away=is_server_away)

    def shell(self, script: str) -> str:
        """Run a script as root, which has to succeed; return its output."""
        return self.guest.shell(script)

    def start(
        self,
        *argv: str,
        user: str = "",
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
    ) -> Running:
        """Start a command outside all services; as root if no user is given."""
        home = f"/home/{user}" if user else "/root"
        who = ["setpriv", "--reuid", user, "--regid", user, "--init-groups"]
        name, _ = self.guest.spawn(
            [*(who if user else []), *argv],
            env={"HOME": home, "USER": user or "root", **(env or {})},
            cwd=cwd,
            machine=1,
        )
        return Running(self.guest, name, SHARE)

    def run(
        self,
        *argv: str,
        user: str = "",
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        timeout_s: float = 60.0,
    ) -> Ran:
        """Run a command to its end."""
        return self.start(*argv, user=user, env=env, cwd=cwd).wait(timeout_s)

    def systemctl(self, *args: str) -> Ran:
        """Run systemctl, whatever its exit code."""
        return self.run("systemctl", "--no-pager", *args, timeout_s=100)

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit, such as `NRestarts`."""
        return self.shell(f"systemctl show -P {name} {shlex.quote(unit)}").strip()

    def journal(self, unit: str, *args: str) -> list[str]:
        """Return what a unit, and systemd about it, have said since the boot."""
        argv = ["journalctl", "-b", "-q", "-o", "cat", "--no-pager", "-u", unit, *args]
        return self.shell(shlex.join(argv)).splitlines()

    def write(self, path: str, text: str) -> None:
        """Write a file of root's, with its directories; unit files take effect."""
        folder = shlex.quote(str(Path(path).parent))
        name = f"text-{time.monotonic_ns()}"
        (self.guest.out / name).write_text(text)
        self.shell(f"mkdir -p {folder}; cp /run/out/{name} {shlex.quote(path)}")
        if path.startswith("/etc/systemd/"):
            self.shell("systemctl daemon-reload")

    def wait_until(
        self, function: Callable[[], _T], what: str, timeout_s: float = 30.0
    ) -> _T:
        """Return the first true result of a function; fails if there is none."""
        deadline_s = time.monotonic() + timeout_s
        while not (found := function()):
            if time.monotonic() > deadline_s:
                said = self.shell(
                    "journalctl -b -q -n 60 --no-pager -o short-monotonic"
                )
                raise AssertionError(f"never came: {what}\n{said}")
            time.sleep(0.05)
        return found

    def pull_cable(self) -> None:
        """Cut the server off."""
        self.server.unplug()

    def plug_cable(self) -> None:
        """Let the server be reached again."""
        self.server.plug()

    def limit_inotify(self, **limits: int) -> None:
        """Set limits of /proc/sys/fs/inotify, for all users."""
        folder = "/proc/sys/fs/inotify"
        self.shell("; ".join(f"echo {n} >{folder}/{key}" for key, n in limits.items()))

    def kill_main(self, unit: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to the main process of a service; return its id."""
        pid = int(self.show(unit, "MainPID"))
        assert pid, f"{unit} does not run"
        self.shell(f"kill -{number} {pid}")
        return pid


__all__ = ["HOST_IP", "SHARE", "UNIT", "USERS", "GuestFailed", "Host"]
