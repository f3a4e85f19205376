"""How the text of a setting becomes a value, and a value text.

A parser takes one string and returns a value, or raises ValueError with the form that it
expected.  Files give strings, arrays of strings or numbers, variables and flags give
strings, so there is one parser per kind of value wherever it comes from.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, cast

Single: TypeAlias = str | Path | int | float
Value: TypeAlias = Single | tuple[str, ...] | tuple[Path, ...] | None


class ValueKind(NamedTuple):
    """A kind of value.

    Attributes:
        form: What one looks like, for messages and the reference.
        example: One, as TOML.
        parse: Makes a value of one string, in which `~/` is resolved.
        is_list: Whether a setting holds any number of them.
        separator: Between the members of a list in a variable; None means blanks.
        metavar: Stands for a value in `--help`.
        is_path: Whether `~/` and, in a flag, relative paths are understood.
        is_number: Whether a file may have it as a number.
        units: By letter, what a number may be counted in, the smallest first.
    """

    form: str
    example: str
    parse: Callable[[str], Single]
    metavar: str
    is_list: bool = False
    separator: str | None = None
    is_path: bool = False
    is_number: bool = False
    units: tuple[tuple[str, int], ...] = ()


# Compiled when they are used: a run that needs none of them saves a millisecond.
_ID = r"(?a)[0-9a-f]{32}"
_VERSION = r"(?a)\d+\.\d+\.\d+"
_PATTERN = r"(?a)[A-Za-z0-9._*?\[\]!-]+"
_SEPARATORS = r"[-_.]+"
_PORT = r"(?a)[1-9]\d{0,4}"
_NUMBER = r"(?a)(\d{1,15}(?:\.\d{1,6})?)([A-Za-z]?)"

_TIMES = (("s", 1), ("m", 60), ("h", 3600))
_AGES = (*_TIMES, ("d", 24 * 3600), ("w", 7 * 24 * 3600))
_SIZES = (("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40))
MAX_DURATION_S: Final = 24 * 3600
MAX_AGE_S: Final = 520 * 7 * 24 * 3600
_MAX_PORT: Final = 65535


def _parse_path(text: str) -> Path:
    if not text.startswith("/"):
        raise ValueError(PATH.form)
    return Path(text)


def _parse_textfile(text: str) -> Path:
    if not text.startswith("/") or not text.endswith(".prom"):
        raise ValueError(TEXTFILE.form)
    return Path(text)


def _parse_id(text: str) -> str:
    if not re.fullmatch(_ID, text):
        raise ValueError(STORE_ID.form)
    return text


def _parse_runner(text: str) -> str:
    # The store has the last word on names; loaded late, as most runs have the default.
    from wheelferry.store.layout import is_runner  # noqa: PLC0415

    if not is_runner(text):
        raise ValueError(RUNNER.form)
    return text


def _parse_version(text: str) -> str:
    if not re.fullmatch(_VERSION, text):
        raise ValueError(VERSIONS.form)
    from wheelferry.uvcache.formats import FORMATS, formats_for_uv, parse_release  # noqa: PLC0415

    if not formats_for_uv(parse_release(text)):
        oldest = ".".join(map(str, min(row.first for row in FORMATS)))
        raise ValueError(f"{oldest} or later: formats of older ones are not known")
    return text


def _parse_python(text: str) -> str:
    from wheelferry.project.interpreter import parse_request  # noqa: PLC0415

    if parse_request(text) is None:
        raise ValueError(PYTHONS.form)
    return text


def _parse_pattern(text: str) -> str:
    if not re.fullmatch(_PATTERN, text):
        raise ValueError(PATTERNS.form)
    return re.sub(_SEPARATORS, "-", text).lower()


def _parse_index(text: str) -> str:
    if text != "pypi" and "://" not in text and "*" not in text:
        raise ValueError(INDEXES.form)
    return text


def _parse_kind(text: str) -> str:
    from wheelferry.uvcache.entry import Kind  # noqa: PLC0415 - only if it is set

    known = [kind.value for kind in Kind]
    if text not in known:
        raise ValueError(f"one of {', '.join(known)}")
    return text


def _parse_task(text: str) -> str:
    if text not in ("promote", "pull", "gc"):
        raise ValueError(TASKS.form)
    return text


def _parse_native(text: str) -> str:
    if text not in ("checked", "same-distro", "never"):
        raise ValueError(NATIVE.form)
    return text


def _parse_port(text: str) -> int:
    if not re.fullmatch(_PORT, text) or int(text) > _MAX_PORT:
        raise ValueError(PORT.form)
    return int(text)


def _parse_duration(text: str) -> float:
    seconds = _parse_number(DURATION, text)
    if not 0 < seconds <= MAX_DURATION_S:
        raise ValueError(DURATION.form)
    return int(seconds) if seconds.is_integer() else seconds


def _parse_age(text: str) -> float:
    seconds = _parse_number(AGE, text)
    if not 0 < seconds <= MAX_AGE_S:
        raise ValueError(AGE.form)
    return int(seconds) if seconds.is_integer() else seconds


def _parse_size(text: str) -> int:
    return _parse_bytes(SIZE, text)


def _parse_rate(text: str) -> int:
    return _parse_bytes(RATE, text)


def _parse_bytes(kind: ValueKind, text: str) -> int:
    size_bytes = _parse_number(kind, text)
    if size_bytes < 1 or ("." in text and text[-1].isdigit()):
        raise ValueError(kind.form)
    return int(size_bytes)


def _parse_number(kind: ValueKind, text: str) -> float:
    """Return a number with an optional unit, in the smallest one."""
    if not (match := re.fullmatch(_NUMBER, text)):
        raise ValueError(kind.form)
    number, unit = match.groups()
    for letter, factor in (("", 1), *kind.units):
        if unit.upper() == letter.upper():
            return float(number) * factor
    raise ValueError(kind.form)


PATH = ValueKind(
    form="an absolute path, or one that starts with ~/",
    example='"/mnt/wheels"',
    parse=_parse_path,
    is_path=True,
    metavar="DIR",
)
PATHS = ValueKind(
    form=PATH.form,
    example='["/opt/uv/bin", "~/.local/bin"]',
    parse=_parse_path,
    is_list=True,
    separator=":",
    is_path=True,
    metavar="DIR",
)
TEXTFILE = ValueKind(
    form="an absolute path, or one that starts with ~/, that ends in `.prom`",
    example='"/var/lib/node_exporter/wheelferry.prom"',
    parse=_parse_textfile,
    is_path=True,
    metavar="FILE",
)
STORE_ID = ValueKind(
    form="32 lower-case hex digits, as `wheelferry init` printed them",
    example='"0123456789abcdef0123456789abcdef"',
    parse=_parse_id,
    metavar="ID",
)
RUNNER = ValueKind(
    form="at most 64 letters, digits, `.`, `_` and `-`, not starting with `.` or `-`",
    example='"runner-07"',
    parse=_parse_runner,
    metavar="NAME",
)
VERSIONS = ValueKind(
    form="a uv version such as 0.9.30",
    example='["0.9.30", "0.13.9"]',
    parse=_parse_version,
    is_list=True,
    metavar="VERSION",
)
PYTHONS = ValueKind(
    form="a version such as 3.12, 3.12.4 or pypy3.10; no path, but see python.paths",
    example='["3.11", "3.12"]',
    parse=_parse_python,
    is_list=True,
    metavar="VERSION",
)
PATTERNS = ValueKind(
    form="a package name, in which `*`, `?` and `[...]` match as in a shell",
    example='["numpy", "acme-*"]',
    parse=_parse_pattern,
    is_list=True,
    metavar="PATTERN",
)
INDEXES = ValueKind(
    form="the URL of an index, a URL pattern with `*`, or `pypi`",
    example='["pypi", "https://wheels.example.com/*"]',
    parse=_parse_index,
    is_list=True,
    metavar="URL",
)
KINDS = ValueKind(
    form=(
        "`registry-wheel`, `url-wheel`, `registry-sdist`, `url-sdist` or `git`:"
        " where a wheel came from"
    ),
    example='["registry-wheel", "registry-sdist"]',
    parse=_parse_kind,
    is_list=True,
    metavar="KIND",
)

TASKS = ValueKind(
    form="`promote`, `pull` or `gc`",
    example='["promote"]',
    parse=_parse_task,
    is_list=True,
    metavar="TASK",
)

NATIVE = ValueKind(
    form="`checked`, `same-distro` or `never`",
    example='"same-distro"',
    parse=_parse_native,
    metavar="POLICY",
)

PORT = ValueKind(
    form=f"a number from 1 to {_MAX_PORT}",
    example="19100",
    parse=_parse_port,
    metavar="PORT",
    is_number=True,
)

DURATION = ValueKind(
    form="a number of seconds, or one with `s`, `m` or `h`: more than 0, at most 24h",
    example='"45s"',
    parse=_parse_duration,
    metavar="TIME",
    is_number=True,
    units=_TIMES,
)
AGE = ValueKind(
    form="a number of seconds, or one with `s`, `m`, `h`, `d` or `w`: at most 520w",
    example='"90d"',
    parse=_parse_age,
    metavar="AGE",
    is_number=True,
    units=_AGES,
)
SIZE = ValueKind(
    form="a number of bytes, or one with `K`, `M`, `G` or `T` (powers of 1024)",
    example='"2G"',
    parse=_parse_size,
    metavar="SIZE",
    is_number=True,
    units=_SIZES,
)
RATE = ValueKind(
    form=(
        "bytes per second: a number, or one with `K`, `M`, `G` or `T` (powers of 1024)"
    ),
    example='"20M"',
    parse=_parse_rate,
    metavar="RATE",
    is_number=True,
    units=_SIZES,
)


def split_text(kind: ValueKind, text: str) -> list[str]:
    """Return the strings that a variable's text holds: one, or those of a list."""
    if not kind.is_list:
        return [text.strip()]
    return [part for part in text.split(kind.separator) if part]


