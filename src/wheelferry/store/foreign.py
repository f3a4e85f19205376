"""What is in the directories of a store and is not the store's, for `verify` to report."""

from collections.abc import Callable, Iterator
from pathlib import Path

from wheelferry.store import layout
from wheelferry.store.reading import Reads


def find_foreign(root: Path, reads: Reads) -> Iterator[tuple[str, str]]:
    """Yield the path in the store and what is wrong with it; raises plain OSError.

    First whatever has the name of a directory of the store and is none, such as a link:
    who reads on follows it.  `usage/` is not looked into.
    """
    for directory in layout.DIRECTORIES:
        # One that is missing is told by whoever lists it.
        path = root / directory
        if not reads.is_directory(path) and (path.is_symlink() or path.exists()):
            yield directory, "it is not a directory"
    for directory, is_ours, is_of_files in _directories():
        for name, is_file in sorted(reads.list_entries(root / directory)):
            path_in_store = f"{directory}/{name}".lstrip("/")
            if not is_ours(name):
                yield path_in_store, "its name is not one that a store has"
            elif is_of_files and not is_file:
                yield path_in_store, "it is not a regular file"
    yield from _staging(root, reads)


def _directories() -> Iterator[tuple[str, Callable[[str], bool], bool]]:
    """Yield each directory, which names it may have, and whether they are of files."""
    yield "", layout.is_top_level, False
    yield layout.OBJECTS, layout.PREFIXES.__contains__, False
    for prefix in layout.PREFIXES:
        yield f"{layout.OBJECTS}/{prefix}", _object_in(prefix), True
    yield layout.CATALOG, _is_segment, True
    yield layout.TRASH, _is_trashed, True
    yield layout.QUARANTINE, _is_quarantined, True


def _staging(root: Path, reads: Reads) -> Iterator[tuple[str, str]]:
    for runner, _ in sorted(reads.list_entries(root / layout.STAGING)):
        directory = layout.staging_directory(runner)
        if not layout.is_runner(runner):
            yield directory, "its name is not one that a runner has"
        elif not reads.is_directory(root / directory):
            yield directory, "it is not a directory"
        else:
            for name, is_file in sorted(_list_if_allowed(root / directory, reads)):
                path = f"{directory}/{name}"
                if layout.parse_staged_path(path) is None:
                    yield path, "its name is not one that a store has"
                elif layout.is_staged_name(name) and not is_file:
                    yield path, "it is not a regular file"


def _list_if_allowed(directory: Path, reads: Reads) -> list[tuple[str, bool]]:
    """Return the names in a runner's directory; none if it lets nobody look."""
    try:
        return reads.list_entries(directory)
    except PermissionError:
        return []


def _object_in(prefix: str) -> Callable[[str], bool]:
    return lambda name: layout.parse_object_name(prefix, name) is not None


def _is_segment(name: str) -> bool:
    return layout.parse_segment_name(name) is not None


def _is_trashed(name: str) -> bool:
    return layout.parse_trash_name(name) is not None


def _is_quarantined(name: str) -> bool:
    return layout.parse_quarantine_name(name) is not None
