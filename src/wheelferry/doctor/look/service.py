"""Read what the kernel, systemd and the daemon say of what runs here."""

import os
from pathlib import Path
from typing import Final

from wheelferry import __version__
from wheelferry.daemon.account import read_account
from wheelferry.doctor.checks.service import (
    DaemonFacts,
    Inotify,
    ServiceFacts,
    Unit,
)
from wheelferry.doctor.look.names import find_user
from wheelferry.doctor.setup import Setup
from wheelferry.errors import UnitsError
from wheelferry.systemd import manager
from wheelferry.systemd.files import UNITS, find_instances

_PROC: Final = Path("/proc")
_LIMITS: Final = _PROC / "sys/fs/inotify"
_ROOT: Final = "root"


def look_at_service(setup: Setup) -> ServiceFacts:
    """Return limits and use of inotify, the units of this user, and the daemon's account."""
    user = find_user()
    is_booted = manager.is_running()
    units: tuple[Unit, ...] = ()
    trouble = ""
    if is_booted:
        try:
            units = _find_units(user)
        except UnitsError as exc:
            trouble = exc.message
    account = read_account(setup.state)
    return ServiceFacts(
        user=user,
        inotify=look_at_inotify(),
        is_booted=is_booted,
        units=units,
        unit_trouble=trouble,
        daemon=account
        and DaemonFacts(
            pid=account.pid,
            version=account.version,
            store=account.store,
            watching=account.watching,
            degraded=account.degraded,
        ),
        version=__version__,
        store=str(setup.store or ""),
    )


def look_at_inotify(proc: Path = _PROC) -> Inotify:
    """Return the limits of inotify, and what processes of this user hold of it."""
    instances = watches = 0
    for path in proc.glob("[0-9]*"):
        try:
            if path.stat().st_uid == os.geteuid():
                held = _count_held(path)
                instances += held[0]
                watches += held[1]
        except OSError:  # it has ended, or is not to be looked at
            continue
    return Inotify(
        max_instances=_read_limit("max_user_instances"),
        max_watches=_read_limit("max_user_watches"),
        instances=instances,
        watches=watches,
    )


def _count_held(process: Path) -> tuple[int, int]:
    """Return how many instances and watches a process holds; see proc(5), fdinfo."""
    instances = watches = 0
    for fd in (process / "fd").iterdir():
        try:
            if str(fd.readlink()) != "anon_inode:inotify":
                continue
            lines = (process / "fdinfo" / fd.name).read_text().splitlines()
        except OSError:  # closed meanwhile
            continue
        instances += 1
        watches += sum(line.startswith("inotify ") for line in lines)
    return instances, watches


def _read_limit(name: str) -> int | None:
    try:
        return int((_LIMITS / name).read_text())
    except (OSError, ValueError):
        return None


def _find_units(user: str) -> tuple[Unit, ...]:
    """Return Wheelferry's units of a user; all of them for root."""
    names = find_instances(Path("/") / UNITS)
    shown = manager.show_units(names)
    found = (
        Unit(
            name=unit["Id"],
            user=unit.get("User", ""),
            active=unit.get("ActiveState", ""),
            sub=unit.get("SubState", ""),
            enabled=unit.get("UnitFileState", ""),
            result=unit.get("Result", ""),
        )
        for unit in shown
        if "Id" in unit
    )
    return tuple(u for u in found if user in (u.user, _ROOT) or not u.user)
