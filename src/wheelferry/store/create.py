"""Make a store: what `wheelferry init` does, once."""

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wheelferry.disk import Disk
from wheelferry.errors import ConfigError, StoreError
from wheelferry.store import layout
from wheelferry.store.base import StoreInfo
from wheelferry.store.faults import Faults
from wheelferry.store.info import encode_info
from wheelferry.store.posix import PosixStore
from wheelferry.store.staging import Staging

_RUNNER: Final = "init"
_PLAIN: Final = 0o755
_GROUP: Final = 0o2775
_GROUP_STICKY: Final = 0o3775
# In these each runner has something of its own, which others must not remove.
_PERSONAL: Final = frozenset({layout.STAGING, layout.USAGE})

_README: Final = """\
This directory belongs to Wheelferry, which shares cached Python wheels between CI
runners.  Please change nothing in it by hand.

It is a cache: deleting all of it loses only time.  Deleting a part is safe too, if
nobody uses it at that moment, except for wheelferry.json, which makes it a store.

The files in objects/ are named by the SHA-256 of their content.  To check them here,
without Wheelferry:

    cd objects && sha256sum */* |
      awk '{ name = $2; sub(".*/", "", name); if (name != $1) print "DAMAGED", $2 }'

The files in catalog/ are checked in the same way, apart from their suffix.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What `create_store` did.

    Attributes:
        info: Of the store.
        was_there: Whether it was a store before.
    """

    info: StoreInfo
    was_there: bool


def create_store(
    root: Path, *, disk: Disk, now_s: float, group: str | None = None
) -> Created:
    """Make the store in `root`, or complete the one that is there.

    1. *directories*: `root` (its parent must exist) and all of `layout.DIRECTORIES`.
       With a group they are 2775 and the group's (`staging/` and `usage/` sticky as
       well); without one 0755, so that others can read.  Modes do not depend on the
       umask.  Directories that exist are changed only if a group is given, and nothing
       is made or changed through a link in the place of one.
    2. *README*.
    3. *wheelferry.json*, staged, synced and linked: the commit point.  It never
       replaces one; of two `init` at once, the second reports the store of the first.

    Killed before the commit point: a directory that `open` calls away, and that this
    function completes.  Killed after it: a store.

    Args:
        root: Empty, missing, a store, or a store that was left half-made.
        disk: What changes it.
        now_s: This host's clock, for `created`.
        group: Name or number of the group whose members may write.

    Raises:
        StoreError: There is something else in `root`, or the disk refuses.
        StoreFormatUnsupported: A newer Wheelferry's store is there.
        ConfigError: There is no such group.
    """
    gid = None if group is None else _group_id(group)
    faults = Faults(root)
    store = PosixStore(root, disk=disk, runner=_RUNNER)
    try:
        has_info = _check_ours(root)
    except OSError as exc:
        raise faults.of_write(exc, "look into", root) from exc
    if has_info:
        store.open()  # before anything is changed: it may be of a newer format
    staging = Staging(root, disk=disk, runner=_RUNNER)
    try:
        _make_directories(root, disk=disk, gid=gid)
        if not has_info:
            staging.commit(staging.write([_README.encode()]), root / layout.README)
            info = _new_info(now_s)
            staged = staging.write([encode_info(info)])
            has_info = not staging.commit_new(staged, root / layout.INFO)
            # Empty now, unless another `init` is at work; it may be of another user.
            with contextlib.suppress(OSError):
                disk.remove_dir(staging.directory)
    except OSError as exc:
        raise _init_error(faults, exc, root) from exc
    return Created(info=store.open(), was_there=has_info)


def _check_ours(root: Path) -> bool:
    try:
        names = {path.name for path in root.iterdir()}
    except FileNotFoundError:
        return False
    except NotADirectoryError as exc:
        raise StoreError(
            f"{root} is not a directory", hint="give an empty directory, or a new name"
        ) from exc
    if layout.INFO in names:
        return True
    # `objects` is what we make first: without it, the other names are not from us.
    ours = layout.TOP_LEVEL if layout.OBJECTS in names else frozenset[str]()
    foreign = sorted(n for n in names - ours if not layout.is_server_owned(n))
    if foreign:
        others = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise StoreError(
            f"{root} is not empty and not a store: it holds {foreign[0]!r}{others}",
            hint="give an empty directory, such as a new one below it",
        )
    return False


def _make_directories(root: Path, *, disk: Disk, gid: int | None) -> None:
    real_root = Path(os.path.realpath(root))  # which an admin may name by a link
    disk.confine(real_root)
    for relative in ("", *layout.DIRECTORIES):
        path = real_root / relative
        try:
            disk.make_dir(path)
        except FileExistsError:
            # Who may write to the share must not have root give away what is elsewhere.
            if not stat.S_ISDIR(path.lstat().st_mode):
                raise StoreError(
                    f"{path} is a link or a file, where the store has a directory",
                    hint="find out who made it, remove it, and run `wheelferry init`"
                    " again",
                ) from None
            if gid is None:
                continue
        if gid is None:
            disk.set_mode(path, _PLAIN)
        else:
            # In this order: chown(2) takes the setgid bit away.
            disk.set_group(path, gid)
            disk.set_mode(path, _GROUP_STICKY if relative in _PERSONAL else _GROUP)


def _new_info(now_s: float) -> StoreInfo:
    from datetime import UTC, datetime  # noqa: PLC0415 (only `init` needs dates)

    return StoreInfo(
        id=os.urandom(16).hex(),
        format_version=layout.FORMAT_VERSION,
        created=datetime.fromtimestamp(int(now_s), UTC).isoformat(),
    )


def _group_id(group: str) -> int:
    import grp  # noqa: PLC0415 (may ask a directory service; only `init` does)

    if group.isascii() and group.isdigit():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as exc:
        raise ConfigError(
            f"there is no group {group!r} on this machine",
            hint="give a group that all runners are in, by name or by number",
        ) from exc


def _init_error(faults: Faults, exc: OSError, root: Path) -> StoreError:
    if isinstance(exc, FileNotFoundError) and not root.parent.is_dir():
        return StoreError(
            f"cannot make a store in {root}: {root.parent} does not exist",
            hint="mount the share first, or make that directory",
        )
    path = Path(os.fsdecode(exc.filename)) if exc.filename else root
    return faults.of_write(exc, "make the store's", path)
