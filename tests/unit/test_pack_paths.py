"""Paths in a pack: what is refused, and the order of the files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.errors import UnsafePath
from wheelferry.pack import paths
from wheelferry.pack.paths import check_path, check_paths, order_key


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "a//b",
        "a/",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/..",
        "a/./b",
        "a\0b",
        "x" * 256,
        "é" * 128,
        "a/" * 64 + "b",
        "/".join(["x" * 200] * 21),
        "bad\udcff",
    ],
)
def test_path_that_is_not_plainly_below_is_refused(path):
    """Nothing that could lead out of the tree, or that no disk takes, passes."""
    with pytest.raises(UnsafePath):
        check_path(path)


@pytest.mark.parametrize(
    "path",
    ["a", "a/b.py", "..a", "a../b", ".hidden", "x" * 255, "é" * 127, "a\\b", " "],
)
def test_path_that_is_only_odd_is_allowed(path):
    """Names that look like the bad ones, and are not, pass."""
    check_path(path)


def test_paths_give_directories_with_parents_first():
    """Each directory comes once, after the one that holds it."""
    assert check_paths(["b/c/d/x", "b/y", "a/z", "top"]) == ["a", "b", "b/c", "b/c/d"]


@pytest.mark.parametrize(
    "tree", [["a", "b", "a"], ["a", "a/b"], ["a/b/c", "a/b"], ["d/e/f/g", "d"]]
)
def test_paths_that_cannot_stand_together_are_refused(tree):
    """A path comes once, and no file is a directory too."""
    with pytest.raises(UnsafePath):
        check_paths(tree)


def test_paths_with_too_many_directories_are_refused(monkeypatch):
    """Few bytes of paths cannot ask for many directories."""
    monkeypatch.setattr(paths, "MAX_DIRECTORIES", 10)
    with pytest.raises(UnsafePath, match="directories"):
        check_paths(["/".join("abcdefghijkl") + "/x"])


def test_order_is_by_suffix_then_path():
    """The rule of the format, by example."""
    given_paths = [
        "b/x.py",
        "README",
        "a/lib.so",
        "a/y.py",
        "a.py/z",
        ".pth",
        "b.tar.gz",
    ]
    assert sorted(given_paths, key=order_key) == [
        ".pth",
        "README",
        "a.py/z",
        "b.tar.gz",
        "a/y.py",
        "b/x.py",
        "a/lib.so",
    ]


@given(st.sets(st.text(st.characters(codec="utf-8"), min_size=1), max_size=20))
def test_order_is_total(names):
    """Different paths never compare equal, so the order has no other input."""
    assert len({order_key(name) for name in names}) == len(names)
