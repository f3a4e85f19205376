"""Where a daemon listens, and whom it hears: with a clock that the test has."""

import errno
import os
import selectors
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheelferry.daemon.account import Account
from wheelferry.daemon.exporter import make_exporter
from wheelferry.daemon.http1 import Answer, Head
from wheelferry.daemon.listener import LOOPBACK, Listener
from wheelferry.daemon.notify import Notifier
from wheelferry.daemon.report import Reporter
from wheelferry.daemon.server import MAX_CLIENTS, READ_S, RETRY_S, Client, Place, Server
from wheelferry.disk import Disk
from wheelferry.events import Event

MAX_ROUNDS = 10 * MAX_CLIENTS
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


class Loop:
    """The loop of a daemon, turned by hand."""

    def __init__(self, state: Path) -> None:
        self.now = 1000.0
        self.events: list[Event] = []
        self.selector = selectors.DefaultSelector()
        self.reporter = Reporter(
            Account(
                pid=1,
                version="1.2.3",
                started_s=0.0,
                cache="/c",
                store="/s",
                runner="r1",
            ),
            state=state,
            disk=Disk(),
            emit=self.events.append,
            notifier=Notifier(""),
            now_s=lambda: self.now,
            monotonic_s=lambda: self.now,
        )

    def turn(self, server: Server[Head | Answer], after_s: float = 0.0) -> None:
        """Have all happen that is to happen then."""
        self.now += after_s
        server.step(self.now)
        for _ in range(MAX_ROUNDS):
            if not (ready := self.selector.select(0.0)):
                return
            for key, _ in ready:
                if self.selector.get_map().get(key.fd) is key:
                    key.data(self.now)
        raise AssertionError("something is readable for ever")

    def said(self) -> list[str]:
        """Return what was logged since."""
        found = [event.message for event in self.events]
        self.events.clear()
        return found


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    """One with a selector of its own."""
    loop = Loop(tmp_path)
    with loop.selector:
        yield loop


@pytest.fixture
def port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        found: int = probe.getsockname()[1]
    return found


Connect = Callable[..., socket.socket]


@pytest.fixture
def connect(port: int) -> Iterator[Connect]:
    """Connect to the port, and say something."""
    made: list[socket.socket] = []

    def start(data: bytes = b"") -> socket.socket:
        made.append(socket.create_connection((LOOPBACK, port), timeout=10))
        made[-1].sendall(data)
        return made[-1]

    yield start
    for client in made:
        client.close()


def read(client: socket.socket) -> bytes:
    """Return all that a client is told."""
    found = b""
    while data := client.recv(65536):
        found += data
    return found


def status(client: socket.socket) -> bytes:
    """Return the first line that a client is told."""
    return read(client).partition(b"\r\n")[0]


def test_port_that_is_taken_is_tried_again(
    loop: Loop, port: int, connect: Connect
) -> None:
    """It is told once, with what to do; and that it is well again."""
    server = make_exporter(port, selector=loop.selector, reporter=loop.reporter)
    with socket.create_server((LOOPBACK, port)):
        loop.turn(server)
        loop.turn(server, RETRY_S)
    (line,) = loop.said()
    assert line.startswith(
        f"degraded: cannot listen on 127.0.0.1:{port}: Address already in use; another"
    )
    assert server.next_s() == loop.now + RETRY_S
    loop.turn(server, RETRY_S - 1)
    with pytest.raises(ConnectionRefusedError):
        connect()

    loop.turn(server, 1)

    assert loop.said() == [f"all is well again after {2 * RETRY_S:.0f} s"]
    client = connect(SCRAPE)
    loop.turn(server)
    assert status(client) == b"HTTP/1.0 200 OK"
    server.close()


def test_port_is_free_at_once_when_it_is_given_up(
    loop: Loop, port: int, connect: Connect
) -> None:
    """A reload opens it again, though connections have just ended there."""
    for _ in range(2):
        server = make_exporter(port, selector=loop.selector, reporter=loop.reporter)
        loop.turn(server)
        client = connect(SCRAPE)
        loop.turn(server)
        server.close()
        assert b"wheelferry_build_info" in read(client)
        with pytest.raises(ConnectionRefusedError):
            connect()
    assert loop.said() == []
    assert not loop.selector.get_map()


def test_slow_client_is_dropped_and_others_are_served(
    loop: Loop, port: int, connect: Connect
) -> None:
    """Whoever has not said all in time; also one that says nothing, or goes."""
    server = make_exporter(port, selector=loop.selector, reporter=loop.reporter)
    loop.turn(server)
    silent, slow, gone = connect(), connect(SCRAPE[:-1]), connect(b"GET")
    gone.close()
    loop.turn(server)
    assert server.next_s() == loop.now + READ_S
    client = connect(SCRAPE)
    loop.turn(server, READ_S - 0.1)
    assert status(client) == b"HTTP/1.0 200 OK"
    loop.turn(server, 0.1)
    assert read(silent) == read(slow) == b""
    server.close()
    assert not loop.selector.get_map()


def test_many_clients_are_bounded(loop: Loop, port: int, connect: Connect) -> None:
    """One too many is told so; when the others have gone there is room again."""
    server = make_exporter(port, selector=loop.selector, reporter=loop.reporter)
    loop.turn(server)
    clients = [connect() for _ in range(MAX_CLIENTS)]
    loop.turn(server)
    late = connect(SCRAPE)
    loop.turn(server)
    assert status(late) == b"HTTP/1.0 503 Service Unavailable"
    for client in clients:
        client.close()
    loop.turn(server)
    for _ in range(MAX_CLIENTS + 1):  # who has been answered counts no more
        again = connect(SCRAPE)
        loop.turn(server)
        assert status(again) == b"HTTP/1.0 200 OK"
    server.close()


class _Exhausted(Listener):
    def accept(self) -> socket.socket | None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_listener_rests_when_descriptors_have_run_out(loop: Loop) -> None:
    """Or the connection that waits would be asked for again and again."""
    address = f"\0wheelferry-{os.getpid()}-exhausted"

    def listen() -> Listener:
        bound = socket.socket(socket.AF_UNIX)
        bound.bind(address)
        return _Exhausted(bound)

    def take(client: Client, asked: Head | Answer, now: float) -> None:
        raise AssertionError((client, asked, now))

    server: Server[Head | Answer] = Server(
        Place("x", "x", listen, lambda _: ""),
        parse=lambda _: None,
        take=take,
        busy=b"",
        selector=loop.selector,
        reporter=loop.reporter,
    )
    loop.turn(server)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
        loop.turn(server)
    assert server.next_s() == loop.now + RETRY_S
    assert not loop.selector.get_map()
    loop.turn(server, RETRY_S)
    assert len(loop.selector.get_map()) == 1
    server.close()
