"""Try what pull and uv do: a rename into the cache, a hardlink out of it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wheelferry.disk import Disk
from wheelferry.disk.mounts import Mount, find_mount, load_mounts
from wheelferry.doctor.checks.places import Places, Trial
from wheelferry.doctor.checks.room import Room
from wheelferry.doctor.look.names import find_user
from wheelferry.doctor.setup import Setup
from wheelferry.errors import CacheError
from wheelferry.uvcache.owner import check_owner, check_reach
from wheelferry.uvcache.place import ARCHIVES

_PROTECTS: Final = Path("/proc/sys/fs/protected_hardlinks")
_PREFIX: Final = ".tmp-wheelferry-doctor-"
"""uv takes names that begin so for unfinished, and `uv cache prune` removes them: in case
that this is killed before it has."""


def look_at_places(setup: Setup, disk: Disk) -> Places:
    """Return what there is to see of cache, state directory and workspace."""
    cache, state = _real(setup.cache), _real(setup.state)
    workspace = _real(setup.workspace)
    near = _nearest(cache)
    mounts = _load_mounts()
    mount = find_mount(mounts, str(near))
    other = find_mount(mounts, str(workspace))
    archives = _list_archives(cache)
    me = os.geteuid()
    foreign = [(name, uid) for name, uid in archives if uid != me]
    room = os.statvfs(near)
    move = None
    if _is_dir(cache) and _is_dir(state):
        move = _try_move(state, cache, disk)
    return Places(
        user=find_user(),
        cache=str(setup.cache),
        state=str(setup.state),
        workspace=str(setup.workspace),
        is_there=_is_dir(cache),
        fs_type=mount.fs_type if mount else "",
        mount_point=mount.point if mount else "",
        workspace_point=other.point if other else "",
        link=_try_link(cache, near, workspace, disk),
        refusal=_find_refusal(setup.cache),
        archives=len(archives),
        foreign=tuple(name for name, _ in foreign),
        foreign_owner=find_user(foreign[0][1]) if foreign else "",
        protects=_read_protects(),
        room=Room(
            free_bytes=room.f_bavail * room.f_frsize,
            size_bytes=room.f_blocks * room.f_frsize,
            free_files=room.f_favail,
            size_files=room.f_files,
        ),
        move=move,
        is_state_near=_nearest(state).stat().st_dev == near.stat().st_dev,
        barrier=_find_barrier(state, cache),
    )


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _nearest(path: Path) -> Path:
    """Return the path, or the nearest above it that is a directory."""
    return next(p for p in (path, *path.parents) if _is_dir(p))


def _is_dir(path: Path) -> bool:
    # pathlib's raises where this user may not look.
    return os.path.isdir(path)  # noqa: PTH112


def _find_barrier(*wanted: Path) -> str:
    """Return the directory in which one of these is to be made, and cannot; "" if none.

    Not one that cannot be entered: what is in there is not known.
    """
    for path in wanted:
        near = _nearest(path)
        can_enter = os.access(near, os.X_OK, effective_ids=True)
        can_write = os.access(near, os.W_OK, effective_ids=True)
        if near != path and can_enter and not can_write:
            return str(near)
    return ""


def _load_mounts() -> tuple[Mount, ...]:
    try:
        return load_mounts()
    except OSError:  # no /proc
        return ()


def _try_link(cache: Path, near: Path, workspace: Path, disk: Disk) -> Trial:
    """Link a file into the workspace as uv does, if possible one that uv put there."""
    there = next(_cached_files(cache), None)
    made = None
    if there is None:
        made = near / _new_name()
        try:
            disk.create_file(made, b"")
        except OSError as exc:
            return _failed(exc, near, workspace, failed_at=str(near))
    source = there or made or cache
    target = workspace / _new_name()
    try:
        if failure := _refuses_files(workspace, disk):
            return _failed(failure, near, workspace, failed_at=str(workspace))
        owner = find_user(source.lstat().st_uid) if there else ""
        try:
            disk.link_new(source, target)
        except OSError as exc:
            return _failed(exc, near, workspace, owner=owner)
        return Trial(source=str(cache), target=str(workspace))
    finally:
        _clear(disk, target, made)


def _try_move(state: Path, cache: Path, disk: Disk) -> Trial:
    """Rename a file from the state directory into the cache, as a pull does."""
    source, target = state / _new_name(), cache / _new_name()
    try:
        disk.create_file(source, b"")
    except OSError as exc:
        return _failed(exc, state, cache, failed_at=str(state))
    try:
        disk.rename(source, target)
    except OSError as exc:
        return _failed(exc, state, cache)
    finally:
        _clear(disk, source, target)
    return Trial(source=str(state), target=str(cache))


def _refuses_files(directory: Path, disk: Disk) -> OSError | None:
    """Return why no file can be made in a directory, if so."""
    probe = directory / _new_name()
    try:
        disk.create_file(probe, b"")
    except OSError as exc:
        return exc
    finally:
        _clear(disk, probe)
    return None


def _failed(
    exc: OSError, source: Path, target: Path, *, failed_at: str = "", owner: str = ""
) -> Trial:
    return Trial(
        source=str(source),
        target=str(target),
        number=exc.errno or 0,
        words=exc.strerror or str(exc),
        failed_at=failed_at,
        owner=owner,
    )


def _clear(disk: Disk, *paths: Path | None) -> None:
    for path in paths:
        try:
            if path is not None:
                disk.unlink(path)
        except OSError:  # what could not be made need not go either
            continue


def _new_name() -> str:
    return f"{_PREFIX}{os.urandom(8).hex()}"


def _cached_files(cache: Path) -> Iterator[Path]:
    """Yield files of archives."""
    for folder, _, names in os.walk(cache / ARCHIVES):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _list_archives(cache: Path) -> list[tuple[str, int]]:
    """Return the names of the archives, and who owns them."""
    try:
        with os.scandir(cache / ARCHIVES) as found:
            return sorted(
                (entry.name, entry.stat(follow_symlinks=False).st_uid)
                for entry in found
                if not entry.name.startswith(".")
            )
    except OSError:  # no cache, or of another user: `_find_refusal` says it
        return []


def _find_refusal(cache: Path) -> tuple[str, str] | None:
    try:
        check_reach(cache)
        check_owner(cache)
    except CacheError as exc:
        return exc.message, exc.hint or ""
    return None


def _read_protects() -> bool | None:
    try:
        return _PROTECTS.read_text().strip() != "0"
    except OSError:
        return None
