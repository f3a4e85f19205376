"""What is to be examined."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class IndexSetup(NamedTuple):
    """An index to ask.

    Attributes:
        url: May have credentials in it: never to be shown.
        origin: What names it.
        override: `cache-control` that uv is told to go by for its files.
    """

    url: str
    origin: str
    override: str = ""


class Setup(NamedTuple):
    """Values of the configuration, of uv's settings and of the command line.

    Attributes:
        cache, cache_origin: Where the cache is, and what says so.
        state: The state directory.
        store: The store, if one is configured.
        store_id: The id it must have, if one is configured.
        runner: This runner's name.
        timeout_s: How long the store may be silent.
        promotes: Whether this runner is to write to the store.
        uv_paths, uv_versions: Of `[uv]`.
        workspace: A checkout, or where checkouts are made.
        environ: That of this process, for uv.
        link_mode, no_cache: Value and origin of uv's settings.
        indexes: What to ask.
    """

    cache: Path
    cache_origin: str
    state: Path
    store: Path | None
    store_id: str | None
    runner: str
    timeout_s: float
    promotes: bool
    uv_paths: tuple[Path, ...]
    uv_versions: tuple[str, ...]
    workspace: Path
    environ: Mapping[str, str]
    link_mode: tuple[str, str]
    no_cache: tuple[str, str]
    indexes: tuple[IndexSetup, ...]
