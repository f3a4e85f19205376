"""The guest's side: PID 1 after `init.sh`.  Runs what it is told, and reports.

A request is a JSON object in a file of the directory that both sides see, and the file's
name on a serial line, which would lose what is longer than 4 KiB; an answer is a line of
JSON.  Only the standard library, and nothing of this package: it runs alone in the guest.

    {"op": "spawn", "argv": [...], "env": {...}, "cwd": "/", "name": "7", "machine": pid}
        -> {"pid": 123, "name": "7"}, and at the end {"exit": 0, "name": "7", "wall_s": 1.5,
        "peak_bytes": 20000000}
    {"op": "kill", "name": "7", "number": 9} -> {"killed": "7"}

The command runs in the namespaces of the process `machine`, if there is one.  Output goes
to files in the same directory: `7.out`, `7.err`, and the text of that process's mountstats
before and after, `7.before` and `7.after`.
"""

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

LINE = "/dev/ttyS0"
OUT = Path("/run/out")
LIBC = ctypes.CDLL(None, use_errno=True)
NAMESPACES = ("net", "uts", "mnt")
CLONE_FS = 0x200
# Lines that change by themselves.
MOVING = ("age:", "xprt:")


def read_stats(pid: int) -> str:
    """Return the counters of a mount namespace, once they stand still.

    Some closes are sent after the process that caused them has ended.
    """
    path = Path(f"/proc/{pid}/mountstats")
    before = path.read_text()
    for _ in range(50):
        time.sleep(0.02)
        after = path.read_text()
        if still(after) == still(before):
            break
        before = after
    return before


def still(text: str) -> list[str]:
    """Return the lines that tell of RPCs."""
    lines = text.splitlines()
    return [line for line in lines if not line.lstrip().startswith(MOVING)]


@contextlib.contextmanager
def on_machine(pid: int) -> Iterator[None]:
    """Be in the namespaces of a process for a `with` block.

    Quicker than nsenter, which would be one more program to start.
    """
    with contextlib.ExitStack() as stack:
        here, there = (
            [stack.enter_context(Path(f"/proc/{p}/ns/{n}").open()) for n in NAMESPACES]
            for p in ("self", pid)
        )
        stack.callback(enter, here)
        enter(there)
        yield


def enter(namespaces: Sequence[IO[str]]) -> None:
    """Have other namespaces, and the root and working directory of the last one."""
    for namespace in namespaces:
        if LIBC.setns(namespace.fileno(), 0):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace.name}")


class Started(NamedTuple):
    """A process at work."""

    name: str
    start_s: float
    machine: int | None


class Ended(NamedTuple):
    """A process that has ended."""

    pid: int
    status: int
    end_s: float
    peak_bytes: int


class Agent:
    """Waits for requests and for the ends of processes."""

    def __init__(self) -> None:
        self._fd = os.open(LINE, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._fd)
        # PID 1 shares its root with kernel threads, and so may not enter a mount namespace.
        LIBC.unshare(CLONE_FS)
        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, self._reap)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._fd, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._running: dict[int, Started] = {}
        self._ends: list[Ended] = []
        self._buffer = b""
        self._calls: dict[str, Callable[..., dict[str, Any]]] = {
            "spawn": self._spawn,
            "kill": self._kill,
        }

    def serve(self) -> None:
        """Work until the guest is switched off."""
        self._say({"ready": os.uname().release})
        while True:
            for key, _ in self._selector.select():
                if key.fd == self._wake:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake, 4096)
                    self._report_ends()
                else:
                    self._read()

    def _read(self) -> None:
        self._buffer += os.read(self._fd, 65536)
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            request = json.loads((OUT / line.decode()).read_text())
            try:
                answer = self._calls[request.pop("op")](**request)
            except Exception as exc:  # noqa: BLE001 - whoever asked shall know
                answer = {"error": repr(exc)}
            self._say(answer)

    def _spawn(
        self,
        *,
        argv: list[str],
        env: dict[str, str],
        cwd: str,
        name: str,
        machine: int | None,
    ) -> dict[str, Any]:
        if machine:
            (OUT / f"{name}.before").write_text(read_stats(machine))
        with (
            (OUT / f"{name}.out").open("wb") as out,
            (OUT / f"{name}.err").open("wb") as err,
            on_machine(machine) if machine else contextlib.nullcontext(),
        ):
            start_s = time.monotonic()
            process = subprocess.Popen(
                argv,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self._running[process.pid] = Started(name, start_s, machine)
        process.returncode = 0  # PID 1 reaps it, as it does everybody's orphans
        return {"pid": process.pid, "name": name}

    def _kill(self, *, name: str, number: int) -> dict[str, Any]:
        for pid, started in self._running.items():
            if started.name == name:
                os.killpg(pid, number)
        return {"killed": name}

    def _reap(self, *_: object) -> None:
        # In the signal's handler: the time is right even if counters are being read.
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            end = Ended(pid, status, time.monotonic(), usage.ru_maxrss << 10)
            self._ends.append(end)

    def _report_ends(self) -> None:
        while self._ends:
            end = self._ends.pop(0)
            if (started := self._running.pop(end.pid, None)) is None:
                continue  # somebody's orphan
            if pid := started.machine:
                (OUT / f"{started.name}.after").write_text(read_stats(pid))
            self._say(
                {
                    "exit": os.waitstatus_to_exitcode(end.status),
                    "name": started.name,
                    "wall_s": end.end_s - started.start_s,
                    "peak_bytes": end.peak_bytes,
                }
            )

    def _say(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self._fd, data) :]


if __name__ == "__main__":
    Agent().serve()
