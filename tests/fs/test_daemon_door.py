"""Requests to the daemon from containers: over a Unix socket, without Python."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.daemons import RunningDaemon, eventually
from tests.support.hooked import Hooked, lock
from wheelferry.daemon.door import MAX_PULLS
from wheelferry.daemon.server import MAX_CLIENTS, READ_S

TOOLS = ("curl", "socat", "nc")
"""What can speak to a Unix socket from a shell, of each of which a container may have one."""


class Served:
    """A runner whose daemon listens, and whose jobs have no Python."""

    def __init__(self, root: Path) -> None:
        run = root / "run"
        run.mkdir()
        self.socket = run / "socket"
        self.machine = Hooked(root, socket=str(self.socket))
        self.project = self.machine.project
        self.builds = root / "builds"
        self.machine.install("generic")
        self.script = self.machine.script("pre-job")
        (root / "python").unlink()  # none in the container
        self.daemon = RunningDaemon(
            self.machine.cache,
            self.machine.store,
            "--config",
            str(self.machine.config),
            WHEELFERRY_DAEMON_TASKS="promote",
        )

    def hook(
        self, project: Path | str | None = None, *, tools: Path | None = None
    ) -> "subprocess.Popen[str]":
        """Start the hook, as a job in a container would."""
        if tools is not None:
            text = self.script.read_text()
            lines = [
                f"PATH='{tools}'" if line.startswith("PATH=") else line
                for line in text.splitlines()
            ]
            self.script.write_text("\n".join([*lines, ""]))
        return subprocess.Popen(
            ["dash", self.script, str(project or self.project)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ask(self, project: Path | str) -> str:
        """Ask for a project; return the line of the answer."""
        head = f"POST /pull HTTP/1.0\r\nProject: {project}\r\n\r\n"
        return self.send(head.encode()).splitlines()[-1]

    def send(self, data: bytes) -> str:
        """Send bytes; return all of the answer."""
        with self.connect() as client:
            with suppress(BrokenPipeError):  # it has been answered already
                client.sendall(data)
            return self.read(client)

    def connect(self) -> socket.socket:
        """Connect, and say nothing."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(30)
        client.connect(str(self.socket))
        return client

    def read(self, client: socket.socket) -> str:
        """Return what is answered until the daemon closes."""
        found = b""
        while data := client.recv(4096):
            found += data
        return found.decode()

    def pulls(self) -> list[list[str]]:
        """Return the command lines of the pulls that were asked for, and go on."""
        children = (words for _, words in self.daemon.children())
        return [words for words in children if "--project" in words]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A daemon that listens; it is killed at the end."""
    served = Served(tmp_path)
    with served.daemon as daemon:
        daemon.wait_ready()
        eventually(served.socket.exists, what=daemon.said)
        yield served


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """The programs that a small container has: no Python, and nothing that connects."""
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("env", "grep", "tail", "timeout"):
        found = shutil.which(name)
        assert found is not None
        (path / name).symlink_to(found)
    return path


def said(process: "subprocess.Popen[str]") -> str:
    """Return what a hook said; the job goes on."""
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out


@pytest.mark.parametrize("tool", TOOLS)
def test_shell_without_python_asks(served: Served, tools: Path, tool: str) -> None:
    """With whichever program the container has that can connect to a Unix socket."""
    found = shutil.which(tool)
    if found is None:
        pytest.skip(
            f"no {tool}; run: apt-get install -y"
            f" {'netcat-openbsd' if tool == 'nc' else tool}"
        )
    (tools / tool).symlink_to(found)

    out = said(served.hook(tools=tools))

    assert out.startswith("wheelferry: pulled 2 of 2 entries, ")
    assert len(out.splitlines()) == 1
    assert len(served.machine.restored) == 2
    served.daemon.wait_said(f"for {served.project}: pulled 2 of 2")


def test_shell_that_has_nothing_to_ask_with_goes_on(
    served: Served, tools: Path
) -> None:
    """It says what is missing; so does one whose daemon has gone."""
    assert said(served.hook(tools=tools)) == (
        "wheelferry: no curl, socat or nc -U to ask the daemon with; the job goes on\n"
    )
    (tools / "nc").write_text("#!/bin/sh\necho 'usage: nc [-iN] HOST PORT'\n")
    (tools / "nc").chmod(0o755)
    assert "no curl, socat or nc -U" in said(served.hook(tools=tools))
    served.daemon.stop()
    assert "there is neither" in said(served.hook(tools=tools))


def test_daemon_that_is_gone_is_no_fault_of_a_job(served: Served) -> None:
    """One that was killed leaves a socket on which nobody listens."""
    served.daemon.process.kill()
    served.daemon.process.wait()
    assert served.socket.exists()

    out = said(served.hook())

    assert "the daemon gave no answer; the job goes on" in out
    assert len(out.splitlines()) == 1


def test_two_at_once(served: Served) -> None:
    """Both are served, by two processes that do not read the same pack twice."""
    other = served.builds / "other"
    other.mkdir()
    lock(other)

    hooks = [served.hook(), served.hook(other)]
    out = [said(hook) for hook in hooks]

    assert all("wheelferry: pulled " in line or "nothing to" in line for line in out)
    assert len(served.machine.restored) == 2
    for project in (served.project, other):
        served.daemon.wait_said(f"for {project}: ")


def test_path_outside_is_refused(served: Served, tmp_path: Path) -> None:
    """By its name, by `..`, by links, and when it is not there; nothing is pulled."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (served.builds / "link").symlink_to(outside)
    (served.builds / "file").write_text("")
    foreign = served.builds / "foreign lock"
    foreign.mkdir()
    lock(outside)
    (foreign / "pylock.toml").symlink_to(outside / "pylock.toml")

    for project, why in (
        (outside, "is in none of daemon.projects"),
        (f"{served.builds}/../outside", "is no absolute path without `..`"),
        ("builds/group", "is no absolute path without `..`"),
        (served.builds / "link", "leads out of daemon.projects"),
        (served.builds / "absent", "is no directory on the host"),
        (served.builds / "file", "is no directory on the host"),
    ):
        assert served.ask(project) == f"refused: {str(project)!r} {why}"
    link = foreign / "pylock.toml"
    why = f"refused: {str(link)!r} leads out of daemon.projects"
    assert served.ask(foreign) == why
    assert said(served.hook(outside)).startswith("wheelferry: refused: ")
    assert served.machine.restored == []
    assert served.daemon.said().count("was not served") == 7  # each once


