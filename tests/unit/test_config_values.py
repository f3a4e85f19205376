"""How text becomes a value."""

import tomllib
from pathlib import Path

import pytest

from wheelferry.config import values
from wheelferry.config.options import OPTIONS
from wheelferry.config.values import (
    encode_value,
    parse_strings,
    parse_toml,
    render_value,
    split_text,
)
from wheelferry.uvcache.entry import Kind

HOME = "/home/ci"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/mnt/wheels", "/mnt/wheels"),
        ("/mnt/wheels/", "/mnt/wheels"),
        ("~/wheels", "/home/ci/wheels"),
    ],
)
def test_path_resolves_home(text: str, path: str) -> None:
    """A path is absolute, or below the home directory."""
    assert parse_strings(values.PATH, [text], HOME) == Path(path)


@pytest.mark.parametrize("text", ["", "wheels", "./wheels", "~other/wheels", "$X/w"])
def test_path_must_be_absolute(text: str) -> None:
    """A path that depends on the working directory is refused."""
    with pytest.raises(ValueError, match="absolute path"):
        parse_strings(values.PATH, [text], HOME)


def test_pattern_is_normalised_as_names_are() -> None:
    """Patterns match normalised names, however they are spelled."""
    found = parse_strings(values.PATTERNS, ["Foo_Bar.*", "zope.[a-z]*"], HOME)
    assert found == ("foo-bar-*", "zope-[a-z]*")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (values.PATTERNS, "foo>=2"),
        (values.PATTERNS, "../x"),
        (values.INDEXES, "example.com"),
        (values.KINDS, "wheel"),
        (values.VERSIONS, "0.9"),
        (values.VERSIONS, "0.4.0"),
        (values.VERSIONS, "0.9.30rc1\n"),
        (values.RUNNER, "../../etc"),
        (values.RUNNER, "-x"),
        (values.STORE_ID, "0123456789ABCDEF0123456789ABCDEF"),
        (values.PORT, "0"),
        (values.PORT, "65536"),
        (values.PORT, "80s"),
        (values.PORT, "+80"),
    ],
)
def test_value_of_another_form_is_refused(kind: values.ValueKind, text: str) -> None:
    """What is not of the form that is documented raises ValueError."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_strings(kind, [text], HOME)


def test_version_before_all_formats_is_refused_with_the_first() -> None:
    """A uv version that no known format is of would pull nothing, without a word."""
    with pytest.raises(ValueError, match=r"0\.5\.14 or later"):
        parse_strings(values.VERSIONS, ["0.4.0"], HOME)


def test_kinds_are_those_of_the_cache() -> None:
    """Every kind of entry can be named, and the reference names them all."""
    every = [kind.value for kind in Kind]
    assert parse_strings(values.KINDS, every, HOME) == tuple(every)
    assert all(f"`{kind}`" in values.KINDS.form for kind in every)


def test_list_in_a_variable_is_split() -> None:
    """Blanks separate members, colons the directories of a path list."""
    assert split_text(values.VERSIONS, " 0.9.30  0.13.9 ") == ["0.9.30", "0.13.9"]
    assert split_text(values.PATHS, "/a b:~/c:") == ["/a b", "~/c"]
    assert split_text(values.PATH, " /a b ") == ["/a b"]


def test_list_keeps_each_member_once() -> None:
    """A repeated member counts once, at its first place."""
    assert parse_strings(values.VERSIONS, ["0.9.3", "0.8.1", "0.9.3"], HOME) == (
        "0.9.3",
        "0.8.1",
    )


@pytest.mark.parametrize("value", [3, True, ["/a"], {"x": 1}])
def test_toml_scalar_must_be_a_string(value: object) -> None:
    """A number, an array or a table is not a path."""
    with pytest.raises(ValueError, match="a string"):
        parse_toml(values.PATH, value, HOME)


@pytest.mark.parametrize(
    ("kind", "text", "value", "shown"),
    [
        (values.DURATION, "30", 30, '"30s"'),
        (values.DURATION, "30s", 30, '"30s"'),
        (values.DURATION, "2m", 120, '"2m"'),
        (values.DURATION, "1.5h", 5400, '"90m"'),
        (values.DURATION, "24h", 86400, '"24h"'),
        (values.DURATION, "0.25", 0.25, "0.25"),
        (values.SIZE, "1000", 1000, "1000"),
        (values.SIZE, "4K", 4096, '"4K"'),
        (values.SIZE, "500M", 500 << 20, '"500M"'),
        (values.SIZE, "2g", 2 << 30, '"2G"'),
        (values.SIZE, "1.5G", 1536 << 20, '"1536M"'),
        (values.RATE, "1T", 1 << 40, '"1T"'),
        (values.PORT, "65535", 65535, "65535"),
    ],
)
def test_number_may_have_a_unit(
    kind: values.ValueKind, text: str, value: float, shown: str
) -> None:
    """A number is in the smallest unit, or has one, and is shown as a file may have it."""
    assert parse_strings(kind, [text], HOME) == value
    assert render_value(kind, value) == shown
    assert parse_toml(kind, tomllib.loads(f"x = {shown}")["x"], HOME) == value


@pytest.mark.parametrize(
    "kind", [values.DURATION, values.SIZE, values.RATE, values.PORT]
)
@pytest.mark.parametrize(
    "value",
    [
        *("", "0", "-1", "1 G", "30d", "1e3", "inf", "nan", "9" * 16, "²", "0.0000001"),
        *(0, -1, 1e300, float("inf"), float("nan"), True, [1], {"x": 1}, 10**40),
    ],
    ids=repr,
)
def test_number_of_another_form_is_refused(
    kind: values.ValueKind, value: object
) -> None:
    """What is no number above 0 is refused with the form, from a file or elsewhere."""
    with pytest.raises(ValueError, match="a number") as caught:
        parse_toml(kind, value, HOME)
    assert str(caught.value) == kind.form


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (values.DURATION, "25h"),
        (values.DURATION, "1G"),
        (values.SIZE, "1s"),
        (values.SIZE, "1.5"),
        (values.SIZE, "0.0001K"),
        (values.RATE, "2m3"),
    ],
)
def test_unit_must_fit(kind: values.ValueKind, text: str) -> None:
    """A size has no seconds, half a byte is none, and a day is the longest duration."""
    with pytest.raises(ValueError, match="a number"):
        parse_strings(kind, [text], HOME)


@pytest.mark.parametrize("value", ["numpy", [1], [["a"]], {}])
def test_toml_list_must_be_an_array_of_strings(value: object) -> None:
    """A single string is not taken for a list of one, nor for its letters."""
    with pytest.raises(ValueError, match="an array of strings"):
        parse_toml(values.PATTERNS, value, HOME)


@pytest.mark.parametrize("key", OPTIONS)
def test_examples_of_the_reference_are_valid(key: str) -> None:
    """The example that the reference shows for a setting is a value for it."""
    kind = OPTIONS[key].kind
    value = tomllib.loads(f"x = {OPTIONS[key].example}")["x"]
    rendered = render_value(kind, parse_toml(kind, value, HOME))
    assert tomllib.loads(f"x = {rendered}")["x"] is not None


def test_value_is_shown_as_toml_and_json() -> None:
    """A value is rendered as a file would have it, and encoded for JSON."""
    assert render_value(values.PATH, Path('/a "b"')) == '"/a \\"b\\""'
    assert render_value(values.PATTERNS, ("a", "b")) == '["a", "b"]'
    assert render_value(values.SIZE, None) == "-"
    assert (encode_value(0.5), encode_value(1 << 20)) == (0.5, 1 << 20)
    assert encode_value((Path("/a"), Path("/b"))) == ["/a", "/b"]
    assert encode_value(None) is None
