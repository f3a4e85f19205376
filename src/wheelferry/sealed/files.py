"""Bring files up to date, and take them away, but not what somebody else made of them.

Each file is written under another name, synced and renamed: whoever reads it sees all of
it or none.  Killed between two files, what is there is a mix of old and new; the same
command again completes it.
"""

import os
import stat
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from wheelferry.disk import Disk
from wheelferry.errors import WheelferryError
from wheelferry.sealed.seal import Seal, read_seal


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
        mode: Of a file that is written; None keeps mode and owner of what is there.
    """

    path: Path
    action: Action
    text: str = ""
    is_edited: bool = False
    mode: int | None = 0o644


class Writer(NamedTuple):
    """What to say when files cannot be changed.

    Attributes:
        command: Which writes them.
        error: Raised then.
        rescue: What to do with what was edited by hand.
        access: What to do if writing is refused.
    """

    command: str
    error: type[WheelferryError]
    rescue: str
    access: str


def plan_write(writer: Writer, path: Path, text: str, *, mode: int = 0o644) -> Change:
    """Return what makes `path` have a sealed `text`; raises the writer's error."""
    there = read_text(writer, path)
    if there is None:
        return Change(path, Action.WRITTEN, text, mode=mode)
    if there == text and stat.S_IMODE(path.stat().st_mode) == mode:
        return Change(path, Action.UNCHANGED, text, mode=mode)
    is_edited = there != text and _is_edited(there)
    return Change(path, Action.REPLACED, text, is_edited, mode)


def plan_removal(writer: Writer, path: Path) -> Change:
    """Return what removes a sealed file; raises the writer's error."""
    there = read_text(writer, path) or ""
    return Change(path, Action.REMOVED, is_edited=_is_edited(there))


def refuse_edited(writer: Writer, changes: Iterable[Change]) -> None:
    """Raise the writer's error if a file would be lost that somebody else wrote."""
    edited = [change for change in changes if change.is_edited]
    if edited:
        paths = ", ".join(str(change.path) for change in edited)
        raise writer.error(
            f"{paths}: not as `wheelferry {writer.command}` wrote it; nothing was changed",
            hint=f"{writer.rescue}, and use --force",
        )


def apply_changes(writer: Writer, changes: Iterable[Change], *, disk: Disk) -> None:
    """Write and remove; raises the writer's error."""
    for change in changes:
        try:
            if change.action is Action.REMOVED:
                disk.unlink(change.path)
            elif change.action is not Action.UNCHANGED:
                _write(change, disk)
        except OSError as exc:
            raise writer.error(
                f"cannot change {change.path}: {exc.strerror or exc}",
                hint=writer.access,
            ) from exc


def read_text(writer: Writer, path: Path) -> str | None:
    """Return what is in a file, or None if it is absent; raises the writer's error."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise writer.error(
            f"cannot read {path}: {exc.strerror or exc}",
            hint="move away what is there",
        ) from exc


def _is_edited(text: str) -> bool:
    return read_seal(text) is not Seal.WHOLE


def _write(change: Change, disk: Disk) -> None:
    """Make the file: synced under a temporary name, then renamed, the commit point."""
    path = change.path
    disk.make_dirs(path.parent, 0o755)
    there = path.stat() if change.mode is None and path.exists() else None
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        fd = disk.open_new(temporary, 0o600)
        try:
            disk.write(fd, change.text.encode())
            disk.sync_file(fd)
        finally:
            os.close(fd)
        if there is not None:
            disk.set_owner(temporary, there.st_uid, there.st_gid)
        mode = stat.S_IMODE(there.st_mode) if there is not None else change.mode
        disk.set_mode(temporary, 0o644 if mode is None else mode)  # whatever the umask
        disk.rename(temporary, path)
    finally:
        disk.unlink(temporary)
    disk.sync_dir(path.parent)
