"""Go through the directories of a store: what is in them, and what does not belong there.

Each directory is listed once, and its entries say what is foreign.  Only an object is
looked at, while an NFS client still knows what the listing has told of it.  Functions
raise plain OSError.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from wheelferry.store import layout
from wheelferry.store.reading import Entry, Reads, entries_current, facts_current
from wheelferry.store.upkeep import Dated, Foreign

_NO_NAME: Final = "its name is not one that a store has"
_NO_FILE: Final = "it is not a regular file"
_NO_DIRECTORY: Final = "it is not a directory"

_OTHERS: Final[tuple[tuple[str, Callable[[str], object]], ...]] = (
    ("", layout.is_top_level),
    (layout.OBJECTS, layout.PREFIXES.__contains__),
    (layout.CATALOG, layout.parse_segment_name),
    (layout.TRASH, layout.parse_trash_name),
    (layout.QUARANTINE, layout.parse_quarantine_name),
)
"""Directories without objects of their own, parents first, and what is true of a name that
may be in them."""


def find_objects(root: Path, reads: Reads) -> Iterator[Dated | Foreign]:
    """Yield all objects, and what is among them and is none, sorted."""
    for prefix in layout.PREFIXES:
        directory = f"{layout.OBJECTS}/{prefix}"
        for entry in sorted(entries_current(reads, root / directory)):
            path = f"{directory}/{entry.name}"
            digest = layout.parse_object_name(prefix, entry.name)
            if digest is None:
                yield Foreign(path, _NO_NAME)
            elif not entry.is_file:
                yield Foreign(path, _NO_FILE)
            elif facts := facts_current(reads, root / path):
                yield Dated(digest, facts.size_bytes, int(facts.written_s))


def find_foreign(root: Path, reads: Reads) -> Iterator[Foreign]:
    """Yield what does not belong into the store, but for what is among the objects.

    What has the name of a directory of the store and is none, such as a link, is told of
    before it is listed: whoever reads on follows it.  `usage/` is not looked into.
    """
    for directory, is_ours in _OTHERS:
        for entry in sorted(entries_current(reads, root / directory)):
            path = f"{directory}/{entry.name}".lstrip("/")
            if not is_ours(entry.name):
                yield Foreign(path, _NO_NAME)
            elif path in layout.DIRECTORIES:
                # One that is missing is told by whoever lists it.
                if not entry.is_directory:
                    yield Foreign(path, _NO_DIRECTORY)
            elif directory and not entry.is_file:
                yield Foreign(path, _NO_FILE)
    for runner in sorted(entries_current(reads, root / layout.STAGING)):
        yield from _find_foreign_staged(root, runner, reads)


def _find_foreign_staged(root: Path, runner: Entry, reads: Reads) -> Iterator[Foreign]:
    """Yield what is foreign of an entry of `staging/`, and in it."""
    directory = layout.staging_directory(runner.name)
    if not layout.is_runner(runner.name):
        yield Foreign(directory, _NO_NAME)
        return
    if not runner.is_directory:
        yield Foreign(directory, _NO_DIRECTORY)
        return
    for entry in sorted(_list_if_allowed(root / directory, reads)):
        path = f"{directory}/{entry.name}"
        if layout.parse_staged_path(path) is None:
            yield Foreign(path, _NO_NAME)
        elif layout.is_staged_name(entry.name) and not entry.is_file:
            yield Foreign(path, _NO_FILE)


def _list_if_allowed(directory: Path, reads: Reads) -> list[Entry]:
    """Return what is in a runner's directory; nothing if it lets nobody look."""
    try:
        return entries_current(reads, directory)
    except PermissionError:
        return []
