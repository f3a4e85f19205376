"""The keys that uv makes of an index's URL, and of a direct one: digests of it in one form.

Pure.  Apart from the digest itself, which a pull needs without a URL: taking URLs apart
takes urllib.
"""

import re
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from wheelferry.uvcache.seahash import cache_digest

# What URL parsers leave as it is in a path, and in a path segment that is set anew.
_PATH_SAFE = "/%:@!$&'()*+,;=~-._[]|^"
_GIT_SUFFIX = r"(?i)([^/])\.git(@[^@]*)?$"
_SEGMENT_SAFE = _PATH_SAFE.replace("/", "").replace("%", "")


def index_keys(url: str) -> frozenset[str]:
    """Return the keys that any known uv makes of an index or a direct URL.

    They are the directories `index/<key>` and `url/<key>`.

    Only uv 0.5.31 to 0.13.8 undo escapes in the path, so a URL with some has two keys.

    Raises ValueError for what is no URL.
    """
    return frozenset(map(cache_digest, (_parse(url), canonical_url(url))))


def canonical_url(url: str) -> str:
    """Return a URL in the form that uv's keys are made of.

    Without credentials, without one slash at the end, without `.git` (also before an
    `@revision`); escapes in the path are undone, as far as they need not be there.
    """
    return _undo_escapes(_parse(url))


def _parse(url: str) -> str:
    """Return a URL as URL parsers write it, without what never counts."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port and not _is_default(parts) else ""
    path = quote(_without_dots(parts.path), safe=_PATH_SAFE).removesuffix("/")
    if host == "github.com":
        path = path.lower()
    path = re.sub(_GIT_SUFFIX, r"\1\2", path) or "/"
    netloc = f"{host}{port}"
    return urlunsplit((parts.scheme, netloc, path, parts.query, parts.fragment))


def _undo_escapes(url: str) -> str:
    parts = urlsplit(url)
    if "%" not in parts.path:
        return url
    path = "/".join(
        quote(unquote(part), safe=_SEGMENT_SAFE) for part in parts.path.split("/")
    )
    return urlunsplit(parts._replace(path=path))


def _without_dots(path: str) -> str:
    """Resolve `.` and `..`, as every URL parser does."""
    kept: list[str] = []
    parts = path.split("/")[1:]
    for number, part in enumerate(parts):
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
        if part in (".", "..") and number == len(parts) - 1:
            kept.append("")
    return "/" + "/".join(kept)


def _is_default(parts: SplitResult) -> bool:
    return parts.port == {"http": 80, "https": 443}.get(parts.scheme.lower())
