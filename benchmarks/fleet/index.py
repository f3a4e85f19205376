"""A package index that knows who asks: `python -m benchmarks.fleet.index ADDRESS FOLDER PORT...`.

Serves the wheels and sdists of a folder at `http://index.benchmark`, with the headers of a
large public index.  No such host exists: each client has `HTTP_PROXY` set to a port of
its own, where this index answers by itself.  So locks, and what uv caches, hold the same
URLs wherever the index runs; and all is counted by client, however many ask at once.

Once it serves, it writes `ready` and its ports; port 0 stands for any free one.  On each
port, `/counts` gives what was asked there so far.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks.fleet.place import Runner
from tests.nfs.report.inputs import find_dists, read_dist
from wheelferry.sample import PYPI
from wheelferry.sample.pages import JSON_TYPE, render_html, render_json
from wheelferry.sample.server import Answer, Find, Request, Server

URL = "http://index.benchmark"
SIMPLE_URL = f"{URL}/simple"

_ROOT = Path(__file__).parents[2]
_COUNTS = "/counts"


class Counts(NamedTuple):
    """What a client asked for: how often, and bytes of the answers' bodies."""

    requests: int
    body_bytes: int

    def since(self, earlier: "Counts") -> "Counts":
        """Return what was asked after `earlier`."""
        requests, body_bytes = earlier
        return Counts(self.requests - requests, self.body_bytes - body_bytes)

    def plus(self, other: "Counts") -> "Counts":
        """Return both together."""
        requests, body_bytes = other
        return Counts(self.requests + requests, self.body_bytes + body_bytes)

    def split(self, parts: int) -> "list[Counts]":
        """Return so many even parts; the first ones have what is left over."""
        return [
            Counts(*(value // parts + (part < value % parts) for value in self))
            for part in range(parts)
        ]


@dataclass(frozen=True, slots=True)
class _Page:
    json: bytes
    html: bytes

    def answer(self, accept: str) -> Answer:
        is_json = JSON_TYPE in accept
        return Answer(
            body=self.json if is_json else self.html,
            content_type=JSON_TYPE if is_json else "text/html",
            cache_control=PYPI.page_cache,
            etag=True,
        )


def make_find(folder: Path) -> Find:
    """Return what answers a path; the files stay on the disk until they are asked for."""
    pages: dict[str, _Page] = {}
    metadata: dict[str, bytes] = {}
    by_name = sorted(map(read_dist, find_dists(folder)), key=lambda dist: dist.name)
    for name, group in groupby(by_name, key=lambda dist: dist.name):
        dists = list(group)
        pages[name] = _Page(
            json=render_json(name, dists), html=render_html(dists, hashes=True)
        )
        metadata |= {f"{d.filename}.metadata": d.metadata for d in dists if d.is_wheel}
    pages[""] = _render_root(sorted(pages))
    files = {path.name: path for path in find_dists(folder)}

    def find(path: str, accept: str) -> Answer | None:
        kind, _, name = path.strip("/").partition("/")
        if kind == "simple" and name in pages:
            return pages[name].answer(accept)
        if kind == "files" and name in metadata:
            return Answer(body=metadata[name], cache_control=PYPI.file_cache)
        if kind == "files" and name in files:
            body = files[name].read_bytes()
            return Answer(body=body, cache_control=PYPI.file_cache)
        return None

    return find


def _render_root(names: Sequence[str]) -> _Page:
    """Return the page that lists all packages: proxies ask for it."""
    projects = [{"name": name} for name in names]
    links = "".join(f'<a href="/simple/{name}/">{name}</a>' for name in names)
    return _Page(
        json=json.dumps(
            {"meta": {"api-version": "1.0"}, "projects": projects}
        ).encode(),
        html=f"<!DOCTYPE html><html><body>{links}</body></html>".encode(),
    )


class _Client:
    """Who asks at one port."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._counts = Counts(0, 0)
        self._lock = threading.Lock()

    def find(self, path: str, accept: str) -> Answer | None:
        """Answer a path, or the whole URL that a proxy is asked for."""
        path = urlsplit(path).path
        if path == _COUNTS:
            return Answer(body=json.dumps(self._counts).encode())
        return self._find(path, accept)

    def note(self, request: Request) -> None:
        """Count a request."""
        if urlsplit(request.path).path == _COUNTS:
            return
        with self._lock:
            requests, body_bytes = self._counts
            self._counts = Counts(requests + 1, body_bytes + request.body_bytes)


def serve(address: str, folder: Path, ports: Sequence[int]) -> list[Server]:
    """Serve a folder on these ports, until each of the servers is stopped."""
    find = make_find(folder)
    clients = [_Client(find) for _ in ports]
    return [
        Server(client.find, client.note, (address, port))
        for client, port in zip(clients, ports, strict=True)
    ]


@contextmanager
def open_index(folder: Path, *, clients: int) -> Iterator[list[str]]:
    """Run the index on the loopback, in a process; yield a URL for each client."""
    ports = ["0"] * clients
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, "127.0.0.1", str(folder), *ports],
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            said = process.stdout.readline().split()
            assert said[:1] == ["ready"], f"the index of {folder} does not start"
            yield [f"http://127.0.0.1:{port}" for port in said[1:]]
        finally:
            process.terminate()
            process.wait()


def read_counts(runner: Runner) -> Counts:
    """Return what a runner has asked for so far."""
    host, port = (
        urlsplit(runner.index_proxy).hostname,
        urlsplit(runner.index_proxy).port,
    )
    said = runner.shell(
        f"exec bash -c 'exec 3<>/dev/tcp/{host}/{port};"
        f' printf "GET {_COUNTS} HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3\''
    )
    return Counts(*json.loads(said.rpartition("\n")[2]))


if __name__ == "__main__":
    _address, _folder, *_ports = sys.argv[1:]
    _servers = serve(_address, Path(_folder), [int(port) for port in _ports])
    print("ready", *(server.port for server in _servers), flush=True)
