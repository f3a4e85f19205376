"""A package index on the loopback, that writes down what it was asked for."""

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from wheelferry.sample.packages import Dist, normalize
from wheelferry.sample.pages import (
    JSON_TYPE,
    PYPI,
    Policy,
    render_html,
    render_json,
)
from wheelferry.sample.server import Answer, Request, Server


class Index:
    """A running server; `close`, or the end of a `with` block, stops it.

    Serves `/simple/<name>/`, `/files/<filename>` with `.metadata` beside wheels, the
    same files under `/direct/<filename>`, and directories given to `mount`.  All
    methods may be called while it runs, from any thread.
    """

    def __init__(self, dists: Iterable[Dist] = (), *, policy: Policy = PYPI) -> None:
        self.policy = policy
        self._dists: dict[str, Dist] = {}
        self._unlisted: set[str] = set()
        self._mounts: dict[str, Path] = {}
        self._log: list[Request] = []
        self._lock = threading.Lock()
        self.add(*dists)
        self._server = Server(self._find, self._note)

    @property
    def url(self) -> str:
        """The server's root, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def simple_url(self) -> str:
        """What to give uv as an index."""
        return f"{self.url}/simple"

    def direct_url(self, filename: str) -> str:
        """Return a URL for a direct dependency on a file."""
        return f"{self.url}/direct/{filename}"

    def add(self, *dists: Dist, listed: bool = True) -> None:
        """Serve more files; a name that is there already is replaced.

        Files that are not `listed` are on no page, for direct URLs.
        """
        with self._lock:
            for dist in dists:
                self._dists[dist.filename] = dist
                self._unlisted.discard(dist.filename)
                if not listed:
                    self._unlisted.add(dist.filename)

    def remove(self, filename: str) -> None:
        """Stop serving a file."""
        with self._lock:
            del self._dists[filename]

    def mount(self, name: str, root: Path) -> str:
        """Serve the files of a directory as they are at each request; return its URL.

        A git repository served so can be cloned by the dumb protocol, after
        `git update-server-info`.
        """
        with self._lock:
            self._mounts[name] = root.resolve()
        return f"{self.url}/{name}"

    @property
    def dists(self) -> tuple[Dist, ...]:
        """What it has, by file name."""
        with self._lock:
            return tuple(dist for _, dist in sorted(self._dists.items()))

    @property
    def requests(self) -> tuple[Request, ...]:
        """What was asked so far, in the order of the answers."""
        with self._lock:
            return tuple(self._log)

    @property
    def body_bytes(self) -> int:
        """Sum of the bodies sent so far."""
        return sum(request.body_bytes for request in self.requests)

    def forget_requests(self) -> None:
        """Empty the log."""
        with self._lock:
            self._log.clear()

    def close(self) -> None:
        """Stop, end open connections, and wait for the server's threads."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note(self, request: Request) -> None:
        with self._lock:
            self._log.append(request)

    def _find(self, path: str, accept: str) -> Answer | None:
        parts = unquote(urlsplit(path).path).strip("/").split("/")
        with self._lock:
            if parts[0] == "simple" and len(parts) == 2:
                return self._page(normalize(parts[1]), accept)
            if parts[0] in ("files", "direct") and len(parts) == 2:
                return self._file(parts[1])
            root = self._mounts.get(parts[0])
        return _read_below(root, parts[1:]) if root else None

    def _page(self, name: str, accept: str) -> Answer | None:
        dists = [
            dist
            for filename, dist in sorted(self._dists.items())
            if dist.name == name and filename not in self._unlisted
        ]
        if not dists:
            return None
        if self.policy.json and JSON_TYPE in accept:
            body, content_type = render_json(name, dists), JSON_TYPE
        else:
            body = render_html(dists, hashes=self.policy.hashes)
            content_type = "text/html"
        return Answer(
            body=body,
            content_type=content_type,
            cache_control=self.policy.page_cache,
            etag=self.policy.etag,
        )

    def _file(self, filename: str) -> Answer | None:
        dist = self._dists.get(filename.removesuffix(".metadata"))
        if dist is None:
            return None
        if filename == dist.filename:
            body = dist.data
        elif self.policy.json and dist.is_wheel:
            body = dist.metadata
        else:
            return None
        return Answer(
            body=body, cache_control=self.policy.file_cache, etag=self.policy.etag
        )


def _read_below(root: Path, parts: list[str]) -> Answer | None:
    path = root.joinpath(*parts).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        return None
    return Answer(body=path.read_bytes())
