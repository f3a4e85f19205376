"""Ask each uv of this machine what it is, and the first one where its cache is."""

from pathlib import Path

from wheelferry.disk.programs import run
from wheelferry.doctor.checks.uv import Binary, UvFacts
from wheelferry.doctor.setup import Setup
from wheelferry.errors import CacheError
from wheelferry.uvcache.installed import find_binaries, parse_version_line
from wheelferry.uvcache.scan import scan_cache


def look_at_uv(setup: Setup) -> UvFacts:
    """Return what the uv binaries say, and which formats the cache has."""
    paths = find_binaries(setup.uv_paths)
    binaries = tuple(map(_look_at_binary, paths))
    first = next((Path(b.path) for b in binaries if b.release), None)
    said = said_there = trouble = ""
    # Told to use no cache, it names a temporary one.
    if first is not None and not setup.no_cache[0]:
        try:
            said = _ask_cache(first, setup, Path("/"))
            said_there = _ask_cache(first, setup, setup.workspace)
        except OSError as exc:
            trouble = str(exc)
    return UvFacts(
        paths=tuple(map(str, setup.uv_paths)),
        binaries=binaries,
        versions=setup.uv_versions,
        cache=str(setup.cache),
        origin=setup.cache_origin,
        workspace=str(setup.workspace),
        said=said,
        said_there=said_there,
        trouble=trouble,
        link_mode=setup.link_mode,
        no_cache=setup.no_cache,
        unknown=_find_unknown(setup.cache),
    )


def _look_at_binary(path: Path) -> Binary:
    try:
        version = parse_version_line(run(path, ["--version"]))
        return Binary(path=str(path), release=version)
    except (OSError, ValueError) as exc:
        return Binary(path=str(path), trouble=str(exc))


def _ask_cache(binary: Path, setup: Setup, directory: Path) -> str:
    printed = run(binary, ["cache", "dir"], environ=setup.environ, directory=directory)
    return str((directory / printed.strip()).absolute())


def _find_unknown(cache: Path) -> tuple[str, ...]:
    try:
        return tuple(unknown.name for unknown in scan_cache(cache).unknown)
    except CacheError:  # another user's: that is said elsewhere
        return ()
