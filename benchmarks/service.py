"""The daemon as its unit runs it, without systemd."""

import re
import subprocess
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Self

from benchmarks.process import find_wheelferry, make_environ
from benchmarks.runner import Runner
from tests.support import procs
from tests.support.procs import Effort, Holdings
from wheelferry.daemon.account import read_account

_CLASSES = {"idle": "3"}
_SAMPLE_S = 0.02
_GIVE_UP_S = 120.0


def limits() -> str:
    """Return what the unit says of the daemon's share of the machine, where it counts."""
    nice, io_class = _read_unit()
    return f"`Nice={nice}`, `IOSchedulingClass={io_class}`"


def _read_unit() -> tuple[str, str]:
    # The weights count between control groups, and everything here is in one.  With two
    # cores and two threads that pack, a nice value of 10 is like a CPUWeight of 20.
    text = (resources.files("wheelferry.systemd") / "units/sandbox.conf").read_text()
    found = [
        match[1] if (match := re.search(rf"^{name}=(\S+)$", text, re.MULTILINE)) else ""
        for name in ("Nice", "IOSchedulingClass")
    ]
    return found[0], found[1]


class Service:
    """A daemon that serves a runner's cache for as long as a `with` block lasts."""

    def __init__(self, runner: Runner) -> None:
        nice, io_class = _read_unit()
        self._state = Path(f"{runner.cache}.wheelferry")
        self._log = runner.home / "daemon.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *("nice", "-n", nice, "ionice", "-c", _CLASSES[io_class]),
                    *(find_wheelferry(), "daemon"),
                ],
                env=make_environ(runner.home),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        if self._process.wait():
            raise SystemExit(f"the daemon failed: {self._log.read_text()}")

    def family(self) -> list[int]:
        """Return its processes: itself, the one that looks at the store, and runs."""
        return procs.family(self._process.pid)

    def holdings(self) -> Holdings:
        """Return what all its processes hold."""
        return procs.holdings(self.family())

    def effort(self) -> Effort:
        """Return what they have done."""
        return procs.effort(self.family())

    def is_at_work(self) -> bool:
        """Return whether a task runs."""
        return len(self.family()) > 2

    def promotes(self) -> bool:
        """Return whether a promotion runs."""
        commands = (Path(f"/proc/{pid}/cmdline") for pid in self.family())
        return any("promote" in path.read_text().split("\0") for path in commands)

    def watch_until_calm(self) -> list[Holdings]:
        """Return what it held, again and again, until nothing is left to be done."""
        return [self.holdings() for _ in self._until_calm()]

    def wait_until_calm(self) -> None:
        """Return when nothing is left to be done."""
        for _ in self._until_calm():
            pass

    def _until_calm(self) -> Iterator[None]:
        give_up_s = time.monotonic() + _GIVE_UP_S
        while not self._is_calm():
            if time.monotonic() > give_up_s:
                raise SystemExit(f"it does not come to rest: {self._log.read_text()}")
            yield
            time.sleep(_SAMPLE_S)

    def _is_calm(self) -> bool:
        account = read_account(self._state)
        return (
            account is not None
            and bool(account.tasks)
            and all(
                t.last_s and t.waits_since_s is None for t in account.tasks.values()
            )
            and not self.is_at_work()
        )
