"""The environment, and the places that follow from it.

What is here imports next to nothing: `WHEELFERRY_DISABLE` is looked at before any other
module of the program is loaded.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple

DISABLE = "WHEELFERRY_DISABLE"
CONFIG = "WHEELFERRY_CONFIG"
SYSTEM_FILE = "/etc/wheelferry/config.toml"

_OFF = frozenset({"", "0", "false", "no", "off"})


def read_environ() -> Mapping[str, str]:
    """Return this process's environment."""
    return os.environ


def is_disabled(environ: Mapping[str, str]) -> bool:
    """Return whether `WHEELFERRY_DISABLE` says to do nothing.

    Any value but an empty one, `0`, `false`, `no` and `off` does: whoever sets it wants
    to be rid of us, and a misspelt `ture` must not keep us.
    """
    return environ.get(DISABLE, "").strip().lower() not in _OFF


def find_home(environ: Mapping[str, str]) -> str:
    """Return the home directory: `HOME`, else that of the password database."""
    return environ.get("HOME") or find_account_home()


def find_account_home() -> str:
    """Return the home directory that the password database has for this user.

    `/` for a user without an entry, as in a container that runs under any number.
    """
    import pwd  # noqa: PLC0415 - hardly ever needed

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"


def find_user_file(environ: Mapping[str, str]) -> str:
    """Return the path of the user's own configuration file, which need not exist."""
    return f"{find_config_home(environ)}/wheelferry/config.toml"


def find_config_home(environ: Mapping[str, str]) -> str:
    """Return the directory of a user's configuration files, as XDG has it."""
    xdg = environ.get("XDG_CONFIG_HOME", "")
    root = xdg if xdg.startswith("/") else f"{find_home(environ).rstrip('/')}/.config"
    return root.rstrip("/")


def find_path_dirs(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the absolute directories of `PATH`; relative ones are a job's to choose."""
    parts = environ.get("PATH", os.defpath).split(os.pathsep)
    return tuple(dict.fromkeys(part for part in parts if part.startswith("/")))


def find_host_name() -> str:
    """Return this host's name, as `uname -n` has it."""
    return os.uname().nodename


class ServiceManager(NamedTuple):
    """What a service manager says to a service that it starts; see sd_notify(3).

    Attributes:
        address: Of the socket to notify, or "".
        watchdog_s: Within what time it has to hear of this process, or None.
    """

    address: str
    watchdog_s: float | None


def find_service_manager(environ: Mapping[str, str]) -> ServiceManager:
    """Return how to talk to the service manager that started this process, if any."""
    for_pid = environ.get("WATCHDOG_PID", str(os.getpid()))
    text = environ.get("WATCHDOG_USEC", "")
    is_ours = for_pid == str(os.getpid()) and text.isascii() and text.isdigit()
    watchdog_s = int(text) / 1_000_000 if is_ours and int(text) else None
    return ServiceManager(environ.get("NOTIFY_SOCKET", ""), watchdog_s)