def test_garbage_costs_nothing(served: Served) -> None:
    """What is no request is answered at once, and the daemon goes on."""
    for data in (b"\0" * 100_000, os.urandom(100_000), b"GET / HTTP/1.1\r\n\r\n"):
        with suppress(ConnectionResetError):  # it was told while it still wrote
            assert served.send(data).startswith("HTTP/1.0 400 Bad Request\r\n")
    served.daemon.wait_said("was not served: the request is longer than 8192 bytes")
    served.daemon.wait_said("was not served: the request does not begin with POST")
    assert served.ask(served.project).startswith("pulled 2 of 2")


def test_client_that_says_nothing_is_dropped(served: Served) -> None:
    """After a few seconds, during which others are served; also one that is slow."""
    begin_s = time.monotonic()
    with served.connect() as silent, served.connect() as slow:
        slow.sendall(b"POST /pull HT")
        assert served.ask(served.project).startswith("pulled 2 of 2")
        assert (served.read(silent), served.read(slow)) == ("", "")
    assert READ_S - 1 < time.monotonic() - begin_s < READ_S + 10


def test_client_that_goes_harms_nobody(served: Served) -> None:
    """Its pull is ended by its own end; the answer is lost, and no more."""
    client = served.connect()
    client.sendall(f"POST /pull HTTP/1.0\nProject: {served.project}\n\n".encode())
    eventually(served.pulls, what=served.daemon.said)
    client.close()
    served.daemon.wait_said(f"for {served.project}: pulled 2 of 2")

    def is_counted() -> bool:
        account = served.daemon.account()
        return account is not None and account.carried["pull"].entries == 2

    eventually(is_counted)
    assert served.ask(served.project).startswith("nothing to pull")


