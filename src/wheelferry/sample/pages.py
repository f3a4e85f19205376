"""What an index says: its pages (PEP 503, 691, 658) and its caching headers.

Pure.
"""

import hashlib
import html
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from wheelferry.sample.packages import Dist

JSON_TYPE = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How much an index tells its clients.

    Attributes:
        page_cache: `Cache-Control` of pages; None for no such header.
        file_cache: `Cache-Control` of files.
        etag: Whether answers carry an ETag, and conditional requests get a 304.
        hashes: Whether pages give the SHA-256 of files.
        json: Whether pages are served as JSON too, with sizes and metadata files.
    """

    page_cache: str | None = None
    file_cache: str | None = None
    etag: bool = True
    hashes: bool = True
    json: bool = False


PYPI = Policy(
    page_cache="max-age=600, public",
    file_cache="max-age=365000000, immutable, public",
    json=True,
)

POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "pypi": PYPI,
        "etag-only": Policy(),
        "no-headers": Policy(etag=False),
        "expired": Policy(page_cache="max-age=0", file_cache="max-age=0"),
        "no-cache": Policy(page_cache="no-cache", file_cache="no-cache"),
        "private": Policy(
            page_cache="private, max-age=3600", file_cache="private, max-age=3600"
        ),
        "no-store": Policy(page_cache="no-store", file_cache="no-store"),
        "no-hashes": Policy(hashes=False),
    }
)
"""Indexes as they are met in the field, by name."""


def render_json(name: str, dists: Iterable[Dist]) -> bytes:
    """Return the page of one package as PEP 691 has it."""
    files = []
    for dist in dists:
        entry: dict[str, object] = {
            "filename": dist.filename,
            "url": f"/files/{dist.filename}",
            "hashes": {"sha256": dist.sha256},
            "size": len(dist.data),
            "upload-time": "2020-01-01T00:00:00Z",
        }
        if dist.is_wheel:
            digest = hashlib.sha256(dist.metadata).hexdigest()
            entry["core-metadata"] = {"sha256": digest}
        files.append(entry)
    page = {"meta": {"api-version": "1.1"}, "name": name, "files": files}
    return json.dumps(page).encode()


def render_html(dists: Iterable[Dist], *, hashes: bool) -> bytes:
    """Return the page of one package as PEP 503 has it."""
    links = []
    for dist in dists:
        fragment = f"#sha256={dist.sha256}" if hashes else ""
        target = html.escape(f"/files/{dist.filename}{fragment}")
        links.append(f'<a href="{target}">{html.escape(dist.filename)}</a><br>')
    return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()
