"""The sample packages: are they what an index would have?"""

import base64
import csv
import hashlib
import io
import tarfile
import tomllib
import zipfile

import pytest

from wheelferry.sample import make_sdist, make_wheel, render_pyproject
from wheelferry.sample.packages import normalize


@pytest.mark.parametrize("make", [make_wheel, make_sdist])
def test_dist_has_equal_bytes_for_equal_arguments(make):
    """Two runs of the tests make the same files, so locks can be kept."""
    assert make("a", "1.0").data == make("a", "1.0").data
    assert make("a", "1.0").data != make("a", "1.1").data


def test_wheel_record_names_every_member_with_its_digest():
    """RECORD has each file with digest and size, and itself without."""
    wheel = make_wheel("Some.Name", files={"some_name/x.py": b"x = 1\n", "y.so": b"\1"})
    assert wheel.filename == "some_name-1.0-py3-none-any.whl"
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        modes = {i.filename: i.external_attr >> 16 & 0o777 for i in archive.infolist()}
    record = members["some_name-1.0.dist-info/RECORD"].decode()
    rows = {path: rest for path, *rest in csv.reader(io.StringIO(record))}
    assert rows.keys() == members.keys()
    for path, (digest, size) in rows.items():
        if path.endswith("/RECORD"):
            assert (digest, size) == ("", "")
            continue
        raw = hashlib.sha256(members[path]).digest()
        expected = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        assert (digest, size) == (f"sha256={expected}", str(len(members[path])))
    assert (modes["y.so"], modes["some_name/x.py"]) == (0o755, 0o644)


def test_sdist_has_no_time_in_it():
    """The gzip header of an sdist names no moment (bytes 4 to 8)."""
    assert make_sdist("a").data[4:8] == bytes(4)


def test_sdist_carries_the_backend_that_builds_it():
    """An sdist needs no build dependency; an extension brings its C source."""
    sdist = make_sdist("a", extension=True)
    with tarfile.open(fileobj=io.BytesIO(sdist.data)) as archive:
        names = set(archive.getnames())
        member = archive.extractfile("a-1.0/pyproject.toml")
        assert member is not None
        pyproject = tomllib.loads(member.read().decode())
    assert {"a-1.0/_build/backend.py", "a-1.0/extension.c"} <= names
    assert pyproject["build-system"]["requires"] == []
    assert pyproject["project"]["version"] == "1.0"


def test_dynamic_sdist_tells_nothing_before_it_is_built():
    """Neither PKG-INFO nor pyproject.toml of a dynamic sdist can be trusted."""
    sdist = make_sdist("a", dynamic=True)
    assert b"Metadata-Version: 2.1" in sdist.metadata
    with tarfile.open(fileobj=io.BytesIO(sdist.data)) as archive:
        member = archive.extractfile("a-1.0/pyproject.toml")
        assert member is not None
        assert "project" not in tomllib.loads(member.read().decode())


def test_pyproject_has_one_index_and_the_sources():
    """The rendered project asks the given index only, and direct sources by URL."""
    text = render_pyproject(
        requirements=["a==1", "b"],
        index_url="http://127.0.0.1:1/simple",
        sources={"b": 'url = "http://127.0.0.1:1/b.whl"'},
        settings='link-mode = "copy"',
    )
    project = tomllib.loads(text)
    assert project["project"]["dependencies"] == ["a==1", "b"]
    uv = project["tool"]["uv"]
    assert uv["index"] == [{"url": "http://127.0.0.1:1/simple", "default": True}]
    assert uv["sources"] == {"b": {"url": "http://127.0.0.1:1/b.whl"}}
    assert (uv["package"], uv["link-mode"]) == (False, "copy")


def test_normalize_follows_the_index_rule():
    """Runs of dots, dashes and underscores are one dash."""
    assert normalize("A._-b") == "a-b"