def test_pull_that_hangs_is_ended(served: Served) -> None:
    """However it hangs; the client is told, the others wait for their turn until then."""
    clients = [served.connect() for _ in range(MAX_PULLS + 1)]
    request = f"POST /pull HTTP/1.0\nProject: {served.project}\n\n".encode()
    for client in clients[:MAX_PULLS]:
        client.sendall(request)
    eventually(lambda: len(served.pulls()) == MAX_PULLS)
    for pid, words in served.daemon.children():
        if "--project" in words:
            os.kill(pid, signal.SIGSTOP)
    clients[-1].sendall(request)
    time.sleep(0.3)
    assert len(served.pulls()) == MAX_PULLS

    answers = [served.read(client).splitlines()[-1] for client in clients]
    for client in clients:
        client.close()

    gave_up = "pull gave up, the job can go on: "
    for answer in answers[:MAX_PULLS]:
        assert answer == f"{gave_up}it did not end in time" or "pulled" in answer
    assert f"{gave_up}it did not end in time" in answers
    assert answers[-1].startswith((f"{gave_up}others were first", "pulled", "nothing"))
    assert eventually(lambda: not served.pulls())


def test_too_many_are_told_so(served: Served) -> None:
    """One more than there may be is answered at once."""
    clients = [served.connect() for _ in range(MAX_CLIENTS)]
    with served.connect() as late:
        assert served.read(late).endswith("too many ask at once; the job goes on\n")
    for client in clients:
        client.close()
    eventually(lambda: served.ask(served.project).startswith(("pulled", "nothing")))


def test_daemon_that_stops_says_so(served: Served) -> None:
    """Whoever waits is answered, and the socket is gone."""
    with served.connect() as client:
        client.sendall(f"POST /pull HTTP/1.0\nProject: {served.project}\n\n".encode())
        eventually(served.pulls)
        assert served.daemon.stop() == 0
        last = served.read(client).splitlines()[-1]
    assert last == "the daemon stops; the job goes on" or last.startswith("pulled")
    assert not served.socket.exists()


def test_socket_is_for_whoever_may_enter_its_directory(served: Served) -> None:
    """Users of containers are no users of the host."""
    mode = served.socket.stat().st_mode
    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o666)


def test_socket_that_was_left_is_replaced_and_no_other(
    served: Served, tmp_path: Path
) -> None:
    """A daemon that was killed leaves its socket; a file, or a daemon, is left alone."""
    served.daemon.process.kill()
    served.daemon.process.wait()
    args = ("--config", str(served.machine.config))
    with RunningDaemon(served.machine.cache, served.machine.store, *args) as again:
        again.wait_ready()
        assert served.ask(served.project).startswith(("pulled", "nothing"))
        other = RunningDaemon(
            tmp_path / "other",
            served.machine.store,
            WHEELFERRY_DAEMON_SOCKET=str(served.socket),
            WHEELFERRY_DAEMON_PROJECTS=str(served.builds),
        )
        with other:
            other.wait_said("degraded: cannot listen on")
            assert "Address already in use" in other.said()
            assert other.stop() == 0
        assert served.ask(served.project).startswith("nothing")
        assert again.stop() == 0
    served.socket.write_text("mine")
    with RunningDaemon(served.machine.cache, served.machine.store, *args) as last:
        last.wait_said("degraded: cannot listen on")
        assert last.stop() == 0
    assert served.socket.read_text() == "mine"


def test_daemon_listens_nowhere_unless_asked(tmp_path: Path) -> None:
    """Without `daemon.socket` it has no Unix socket that has a name."""
    machine = Hooked(tmp_path)
    args = ("--config", str(machine.config))
    with RunningDaemon(machine.cache, machine.store, *args) as daemon:
        daemon.wait_ready()
        links = []
        for fd in Path(f"/proc/{daemon.process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # it was closed just now
                links.append(str(fd.readlink()))
        assert daemon.stop() == 0
    assert [link for link in links if link.startswith("socket:")] == []


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ("socket = '/run/x'", "no project is served there"),
        (
            f"socket = '/{'x' * 120}'\nprojects = ['/srv']",
            "longer than the kernel takes",
        ),
    ],
)
def test_socket_that_could_serve_nobody_is_an_error(
    tmp_path: Path, settings: str, why: str
) -> None:
    """The configuration is refused, before anything is started."""
    config = tmp_path / "config.toml"
    config.write_text(f"[store]\npath = '/mnt/x'\n[daemon]\n{settings}\n")
    with RunningDaemon(
        tmp_path / "uv", tmp_path / "store", "--config", str(config)
    ) as daemon:
        assert daemon.process.wait(20) == 2
        assert why in daemon.said()
