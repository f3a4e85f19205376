"""The environment, and the places that follow from it.

What is here imports next to nothing: `WHEELFERRY_DISABLE` is looked at before any other
module of the program is loaded.
"""

import os
from collections.abc import Mapping

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


def find_uv_cache(environ: Mapping[str, str]) -> tuple[str, str | None]:
    """Return where uv keeps its cache, and the variable that says so.

    As uv has it: `UV_CACHE_DIR`, else `$XDG_CACHE_HOME/uv` if that is absolute, else
    `~/.cache/uv`.
    """
    if path := environ.get("UV_CACHE_DIR"):
        return os.path.abspath(path), "UV_CACHE_DIR"  # noqa: PTH100 - pathlib has no such
    xdg = environ.get("XDG_CACHE_HOME", "")
    if xdg.startswith("/"):
        return f"{xdg.rstrip('/')}/uv", "XDG_CACHE_HOME"
    return f"{find_home(environ).rstrip('/')}/.cache/uv", None


def find_user_file(environ: Mapping[str, str]) -> str:
    """Return the path of the user's own configuration file, which need not exist."""
    xdg = environ.get("XDG_CONFIG_HOME", "")
    root = xdg if xdg.startswith("/") else f"{find_home(environ).rstrip('/')}/.config"
    return f"{root.rstrip('/')}/wheelferry/config.toml"


def find_path_dirs(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the absolute directories of `PATH`; relative ones are a job's to choose."""
    parts = environ.get("PATH", os.defpath).split(os.pathsep)
    return tuple(dict.fromkeys(part for part in parts if part.startswith("/")))


def find_host_name() -> str:
    """Return this host's name, as `uname -n` has it."""
    return os.uname().nodename
