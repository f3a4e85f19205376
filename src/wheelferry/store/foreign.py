"""What is in the directories of a store and is not the store's, for `verify` to report."""

from collections.abc import Callable, Iterator
from pathlib import Path

from wheelferry.store import layout
from wheelferry.store.reading import Reads


def find_foreign(root: Path, reads: Reads) -> Iterator[tuple[str, str]]:
    """Yield the path in the store and what is wrong with it; raises plain OSError.

    `staging/`, `usage/`, `trash/` and `quarantine/` are not looked into.
    """
    yield from _strangers(reads, root, "", layout.is_top_level)
    yield from _strangers(reads, root, layout.OBJECTS, layout.PREFIXES.__contains__)
    for prefix in layout.PREFIXES:
        directory = f"{layout.OBJECTS}/{prefix}"
        yield from _strangers(reads, root, directory, _object_in(prefix))
        yield from _no_files(reads, root, directory, _object_in(prefix))
    yield from _strangers(reads, root, layout.CATALOG, _is_segment)
    yield from _no_files(reads, root, layout.CATALOG, _is_segment)


def _strangers(
    reads: Reads, root: Path, directory: str, is_ours: Callable[[str], bool]
) -> Iterator[tuple[str, str]]:
    for name in sorted(reads.list_names(root / directory)):
        if not is_ours(name):
            yield str(Path(directory, name)), "its name is not one that a store has"


def _no_files(
    reads: Reads, root: Path, directory: str, is_ours: Callable[[str], bool]
) -> Iterator[tuple[str, str]]:
    for name in sorted(filter(is_ours, reads.list_names(root / directory))):
        try:
            size_bytes = reads.file_size(root / directory / name)
        except FileNotFoundError:
            continue  # removed since it was listed
        if size_bytes is None:
            yield str(Path(directory, name)), "it is not a regular file"


def _object_in(prefix: str) -> Callable[[str], bool]:
    return lambda name: layout.parse_object_name(prefix, name) is not None


def _is_segment(name: str) -> bool:
    return layout.parse_segment_name(name) is not None
