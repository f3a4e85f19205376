"""The index of a fleet's benchmark: what it serves, and whom it counts."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.fleet.index import SIMPLE_URL, URL, Counts, open_index, read_counts
from benchmarks.fleet.local import LocalRunner
from tests.support.packages import write_tree
from wheelferry.sample import make_sdist, make_wheel
from wheelferry.sample.pages import JSON_TYPE

WHEEL = make_wheel("a-wheel")
SDIST = make_sdist("a-sdist")


@pytest.fixture
def proxies(tmp_path: Path) -> Iterator[list[str]]:
    """What two clients have set as their proxy."""
    write_tree(tmp_path / "files", {d.filename: d.data for d in (WHEEL, SDIST)})
    with open_index(tmp_path / "files", clients=2) as proxies:
        yield proxies


def _get(proxy: str, url: str, *, accept: str = "") -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}))
    request = urllib.request.Request(url, headers={"Accept": accept})
    with opener.open(request) as answer:
        data: bytes = answer.read()
    return data


def _count(proxy: str) -> Counts:
    runner = LocalRunner(name="a", share="", local="", index_proxy=proxy)
    return read_counts(runner)


def test_index_counts_each_client(proxies: list[str]) -> None:
    """What one asks for is not counted for the other, and asking for counts is not."""
    a, b = proxies

    data = _get(a, f"{URL}/files/{WHEEL.filename}")
    metadata = _get(a, f"{URL}/files/{WHEEL.filename}.metadata")

    assert (data, metadata) == (WHEEL.data, WHEEL.metadata)
    assert _count(a) == _count(a) == Counts(2, len(data) + len(metadata))
    assert _count(b) == Counts(0, 0)


def test_index_has_pages(proxies: list[str]) -> None:
    """Its pages name the files with their digests, and list all packages."""
    page = json.loads(_get(proxies[0], f"{SIMPLE_URL}/a-sdist/", accept=JSON_TYPE))
    root = json.loads(_get(proxies[0], f"{SIMPLE_URL}/", accept=JSON_TYPE))

    assert page["files"][0]["hashes"] == {"sha256": SDIST.sha256}
    assert root["projects"] == [{"name": "a-sdist"}, {"name": "a-wheel"}]
    assert b"a-wheel-1.0" not in _get(proxies[0], f"{SIMPLE_URL}/")
    assert WHEEL.sha256.encode() in _get(proxies[0], f"{SIMPLE_URL}/a-wheel/")


def test_counts_are_split_without_loss() -> None:
    """Even parts of what a proxy asked for add up to it."""
    whole = Counts(7, 100)

    parts = whole.split(3)

    assert parts == [Counts(3, 34), Counts(2, 33), Counts(2, 33)]
    assert parts[0].plus(parts[1]).plus(parts[2]) == whole
    assert whole.since(Counts(1, 10)) == Counts(6, 90)
