"""Ask systemd, by `systemctl`, to do something with what was installed."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from wheelferry.errors import UnitsError

RELOAD: Final = ("daemon-reload",)
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
