"""Clients of the daemon, from connecting to an answer: one request each, in one turn.

What they ask for, and what is done about it, is for whoever has the server.  Nothing here
waits: a client that is slow, silent or gone costs a connection for a few seconds, and how
many there are is bounded.
"""

import math
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, Generic, NamedTuple, TypeVar

from wheelferry.daemon.http1 import MAX_HEAD_BYTES
from wheelferry.daemon.listener import Listener
from wheelferry.daemon.report import Reporter

MAX_CLIENTS: Final = 64
"""How many may be connected; one more is told that there are too many."""

READ_S: Final = 3.0
"""How long a client may take for its request."""

RETRY_S: Final = 30.0
"""How often it is tried to listen, where that does not work."""

Asked = TypeVar("Asked")


class Place(NamedTuple):
    """Where a server listens.

    Attributes:
        name: Of the server, for the reporter.
        address: In words.
        listen: Begins to; raises OSError.
        hint: What can be done about that.
    """

    name: str
    address: str
    listen: Callable[[], Listener]
    hint: Callable[[OSError], str]


class Client:
    """A connection.

    Attributes:
        came_s: When it was made.
    """

    def __init__(self, connection: socket.socket, now: float) -> None:
        self.connection = connection
        self.came_s = now
        self.data = b""
        self.is_heard = False
        """Whether it has said all, and is waiting for its answer."""


class Server(Generic[Asked]):
    """Listens, hears clients out, and says what they are to be told.

    Args:
        place: Where it listens.
        parse: Returns what is asked for by all the bytes that have come so far; None if
            more are to come.
        take: Told of a client, of what it asks for, and when this is; must see to it that
            `answer` is called, at once or later.
        busy: What is said to one client too many.
        selector: Calls a function for each descriptor that can be read.
        reporter: Told of what does not work.
    """

    def __init__(
        self,
        place: Place,
        *,
        parse: Callable[[bytes], Asked | None],
        take: Callable[[Client, Asked, float], None],
        busy: bytes,
        selector: selectors.BaseSelector,
        reporter: Reporter,
    ) -> None:
        self._place = place
        self._parse = parse
        self._take = take
        self._busy = busy
        self._selector = selector
        self._reporter = reporter
        self._listener: Listener | None = None
        self._retry_s = -math.inf
        self._clients: set[Client] = set()

    def step(self, now: float) -> None:
        """Do what is due."""
        if self._listener is None and now >= self._retry_s:
            self._listen(now)
        for client in self._unheard():
            if now >= client.came_s + READ_S:
                self._drop(client)

    def next_s(self) -> float:
        """Return when `step` is to be called again."""
        ends = [client.came_s + READ_S for client in self._unheard()]
        return min([math.inf if self._listener else self._retry_s, *ends])

    def answer(self, client: Client, data: bytes) -> None:
        """Say the last word; it fits into the socket's buffer, or nobody wants it."""
        with suppress(OSError):
            client.connection.send(data)
            # What is left unread would make of the answer an error.
            client.connection.shutdown(socket.SHUT_WR)
            client.connection.recv(4 * MAX_HEAD_BYTES)
        self._drop(client)

    def close(self) -> None:
        """Listen no longer; clients that were taken can still be answered."""
        if self._listener is not None:
            self._shut(self._listener)
        for client in self._unheard():
            self._drop(client)

    def _unheard(self) -> list[Client]:
        return [client for client in self._clients if not client.is_heard]

    def _listen(self, now: float) -> None:
        place = self._place
        try:
            self._listener = place.listen()
        except OSError as exc:
            self._retry_s = now + RETRY_S
            self._reporter.lacks(
                place.name,
                f"cannot listen on {place.address}: {exc.strerror or exc}",
                hint=place.hint(exc),
            )
            return
        self._watch(self._listener.fd, self._accept)
        self._reporter.has(place.name)

    def _accept(self, now: float) -> None:
        listener = self._listener
        while listener is not None:
            try:
                connection = listener.accept()
            except OSError:  # no descriptors are left: do not ask again at once
                self._shut(listener)
                self._retry_s = now + RETRY_S
                return
            if connection is None:
                return
            client = Client(connection, now)
            self._clients.add(client)
            self._watch(connection.fileno(), partial(self._read, client))
            if len(self._clients) > MAX_CLIENTS:
                self.answer(client, self._busy)

    def _read(self, client: Client, now: float) -> None:
        try:
            data = client.connection.recv(MAX_HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.data += data
        asked = self._parse(client.data)
        if asked is not None:
            # Nothing more is wanted of it.  Its end of input is no sign that it has gone.
            self._selector.unregister(client.connection.fileno())
            client.is_heard = True
            self._take(client, asked, now)
        elif not data:  # it went before it had said what it wants
            self._drop(client)

    def _drop(self, client: Client) -> None:
        if not client.is_heard:
            self._selector.unregister(client.connection.fileno())
        self._clients.remove(client)
        client.connection.close()

    def _shut(self, listener: Listener) -> None:
        self._selector.unregister(listener.fd)
        listener.close()
        self._listener = None

    def _watch(self, fd: int, function: Callable[[float], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, function)
