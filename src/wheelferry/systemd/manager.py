"""Ask systemd, by `systemctl`, to do something with what was installed."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from wheelferry.errors import UnitsError

RELOAD: Final = ("daemon-reload",)
SHOW_S: Final = 5.0
_SHOWN: Final = ("Id", "User", "ActiveState", "SubState", "UnitFileState", "Result")
_RUNNING: Final = "/run/systemd/system"
"""There while systemd manages this machine; see sd_booted(3)."""


def is_running() -> bool:
    """Return whether systemd manages this machine."""
    return Path(_RUNNING).is_dir()


def start_steps(unit: str) -> tuple[Sequence[str], ...]:
    """Return what starts a unit now and at boot, or anew if it runs."""
    return RELOAD, ("enable", unit), ("restart", unit)


def stop_steps(units: Sequence[str]) -> tuple[Sequence[str], ...]:
    """Return what stops units, now and at boot."""
    return (("disable", "--now", *units),) if units else ()


def render_step(step: Sequence[str]) -> str:
    """Return a step as it is typed."""
    return " ".join(("systemctl", *step))


def show_units(units: Sequence[str]) -> tuple[Mapping[str, str], ...]:
    """Return what systemd says of units: some of their properties, by name.

    Raises UnitsError if it does not answer within SHOW_S, or not at all.
    """
    if not units:
        return ()
    argv = ["systemctl", "show", "--property", ",".join(_SHOWN), "--", *units]
    try:
        done = subprocess.run(  # noqa: S603
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SHOW_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise UnitsError(
            f"cannot run `systemctl show`: {getattr(exc, 'strerror', None) or exc}"
        ) from exc
    return decode_properties(done.stdout)


def decode_properties(text: str) -> tuple[Mapping[str, str], ...]:
    """Return the properties that `systemctl show` prints: a block for each unit."""
    blocks = text.strip().split("\n\n") if text.strip() else []
    return tuple(
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in blocks
    )


def run_step(step: Sequence[str]) -> None:
    """Do it; raises UnitsError with what systemctl said."""
    try:
        done = subprocess.run(  # noqa: S603
            ["systemctl", *step],  # noqa: S607 - wherever this system has it
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as exc:
        raise UnitsError(
            f"cannot run `{render_step(step)}`: {exc.strerror or exc}",
            hint="leave --now out where there is no systemd",
        ) from exc
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise UnitsError(
            f"`{render_step(step)}` failed: {said}",
            hint="`journalctl -n 30 -u 'wheelferry*'` may say more",
        )
