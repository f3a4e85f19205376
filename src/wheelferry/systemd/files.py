"""Put the files of an instance where systemd looks, and take them away again.

A file that somebody else wrote or changed is left alone, unless that is forced; nothing
is changed then.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from wheelferry.disk import Disk
from wheelferry.errors import UnitsError
from wheelferry.sealed import files
from wheelferry.sealed.files import Change, Writer, plan_removal, plan_write, read_text
from wheelferry.systemd import render

UNITS: Final = "etc/systemd/system"
"""Where an administrator's units are, below the root."""

WRITER: Final = Writer(
    command="systemd install",
    error=UnitsError,
    rescue="keep what you need of it in a drop-in of your own",
    access="units are installed by root: use sudo, or --root DIR for a place of your own",
)

_TEMPLATES: Final = (render.DAEMON_UNIT, render.PULL_UNIT, render.TIMER_UNIT)


def load_templates() -> Mapping[str, str]:
    """Return what `units/` has, by file name."""
    found = (Path(__file__).parent / "units").iterdir()
    return {path.name: path.read_text(encoding="utf-8") for path in found}


def plan_install(
    directory: Path, texts: Mapping[str, str], *, name: str, has_timer: bool
) -> tuple[Change, ...]:
    """Return what makes `directory` have `texts`, and no other drop-in of ours there.

    Args:
        directory: Of the units.
        texts: By path in it.
        name: Of the instance.
        has_timer: Whether it is that of a timer.
    """
    changes = [
        plan_write(WRITER, directory / path, text) for path, text in texts.items()
    ]
    ours = _find_drop_ins(directory, name, has_timer=has_timer)
    wanted = {change.path for change in changes}
    changes += [plan_removal(WRITER, path) for path in ours if path not in wanted]
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
        paths += [path for path in found if read_text(WRITER, path) is not None]
    return tuple(plan_removal(WRITER, path) for path in paths)


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
    files.refuse_edited(WRITER, changes)


def apply_changes(changes: Iterable[Change], *, disk: Disk) -> None:
    """Write and remove, with directories of ours that are empty then; raises UnitsError."""
    changes = tuple(changes)
    files.apply_changes(WRITER, changes, disk=disk)
    for directory in {change.path.parent for change in changes}:
        is_ours = directory.name.endswith(".d") and directory.is_dir()
        if is_ours and not any(directory.iterdir()):
            with suppress(OSError):  # somebody has put something there
                disk.remove_dir(directory)


def _find_drop_ins(directory: Path, name: str, *, has_timer: bool) -> list[Path]:
    """Return the drop-ins under names of ours; others are the administrator's."""
    below = directory / render.drop_in_directory(name, has_timer=has_timer)
    found = (below / drop_in for drop_in in render.DROP_INS)
    return [path for path in found if read_text(WRITER, path) is not None]
