"""Which paths a tree in a pack may have, and in which order its files are packed.

Pure.  A path read from a store is hostile until `check_paths` has passed it: after that,
joining it to a directory cannot lead out of that directory, as long as every directory
below is made by us and not found there.
"""

from collections.abc import Iterable, Sequence

from wheelferry.errors import UnsafePath

MAX_PATH_BYTES = 4096
MAX_COMPONENT_BYTES = 255
MAX_DEPTH = 64
MAX_DIRECTORIES = 100_000


def order_key(path: str) -> tuple[str, str]:
    """Return the key by which the files of a tree are sorted: suffix, then path.

    Files of one suffix compress best beside each other.  Both parts compare by code
    point, which is also the order of their UTF-8 bytes.
    """
    name = path[path.rfind("/") + 1 :]
    dot = name.rfind(".")
    return (name[dot + 1 :] if dot > 0 else "", path)


def check_path(path: str) -> None:
    """Refuse a path that is not plainly below the directory it is joined to.

    Raises:
        UnsafePath: Absolute, empty, too long or too deep, with an empty component, `.`,
            `..` or NUL in it, or not expressible in UTF-8.
    """
    try:
        encoded_bytes = len(path.encode())
    except UnicodeEncodeError as exc:
        raise UnsafePath(f"path is not UTF-8: {path!r}") from exc
    if encoded_bytes > MAX_PATH_BYTES:
        raise UnsafePath(f"path is longer than {MAX_PATH_BYTES} bytes: {path[:60]!r}…")
    if "\0" in path:
        raise UnsafePath(f"path holds a NUL: {path!r}")
    components = path.split("/")
    if len(components) > MAX_DEPTH:
        raise UnsafePath(f"path is deeper than {MAX_DEPTH} levels: {path!r}")
    for component in components:
        if component in ("", ".", ".."):
            raise UnsafePath(f"path leads out of its tree or has a hole: {path!r}")
        if len(component) > MAX_COMPONENT_BYTES // 4 and (
            len(component.encode()) > MAX_COMPONENT_BYTES
        ):
            raise UnsafePath(
                f"path has a component of more than {MAX_COMPONENT_BYTES} bytes: {path!r}"
            )


def check_paths(paths: Sequence[str]) -> list[str]:
    """Refuse paths that cannot make up one tree; return its directories, parents first.

    Raises:
        UnsafePath: As `check_path`, or for a path that comes twice, a file that is also
            a directory of another one, or more than MAX_DIRECTORIES directories.
    """
    for path in paths:
        check_path(path)
    files = set(paths)
    if len(files) != len(paths):
        raise UnsafePath(f"path comes twice: {_first_repeated(paths)!r}")
    directories = _directories(paths)
    for directory in directories:
        if directory in files:
            raise UnsafePath(f"path is both a file and a directory: {directory!r}")
    return directories


def _directories(paths: Iterable[str]) -> list[str]:
    found: set[str] = set()
    for path in paths:
        end = path.rfind("/")
        while end > 0 and (parent := path[:end]) not in found:
            found.add(parent)
            if len(found) > MAX_DIRECTORIES:
                raise UnsafePath(f"tree has more than {MAX_DIRECTORIES} directories")
            end = path.rfind("/", 0, end)
    return sorted(found)


def _first_repeated(paths: Iterable[str]) -> str:
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            return path
        seen.add(path)
    return ""
