"""The HTTP of the sample index: connections, conditions, ranges, and the log."""

import hashlib
import re
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TypeAlias, cast
from urllib.parse import urlsplit

_POLL_S = 0.02
"""How often the server looks whether it shall stop."""


class RequestKind(StrEnum):
    """What a request was about, told by its path."""

    PAGE = "page"
    FILE = "file"
    METADATA = "metadata"
    MOUNT = "mount"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, as it was answered.

    Attributes:
        method: `GET` or `HEAD`.
        path: With the query, as the client sent it.
        kind: What it was about.
        status: Of the answer.
        body_bytes: Size of the answer's body; headers are not counted.
        conditional: Whether the client offered an ETag.
    """

    method: str
    path: str
    kind: RequestKind
    status: int
    body_bytes: int
    conditional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent for one path, before conditions and ranges are looked at."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/octet-stream"
    cache_control: str | None = None
    etag: bool = False


Find: TypeAlias = Callable[[str, str], Answer | None]
"""Gives the answer for a path and an `Accept` header; None is a 404."""


class Server(ThreadingTCPServer):
    """A running server; `stop` ends it.

    Args:
        find: Called for each request, from the thread of its connection.
        note: Called with each request before its answer is sent, so that it is known
            before the client can act on the answer.
        address: Where it listens; by default, on a free port of the loopback.
    """

    allow_reuse_address = True
    request_queue_size = 128  # uv opens dozens of connections at once
    daemon_threads = False  # so that server_close() waits for them

    def __init__(
        self,
        find: Find,
        note: Callable[[Request], None],
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self.find = find
        self.note = note
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(_POLL_S,), name="sample-index"
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    def stop(self) -> None:
        """End open connections, and wait for all threads."""
        self.shutdown()
        self._end_connections()
        self.server_close()
        self._thread.join()

    def process_request(self, request: object, client_address: object) -> None:
        """Note the connection before its thread starts, so that none is missed."""
        with self._open_lock:
            self._open.add(cast("socket.socket", request))
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def shutdown_request(self, request: object) -> None:
        """Forget a connection that ended."""
        with self._open_lock:
            self._open.discard(cast("socket.socket", request))
        super().shutdown_request(request)  # type: ignore[arg-type]

    def _end_connections(self) -> None:
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # the client was faster
                    continue

    def handle_error(self, request: object, client_address: object) -> None:
        """Report our own faults only: a client that was killed is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one segment for headers and body

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        del format, args

    def do_GET(self) -> None:
        self._respond(with_body=True)

    def do_HEAD(self) -> None:
        self._respond(with_body=False)

    def _respond(self, *, with_body: bool) -> None:
        server = cast("Server", self.server)
        answer = server.find(self.path, self.headers.get("Accept", ""))
        headers: dict[str, str] = {}
        offered = self.headers.get("If-None-Match")
        if answer is None:
            answer = Answer(status=404)
        else:
            if answer.cache_control is not None:
                headers["Cache-Control"] = answer.cache_control
            headers["Content-Type"] = answer.content_type
            headers["Accept-Ranges"] = "bytes"
            if answer.etag:
                etag = f'"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
                headers["ETag"] = etag
            if offered is not None and offered == headers.get("ETag"):
                answer = Answer(status=304)
            else:
                answer = self._cut(answer, headers)
        body_bytes = len(answer.body) if with_body else 0
        server.note(
            Request(
                method=self.command,
                path=self.path,
                kind=_kind(self.path),
                status=answer.status,
                body_bytes=body_bytes,
                conditional=offered is not None,
            )
        )
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)
        self.wfile.flush()

    def _cut(self, answer: Answer, headers: dict[str, str]) -> Answer:
        """Answer a Range request, which uv makes for the end of a wheel."""
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        size = len(answer.body)
        if match is None or match.groups() == ("", "") or size == 0:
            return answer
        first, last = match.groups()
        if first == "":
            start, stop = max(0, size - int(last)), size
        else:
            start, stop = int(first), min(int(last or size) + 1, size)
        if start >= stop:
            headers["Content-Range"] = f"bytes */{size}"
            return Answer(status=416)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        return replace(answer, status=206, body=answer.body[start:stop])


def _kind(path: str) -> RequestKind:
    path = urlsplit(path).path
    if path.startswith("/simple/"):
        return RequestKind.PAGE
    if path.startswith(("/files/", "/direct/")):
        if path.endswith(".metadata"):
            return RequestKind.METADATA
        return RequestKind.FILE
    return RequestKind.MOUNT
