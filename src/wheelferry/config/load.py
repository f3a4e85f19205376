"""Lay the sources of settings over each other, and remember which one won.

From weakest to strongest: the built-in default, the system file, the user's file, the
file named by `--config` or `WHEELFERRY_CONFIG`, `WHEELFERRY_*` variables, flags.  What
the system file says of a *protected* setting is final:

* Another file or a variable that says otherwise is told so in one warning, and the run
  goes on with the administrator's value: a hook must not fail, nor obey, because of what
  a job has put into its environment.
* A flag that says otherwise is an error: whoever typed it would be misled by a run
  that uses another store or cache than the one they named.  It is no wrong usage, which
  no command forgives: what a hook says may have been right before the file changed.

A `WHEELFERRY_*` variable that is no setting is only warned of, for the same reason:
the environment of a job is not ours, and a newer version may know the name.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from wheelferry.config import environment
from wheelferry.config.files import ABSENT, load_file, suggest
from wheelferry.config.model import (
    CacheConfig,
    Config,
    DaemonConfig,
    GcConfig,
    PromoteConfig,
    PullConfig,
    PythonConfig,
    RulesConfig,
    RunnerConfig,
    StoreConfig,
    TrimConfig,
    UvConfig,
)
from wheelferry.config.options import OPTIONS, Option
from wheelferry.config.uvsettings import find_uv_cache, find_uv_pythons
from wheelferry.config.values import Value, parse_strings, split_text
from wheelferry.errors import ConfigError

_PREFIX: Final = "WHEELFERRY_"
_OTHER_VARIABLES: Final = frozenset({environment.CONFIG, environment.DISABLE})


class WrongFlag(ConfigError):
    """A flag's value is none, wherever and whenever: wrong usage."""


class Source(StrEnum):
    """Where a value can come from, weakest first."""

    DEFAULT = "default"
    SYSTEM = "system-file"
    USER = "user-file"
    FILE = "named-file"
    VARIABLE = "variable"
    FLAG = "flag"


class Setting(NamedTuple):
    """One value in use.

    Attributes:
        option: What it is the value of.
        value: The checked value.
        source: What kind of source it is from.
        origin: The file's path, the variable or the flag; for a default, the variable
            or file of uv's that it follows, or "".
        is_final: Whether nothing but an edit of the system file can change it.
    """

    option: Option
    value: Value
    source: Source
    origin: str
    is_final: bool


class Loaded(NamedTuple):
    """The configuration, where each value came from, and what to warn of."""

    config: Config
    settings: tuple[Setting, ...]
    warnings: tuple[str, ...]


class _Layer(NamedTuple):
    source: Source
    values: Mapping[str, tuple[Value, str]]
    """By key: the value and its origin."""


def load_config(
    environ: Mapping[str, str],
    flags: Mapping[str, str | Sequence[str]],
    *,
    config_file: str | None = None,
    system_file: str = environment.SYSTEM_FILE,
) -> Loaded:
    """Return the configuration of this run.

    Args:
        environ: The environment.
        flags: Values of the flags that were given, by key; relative paths in them are
            relative to the working directory.
        config_file: What `--config` names; wins over `WHEELFERRY_CONFIG`.
        system_file: The administrator's file; others only in tests.

    Raises:
        WrongFlag: A flag has no value for its setting.
        ConfigError: Another source has something that is not a setting or not a value; a
            flag contradicts what the system file has made final; the state directory is
            inside the cache; the cache and the store are one inside the other.
    """
    warnings: list[str] = []
    layers = (
        _default_layer(environ),
        _system_layer(system_file),
        *_file_layers(environ, config_file),
        _variable_layer(environ, warnings),
        _flag_layer(flags),
    )
    settings: dict[str, Setting] = {}
    for layer in layers:
        for key, (value, origin) in layer.values.items():
            held = settings.get(key)
            if held is None or not held.is_final:
                settings[key] = _set(OPTIONS[key], value, layer.source, origin)
            elif value != held.value:
                warnings.append(_refuse(held, layer.source, origin))
        if layer.source is Source.SYSTEM:
            _make_state_final(settings)
    _complete(settings, environ)
    _check_state(settings)
    _check_store(settings)
    ordered = tuple(settings[key] for key in OPTIONS)
    return Loaded(_build(settings), ordered, tuple(warnings))


