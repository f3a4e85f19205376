"""A request to pull for a project, as bytes, and its answer.

HTTP/1.0, as much of it as that takes: whatever a container has (curl, socat, nc) can
speak it.  docs/hooks.md describes it.  Who can reach the socket is anybody, so bounds come
first.

Pure.
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final, NamedTuple

MAX_HEAD_BYTES: Final = 8192
"""Of a request line and its fields."""

MAX_PATH_BYTES: Final = 4096
_MAX_LINE: Final = 500

_FIRST: Final = r"POST /pull HTTP/1\.[01]"
_END: Final = rb"\r?\n\r?\n"


class Status(NamedTuple):
    """How an answer begins."""

    code: int
    phrase: str


OK: Final = Status(200, "OK")
MALFORMED: Final = Status(400, "Bad Request")
REFUSED: Final = Status(403, "Forbidden")
BUSY: Final = Status(503, "Service Unavailable")


class Answer(NamedTuple):
    """What is said to whoever asked: one line."""

    status: Status
    line: str


def parse_request(data: bytes) -> str | Answer | None:
    """Return the project that is asked for, or why not; None if more is to come.

    Args:
        data: All that has come so far, of any length.
    """
    match = re.search(_END, data[: MAX_HEAD_BYTES + 4])
    if match is None:
        if len(data) <= MAX_HEAD_BYTES:
            return None
        return Answer(MALFORMED, f"the request is longer than {MAX_HEAD_BYTES} bytes")
    try:
        first, *fields = re.split(r"\r?\n", data[: match.start()].decode())
    except UnicodeDecodeError:
        return Answer(MALFORMED, "the request is no UTF-8")
    if not re.fullmatch(_FIRST, first):
        return Answer(MALFORMED, "the request does not begin with POST /pull HTTP/1.0")
    for field in fields:
        name, _, value = field.partition(":")
        if name.lower() == "project":
            return value.strip()
    return Answer(MALFORMED, "the request names no project: it has no field Project")


def refuse_project(project: str, roots: Iterable[str]) -> str:
    """Return why a path can be no project that is served, or "".

    No file is looked at: a path that leads to a share that is away would hang.  So links
    are looked at later, where that harms nobody.
    """
    if len(project.encode()) > MAX_PATH_BYTES or not project.isprintable():
        return (
            "the path of the project is too long, or has characters that do not print"
        )
    path = PurePosixPath(project)
    if not path.is_absolute() or ".." in path.parts or project.startswith("//"):
        return f"{project!r} is no absolute path without `..`"
    if not any(path.is_relative_to(root) for root in roots):
        return f"{project!r} is in none of daemon.projects"
    return ""


def encode_answer(answer: Answer) -> bytes:
    """Return the bytes of an answer; its line is the last one."""
    line = " ".join(answer.line.split())[:_MAX_LINE]
    head = (
        f"HTTP/1.0 {answer.status.code} {answer.status.phrase}",
        "Content-Type: text/plain; charset=utf-8",
        "Connection: close",
    )
    return "\r\n".join([*head, "", f"{line}\n"]).encode(errors="replace")
