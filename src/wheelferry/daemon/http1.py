"""As much of HTTP/1 as the daemon's sockets take: one request, one answer, the end.

Whatever runs in a container or scrapes a machine can speak it.  Who connects is anybody,
so bounds come first.

Pure.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

MAX_HEAD_BYTES: Final = 8192
"""Of a request line and its fields."""

PLAIN: Final = "text/plain; charset=utf-8"

_MAX_LINE: Final = 500
_FIRST: Final = r"([A-Z]+) (\S+) HTTP/1\.[01]"
_END: Final = rb"\r?\n\r?\n"


class Status(NamedTuple):
    """How an answer begins."""

    code: int
    phrase: str


OK: Final = Status(200, "OK")
MALFORMED: Final = Status(400, "Bad Request")
REFUSED: Final = Status(403, "Forbidden")
ABSENT: Final = Status(404, "Not Found")
BUSY: Final = Status(503, "Service Unavailable")


class Answer(NamedTuple):
    """What is said to whoever asked: one line."""

    status: Status
    line: str


class Head(NamedTuple):
    """What is asked for; the names of fields are in lower case."""

    method: str
    target: str
    fields: Mapping[str, str]


def parse_head(data: bytes) -> Head | Answer | None:
    """Return the head of a request, or why it is none; None if more is to come.

    Args:
        data: All that has come so far, of any length.
    """
    match = re.search(_END, data[: MAX_HEAD_BYTES + 4])
    if match is None:
        if len(data) <= MAX_HEAD_BYTES:
            return None
        return Answer(MALFORMED, f"the request is longer than {MAX_HEAD_BYTES} bytes")
    try:
        first, *lines = re.split(r"\r?\n", data[: match.start()].decode())
    except UnicodeDecodeError:
        return Answer(MALFORMED, "the request is no UTF-8")
    if not (words := re.fullmatch(_FIRST, first)):
        return Answer(MALFORMED, "the request is none of HTTP/1.0 or HTTP/1.1")
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name.lower(), value.strip())
    return Head(words[1], words[2], fields)


def encode_answer(answer: Answer) -> bytes:
    """Return the bytes of an answer; its line is the last one."""
    line = " ".join(answer.line.split())[:_MAX_LINE]
    return encode_text(answer.status, f"{line}\n", kind=PLAIN)


def encode_text(status: Status, text: str, *, kind: str) -> bytes:
    """Return the bytes of an answer with a text of that kind (its Content-Type)."""
    body = text.encode(errors="replace")
    head = (
        f"HTTP/1.0 {status.code} {status.phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join([*head, "", ""]).encode() + body
