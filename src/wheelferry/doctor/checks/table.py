"""The one table of checks: `docs/cli.md` follows from it.

Pure.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CHECKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hardlinks": "A file of the cache is hardlinked into the workspace, and the link removed",
        "cache-filesystem": "The cache is on this machine's own disk, not on NFS",
        "cache-owner": "Cache and archives belong to the user who runs this",
        "cache-space": "Room for bytes and files on the cache's filesystem",
        "state": "A file of the state directory is renamed into the cache, and removed",
        "link-mode": "`UV_LINK_MODE`, and `link-mode` of uv's files",
        "no-cache": "`UV_NO_CACHE`, and `no-cache` of uv's files",
        "uv": "Each uv in `uv.paths` runs, and its cache formats are known",
        "cache-dir": "`uv cache dir`, outside of projects and in the workspace, is `cache.path`",
        "cache-formats": "All wheel and sdist buckets of the cache are in known formats",
        "store": "The store answers within 5 s, and has the configured id",
        "mount": "Type and options of the share's mount",
        "round-trip": "How long the server takes to answer",
        "store-space": "Room for bytes and files on the share",
        "store-writable": "Modes and group of the store's directories; a file is written and removed",
        "store-clock": "The server's clock against this machine's",
        "inotify": "`max_user_instances` and `max_user_watches` against what is in use",
        "service": "The units of systemd for this user",
        "daemon": "The daemon of this cache, and what it says of itself",
        "index": "`Cache-Control: no-store` of a file on each index that uv is told of",
    }
)
"""By name, what is looked at; in the order in which it is looked at."""
