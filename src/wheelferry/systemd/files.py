"""Put the files of an instance where systemd looks, and take them away again.

Each file is written under another name, synced and renamed: systemd sees all of it or
none.  Killed between two files, what is there is a mix of old and new; the same command
again completes it.  A file that somebody else wrote or changed is left alone, unless that
is forced; nothing is changed then.
"""

import os
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from wheelferry.disk import Disk
from wheelferry.errors import UnitsError
from wheelferry.systemd import render
from wheelferry.systemd.seal import Seal, read_seal

UNITS: Final = "etc/systemd/system"
"""Where an administrator's units are, below the root."""

_TEMPLATES: Final = (render.DAEMON_UNIT, render.PULL_UNIT, render.TIMER_UNIT)


class Action(StrEnum):
    """What becomes of a file."""

    WRITTEN = "written"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    REMOVED = "removed"


class Change(NamedTuple):
    """One file, and what becomes of it.

    Attributes:
        path: Where it is.
        action: What is to be done.
        text: What is to be in it; empty if it goes.
        is_edited: Whether somebody else wrote or changed what is there.
    """

    path: Path
    action: Action
    text: str = ""
    is_edited: bool = False


def load_templates() -> Mapping[str, str]:
    """Return what `units/` has, by file name."""
    found = (Path(__file__).parent / "units").iterdir()
    return {path.name: path.read_text(encoding="utf-8") for path in found}


def plan_install(
    directory: Path, files: Mapping[str, str], *, name: str, has_timer: bool
) -> tuple[Change, ...]:
    """Return what makes `directory` have `files`, and no other drop-in of ours there.

    Args:
        directory: Of the units.
        files: By path in it.
        name: Of the instance.
        has_timer: Whether it is that of a timer.
    """
    changes = [_plan_write(directory / path, text) for path, text in files.items()]
    ours = _find_drop_ins(directory, name, has_timer=has_timer)
    wanted = {change.path for change in changes}
    changes += [_plan_removal(path) for path in ours if path not in wanted]
    return tuple(changes)


def plan_uninstall(directory: Path, *, name: str) -> tuple[Change, ...]:
    """Return what removes an instance, and the templates with the last one."""
    paths = [
        path
        for has_timer in (False, True)
        for path in _find_drop_ins(directory, name, has_timer=has_timer)
    ]
    others = [
        path
        for kind in (render.DAEMON, render.PULL)
        for path in directory.glob(f"{kind}@*.service.d/{render.DROP_INS[0]}")
        if path not in paths
    ]
    if not others:
        found = (directory / template for template in _TEMPLATES)
        paths += [path for path in found if _read(path) is not None]
    return tuple(map(_plan_removal, paths))


def find_units(directory: Path, name: str) -> tuple[str, ...]:
    """Return the units of an instance that there are."""
    units = (
        (render.DAEMON_UNIT, False),
        (render.TIMER_UNIT, True),
        (render.PULL_UNIT, True),
    )
    return tuple(
        template.replace("@", f"@{name}")
        for template, has_timer in units
        if (directory / template).exists()
        and _find_drop_ins(directory, name, has_timer=has_timer)
    )


def find_instances(directory: Path) -> tuple[str, ...]:
    """Return the units of all instances that would run by themselves."""
    kinds = ((render.DAEMON, "service"), (render.PULL, "timer"))
    return tuple(
        path.parent.name.removesuffix(".service.d") + f".{suffix}"
        for kind, suffix in kinds
        for path in sorted(directory.glob(f"{kind}@*.service.d/{render.DROP_INS[0]}"))
    )


def refuse_edited(changes: Iterable[Change]) -> None:
    """Raise UnitsError if a file would be lost that somebody else wrote or changed."""
    edited = [change for change in changes if change.is_edited]
    if edited:
        paths = ", ".join(str(change.path) for change in edited)
        raise UnitsError(
            f"{paths}: not as `wheelferry systemd install` wrote it; nothing was changed",
            hint="keep what you need of it in a drop-in of your own, and use --force",
        )


def apply_changes(changes: Iterable[Change], *, disk: Disk) -> None:
    """Write and remove; raises UnitsError."""
    for change in changes:
        try:
            if change.action is Action.REMOVED:
                disk.unlink(change.path)
                _remove_if_empty(change.path.parent, disk)
            elif change.action is not Action.UNCHANGED:
                _write(change.path, change.text, disk)
        except OSError as exc:
            raise UnitsError(
                f"cannot change {change.path}: {exc.strerror or exc}",
                hint="units are installed by root: use sudo, or --root DIR for a place"
                " of your own",
            ) from exc


def _plan_write(path: Path, text: str) -> Change:
    there = _read(path)
    if there is None:
        return Change(path, Action.WRITTEN, text)
    if there == text:
        return Change(path, Action.UNCHANGED, text)
    return Change(path, Action.REPLACED, text, _is_edited(there))


def _plan_removal(path: Path) -> Change:
    return Change(path, Action.REMOVED, is_edited=_is_edited(_read(path) or ""))


def _is_edited(text: str) -> bool:
    return read_seal(text) is not Seal.WHOLE


def _find_drop_ins(directory: Path, name: str, *, has_timer: bool) -> list[Path]:
    """Return the drop-ins under names of ours; others are the administrator's."""
    below = directory / render.drop_in_directory(name, has_timer=has_timer)
    found = (below / drop_in for drop_in in render.DROP_INS)
    return [path for path in found if _read(path) is not None]


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise UnitsError(
            f"cannot read {path}: {exc.strerror or exc}",
            hint="move away what is there",
        ) from exc


def _write(path: Path, text: str, disk: Disk) -> None:
    """Make the file: synced under a temporary name, then renamed, the commit point."""
    disk.make_dirs(path.parent, 0o755)
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        fd = disk.open_new(temporary, 0o644)
        try:
            disk.write(fd, text.encode())
            disk.sync_file(fd)
        finally:
            os.close(fd)
        disk.set_mode(temporary, 0o644)  # whatever the umask
        disk.rename(temporary, path)
    finally:
        disk.unlink(temporary)
    disk.sync_dir(path.parent)


def _remove_if_empty(directory: Path, disk: Disk) -> None:
    if directory.name.endswith(".d") and not any(directory.iterdir()):
        disk.remove_dir(directory)
