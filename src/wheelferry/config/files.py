"""Read one configuration file."""

from collections.abc import Mapping
from typing import Any

from wheelferry.config.options import OPTIONS
from wheelferry.config.values import Value, parse_toml
from wheelferry.errors import ConfigError

_SECTIONS = tuple(dict.fromkeys(key.partition(".")[0] for key in OPTIONS))


ABSENT = (FileNotFoundError, NotADirectoryError)


def load_file(
    path: str, *, home: str, absent: tuple[type[OSError], ...]
) -> Mapping[str, Value]:
    """Return the values that a file sets, by key; `~/` means `home`.

    A file that cannot be opened for one of the reasons `absent` sets nothing.

    Raises:
        ConfigError: The file cannot be read, is not TOML, or has something in it that
            is not a setting or not a value for it; all such things are named.
    """
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - no pathlib needed for this
            data = stream.read()
    except absent:
        return {}
    except ABSENT as exc:
        raise ConfigError(
            f"there is no configuration file {path}",
            hint="--config and WHEELFERRY_CONFIG must name a file that exists",
        ) from exc
    except OSError as exc:
        raise ConfigError(
            f"cannot read the configuration file {path}",
            hint="every user that runs wheelferry needs to read it:"
            f" `chmod a+r {path}`, and `chmod a+x` for the directories above it",
        ) from exc
    return decode_file(data, path=path, home=home)


def decode_file(data: bytes, *, path: str, home: str) -> Mapping[str, Value]:
    """Return the values that a file's bytes set; raises ConfigError as `load_file`."""
    import tomllib  # noqa: PLC0415 - 8 ms, and many runners have no file

    try:
        document = tomllib.loads(data.decode())
    except ValueError as exc:  # not UTF-8, or not TOML
        raise ConfigError(
            f"{path} is not a TOML file",
            hint='texts are in quotes, as in path = "/mnt/wheels"; docs/cli.md has an'
            " example",
        ) from exc
    values: dict[str, Value] = {}
    problems: list[str] = []
    for section, table in document.items():
        if section not in _SECTIONS:
            problems.append(_tell_unknown(section, table))
        elif not isinstance(table, dict):
            problems.append(f"`{section}` must be a section: [{section}]")
        else:
            _read_section(section, table, home, values, problems)
    if problems:
        raise ConfigError(
            f"{path}: {'; '.join(problems)}",
            hint="docs/cli.md lists all settings, with an example of each",
        )
    return values


def suggest(word: str, known: tuple[str, ...]) -> str:
    """Return `; did you mean X?` for the nearest known word, or nothing."""
    import difflib  # noqa: PLC0415 - only when something is misspelt

    near = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _tell_unknown(name: str, value: object) -> str:
    if isinstance(value, dict):
        return f"unknown section [{name}]{suggest(name, _SECTIONS)}"
    parts = (key.partition(".") for key in OPTIONS)
    homes = " or ".join(f"[{section}]" for section, _, key in parts if key == name)
    return f"`{name}` is in no section{f'; it belongs below {homes}' if homes else ''}"


def _read_section(
    section: str,
    table: dict[str, Any],
    home: str,
    values: dict[str, Value],
    problems: list[str],
) -> None:
    for name, raw in table.items():
        key = f"{section}.{name}"
        option = OPTIONS.get(key)
        if option is None:
            problems.append(f"unknown key {key}{suggest(key, tuple(OPTIONS))}")
            continue
        try:
            values[key] = parse_toml(option.kind, raw, home)
        except ValueError as exc:
            problems.append(f"{key} is {_shown(raw)}, but must be {exc}")


def _shown(raw: object) -> str:
    text = repr(raw)
    return text if len(text) <= 80 else f"{text[:77]}..."
