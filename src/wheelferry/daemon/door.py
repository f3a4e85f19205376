"""Where the daemon is asked, by jobs in containers, to pull for their projects.

Nothing here waits: a client that is slow, silent or gone costs a connection for a few
seconds, and what is asked for is done by a process that is ended in time.  How many there
are of each is bounded.
"""

import math
import selectors
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from wheelferry.daemon.jobs import Job, Result, Warned
from wheelferry.daemon.listener import Listener
from wheelferry.daemon.report import Reporter
from wheelferry.daemon.request import (
    BUSY,
    MAX_HEAD_BYTES,
    OK,
    REFUSED,
    Answer,
    encode_answer,
    parse_request,
    refuse_project,
)
from wheelferry.daemon.schedule import Task
from wheelferry.disk import Disk
from wheelferry.errors import ProjectRefused
from wheelferry.events import Level

SOCKET: Final = "socket"

MAX_CLIENTS: Final = 64
"""How many may be connected; one more is told that there are too many."""

MAX_PULLS: Final = 4
"""How many requests are worked on at one time; the others wait for their turn."""

READ_S: Final = 3.0
"""How long a client may take for its request."""

GRACE_S: Final = 3.0
"""After the deadline of a pull, when a process that has not ended is ended."""

RETRY_S: Final = 30.0
"""How often it is tried to listen, where that does not work."""


class Terms(NamedTuple):
    """What a door opens for.

    Attributes:
        path: Of the socket.
        roots: Directories in which projects are.
        deadline_s: How long a request may take, from its arrival to its answer.
        argv: The program for one pull.
        payload: The configuration, for that program's stdin.
    """

    path: Path
    roots: tuple[str, ...]
    deadline_s: float
    argv: Sequence[str]
    payload: bytes


class _Client:
    """A connection, from its first byte to its answer."""

    def __init__(self, connection: socket.socket, now: float) -> None:
        self.connection = connection
        self.came_s = now
        self.data = b""
        self.project = ""
        self.job: Job | None = None