def _set(option: Option, value: Value, source: Source, origin: str) -> Setting:
    is_final = option.is_protected and source is Source.SYSTEM
    return Setting(option, value, source, origin, is_final)


def _refuse(held: Setting, source: Source, origin: str) -> str:
    key = held.option.key
    if source is Source.FLAG:
        raise ConfigError(
            f"{origin} cannot be used here: {held.origin} sets {key} for this machine",
            hint=f"leave {origin} out, or change {key} in {held.origin}",
        )
    return f"{key} of {origin} is ignored: {held.origin} sets it for this machine"


def _default_layer(environ: Mapping[str, str]) -> _Layer:
    paths = tuple(map(Path, environment.find_path_dirs(environ)))
    values: dict[str, tuple[Value, str]] = {
        key: (() if option.kind.is_list else option.constant, "")
        for key, option in OPTIONS.items()
    }
    values["uv.paths"] = paths, "PATH"
    return _Layer(Source.DEFAULT, values)


def _make_state_final(settings: dict[str, Setting]) -> None:
    """Make the state directory final with the cache that it is beside."""
    state, cache = settings["cache.state"], settings["cache.path"]
    if cache.is_final and not state.is_final:
        settings["cache.state"] = cache._replace(
            option=state.option, value=_beside(cache.value)
        )


def _complete(settings: dict[str, Setting], environ: Mapping[str, str]) -> None:
    """Give values to those settings whose defaults are looked for only if needed."""
    cache, state = settings["cache.path"], settings["cache.state"]
    if cache.value is None:
        path, origin = find_uv_cache(environ)
        cache = cache._replace(value=Path(path), origin=origin)
        settings["cache.path"] = cache
    if state.value is None:
        settings["cache.state"] = state._replace(value=_beside(cache.value))
    pythons = settings["python.paths"]
    if not pythons.value:
        places = environment.find_path_dirs(environ) + find_uv_pythons(environ)
        settings["python.paths"] = pythons._replace(
            value=tuple(map(Path, places)), origin="PATH"
        )
    runner = settings["runner.name"]
    if runner.value is None:
        # Loaded late: the store's rule for names costs a few regular expressions.
        from wheelferry.store.layout import sanitise_runner  # noqa: PLC0415

        name = sanitise_runner(environment.find_host_name())
        settings["runner.name"] = runner._replace(value=name)


def _beside(cache: Value) -> Path:
    return Path(f"{cache}.wheelferry")


def _check_state(settings: Mapping[str, Setting]) -> None:
    state, cache = settings["cache.state"], settings["cache.path"]
    inner, outer = (os.path.realpath(str(s.value)) for s in (state, cache))
    if f"{inner}/".startswith(f"{outer}/"):
        raise ConfigError(
            f"the state directory {state.value} is inside the cache {cache.value}:"
            " `uv cache clean` would delete it",
            hint="set cache.state (--state) to a directory outside the cache, on the"
            " same filesystem",
        )


def _check_store(settings: Mapping[str, Setting]) -> None:
    store, cache = settings["store.path"].value, settings["cache.path"].value
    if store is None:
        return
    # By their names alone: the share may hang.
    outer, inner = Path(str(store)), Path(str(cache))
    if inner.is_relative_to(outer):
        raise ConfigError(
            f"the cache {cache} is inside the store {store}",
            hint="set cache.path, or UV_CACHE_DIR, to a directory on the runner's own"
            " disk: the store is for wheelferry alone",
        )
    if outer.is_relative_to(inner):
        raise ConfigError(
            f"the store {store} is inside the cache {cache}: `uv cache clean` would"
            " delete it",
            hint="set store.path to a directory on the share",
        )


def _system_layer(path: str) -> _Layer:
    # Not $HOME: a job could move the store by it.
    home = environment.find_account_home()
    return _file_layer(Source.SYSTEM, path, home, ABSENT)


