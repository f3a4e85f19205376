"""Look at the share that a store is on: how it answers, how full it is, who may write.

Costs some 30 RPCs on NFS, whatever the size of the store.
"""

import os
from pathlib import Path
from typing import Final

from wheelferry.disk import clock
from wheelferry.store import layout
from wheelferry.store.beats import beat
from wheelferry.store.reading import Reads
from wheelferry.store.staging import Staging
from wheelferry.store.upkeep import StoreSurvey

_ROUNDS: Final = 5
_SAMPLE: Final = (
    "",
    layout.OBJECTS,
    f"{layout.OBJECTS}/{layout.PREFIXES[0]}",
    f"{layout.OBJECTS}/{layout.PREFIXES[-1]}",
    layout.CATALOG,
    layout.USAGE,
    layout.STAGING,
)
"""Directories that are looked at, for all 262: what went wrong with one did with most."""

_ONLY_LISTED: Final = frozenset({"", layout.OBJECTS})
"""Nothing is made in these after `init`."""


def take_survey(root: Path, *, reads: Reads, staging: Staging | None) -> StoreSurvey:
    """Return what there is to see; raises OSError if it cannot be looked at.

    A file is written if there is a `staging`, and removed.
    """
    answers_s = tuple(
        _time_answer(root / layout.CATALOG, reads) for _ in range(_ROUNDS)
    )
    room = os.statvfs(root)
    beat()
    directories, refused = [], []
    for name in _SAMPLE:
        status = (root / name).stat()
        directories.append((name, status.st_mode, status.st_uid, status.st_gid))
        if name not in _ONLY_LISTED and not os.access(root / name, os.W_OK | os.X_OK):
            refused.append(name)
        beat()
    written_s, trouble, began_s, ended_s = 0.0, "", 0.0, 0.0
    if staging is not None:
        began_s = clock.now_s()
        try:
            written_s = staging.try_write()
        except OSError as exc:
            trouble = f"{staging.directory}: {exc.strerror or exc}"
        ended_s = clock.now_s()
    return StoreSurvey(
        real_path=os.path.realpath(root),
        answers_s=answers_s,
        free_bytes=room.f_bavail * room.f_frsize,
        size_bytes=room.f_blocks * room.f_frsize,
        free_files=room.f_favail,
        size_files=room.f_files,
        directories=tuple(directories),
        refused=tuple(refused),
        written_s=written_s,
        clock_s=(began_s, ended_s),
        trouble=trouble,
    )


def _time_answer(directory: Path, reads: Reads) -> float:
    """Return how long it takes to open a directory: the client has to ask the server."""
    began_s = clock.monotonic_s()
    reads.look_into(directory)
    return clock.monotonic_s() - began_s
