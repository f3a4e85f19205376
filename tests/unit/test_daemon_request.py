"""A request on the daemon's socket, and its answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.daemon.http1 import (
    BUSY,
    MALFORMED,
    MAX_HEAD_BYTES,
    OK,
    Answer,
    encode_answer,
)
from wheelferry.daemon.request import parse_request, refuse_project

ROOTS = ("/srv/ci/builds", "/home/ci/b")


def head(*lines: str, end: str = "\r\n") -> bytes:
    return end.join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    "data",
    [
        head("POST /pull HTTP/1.0", "Project: /srv/p"),
        head("POST /pull HTTP/1.0", "Project: /srv/p", end="\n"),
        head("POST /pull HTTP/1.1", "Host: x", "Accept: */*", "project:/srv/p "),
        head("POST /pull HTTP/1.0", "Project: /srv/p") + b"more",
    ],
)
def test_request_names_a_project(data: bytes) -> None:
    """As curl writes it, and as printf does; what follows the head is of no interest."""
    assert parse_request(data) == "/srv/p"
    for size in range(data.index(b"/srv/p")):
        assert parse_request(data[:size]) is None


@pytest.mark.parametrize(
    "data",
    [
        head("GET /pull HTTP/1.0", "Project: /srv/p"),
        head("POST /push HTTP/1.0", "Project: /srv/p"),
        head("POST /pull", "Project: /srv/p"),
        head("POST /pull HTTP/1.0", "Host: x"),
        head("POST /pull HTTP/1.0\rProject: /srv/p"),
        head("", "Project: /srv/p"),
        b"\n\n",
        b"POST /pull HTTP/1.0\r\nProject: /\xff\r\n\r\n",
    ],
)
def test_anything_else_is_malformed(data: bytes) -> None:
    """It is answered, and not guessed at."""
    found = parse_request(data)
    assert isinstance(found, Answer)
    assert found.status is MALFORMED


@pytest.mark.parametrize("byte", [b"a", b"\0", b"\n", b"\xff"])
def test_request_that_does_not_end_is_malformed(byte: bytes) -> None:
    """Once it is longer than any that is meant; until then more is waited for."""
    start = b"POST /pull HTTP/1.0\r\nX: "
    found = parse_request(start + byte * MAX_HEAD_BYTES)
    assert isinstance(found, Answer)
    assert found.status is MALFORMED
    if byte != b"\n":
        assert parse_request(start + byte * 100) is None


@given(st.binary(max_size=300))
def test_no_request_is_an_error_of_ours(data: bytes) -> None:
    """Whatever comes has an answer, or needs more."""
    found = parse_request(data)
    assert found is None or isinstance(found, str | Answer)


@pytest.mark.parametrize(
    "project", ["/srv/ci/builds", "/srv/ci/builds/g/p", "/home/ci/b/größe x"]
)
def test_project_below_a_root_is_served(project: str) -> None:
    """The root itself, and what is in it."""
    assert refuse_project(project, ROOTS) == ""


@pytest.mark.parametrize(
    "project",
    [
        "/",
        "/srv/ci",
        "/srv/ci/buildsx",
        "/srv/ci/builds/../secret",
        "/srv/ci/builds/p/..",
        "//srv/ci/builds/p",
        "srv/ci/builds",
        "",
        "/srv/ci/builds/a\nb",
        "/srv/ci/builds/a\x1b[31m",
        "/srv/ci/builds/" + "x" * 4096,
    ],
)
def test_project_outside_is_refused(project: str) -> None:
    """By its name alone: no file is looked at."""
    assert refuse_project(project, ROOTS)
    assert refuse_project("/srv/ci/builds/p", ()) != ""


def test_answer_is_one_line() -> None:
    """Whatever is said, the last line is all of it, and not too long."""
    data = encode_answer(Answer(OK, "pulled\r\n\n2  of 2\n\ud800"))
    assert data.endswith(b"\r\n\r\npulled 2 of 2 ?\n")
    assert data.startswith(b"HTTP/1.0 200 OK\r\n")
    assert len(encode_answer(Answer(BUSY, "x" * 10_000))) < 1000
