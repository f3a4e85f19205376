"""Where uv keeps its cache and its Pythons, as uv itself decides it.

Files of projects are not read, though uv does: which project a job will work in is not
known before it, and a cache is one for many.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from wheelferry.config import environment

_ETC: Final = "/etc/uv/uv.toml"
YES: Final = frozenset({"1", "true", "t", "yes", "y", "on"})


def find_uv_cache(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return where uv keeps its cache, and the variable or file that says so, or "".

    As uv has it: `UV_CACHE_DIR`, else `cache-dir` of the first of uv's files that has
    it, else `$XDG_CACHE_HOME/uv` if that is absolute, else `~/.cache/uv`.
    """
    if path := environ.get("UV_CACHE_DIR"):
        return os.path.abspath(path), "UV_CACHE_DIR"  # noqa: PTH100 - pathlib has no such
    for file in find_uv_files(environ):
        path = load_uv_file(file).get("cache-dir")
        if path and isinstance(path, str):
            return os.path.abspath(path), file  # noqa: PTH100
    xdg = environ.get("XDG_CACHE_HOME", "")
    if xdg.startswith("/"):
        return f"{xdg.rstrip('/')}/uv", "XDG_CACHE_HOME"
    return f"{environment.find_home(environ).rstrip('/')}/.cache/uv", ""


def find_uv_pythons(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the directories of the Pythons that uv has installed.

    As uv has it: below `UV_PYTHON_INSTALL_DIR`, else `$XDG_DATA_HOME/uv/python`, else
    `~/.local/share/uv/python`.
    """
    xdg = environ.get("XDG_DATA_HOME", "")
    home = environment.find_home(environ).rstrip("/")
    data = xdg.rstrip("/") if xdg.startswith("/") else f"{home}/.local/share"
    root = environ.get("UV_PYTHON_INSTALL_DIR") or f"{data}/uv/python"
    try:
        names = sorted(os.listdir(root), reverse=True)  # noqa: PTH208 - as above
    except OSError:
        return ()
    return tuple(f"{os.path.abspath(root)}/{name}/bin" for name in names)  # noqa: PTH100


def find_uv_files(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the paths of uv's files for all projects, the strongest first."""
    if named := environ.get("UV_CONFIG_FILE"):
        yield named
        return
    if environ.get("UV_NO_CONFIG", "").lower() in YES:
        return
    yield f"{environment.find_config_home(environ)}/uv/uv.toml"
    if environ.get("UV_NO_SYSTEM_CONFIG", "").lower() in YES:
        return
    roots = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    files = [f"{root}/uv/uv.toml" for root in roots if root]
    yield next(filter(os.path.isfile, files), _ETC)


def load_uv_file(path: str) -> Mapping[str, Any]:
    """Return what a file of uv's says; nothing if it is not there.

    A file that uv will not understand either is for uv to complain of.
    """
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - no pathlib needed for this
            data = stream.read()
    except OSError:
        return {}
    import tomllib  # noqa: PLC0415 - 8 ms, and many runners have no file

    try:
        return tomllib.loads(data.decode())
    except ValueError:
        return {}
