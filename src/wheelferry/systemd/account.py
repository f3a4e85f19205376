"""The user of a service, and what Wheelferry's configuration is for that user.

The configuration is what the service will see: it is asked for as that user, from the
interpreter of the unit, with the environment that systemd gives.  So it shows at once
whether that interpreter works for the user.
"""

import json
import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from wheelferry.errors import ConfigError, UnitsError

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""That of a service; see systemd.exec(5)."""

_TIMEOUT_S: Final = 60.0
_CAN_WRITE: Final = (
    "import os, sys; sys.exit(not os.access(sys.argv[1], os.W_OK | os.X_OK))"
)


class Account(NamedTuple):
    """A user of this machine."""

    name: str
    uid: int
    gid: int
    home: str


def load_account(name: str) -> Account:
    """Return the user named `name`; raises UnitsError."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise UnitsError(
            f"there is no user {name} on this machine",
            hint="give --user the name of the user who runs the jobs",
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def load_settings(
    account: Account, python: str, *, config_file: str | None
) -> Mapping[str, Any]:
    """Return the settings of `wheelferry config show` for a user, by key.

    Raises:
        UnitsError: This user may not act for that one; the interpreter does not work.
        ConfigError: The configuration cannot be used.
    """
    argv = [python, "-I", "-m", "wheelferry", "config", "show", "--json"]
    argv += ["--config", config_file] if config_file else []
    done = _run(account, argv)
    last = (done.stderr.strip().splitlines() or [""])[-1]
    try:
        if done.returncode == 0:
            settings: Mapping[str, Any] = json.loads(done.stdout)["settings"]
            return settings
        error = json.loads(last)
        message, hint = str(error["message"]), error.get("hint")
    except (ValueError, KeyError, TypeError):
        raise UnitsError(
            f"{python} does not run wheelferry as user {account.name}"
            f" ({last or f'exit code {done.returncode}'})",
            hint=_WHERE,
        ) from None
    raise ConfigError(f"as user {account.name}: {message}", hint=hint)


def can_write(account: Account, python: str, directory: str) -> bool:
    """Return whether a user may make files in a directory."""
    return _run(account, [python, "-I", "-c", _CAN_WRITE, directory]).returncode == 0


_WHERE: Final = (
    "install wheelferry where every user can read it, interpreter included, such as"
    " in /opt/wheelferry, and run its `systemd install`"
)


def _run(account: Account, argv: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run a program as a user, who is root's choice, or who is running this anyway."""
    switch: dict[str, Any] = {}
    if account.uid != os.geteuid():
        if os.geteuid() != 0:
            raise UnitsError(
                f"only root can find out what wheelferry is to do for {account.name}",
                hint="use sudo",
            )
        groups = os.getgrouplist(account.name, account.gid)
        switch = {"user": account.uid, "group": account.gid, "extra_groups": groups}
    try:
        return subprocess.run(  # noqa: S603 - our own interpreter
            argv,
            env={
                "HOME": account.home,
                "LANG": "C.UTF-8",
                "LOGNAME": account.name,
                "PATH": _PATH,
                "USER": account.name,
            },
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            **switch,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise UnitsError(
            f"{argv[0]} cannot be run as user {account.name}"
            f" ({getattr(exc, 'strerror', None) or exc})",
            hint=_WHERE,
        ) from exc
