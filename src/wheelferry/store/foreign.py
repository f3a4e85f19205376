"""What is in the directories of a store and is not the store's, for `verify` to report."""

from collections.abc import Callable, Iterator
from pathlib import Path

from wheelferry.store import layout
from wheelferry.store.reading import Reads


def find_foreign(root: Path, reads: Reads) -> Iterator[tuple[str, str]]:
    """Yield the path in the store and what is wrong with it; raises plain OSError.

    `staging/`, `usage/` and `quarantine/` are not looked into.
    """
    for directory, is_ours, has_files in _directories():
        for name, is_file in sorted(reads.list_entries(root / directory)):
            if not is_ours(name):
                yield str(Path(directory, name)), "its name is not one that a store has"
            elif has_files and not is_file:
                yield str(Path(directory, name)), "it is not a regular file"


def _directories() -> Iterator[tuple[str, Callable[[str], bool], bool]]:
    """Yield each directory, which names it may have, and whether they are of files."""
    yield "", layout.is_top_level, False
    yield layout.OBJECTS, layout.PREFIXES.__contains__, False
    for prefix in layout.PREFIXES:
        yield f"{layout.OBJECTS}/{prefix}", _object_in(prefix), True
    yield layout.CATALOG, _is_segment, True
    yield layout.TRASH, _is_trashed, True


def _object_in(prefix: str) -> Callable[[str], bool]:
    return lambda name: layout.parse_object_name(prefix, name) is not None


def _is_segment(name: str) -> bool:
    return layout.parse_segment_name(name) is not None


def _is_trashed(name: str) -> bool:
    return layout.parse_trash_name(name) is not None
