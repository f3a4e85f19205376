"""This machine's side: boots the guest, and has commands run in it."""

import contextlib
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.nfs.rig.needs import PATH

_HERE = Path(__file__).parent
SHARED_MEMORY = Path("/dev/shm")
"""Where the guest has its memory, and its disks."""

_BOOT_S = 60.0
_PR_SET_PDEATHSIG = 1


class GuestFailed(Exception):
    """The guest, or a command that was to prepare something in it, failed."""


def is_guest(command_line: str) -> bool:
    """Return whether a process with this command line is a guest."""
    return command_line.startswith("linux.uml ")


class Guest:
    """One running guest.

    It ends with `close`, with this process, or by `cut_power`: then what its kernel had
    not yet written to `disk` is lost, as it is when a machine loses power.

    Args:
        scratch: An empty directory, for output of commands and the kernel's log.
        disk: An image with an ext4 filesystem, `/dev/ubda` of the guest.
        system_disk: Another one, for all that is changed in the guest's root; with it,
            PID 1 is systemd, and the agent one of its services.
        memory: Of the guest, as `mem=` has it; taken only as it is used.
    """

    def __init__(
        self,
        scratch: Path,
        *,
        disk: Path,
        system_disk: Path | None = None,
        memory: str = "5G",
    ) -> None:
        self.out = scratch
        self.disk = disk
        self._buffer = b""
        self._ended: dict[str, dict[str, Any]] = {}
        self._number = 0
        to_guest, self._to = os.pipe()
        self._from, from_guest = os.pipe()
        argv = [
            "linux.uml",
            f"mem={memory}",
            "root=/dev/root",
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
            f"init={_HERE / 'init.sh'}",
            "con=null",
            "con0=null,fd:1",
            f"ssl0=fd:{to_guest},fd:{from_guest}",
            "quiet",
            "panic=1",
            f"ubda={disk}",
            f"RIG_OUT={scratch}",
            f"RIG_AGENT={_HERE / 'agent.py'}",
            f"RIG_PYTHON={Path(sys.executable).resolve()}",
            "RIG_SPACE=3G",
        ]
        if system_disk:
            argv += [f"ubdb={system_disk}", "RIG_SYSTEMD=yes"]
        self._log = scratch / "console.log"
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    argv,
                    env={
                        "PATH": PATH,
                        "TMPDIR": str(SHARED_MEMORY),
                        "HOME": str(scratch),
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(to_guest, from_guest),
                    start_new_session=True,
                    preexec_fn=_end_with_parent,  # noqa: PLW1509 - no threads here
                )
        finally:
            os.close(to_guest)
            os.close(from_guest)
        try:
            self.kernel = str(self._receive(_BOOT_S)["ready"])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Switch it off."""
        self.cut_power()

    def wait_for_end(self, timeout_s: float) -> None:
        """Wait until it has switched itself off."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            message = f"the guest did not end:\n{self.console()[-4000:]}"
            raise GuestFailed(message) from None

    def cut_power(self) -> None:
        """End it at once, with all that is in its memory."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)  # it has gigabytes to give back
        for name in ("_to", "_from"):
            if (fd := getattr(self, name)) >= 0:
                os.close(fd)
                setattr(self, name, -1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        machine: int | None = None,
    ) -> tuple[str, int]:
        """Start a command; return its name for `wait`, and its process id.

        With `machine`, it runs in the namespaces of that process, whose NFS counters are
        read before and after.
        """
        self._number += 1
        name = str(self._number)
        answer = self._ask(
            op="spawn",
            argv=list(argv),
            env={"PATH": PATH, "LC_ALL": "C.UTF-8", **(env or {})},
            cwd=cwd,
            name=name,
            machine=machine,
        )
        return name, answer["pid"]

    def wait(self, name: str, timeout_s: float) -> dict[str, Any] | None:
        """Return what became of a command, or None if it still runs.

        That is `exit`, `wall_s` and `peak_bytes`.
        """
        deadline_s = time.monotonic() + timeout_s
        while name not in self._ended:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return None
            self._take_ends(left_s)
        return self._ended[name]

    def output(self, name: str, suffix: str) -> str:
        """Return what a command wrote, `out` or `err`; or counters, `before`, `after`."""
        path = self.out / f"{name}.{suffix}"
        return path.read_text(errors="replace")

    def kill(self, name: str, number: int) -> None:
        """Send a signal to a command and all that it started in its session."""
        self._ask(op="kill", name=name, number=number)

    def shell(self, script: str, *, prefix: Sequence[str] = ()) -> str:
        """Run a script, which has to succeed; return its output."""
        name, _ = self.spawn([*prefix, "sh", "-euc", script])
        ended = self.wait(name, 120)
        output = self.output(name, "out")
        if ended is None or ended["exit"]:
            said = f"{output}\n{self.output(name, 'err')}"
            raise GuestFailed(f"{script}\n-> {ended}\n{said}")
        return output

    def console(self) -> str:
        """Return the kernel's log."""
        return self._log.read_text(errors="replace")

    def _ask(self, **request: object) -> dict[str, Any]:
        path = self.out / "request"
        path.write_text(json.dumps(request))
        os.write(self._to, path.name.encode() + b"\n")
        while True:
            message = self._receive(60)
            if "exit" in message:
                self._ended[message["name"]] = message
                continue
            if "error" in message:
                raise GuestFailed(f"{request}: {message['error']}")
            return message

    def _take_ends(self, timeout_s: float) -> None:
        message = self._receive(timeout_s, is_optional=True)
        if message:
            self._ended[message["name"]] = message

    def _receive(
        self, timeout_s: float, *, is_optional: bool = False
    ) -> dict[str, Any]:
        deadline_s = time.monotonic() + timeout_s
        while b"\n" not in self._buffer:
            left_s = max(0.0, deadline_s - time.monotonic())
            ready, _, _ = select.select([self._from], [], [], left_s)
            data = os.read(self._from, 65536) if ready else b""
            if not data:
                if is_optional and not ready:
                    return {}
                code = self._process.poll()
                state = "is silent" if code is None else f"has ended with {code}"
                raise GuestFailed(f"the guest {state}:\n{self.console()[-4000:]}")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message


def make_disk(path: Path, size: str = "4G") -> Path:
    """Make an image for `Guest`: sparse, in memory if `path` is."""
    with path.open("wb") as image:
        image.truncate(_bytes(size))
    options = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
    subprocess.run(
        [
            shutil.which("mkfs.ext4", path=PATH) or "mkfs.ext4",
            "-qF",
            "-m0",
            "-E",
            options,
            path,
        ],
        check=True,
    )
    return path


def _bytes(text: str) -> int:
    return int(text[:-1]) << {"M": 20, "G": 30}[text[-1]]


def _end_with_parent() -> None:
    # UML asks for one descriptor per page table it keeps.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
