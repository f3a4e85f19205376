"""Where the daemon is asked, by jobs in containers, to pull for their projects.

What is asked for is done by a process that is ended in time; how many there are is bounded.
"""

import selectors
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from wheelferry.daemon.http1 import BUSY, OK, REFUSED, Answer, encode_answer
from wheelferry.daemon.jobs import Job, Result, Warned
from wheelferry.daemon.listener import listen_on_path
from wheelferry.daemon.report import Reporter
from wheelferry.daemon.request import parse_request, refuse_project
from wheelferry.daemon.schedule import Task
from wheelferry.daemon.server import Client, Place, Server
from wheelferry.disk import Disk
from wheelferry.errors import ProjectRefused
from wheelferry.events import Level

SOCKET: Final = "socket"

MAX_PULLS: Final = 4
"""How many requests are worked on at one time; the others wait for their turn."""

GRACE_S: Final = 3.0
"""After the deadline of a pull, when a process that has not ended is ended."""


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


class _Request:
    """What a client waits for."""

    def __init__(self, project: str) -> None:
        self.project = project
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
        self._requests: dict[Client, _Request] = {}
        """In the order in which they came."""
        self._server: Server[str | Answer] = Server(
            Place(
                name=SOCKET,
                address=str(terms.path),
                listen=partial(listen_on_path, terms.path, disk=disk),
                hint=_hint,
            ),
            parse=parse_request,
            take=self._take,
            busy=encode_answer(Answer(BUSY, "too many ask at once; the job goes on")),
            selector=selector,
            reporter=reporter,
        )

    def step(self, now: float) -> None:
        """Do what is due."""
        self._server.step(now)
        for client in list(self._requests):
            if now >= self._ends_s(client):
                self._time_out(client)
        self._begin_next(now)

    def next_s(self) -> float:
        """Return when `step` is to be called again."""
        return min([self._server.next_s(), *map(self._ends_s, self._requests)])

    def close(self) -> None:
        """Listen no longer; what is being pulled is ended, and what is complete stays."""
        self._server.close()
        for request in self._requests.values():
            if request.job is not None:
                request.job.interrupt()
        for client, request in list(self._requests.items()):
            self._end_job(request)
            self._answer(client, Answer(BUSY, "the daemon stops; the job goes on"))

    def _take(self, client: Client, asked: str | Answer, now: float) -> None:
        """Have a project pulled for, now or when it is its turn."""
        if isinstance(asked, Answer):
            self._refuse(client, asked)
        elif reason := refuse_project(asked, self._terms.roots):
            self._refuse(client, Answer(REFUSED, f"refused: {reason}"))
        else:
            self._requests[client] = _Request(asked)
            self._begin_next(now)

    def _begin_next(self, now: float) -> None:
        requests = list(self._requests.items())
        free = MAX_PULLS - sum(request.job is not None for _, request in requests)
        waiting = [(client, found) for client, found in requests if found.job is None]
        for client, request in waiting[: max(0, free)]:
            self._begin(client, request, now)

    def _begin(self, client: Client, request: _Request, now: float) -> None:
        terms = self._terms
        argv = ("--project", request.project)
        try:
            job = Job(Task.PULL, terms.argv, terms.payload, now, more=argv)
        except OSError as exc:
            reason = f"cannot start a process: {exc.strerror or exc}"
            self._finish(client, request, Result(error=reason))
            return
        request.job = job
        read = partial(self._read_job, client, request, job)
        self._selector.register(job.fd, selectors.EVENT_READ, read)

    def _read_job(
        self, client: Client, request: _Request, job: Job, now: float
    ) -> None:
        for warned in job.read(now):
            self._reporter.warned(Task.PULL, warned)
        if job.has_ended:
            self._selector.unregister(job.fd)
            request.job = None
            self._finish(client, request, job.finish())
            self._begin_next(now)

    def _finish(self, client: Client, request: _Request, result: Result) -> None:
        if result.reference == ProjectRefused.reference:
            self._refuse(client, Answer(REFUSED, f"refused: {result.error}"))
            return
        line = result.text
        if result.error:
            line = f"pull gave up, the job can go on: {result.error}"
        self._reporter.carried(Task.PULL, result)
        self._reporter.log("request.finished", f"for {request.project}: {line}")
        self._answer(client, Answer(OK, line))

    def _refuse(self, client: Client, answer: Answer) -> None:
        message = f"a request on {self._terms.path} was not served: {answer.line}"
        self._reporter.warned(Task.PULL, Warned(Level.WARNING, message))
        self._answer(client, answer)

    def _time_out(self, client: Client) -> None:
        request = self._requests[client]
        had_turn = request.job is not None
        self._end_job(request)
        why = "it did not end in time" if had_turn else "others were first"
        self._answer(client, Answer(BUSY, f"pull gave up, the job can go on: {why}"))

    def _ends_s(self, client: Client) -> float:
        """Return when a client is answered at the latest.

        Only a pull that has begun may take the grace: none is begun to be ended at once.
        """
        begun = self._requests[client].job is not None
        return client.came_s + self._terms.deadline_s + (GRACE_S if begun else 0.0)

    def _end_job(self, request: _Request) -> None:
        if request.job is not None:
            self._selector.unregister(request.job.fd)
            request.job.end(kills=True)
            request.job = None

    def _answer(self, client: Client, answer: Answer) -> None:
        self._requests.pop(client, None)
        self._server.answer(client, encode_answer(answer))


def _hint(error: OSError) -> str:
    del error
    return "its directory must be there, and writable for this user"
