"""A fleet in a folder of this machine: fast, for everyone, and with no network between."""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fleet.index import open_index
from benchmarks.fleet.network import Network
from benchmarks.fleet.place import Ran, Runner

_POLL_S = 0.005


class LocalRunning:
    """A process of this machine, in a session of its own."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115
        out, err = self._files
        self._start_s = time.perf_counter()
        self._process = subprocess.Popen(
            argv,
            env={"PATH": os.environ["PATH"], **env},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )

    def wait(self, timeout_s: float) -> Ran:
        """Wait for its end; raises AssertionError, and kills it, if there is none."""
        pid, give_up_s = self._process.pid, time.monotonic() + timeout_s
        while True:
            found, status, usage = os.wait4(pid, os.WNOHANG)
            if found:
                break
            if time.monotonic() > give_up_s:
                self.kill()
                out, err = self._read()
                raise AssertionError(
                    f"no end within {timeout_s} s; it said:\n{out}{err}"
                )
            time.sleep(_POLL_S)
        wall_s = time.perf_counter() - self._start_s
        self._process.returncode = os.waitstatus_to_exitcode(status)
        stdout, stderr = self._read()
        return Ran(
            returncode=self._process.returncode,
            stdout=stdout,
            stderr=stderr,
            wall_s=wall_s,
            peak_bytes=usage.ru_maxrss * 1024,
            traffic=None,
        )

    def stop(self) -> None:
        """Ask it, and all that it has started, to end."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it and all that it has started, if it still runs."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _read(self) -> list[str]:
        texts = []
        for file in self._files:
            with file:
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        return texts


@dataclass(slots=True, kw_only=True)
class LocalRunner:
    """A folder that stands for a machine; `started` is what it was told to start."""

    name: str
    share: str
    local: str
    index_proxy: str
    started: list[LocalRunning] = field(default_factory=list)

    def start(self, argv: Sequence[str], *, env: Mapping[str, str]) -> LocalRunning:
        """Start a command."""
        self.started.append(LocalRunning(argv, env))
        return self.started[-1]

    def shell(self, script: str) -> str:
        """Run a script, which has to succeed; return its output."""
        done = subprocess.run(
            ["sh", "-euc", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
        )
        assert not done.returncode, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def forget(self) -> None:
        """Do nothing: what is in the page cache of this machine stays there."""


class LocalPlace:
    """A fleet below a folder; `proxies` are one more than runners: the server's is last."""

    name: str = "local"
    networks: Sequence[Network] = ()
    network: Network | None = None
    server_address: str = "127.0.0.1"
    runners: Sequence[Runner]
    server: Runner

    def __init__(self, root: Path, proxies: Sequence[str]) -> None:
        self._share = root / "share"
        names = [*(f"r{n}" for n in range(1, len(proxies))), "server"]
        self._started: list[LocalRunning] = []
        made: list[Runner] = []
        for name, proxy in zip(names, proxies, strict=True):
            (root / name).mkdir()
            runner = LocalRunner(
                name=name,
                share=str(self._share),
                local=str(root / name),
                index_proxy=proxy,
                started=self._started,
            )
            made.append(runner)
        *self.runners, self.server = made

    def end_all(self) -> None:
        """End what was started and not waited for, as when a run is interrupted."""
        for running in self._started:
            running.kill()

    @contextmanager
    def new_share(self, name: str) -> Iterator[None]:
        """Have an empty share, for a `with` block."""
        del name
        self._share.mkdir()
        try:
            yield
        finally:
            shutil.rmtree(self._share)

    def reshape(self, network: Network) -> None:
        """Refuse: a folder has none."""
        raise ValueError(f"no {network} in a folder")

    def share_bytes(self) -> int:
        """Return what the share holds now."""
        said = self.server.shell(shlex.join(["du", "-sb", str(self._share)]))
        return int(said.split()[0])


@contextmanager
def open_local(
    files: Path, *, runners: int, folder: Path | None = None
) -> Iterator[LocalPlace]:
    """Make a fleet with an index of `files`, in a new folder inside `folder`."""
    with (
        tempfile.TemporaryDirectory(prefix="wheelferry-fleet-", dir=folder) as root,
        open_index(files, clients=runners + 1) as proxies,
    ):
        place = LocalPlace(Path(root), proxies)
        try:
            yield place
        finally:
            place.end_all()
