"""Wheel file names, taken apart."""

import pytest

from wheelferry.uvcache.wheelname import (
    normalise_name,
    parse_wheel_name,
    pick_dist_info,
)


@pytest.mark.parametrize(
    ("stem", "parts"),
    [
        ("docopt-0.6.2-py2.py3-none-any", ("docopt", "0.6.2", "py2.py3-none-any")),
        (
            "Foo_Bar.baz-1.0+local.1-1build-cp311-abi3-linux_x86_64",
            ("foo-bar-baz", "1.0+local.1", "1build-cp311-abi3-linux_x86_64"),
        ),
    ],
)
def test_wheel_name_has_name_version_and_tags(stem, parts):
    """The name comes normalised, and a build tag belongs to the tags."""
    assert parse_wheel_name(stem) == parts


@pytest.mark.parametrize(
    "stem",
    ["", "a", "1.0-py3-none-any", "a-1-py3-none", "a--py3-none-any", "a-1-2-3-4-5-6"],
)
def test_anything_else_is_no_wheel_name(stem):
    """Too few parts, too many, or an empty one."""
    assert parse_wheel_name(stem) is None


def test_names_are_compared_as_indexes_do():
    """Runs of separators and case do not matter (PEP 503)."""
    assert normalise_name("Foo__Bar.-baz") == "foo-bar-baz"


@pytest.mark.parametrize(
    ("tops", "found"),
    [
        (["foo-1.0.dist-info", "foo"], "foo-1.0.dist-info"),
        (["Foo-1.0.dist-info"], "Foo-1.0.dist-info"),
        (["foo-bar-1.0.dist-info"], None),
        (["foo_bar-1.0.dist-info"], None),
        (["foobar-1.0.dist-info"], None),
        (["foo.dist-info"], None),
        (["foo-1.0.dist-info", "bar-1.0.dist-info"], None),
        (["foo"], None),
    ],
)
def test_dist_info_belongs_to_one_package(tops, found):
    """The name ends at the last dash, so `foo-bar` is no version of `foo`."""
    assert pick_dist_info(tops, "foo") == found


@pytest.mark.parametrize("spelled", ["foo_bar", "foo-bar", "Foo.Bar"])
def test_dist_info_is_found_in_any_spelling(spelled):
    """Some backends leave dashes in the name."""
    found = pick_dist_info([f"{spelled}-1.0.dist-info"], "foo-bar")
    assert found == f"{spelled}-1.0.dist-info"


def test_stem_is_spelled_as_uv_does():
    """Whatever the backend called its file."""
    wheel = parse_wheel_name("Odd.Name-1.0-1-py3-none-any")
    assert wheel is not None
    assert wheel.stem == "odd_name-1.0-1-py3-none-any"
