"""Temporary files that are left in a store, of all runners: for `verify`.

Each runner sweeps its own `staging/<runner>/`; what runners leave that are no more, nobody
does.  Functions raise plain OSError.
"""

from collections.abc import Iterator
from pathlib import Path

from wheelferry.disk import Disk
from wheelferry.errors import RecordMalformed
from wheelferry.store import layout
from wheelferry.store.reading import Reads, facts_current, list_current
from wheelferry.store.removal import unlink_there
from wheelferry.store.trial import remove_folder


def find_leftovers(root: Path, reads: Reads) -> Iterator[tuple[str, int, int]]:
    """Yield path in the store, size in bytes, and time of modification.

    A folder to try the share in has no size.  Foreign names and links are skipped.
    """
    for runner in sorted(list_current(reads, root / layout.STAGING)):
        if not layout.is_runner(runner):
            continue
        directory = root / layout.staging_directory(runner)
        if not reads.is_directory(directory):
            continue
        try:
            names = sorted(list_current(reads, directory))
        except PermissionError:  # a runner without a group: its files are its own
            continue
        for name in names:
            path = f"{layout.staging_directory(runner)}/{name}"
            if layout.parse_staged_path(path) is None:
                continue
            if facts := facts_current(reads, root / path):
                yield path, facts.size_bytes, int(facts.written_s)
            elif reads.is_directory(root / path):
                yield path, 0, int((root / path).lstat().st_mtime)


def remove_leftover(root: Path, path: str, *, disk: Disk, reads: Reads) -> bool:
    """Remove one of them; return False if its runner was faster.

    Raises RecordMalformed for a path that `find_leftovers` cannot have yielded.
    """
    parsed = layout.parse_staged_path(path)
    if parsed is None:
        raise RecordMalformed(f"{path[:80]!r} is no temporary file of a store")
    runner, name = parsed
    if not reads.is_directory(root / layout.staging_directory(runner)):
        return False
    if not layout.is_trial_name(name):
        return unlink_there(root / path, disk=disk)
    if not reads.is_directory(root / path):
        return False
    remove_folder(root / path, disk)
    return True
