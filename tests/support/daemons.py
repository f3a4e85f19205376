"""Daemons as processes: started, waited for, and ended by the test that starts them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, TypeVar

from wheelferry.daemon.account import Account, read_account

LONG_S = 30.0
PROGRAM = ("-m", "wheelferry", "daemon")
T = TypeVar("T")


def eventually(
    function: Callable[[], T], *, within_s: float = LONG_S, what: object = ""
) -> T:
    """Return the first true result of a function that is called again and again."""
    give_up_s = time.monotonic() + within_s
    while not (found := function()):
        assert time.monotonic() < give_up_s, what or function
        time.sleep(0.02)
    return found


class RunningDaemon:
    """`wheelferry daemon`, with a service manager that listens to it.

    `program` is what to run in its place.

    Attributes:
        cache: What it serves.
        log: What it writes to stderr.
        messages: What the service manager heard, without pings.
        pings: How many of those it heard.
    """

    def __init__(
        self,
        cache: Path,
        store: Path,
        *args: str,
        poll: str = "0.2s",
        program: Sequence[str] = PROGRAM,
        **environ: str,
    ) -> None:
        self.cache = cache
        self.state = Path(f"{cache}.wheelferry")
        self.log = cache.with_name(f"{cache.name}.log")
        self.messages: list[str] = []
        self.pings = 0
        address = f"wheelferry-{os.getpid()}-{id(self)}"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener.bind(f"\0{address}")
        self._listener.setblocking(False)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *program, *args],
                env={
                    **os.environ,
                    "WHEELFERRY_STORE_PATH": str(store),
                    "WHEELFERRY_RUNNER_NAME": cache.name,
                    "WHEELFERRY_DAEMON_POLL": poll,
                    "UV_CACHE_DIR": str(cache),
                    "NOTIFY_SOCKET": f"@{address}",
                    **environ,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._listener.close()

    def hear(self) -> list[str]:
        """Return all that the service manager has heard, without pings."""
        while True:
            try:
                message = self._listener.recv(4096).decode()
            except BlockingIOError:
                return self.messages
            if message == "WATCHDOG=1":
                self.pings += 1
            else:
                self.messages.append(message)

    def status(self) -> str:
        """Return the last status line."""
        lines = [line for message in self.hear() for line in message.split("\n")]
        found = [line for line in lines if line.startswith("STATUS=")]
        return found[-1].removeprefix("STATUS=") if found else ""

    def wait_ready(self) -> Self:
        """Wait until it says that it works."""
        eventually(
            lambda: self.is_ready() or self.process.poll() is not None,
            what=self.said,
        )
        assert self.process.poll() is None, self.said()
        return self

    def is_ready(self) -> bool:
        """Return whether it has said so."""
        return any(message.startswith("READY=1") for message in self.hear())

    def wait_idle(self) -> Self:
        """Wait until nothing waits to be done."""
        self.wait_ready()

        def is_idle() -> bool:
            account = self.account()
            return bool(account and account.tasks) and all(
                task.waits_since_s is None and task.last_s
                for task in (account.tasks.values() if account else ())
            )

        eventually(is_idle, what=self.said)
        return self

    def account(self) -> Account | None:
        """Return what it says of itself."""
        return read_account(self.state)

    def said(self) -> str:
        """Return its log."""
        return self.log.read_text()

    def wait_said(self, text: str, *, times: int = 1) -> None:
        """Wait for words in its log."""

        def is_said() -> bool:
            self.hear()  # or it waits until there is room for its next message
            return self.said().count(text) >= times

        eventually(is_said, what=self.said)

    def children(self) -> list[tuple[int, list[str]]]:
        """Return the process ids and arguments of the processes that it started."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(path.read_text().rpartition(")")[2].split()[1])
                words = (path.parent / "cmdline").read_text().split("\0")
            except OSError:  # ended meanwhile
                continue
            if parent == self.process.pid:
                found.append((int(path.parent.name), words))
        return found

    def reload(self) -> None:
        """Send SIGHUP."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self, timeout_s: float = 5.0) -> int:
        """Send SIGTERM; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)
