"""The configuration as the commands see it: a frozen tree of checked values."""

from pathlib import Path
from typing import NamedTuple


class StoreConfig(NamedTuple):
    """Where the store is, None if nothing says so, and how long it may be silent."""

    path: Path | None
    id: str | None
    timeout_s: float


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


class PythonConfig(NamedTuple):
    """Which Pythons to pull for: none named means those found in `paths`."""

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


class PromoteConfig(NamedTuple):
    """What to promote, and what it may take; None is no limit."""

    rules: RulesConfig
    deadline_s: float | None
    rate_bytes_s: int | None


class PullConfig(NamedTuple):
    """What to pull, and what it may cost a job; None is no limit.

    `native` is a value of `native.judge.Policy`.
    """

    rules: RulesConfig
    native: str
    deadline_s: float
    max_bytes: int | None
    rate_bytes_s: int | None


class TrimConfig(NamedTuple):
    """How large the local cache may be on the disk; None is no limit."""

    max_bytes: int | None


class DaemonConfig(NamedTuple):
    """What the daemon does by itself, how often it looks, and whom it serves.

    `socket` and `metrics_port` are None if it does not listen there, `textfile` if it
    writes none; projects are in one of `projects`.
    """

    tasks: tuple[str, ...]
    poll_s: float
    rescan_s: float
    socket: Path | None
    projects: tuple[Path, ...]
    metrics_port: int | None
    textfile: Path | None


class GcConfig(NamedTuple):
    """What the store may be, and how long what was removed can be had back.

    `interval_s` is how often a daemon sees to it.
    """

    max_bytes: int | None
    max_age_s: float | None
    keep_free_bytes: int | None
    grace_s: float
    interval_s: float


class Config(NamedTuple):
    """All of it; built once per run, by `load_config`."""

    store: StoreConfig
    cache: CacheConfig
    runner: RunnerConfig
    uv: UvConfig
    python: PythonConfig
    promote: PromoteConfig
    pull: PullConfig
    trim: TrimConfig
    daemon: DaemonConfig
    gc: GcConfig
