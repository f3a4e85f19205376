"""What a service must be able to reach, of what its sandbox closes.

Pure; paths are absolute and have no links in them, but for that of the store, which may
be away.

A path in ReadWritePaths= becomes a mount in the service's own view of the filesystem, when
the service starts.  From that follows what is listed here:

* For cache and state, the nearest directory that holds both: rename(2) and link(2) do not
  work between two mounts, not even of one filesystem.  The cache itself would not do
  either: `uv cache clean` removes it, and uv makes another one, which would be beside the
  mount.
* For the store, the directory that its share is mounted in.  A share that is mounted
  later appears there, and can be written.  And while systemd sets all this up, it looks
  at each listed path: at the share itself it would hang with a server that is silent.
* For the socket, and the file with figures, the directory that it is made in.
"""

from collections.abc import Collection, Iterable
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from wheelferry.errors import UnitsError

STATE_DIRECTORIES: Final = "/var/lib/wheelferry"
"""Where StateDirectory= of the units makes a directory for each instance."""

RUNTIME_DIRECTORIES: Final = "/run/wheelferry"
"""Where RuntimeDirectory= makes a directory for an instance, if its socket is there."""

_HOMES: Final = ("/home", "/root", "/run/user")
"""What ProtectHome= hides."""
_TEMPORARY: Final = ("/tmp", "/var/tmp")  # noqa: S108 - named, not used
"""What PrivateTmp= hides."""


class Needs(NamedTuple):
    """What a service works with.

    Attributes:
        cache: The cache.
        state: The state directory.
        store: The store.
        read: All else that it reads or runs: its interpreter, uv, configuration files,
            the projects that it pulls for.
        socket: Where it listens, or "".
        metrics_port: Of the loopback, where it listens too, or None.
        textfile: The file that it has its figures in, or "".
    """

    cache: str
    state: str
    store: str
    read: tuple[str, ...]
    socket: str = ""
    metrics_port: int | None = None
    textfile: str = ""


class Access(NamedTuple):
    """What is opened for a service.

    Attributes:
        own: The directory that holds cache and state.
        is_own_listed: Whether that has to be opened: not if systemd makes it.
        share: The directory that the store's share is mounted in.
        in_home: What is needed of the users' homes.
        in_temporary: What is needed of `/tmp` and `/var/tmp`.
        socket: The directory of the socket, or "".
        is_socket_listed: Whether that has to be opened: not if systemd makes it.
        metrics_port: The one port, of the loopback, or None.
        textfiles: The directory of the file with its figures, or "".
    """

    own: str
    is_own_listed: bool
    share: str
    in_home: tuple[str, ...]
    in_temporary: tuple[str, ...]
    socket: str = ""
    is_socket_listed: bool = False
    metrics_port: int | None = None
    textfiles: str = ""


def plan_access(needs: Needs, *, name: str, mount_points: Collection[str]) -> Access:
    """Return what to open for the instance `name`.

    Raises UnitsError if that cannot be done in one piece.
    """
    own = _find_common(needs.cache, needs.state)
    if own == "/":
        raise UnitsError(
            f"the cache {needs.cache} and its state directory {needs.state} have no"
            " directory in common but /, and a service must not write to all of that",
            hint=f"move the cache one level down, such as to {needs.cache.rstrip('/')}/uv,"
            " or set cache.state to a directory near it",
        )
    made = f"{STATE_DIRECTORIES}/{name}"
    socket = needs.socket.rpartition("/")[0]
    paths = (needs.cache, needs.state, needs.store, *needs.read, needs.socket)
    paths = (*paths, needs.textfile)
    return Access(
        own=own,
        is_own_listed=not is_below(own, made),
        share=_find_share(needs.store, mount_points),
        in_home=_find_in(paths, _HOMES),
        in_temporary=_find_in(paths, _TEMPORARY),
        socket=socket,
        is_socket_listed=bool(socket) and socket != f"{RUNTIME_DIRECTORIES}/{name}",
        metrics_port=needs.metrics_port,
        textfiles=needs.textfile.rpartition("/")[0],
    )


def is_below(path: str, directory: str) -> bool:
    """Return whether `path` is `directory`, or in it."""
    return f"{path.rstrip('/')}/".startswith(f"{directory.rstrip('/')}/")


def _find_common(cache: str, state: str) -> str:
    above = PurePosixPath(state).parents
    return str(next(path for path in PurePosixPath(cache).parents if path in above))


def _find_share(store: str, mount_points: Collection[str]) -> str:
    """Return the directory that the share is mounted in, or is going to be.

    The mount point itself if that is in `/`.  A store on no known mount counts as one.
    """
    over = [point for point in mount_points if point != "/" and is_below(store, point)]
    point = PurePosixPath(max(over, key=len, default=store))
    return str(point if str(point.parent) == "/" else point.parent)


def _find_in(paths: Iterable[str], directories: Iterable[str]) -> tuple[str, ...]:
    found = [p for p in paths if any(is_below(p, top) for top in directories)]
    return tuple(dict.fromkeys(found))