def _file_layers(
    environ: Mapping[str, str], config_file: str | None
) -> Iterator[_Layer]:
    home = environment.find_home(environ)
    user = environment.find_user_file(environ)
    # HOME may be that of another user, as under sudo.
    yield _file_layer(Source.USER, user, home, (*ABSENT, PermissionError))
    if named := config_file or environ.get(environment.CONFIG):
        path = os.path.abspath(named)  # noqa: PTH100 - the message needs no Path
        yield _file_layer(Source.FILE, path, home, ())


def _file_layer(
    source: Source, path: str, home: str, absent: tuple[type[OSError], ...]
) -> _Layer:
    values = load_file(path, home=home, absent=absent)
    return _Layer(source, {key: (value, path) for key, value in values.items()})


def _variable_layer(environ: Mapping[str, str], warnings: list[str]) -> _Layer:
    by_name = {option.variable: option for option in OPTIONS.values()}
    home = environment.find_home(environ)
    values: dict[str, tuple[Value, str]] = {}
    for name, text in environ.items():
        if not name.startswith(_PREFIX) or name in _OTHER_VARIABLES:
            continue
        option = by_name.get(name)
        if option is None:
            near = suggest(name, tuple(by_name))
            warnings.append(f"{name} is not a variable that wheelferry knows{near}")
        elif text.strip():  # an empty variable sets nothing, as for uv
            texts = split_text(option.kind, text)
            values[option.key] = _parse(option, name, texts, home), name
    return _Layer(Source.VARIABLE, values)


def _flag_layer(flags: Mapping[str, str | Sequence[str]]) -> _Layer:
    values: dict[str, tuple[Value, str]] = {}
    for key, given in flags.items():
        option = OPTIONS[key]
        texts = [given] if isinstance(given, str) else list(given)
        if option.kind.is_path:  # the shell has expanded ~/ already
            texts = [text and os.path.abspath(text) for text in texts]  # noqa: PTH100
        origin = option.flag or option.key
        try:
            values[key] = _parse(option, origin, texts, ""), origin
        except ConfigError as exc:
            raise WrongFlag(exc.message) from None
    return _Layer(Source.FLAG, values)


def _parse(option: Option, origin: str, texts: Sequence[str], home: str) -> Value:
    try:
        return parse_strings(option.kind, texts, home)
    except ValueError as exc:
        raise ConfigError(
            f"{origin} is {' '.join(texts)!r}, but must be {exc}"
        ) from None  # the message has all of it


def _build(settings: Mapping[str, Setting]) -> Config:
    tree: dict[str, dict[str, Any]] = {}
    for key, setting in settings.items():
        section, _, name = key.partition(".")
        tree.setdefault(section, {})[name] = setting.value
    store, pull, daemon = tree["store"], tree["pull"], tree["daemon"]
    promote, gc = tree["promote"], tree["gc"]
    return Config(
        store=StoreConfig(timeout_s=store.pop("timeout"), **store),
        cache=CacheConfig(**tree["cache"]),
        runner=RunnerConfig(**tree["runner"]),
        uv=UvConfig(**tree["uv"]),
        python=PythonConfig(**tree["python"]),
        promote=PromoteConfig(
            deadline_s=promote.pop("deadline"),
            rate_bytes_s=promote.pop("limit_rate"),
            rules=RulesConfig(**promote),
        ),
        pull=PullConfig(
            native=pull.pop("native"),
            deadline_s=pull.pop("deadline"),
            max_bytes=pull.pop("max_bytes"),
            rate_bytes_s=pull.pop("limit_rate"),
            rules=RulesConfig(**pull),
        ),
        trim=TrimConfig(max_bytes=tree["trim"]["max_size"]),
        daemon=DaemonConfig(
            tasks=daemon["tasks"],
            poll_s=daemon["poll"],
            rescan_s=daemon["rescan"],
            socket=daemon["socket"],
            projects=daemon["projects"],
            metrics_port=daemon["metrics_port"],
            textfile=daemon["textfile"],
        ),
        gc=GcConfig(
            max_bytes=gc["max_size"],
            max_age_s=gc["max_age"],
            keep_free_bytes=gc["keep_free"],
            grace_s=gc["grace"],
            interval_s=gc["interval"],
        ),
    )
