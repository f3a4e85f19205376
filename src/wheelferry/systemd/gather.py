"""What a service will work with, found out before it is installed.

Nothing here looks at the store: its share may not answer.
"""

import os
import pwd
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wheelferry.errors import ConfigError, UnitsError
from wheelferry.systemd.access import (
    RUNTIME_DIRECTORIES,
    Access,
    Needs,
    is_below,
)
from wheelferry.systemd.account import Account, can_write
from wheelferry.systemd.mounts import decode_fstab, decode_mountinfo


def gather_needs(
    settings: Mapping[str, Any],
    *,
    account: Account,
    config_file: str | None,
    interpreter: Sequence[str],
) -> Needs:
    """Return what a service needs to reach.

    Args:
        settings: Of `wheelferry config show`, by key, as its user has them.
        account: Its user.
        config_file: What is named to it.
        interpreter: Everything that its interpreter consists of.

    Raises:
        ConfigError: No store is configured.
    """
    values = {key: setting["value"] for key, setting in settings.items()}
    origins = {str(setting["origin"]) for setting in settings.values()}
    if values["store.path"] is None:
        raise ConfigError(
            f"no store is configured for user {account.name}",
            hint="set path under [store] in /etc/wheelferry/config.toml",
        )
    files = sorted(origin for origin in origins if origin.startswith("/"))
    named = [config_file] if config_file else []
    read = [*interpreter, *values["uv.paths"], *values["daemon.projects"]]
    socket = values["daemon.socket"] or ""
    textfile = values["daemon.textfile"] or ""
    return Needs(
        cache=os.path.realpath(values["cache.path"]),
        state=os.path.realpath(values["cache.state"]),
        store=os.path.normpath(values["store.path"]),
        read=tuple(dict.fromkeys([*read, *files, *named])),
        socket=socket and os.path.normpath(socket),
        metrics_port=values["daemon.metrics_port"],
        textfile=textfile and os.path.normpath(textfile),
    )


def find_mount_points() -> frozenset[str]:
    """Return where something is mounted, or is to be."""
    return decode_mountinfo(_read("/proc/self/mountinfo")) | decode_fstab(
        _read("/etc/fstab")
    )


def check_places(
    account: Account, needs: Needs, access: Access, *, python: str, prefix: str
) -> None:
    """Refuse what could not work once it is installed; raises UnitsError.

    Args:
        account: The user of the service.
        needs: What it works with.
        access: What is opened for that.
        python: Its interpreter.
        prefix: The environment of that.
    """
    if is_below(os.path.realpath(prefix), needs.cache):
        raise UnitsError(
            f"this wheelferry is itself in the cache {needs.cache}, where uv removes it",
            hint="install it in a place that stays, such as /opt/wheelferry",
        )
    owner = _find_owner(needs.cache)
    if owner not in (None, account.uid) and not can_write(account, python, needs.cache):
        raise UnitsError(
            f"the uv cache {needs.cache} belongs to user {_name(owner)}, and"
            f" {account.name} cannot write to it",
            hint="give --user the user who runs the jobs, or set cache.path to the cache"
            " of that user",
        )
    if access.is_socket_listed and not Path(access.socket).is_dir():
        raise UnitsError(
            f"there is no directory {access.socket}, where the daemon's socket is to be",
            hint="make it, or set daemon.socket to"
            f" {RUNTIME_DIRECTORIES}/NAME/socket with the NAME of the instance, where"
            " systemd makes the directory",
        )
    if access.textfiles and not can_write(account, python, access.textfiles):
        raise UnitsError(
            f"user {account.name} cannot write to {access.textfiles}, where"
            f" {needs.textfile} is to be",
            hint=f"make that directory, and give it to {account.name}, or set"
            " daemon.textfile to another place",
        )
    if not access.is_own_listed:
        return  # systemd makes it
    if not Path(access.own).is_dir():
        raise UnitsError(
            f"there is no directory {access.own}, where the cache {needs.cache} and"
            f" {needs.state} are to be",
            hint=f"make it as user {account.name}, or set cache.path; does"
            " `wheelferry config show` show the cache of the jobs?",
        )
    if not can_write(account, python, access.own):
        raise UnitsError(
            f"user {account.name} cannot write to {access.own}, where {needs.state} is"
            " to be",
            hint=f"give that directory to {account.name}, or move the cache to a"
            " directory of that user",
        )


def _find_owner(cache: str) -> int | None:
    """Return whose cache it is: uv's tag file says so, else its directory."""
    for path in (f"{cache}/CACHEDIR.TAG", cache):
        try:
            return Path(path).stat().st_uid
        except OSError:
            continue
    return None


def _name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid or 0).pw_name
    except KeyError:
        return str(uid)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""