def parse_strings(kind: ValueKind, texts: Sequence[str], home: str) -> Value:
    """Return the value that `texts` spell, one unless it is a list.

    Raises ValueError with the form that was expected.
    """
    if not kind.is_list:
        (text,) = texts
        return kind.parse(_expand(kind, text, home))
    members = [kind.parse(_expand(kind, text, home)) for text in texts]
    # a parser makes members of one type
    return cast("tuple[str, ...] | tuple[Path, ...]", tuple(dict.fromkeys(members)))


def parse_toml(kind: ValueKind, value: object, home: str) -> Value:
    """Return the value of a TOML key; raises ValueError."""
    if not kind.is_list:
        if kind.is_number and isinstance(value, int | float):
            value = str(value)
        if not isinstance(value, str):
            raise ValueError(kind.form if kind.is_number else f"a string: {kind.form}")
        return parse_strings(kind, [value], home)
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ValueError(f"an array of strings, each {kind.form}")
    return parse_strings(kind, value, home)


def render_value(kind: ValueKind, value: Value) -> str:
    """Return a value as TOML has it; an unset one as `-`."""
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_quote, value))}]"
    if isinstance(value, int | float):
        return _render_number(kind, value)
    return _quote(value)


def encode_value(value: Value) -> str | int | float | list[str] | None:
    """Return a value as JSON has it."""
    if isinstance(value, tuple):
        return [str(member) for member in value]
    if value is None or isinstance(value, int | float):
        return value
    return str(value)


def _render_number(kind: ValueKind, value: float) -> str:
    """Return a number in the largest unit of which it is a multiple."""
    for letter, factor in reversed(kind.units):
        if value % factor == 0:
            return f'"{value // factor}{letter}"'
    return str(value)


def _expand(kind: ValueKind, text: str, home: str) -> str:
    if kind.is_path and text.startswith("~/"):
        return f"{home.rstrip('/')}{text[1:]}"
    return text


def _quote(value: str | Path) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
