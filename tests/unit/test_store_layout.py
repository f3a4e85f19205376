"""Names in a store, made and read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.records import digest_of
from wheelferry.errors import ConfigError, RecordMalformed
from wheelferry.store import layout
from wheelferry.store.record import Digest, SegmentId

DIGEST = digest_of("an object")


def test_object_path_and_its_name_belong_together():
    """The path of an object ends in a name that reads back as its digest."""
    prefix, name = layout.object_path(DIGEST).split("/")[1:]

    assert layout.parse_object_name(prefix, name) == DIGEST


def test_segment_path_and_its_name_belong_together():
    """The path of a segment ends in a name that reads back as its id."""
    segment = SegmentId(DIGEST)
    path = layout.segment_path(segment)

    assert layout.parse_segment_name(path.split("/")[1]) == segment


@pytest.mark.parametrize(
    "name",
    [
        "",
        DIGEST[:-1],
        DIGEST + "0",
        DIGEST.upper(),
        DIGEST + "\n",
        DIGEST + ".tmp",
        ".nfs000000000000000100000002",
        "x" * 64,
    ],
)
def test_parse_object_name_refuses_what_is_no_digest(name):
    """Names that are not 64 lower-case hex digits are not objects."""
    assert layout.parse_object_name(DIGEST[:2], name) is None


def test_parse_object_name_refuses_an_object_in_the_wrong_directory():
    """An object is only found in the directory of its first two digits."""
    other = "00" if DIGEST[:2] != "00" else "01"

    assert layout.parse_object_name(other, DIGEST) is None


@pytest.mark.parametrize("name", [DIGEST, DIGEST + ".seg.tmp", ".seg", "x.seg"])
def test_parse_segment_name_refuses_foreign_names(name):
    """Only 64 hex digits and `.seg` are a segment."""
    assert layout.parse_segment_name(name) is None


@pytest.mark.parametrize("digest", ["../../etc/passwd", "ab", ""])
def test_object_path_refuses_what_is_no_digest(digest):
    """A digest that came from elsewhere cannot lead out of `objects/`."""
    with pytest.raises(RecordMalformed):
        layout.object_path(Digest(digest))
    with pytest.raises(RecordMalformed):
        layout.segment_path(SegmentId(digest))


@given(st.text())
def test_sanitise_runner_gives_a_runner_name_or_refuses(text):
    """Whatever a host is called, what comes out is one safe path component."""
    try:
        name = layout.sanitise_runner(text)
    except ConfigError:
        return
    assert layout.is_runner(name)
    assert "/" not in name
    assert name not in (".", "..")
    assert layout.sanitise_runner(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("runner-07.example.org", "runner-07.example.org"),
        ("ci runner/7", "ci-runner-7"),
        ("..", None),
        ("../x", "x"),
        ("", None),
        ("r" * 100, "r" * 64),
    ],
)
def test_sanitise_runner_keeps_names_readable(text, name):
    """Good names stay; others lose what a path must not have."""
    if name is None:
        with pytest.raises(ConfigError):
            layout.sanitise_runner(text)
    else:
        assert layout.sanitise_runner(text) == name


def test_staged_names_are_recognised_and_nothing_else():
    """The sweep of staging only ever sees names that we make."""
    name = layout.staged_path("r1", "0" * 32).split("/")[-1]

    assert layout.is_staged_name(name)
    assert not layout.is_staged_name("0" * 32)
    assert not layout.is_staged_name("notes.tmp")


def test_directories_come_parents_first_and_are_all_there():
    """`init` can make them one by one; objects have 256 directories."""
    seen = {""}
    for path in layout.DIRECTORIES:
        assert path.rpartition("/")[0] in seen
        seen.add(path)

    assert sum(path.startswith("objects/") for path in seen) == 256
