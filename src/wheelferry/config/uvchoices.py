"""What uv is told that decides whether its cache is of any use to other jobs.

As in `uvsettings`, files of projects are not read.  Only for what is shown: nothing that
a pull or a promotion does follows from it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from wheelferry.config.uvsettings import YES, find_uv_files, load_uv_file


class Choice(NamedTuple):
    """A setting of uv's.

    Attributes:
        value: As it is given; "" if it is not.
        origin: The variable or file that gives it; "" for uv's default.
    """

    value: str
    origin: str


class UvIndex(NamedTuple):
    """An index that uv is told of.

    Attributes:
        url: May have credentials in it.
        origin: The variable or file that names it.
        files: `Cache-Control` that uv is to take in place of the index's own for files;
            "" if it is to follow the index.
    """

    url: str
    origin: str
    files: str = ""


class UvChoices(NamedTuple):
    """What uv is told: how to make environments, whether to cache, and from where."""

    link_mode: Choice
    no_cache: Choice
    indexes: tuple[UvIndex, ...]


_NONE: Final = Choice("", "")


def find_uv_choices(environ: Mapping[str, str]) -> UvChoices:
    """Return what the environment and uv's files for all projects say."""
    files = [(path, load_uv_file(path)) for path in find_uv_files(environ)]
    indexes: dict[str, UvIndex] = {}
    for index in (*_named_in(environ), *_listed_in(files)):
        if index.url.startswith(("http://", "https://")):
            indexes.setdefault(index.url.rstrip("/"), index)
    return UvChoices(
        link_mode=_find("UV_LINK_MODE", "link-mode", environ, files),
        no_cache=_find_no_cache(environ, files),
        indexes=tuple(indexes.values()),
    )


_Files = list[tuple[str, Mapping[str, Any]]]


def _find(variable: str, key: str, environ: Mapping[str, str], files: _Files) -> Choice:
    if value := environ.get(variable):
        return Choice(value, variable)
    for path, found in files:
        if value := found.get(key):
            return Choice(str(value), path)
    return _NONE


def _find_no_cache(environ: Mapping[str, str], files: _Files) -> Choice:
    """Return what has uv use no cache, if anything does."""
    if environ.get("UV_NO_CACHE", "").lower() in YES:
        return Choice("true", "UV_NO_CACHE")
    for path, found in files:
        if "no-cache" in found:
            return Choice("true", path) if found["no-cache"] is True else _NONE
    return _NONE


def _named_in(environ: Mapping[str, str]) -> Iterator[UvIndex]:
    """Yield the indexes of variables; one may be named, as `name=https://...`."""
    for variable in (
        "UV_DEFAULT_INDEX",
        "UV_INDEX_URL",
        "UV_INDEX",
        "UV_EXTRA_INDEX_URL",
    ):
        for word in environ.get(variable, "").split():
            name, _, url = word.partition("=")
            yield UvIndex(word if ":" in name else url, variable)


def _listed_in(files: _Files) -> Iterator[UvIndex]:
    for path, found in files:
        tables = found.get("index", [])
        for table in tables if isinstance(tables, list) else []:
            if isinstance(table, dict) and isinstance(table.get("url"), str):
                control = table.get("cache-control", {})
                own = control.get("files", "") if isinstance(control, dict) else ""
                yield UvIndex(table["url"], path, str(own))
        urls = [found.get("index-url"), *_as_list(found.get("extra-index-url"))]
        yield from (UvIndex(url, path) for url in urls if isinstance(url, str))


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