class Door:
    """Listens, has projects pulled for, and answers.

    Args:
        terms: The configuration.
        selector: Calls a function for each descriptor that can be read.
        reporter: Told of what was done, and of what does not work.
        disk: What changes the disk.
    """

    def __init__(
        self,
        terms: Terms,
        *,
        selector: selectors.BaseSelector,
        reporter: Reporter,
        disk: Disk,
    ) -> None:
        self._terms = terms
        self._selector = selector
        self._reporter = reporter
        self._disk = disk
        self._listener: Listener | None = None
        self._retry_s = -math.inf
        self._clients: dict[int, _Client] = {}
        """By descriptor, in the order in which they came."""

    def step(self, now: float) -> None:
        """Do what is due."""
        if self._listener is None and now >= self._retry_s:
            self._listen(now)
        for client in list(self._clients.values()):
            if now >= self._ends_s(client):
                self._time_out(client)
        self._begin_next(now)

    def next_s(self) -> float:
        """Return when `step` is to be called again."""
        ends = [self._ends_s(client) for client in self._clients.values()]
        return min([math.inf if self._listener else self._retry_s, *ends])

    def close(self) -> None:
        """Listen no longer; what is being pulled is ended, and what is complete stays."""
        if self._listener is not None:
            self._selector.unregister(self._listener.fd)
            self._listener.close()
        clients = list(self._clients.values())
        for client in clients:
            if client.job is not None:
                client.job.interrupt()
        for client in clients:
            self._end_job(client)
            self._answer(client, Answer(BUSY, "the daemon stops; the job goes on"))

    def _listen(self, now: float) -> None:
        path = self._terms.path
        try:
            self._listener = Listener(path, disk=self._disk)
        except OSError as exc:
            self._retry_s = now + RETRY_S
            self._reporter.lacks(
                SOCKET,
                f"cannot listen on {path}: {exc.strerror or exc}",
                hint="its directory must be there, and writable for this user",
            )
            return
        self._watch(self._listener.fd, self._accept)
        self._reporter.has(SOCKET)

    def _accept(self, now: float) -> None:
        listener = self._listener
        while listener is not None:
            try:
                connection = listener.accept()
            except OSError:  # no descriptors are left: do not ask again at once
                self._selector.unregister(listener.fd)
                listener.close()
                self._listener, self._retry_s = None, now + RETRY_S
                return
            if connection is None:
                return
            client = _Client(connection, now)
            self._clients[connection.fileno()] = client
            self._watch(connection.fileno(), partial(self._read, client))
            if len(self._clients) > MAX_CLIENTS:
                self._answer(
                    client, Answer(BUSY, "too many ask at once; the job goes on")
                )

    def _read(self, client: _Client, now: float) -> None:
        try:
            data = client.connection.recv(MAX_HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.data += data
        found = parse_request(client.data)
        if isinstance(found, str):
            self._take(client, found, now)
        elif found is not None:
            self._refuse(client, found)
        elif not data:  # it went before it had said what it wants
            self._drop(client)

    def _take(self, client: _Client, project: str, now: float) -> None:
        """Have a project pulled for, now or when it is its turn."""
        if reason := refuse_project(project, self._terms.roots):
            self._refuse(client, Answer(REFUSED, f"refused: {reason}"))
            return
        # Nothing more is wanted of it.  Its end of input is no sign that it has gone.
        self._selector.unregister(client.connection.fileno())
        client.project = project
        self._begin_next(now)

    def _begin_next(self, now: float) -> None:
        clients = list(self._clients.values())
        free = MAX_PULLS - sum(client.job is not None for client in clients)
        waiting = [c for c in clients if c.project and c.job is None]
        for client in waiting[: max(0, free)]:
            self._begin(client, now)

    def _begin(self, client: _Client, now: float) -> None:
        terms = self._terms
        argv = ("--project", client.project)
        try:
            job = Job(Task.PULL, terms.argv, terms.payload, now, more=argv)
        except OSError as exc:
            reason = f"cannot start a process: {exc.strerror or exc}"
            self._finish(client, Result(error=reason))
            return
        client.job = job
        self._watch(job.fd, partial(self._read_job, client, job))

    def _read_job(self, client: _Client, job: Job, now: float) -> None:
        for warned in job.read(now):
            self._reporter.warned(Task.PULL, warned)
        if job.has_ended:
            self._selector.unregister(job.fd)
            client.job = None
            self._finish(client, job.finish())
            self._begin_next(now)

    def _finish(self, client: _Client, result: Result) -> None:
        if result.reference == ProjectRefused.reference:
            self._refuse(client, Answer(REFUSED, f"refused: {result.error}"))
            return
        line = result.text
        if result.error:
            line = f"pull gave up, the job can go on: {result.error}"
        self._reporter.log("request.finished", f"for {client.project}: {line}")
        self._answer(client, Answer(OK, line))

    def _refuse(self, client: _Client, answer: Answer) -> None:
        message = f"a request on {self._terms.path} was not served: {answer.line}"
        self._reporter.warned(Task.PULL, Warned(Level.WARNING, message))
        self._answer(client, answer)

    def _time_out(self, client: _Client) -> None:
        if not client.project:
            self._drop(client)
            return
        had_turn = client.job is not None
        self._end_job(client)
        why = "it did not end in time" if had_turn else "others were first"
        self._answer(client, Answer(BUSY, f"pull gave up, the job can go on: {why}"))

    def _ends_s(self, client: _Client) -> float:
        if not client.project:
            return client.came_s + READ_S
        return client.came_s + self._terms.deadline_s + GRACE_S

    def _end_job(self, client: _Client) -> None:
        if client.job is not None:
            self._selector.unregister(client.job.fd)
            client.job.end(kills=True)
            client.job = None

    def _answer(self, client: _Client, answer: Answer) -> None:
        """Say one line; it fits into the socket's buffer, or nobody wants it."""
        with suppress(OSError):
            client.connection.send(encode_answer(answer))
            # What is left unread would make of the answer an error.
            client.connection.shutdown(socket.SHUT_WR)
            client.connection.recv(4 * MAX_HEAD_BYTES)
        self._drop(client)

    def _drop(self, client: _Client) -> None:
        fd = client.connection.fileno()
        if not client.project:
            self._selector.unregister(fd)
        del self._clients[fd]
        client.connection.close()

    def _watch(self, fd: int, function: Callable[[float], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, function)
