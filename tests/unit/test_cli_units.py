"""Sizes, durations, names and tables for people."""

import pytest

from wheelferry.cli.units import (
    count,
    format_bytes,
    format_seconds,
    printable,
    render_table,
)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (10 * 1024 - 1, "10 KiB"),
        (212 << 20, "212 MiB"),
        ((1 << 30) - 1, "1.0 GiB"),
        (1181116006, "1.1 GiB"),
        (1 << 60, "1024 PiB"),
    ],
)
def test_size_is_two_to_four_digits(size_bytes: int, text: str) -> None:
    """A size is shown in the largest unit of which there is at least one."""
    assert format_bytes(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (2.34, "2.3 s"),
        (59.96, "1 min 00 s"),
        (252, "4 min 12 s"),
        (3599.9, "1 h 00 min"),
        (11100, "3 h 05 min"),
    ],
)
def test_duration_is_rounded_once(seconds: float, text: str) -> None:
    """Rounding never shows sixty seconds, nor sixty minutes."""
    assert format_seconds(seconds) == text


def test_count_has_the_right_number() -> None:
    """One is singular; nothing and many are plural."""
    assert [count(n, "entry", "entries") for n in (0, 1, 2)] == [
        "0 entries",
        "1 entry",
        "2 entries",
    ]
    assert count(3, "pack") == "3 packs"


def test_table_aligns_columns() -> None:
    """Text stands left, numbers stand right, and no line ends in blanks."""
    rows = [("numpy", "16 MiB", ""), ("six", "8 B", "x")]
    assert render_table(rows, header=("package", "size", "note"), right=(1,)) == (
        "package    size  note\nnumpy    16 MiB\nsix         8 B  x"
    )


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("numpy 2.1.0 ü", "numpy 2.1.0 ü"),
        ("x\n::set-env name=PATH::/evil", "x\\n::set-env name=PATH::/evil"),
        ("\x1b[2J\r", "\\x1b[2J\\r"),
        ("\u202egpj", "\\u202egpj"),
        ("a\udcffb", "a\\udcffb"),
    ],
)
def test_hostile_name_cannot_act(text: str, safe: str) -> None:
    """Controls, line breaks, direction marks and stray bytes are shown, not sent."""
    assert printable(text) == safe


def test_table_keeps_a_hostile_name_in_its_cell() -> None:
    """A name with a line break does not make a second line."""
    table = render_table([("a\nb",)], header=("package",))
    assert table.splitlines() == ["package", "a\\nb"]
