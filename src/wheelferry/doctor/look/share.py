"""Look at the store from a process that can be left behind, should the share hang."""

import math
import os
from pathlib import Path
from typing import Final

from wheelferry.disk import Disk, clock
from wheelferry.disk.clock import Deadline
from wheelferry.disk.mounts import find_mount, load_mounts
from wheelferry.doctor.checks.mount import MountFacts
from wheelferry.doctor.checks.share import ShareFacts
from wheelferry.doctor.look.names import find_group, find_user
from wheelferry.doctor.setup import Setup
from wheelferry.errors import StoreSilent, WheelferryError
from wheelferry.ops.silence import recall
from wheelferry.store.base import Store
from wheelferry.store.isolated import IsolatedStore
from wheelferry.store.posix import PosixStore
from wheelferry.store.upkeep import StoreSurvey
from wheelferry.systemd.mounts import decode_fstab

PATIENCE_S: Final = 5.0
"""How long the store may be silent here: an admin waits."""

LIMIT_S: Final = 20.0
"""How long all of it may take on a share that is slow, and not silent."""


def look_at_share(setup: Setup, disk: Disk) -> ShareFacts:
    """Return what there is to see of the store; forks, so it comes before all threads."""
    store_id, trouble, survey = "", None, None
    is_silent = False
    if setup.store is not None:
        try:
            store_id, survey = _take_survey(setup.store, setup, disk)
        except WheelferryError as exc:
            cause = f" ({exc.__cause__})" if exc.__cause__ else ""
            trouble = f"{exc.message}{cause}", exc.hint or ""
            is_silent = isinstance(exc, StoreSilent)
    directories = survey.directories if survey else ()
    return ShareFacts(
        store=str(setup.store or ""),
        expected_id=setup.store_id or "",
        store_id=store_id,
        trouble=trouble,
        is_silent=is_silent,
        unmounted=_find_unmounted(setup.store) if trouble and not is_silent else "",
        skipped_s=_find_skipped(setup),
        promotes=setup.promotes,
        user=find_user(),
        groups=frozenset({os.getegid(), *os.getgroups()}),
        owner_names=tuple({(uid, find_user(uid)) for _, _, uid, _ in directories}),
        group_names=tuple({(gid, find_group(gid)) for _, _, _, gid in directories}),
        survey=survey,
    )


def look_at_mount(store: Path, setup: Setup, share: ShareFacts | None) -> MountFacts:
    """Return how the store is mounted, once it was touched.

    The path is not looked at here: it may be that of a share that hangs.
    """
    found = share.survey if share is not None else None
    path = found.real_path if found else os.path.normpath(store)
    mounts = load_mounts()
    mount = find_mount(mounts, path)
    cache = find_mount(mounts, os.path.realpath(setup.cache))
    return MountFacts(
        store=path,
        point=mount.point if mount else "",
        fs_type=mount.fs_type if mount else "",
        source=mount.source if mount else "",
        options=mount.options if mount else {},
        is_cache=mount is not None and mount == cache,
    )


def _take_survey(path: Path, setup: Setup, disk: Disk) -> tuple[str, StoreSurvey]:
    def make() -> Store:
        return PosixStore(path, disk=disk, runner=setup.runner)

    with IsolatedStore(
        make,
        location=str(path),
        timeout_s=min(setup.timeout_s, PATIENCE_S),
        deadline=Deadline.after(LIMIT_S),
    ) as store:
        info = store.open(expected_id=setup.store_id)
        return info.id, store.upkeep.survey(writes=setup.promotes)


def _find_unmounted(store: Path | None) -> str:
    """Return where fstab has a mount that the store is on, and the kernel has none."""
    try:
        text = Path("/etc/fstab").read_text(encoding="utf-8", errors="surrogateescape")
        mounted = {mount.point for mount in load_mounts()}
    except OSError:
        return ""
    path = f"{os.path.normpath(store or '/')}/"
    points = [p for p in decode_fstab(text) if p != "/" and path.startswith(f"{p}/")]
    point = max(points, key=len, default="")
    return "" if point in mounted else point


def _find_skipped(setup: Setup) -> int:
    if setup.store is None:
        return 0
    now_s = clock.now_s()
    known = recall(setup.state, str(setup.store), now_s=now_s)
    if known is None or not known.is_active(now_s):
        return 0
    return math.ceil(known.until_s - now_s)
