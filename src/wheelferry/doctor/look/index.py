"""Ask an index for the headers of a file, as a job would.

Links are followed from the index to the page of a package, and from there to a file; of
that nothing is read but its headers.  URLs may have credentials in them, which go to the
index's own host only, and into no message.
"""

import base64
import html
import re
from http.client import HTTPException, HTTPResponse
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from wheelferry import __version__
from wheelferry.disk.clock import Deadline
from wheelferry.doctor.checks.index import IndexFacts
from wheelferry.doctor.setup import IndexSetup, Setup

TIMEOUT_S: Final = 5.0
"""For one index; each step has at most what is left of it."""

_MOST_INDEXES: Final = 4
_PAGE_BYTES: Final = 256 << 10
"""Of a page, that much is enough: the list of all packages of an index can be large."""

_MOST_PAGES: Final = 4
_LINK: Final = re.compile(r"<a\s[^>]*?href\s*=\s*[\"']([^\"']+)", re.IGNORECASE)
_FILE: Final = re.compile(r"\.(whl|tar\.gz|zip)$")


class _NotFound(Exception):
    """There is no file to ask for; in words."""


def look_at_indexes(setup: Setup) -> tuple[IndexFacts, ...]:
    """Return what each index says of its files."""
    return tuple(_look_at_index(index) for index in setup.indexes[:_MOST_INDEXES])


def hide_credentials(url: str) -> str:
    """Return a URL without user, password, query and fragment."""
    return urlunsplit(urlsplit(_without_user(url))._replace(query="", fragment=""))


def _look_at_index(index: IndexSetup) -> IndexFacts:
    deadline = Deadline.after(TIMEOUT_S)
    found, trouble = None, ""
    try:
        found = _ask(index.url, deadline)
    except _NotFound as exc:
        trouble = str(exc)
    except HTTPError as exc:
        exc.close()
        trouble = f"it answered {exc.code} {exc.reason}"
    except URLError as exc:
        trouble = getattr(exc.reason, "strerror", None) or str(exc.reason)
    except (OSError, HTTPException, ValueError) as exc:
        # Not in the words of the exception, which may have the URL in them.
        trouble = getattr(exc, "strerror", None) or type(exc).__name__
    return IndexFacts(
        url=hide_credentials(index.url),
        origin=index.origin,
        override=index.override,
        cache_control=found,
        trouble=trouble,
    )


def _ask(url: str, deadline: Deadline) -> str:
    """Return `Cache-Control` of a file; "" if it has none."""
    visit = _Visit(url, deadline)
    pages = [f"{url.rstrip('/')}/"]
    for number in range(_MOST_PAGES):
        if number == len(pages):
            break
        try:
            links = visit.read_links(pages[number])
        except HTTPError as exc:
            if number == 0:
                raise
            exc.close()  # a list may have names of packages that are gone
            continue
        files = [link for link in links if _FILE.search(urlsplit(link).path)]
        if files:
            return visit.read_cache_control(files[0])
        pages += [link for link in links if visit.has(link) and link not in pages]
    raise _NotFound("there is no link to a file on its first pages")


class _Visit:
    """Requests to one index; proxies are those of the environment, as for uv.

    Args:
        url: Of the index, with credentials if it needs any.
        deadline: For each step.
    """

    def __init__(self, url: str, deadline: Deadline) -> None:
        self._deadline = deadline
        self._root = f"{hide_credentials(url).rstrip('/')}/"
        self._host = urlsplit(self._root).netloc
        self._authorization = _find_authorization(url)

    def has(self, link: str) -> bool:
        """Return whether a link leads to a page of this index."""
        return link.startswith(self._root) and link != self._root

    def read_links(self, page: str) -> list[str]:
        """Return where the links at the beginning of a page lead."""
        data = b""
        with self._open(page) as answer:
            base = answer.url
            while len(data) < _PAGE_BYTES and (block := answer.read1(_PAGE_BYTES)):
                data += block
                if self._deadline.is_past():
                    break
        links = map(html.unescape, _LINK.findall(data.decode("utf-8", "replace")))
        targets = (urldefrag(urljoin(base, link)).url for link in links)
        return [link for link in targets if link.startswith(("http://", "https://"))]

    def read_cache_control(self, file: str) -> str:
        """Return that header of a file, whose bytes are left unread."""
        with self._open(file) as answer:
            return ", ".join(answer.headers.get_all("Cache-Control") or ())

    def _open(self, url: str) -> HTTPResponse:
        request = Request(  # noqa: S310 - http and https only
            _without_user(url),
            headers={"Accept": "text/html", "User-Agent": f"wheelferry/{__version__}"},
        )
        if self._authorization and urlsplit(request.full_url).netloc == self._host:
            # Not to be sent to where a redirection leads.
            request.add_unredirected_header("Authorization", self._authorization)
        if self._deadline.is_past():
            raise TimeoutError
        left_s = self._deadline.remaining_s()
        answer: HTTPResponse = urlopen(request, timeout=left_s)  # noqa: S310
        return answer


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _find_authorization(url: str) -> str:
    parts = urlsplit(url)
    if parts.username is None:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
