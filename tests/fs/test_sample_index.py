"""The sample index: does it say what it was asked, and no more?"""

import hashlib
import http.client
import json
import threading
from urllib.parse import urlsplit

import pytest

from wheelferry.sample import POLICIES, Index, RequestKind, make_sdist, make_wheel
from wheelferry.sample.pages import JSON_TYPE

WHEEL = make_wheel("a-b")
SDIST = make_sdist("a-b", "2.0")


def get(
    index: Index, path: str, *, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """Ask once, on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(index.url).netloc, timeout=10)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=names)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_index_logs_each_request_with_its_bytes():
    """The log has one line per request: what, status, size of the body."""
    with Index([WHEEL, SDIST]) as index:
        get(index, f"/files/{WHEEL.filename}")
        get(index, f"/files/{WHEEL.filename}.metadata")
        get(index, "/simple/a-b/")
        get(index, "/simple/none/")
        get(index, f"/files/{WHEEL.filename}", method="HEAD")
        log = index.requests
        total = index.body_bytes
        index.forget_requests()
        assert index.requests == ()
    assert [(r.kind, r.status) for r in log] == [
        (RequestKind.FILE, 200),
        (RequestKind.METADATA, 200),
        (RequestKind.PAGE, 200),
        (RequestKind.PAGE, 404),
        (RequestKind.FILE, 200),
    ]
    sizes = [r.body_bytes for r in log]
    assert sizes[0] == len(WHEEL.data)
    assert sizes[1] == len(WHEEL.metadata)
    assert sizes[3:] == [0, 0]
    assert total == sum(sizes)


def test_index_logs_every_request_of_one_connection():
    """Requests that share a connection are counted one by one."""
    with Index([WHEEL]) as index:
        connection = http.client.HTTPConnection(urlsplit(index.url).netloc, timeout=10)
        for _ in range(3):
            connection.request("GET", "/simple/a-b/")
            connection.getresponse().read()
        assert len(index.requests) == 3
        connection.close()


def test_index_lists_files_in_both_forms():
    """JSON has sizes and metadata files, HTML has digests in the fragment."""
    with Index([WHEEL, SDIST]) as index:
        _, body = get(index, "/simple/A.B/", Accept=JSON_TYPE)
        files = {f["filename"]: f for f in json.loads(body)["files"]}
        _, page = get(index, "/simple/a-b/", Accept="text/html")
    assert files.keys() == {WHEEL.filename, SDIST.filename}
    assert files[WHEEL.filename]["size"] == len(WHEEL.data)
    assert files[WHEEL.filename]["hashes"] == {
        "sha256": hashlib.sha256(WHEEL.data).hexdigest()
    }
    assert "core-metadata" not in files[SDIST.filename]
    assert f"{SDIST.filename}#sha256={SDIST.sha256}" in page.decode()


def test_index_serves_unlisted_files_only_directly():
    """A file for a direct URL is on no page."""
    with Index([WHEEL]) as index:
        index.add(SDIST, listed=False)
        _, page = get(index, "/simple/a-b/")
        path = urlsplit(index.direct_url(SDIST.filename)).path
        _, data = get(index, f"{path}?token=secret")
    assert SDIST.filename not in page.decode()
    assert data == SDIST.data


def test_index_forgets_removed_files():
    """A file that was removed is neither listed nor served."""
    with Index([WHEEL, SDIST]) as index:
        index.remove(SDIST.filename)
        _, page = get(index, "/simple/a-b/")
        response, _ = get(index, f"/files/{SDIST.filename}")
    assert SDIST.filename not in page.decode()
    assert response.status == 404


@pytest.mark.parametrize("name", POLICIES)
def test_index_policy_decides_the_headers(name):
    """Each policy sends the caching headers that it names."""
    policy = POLICIES[name]
    with Index([WHEEL], policy=policy) as index:
        response, page = get(index, "/simple/a-b/")
        file_response, _ = get(index, f"/files/{WHEEL.filename}")
    assert response.headers["Cache-Control"] == policy.page_cache
    assert file_response.headers["Cache-Control"] == policy.file_cache
    assert ("ETag" in response.headers) is policy.etag
    assert ("#sha256=" in page.decode()) is policy.hashes


def test_index_answers_304_to_a_known_etag():
    """A conditional request costs no body, and is logged as conditional."""
    path = f"/files/{WHEEL.filename}"
    with Index([WHEEL]) as index:
        first, _ = get(index, path)
        second, body = get(index, path, If_None_Match=first.headers["ETag"])
        third, _ = get(index, path, If_None_Match='"other"')
        log = index.requests
    assert (second.status, body, third.status) == (304, b"", 200)
    assert [r.conditional for r in log] == [False, True, True]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bytes=0-9", WHEEL.data[:10]),
        ("bytes=-7", WHEEL.data[-7:]),
        ("bytes=5-", WHEEL.data[5:]),
    ],
)
def test_index_serves_ranges(wanted, expected):
    """Parts of a file are served, as uv asks for the end of a wheel."""
    with Index([WHEEL]) as index:
        response, body = get(index, f"/files/{WHEEL.filename}", Range=wanted)
        (request,) = index.requests
    assert (response.status, body) == (206, expected)
    assert request.body_bytes == len(expected)


def test_index_refuses_a_range_beyond_the_end():
    """A range that starts after the file is a 416."""
    with Index([WHEEL]) as index:
        response, _ = get(index, f"/files/{WHEEL.filename}", Range="bytes=999999-")
    assert response.status == 416


def test_index_mount_stays_in_its_directory(tmp_path):
    """Files of a mounted directory are served, those beside it are not."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/file").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    with Index() as index:
        assert index.mount("git", tmp_path / "in") == f"{index.url}/git"
        _, body = get(index, "/git/file")
        outside, _ = get(index, "/git/%2e%2e/secret")
        (first, _) = index.requests
    assert (body, outside.status) == (b"inside", 404)
    assert first.kind is RequestKind.MOUNT


def test_index_closes_with_a_connection_open():
    """Closing ends idle connections, and leaves no thread."""
    before = threading.active_count()
    index = Index([WHEEL])
    connection = http.client.HTTPConnection(urlsplit(index.url).netloc, timeout=10)
    connection.request("GET", "/simple/a-b/")
    connection.getresponse().read()
    assert threading.active_count() > before
    index.close()
    assert threading.active_count() == before
    connection.close()
