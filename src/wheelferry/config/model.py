"""The configuration as the commands see it: a frozen tree of checked values."""

from pathlib import Path
from typing import NamedTuple


class StoreConfig(NamedTuple):
    """Where the store is; None if nothing says so."""

    path: Path | None
    id: str | None


class CacheConfig(NamedTuple):
    """Where the local cache is, and this runner's own files beside it."""

    path: Path
    state: Path


class RunnerConfig(NamedTuple):
    """Who this runner is in the store."""

    name: str


class UvConfig(NamedTuple):
    """Which uv versions to serve: none named means those found in `paths`."""

    versions: tuple[str, ...]
    paths: tuple[Path, ...]


class RulesConfig(NamedTuple):
    """What may be shared; an empty inclusion admits everything.

    Package patterns are normalised as package names are: lower case, `-` between parts.
    """

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    include_indexes: tuple[str, ...]
    exclude_indexes: tuple[str, ...]
    kinds: tuple[str, ...]


class Config(NamedTuple):
    """All of it; built once per run, by `load_config`."""

    store: StoreConfig
    cache: CacheConfig
    runner: RunnerConfig
    uv: UvConfig
    promote: RulesConfig
    pull: RulesConfig
