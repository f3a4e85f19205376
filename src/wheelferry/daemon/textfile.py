"""The daemon's figures in a file, for the textfile collector of Prometheus' node_exporter.

Replaced by rename, since the collector may read it at any moment, and made anew every
minute: the collector exports the file's time, by which a daemon that hangs can be told.
Where the daemon ends, its file goes, so that nobody takes old figures for new ones.
"""

import math
from contextlib import suppress
from pathlib import Path
from typing import Final

from wheelferry.daemon.account import Account
from wheelferry.daemon.metrics import render_account
from wheelferry.daemon.report import Reporter
from wheelferry.disk import Disk
from wheelferry.disk.replace import replace_file

TEXTFILE: Final = "textfile"

EVERY_S: Final = 60.0
"""How old the file gets, and after how long what failed is tried again."""

_HINT: Final = (
    "make the directory, and let the daemon's user write to it; under systemd, run"
    " `wheelferry systemd install` again after daemon.textfile was changed"
)


class Textfile:
    """Keeps one file up to date.

    Args:
        path: Of the file.
        disk: What changes the disk.
        reporter: Asked how the daemon goes; told if the file cannot be written.
    """

    def __init__(self, path: Path, *, disk: Disk, reporter: Reporter) -> None:
        self._path = path
        self._disk = disk
        self._reporter = reporter
        self._seen: Account | None = None
        self._next_s = -math.inf
        self._fails = False

    def step(self, now: float) -> None:
        """Write the file, if there is something new, or if it gets old."""
        account = self._reporter.account
        is_new = account != self._seen and not self._fails
        if not is_new and now < self._next_s:
            return
        self._seen, self._next_s = account, now + EVERY_S
        try:
            replace_file(self._path, render_account(account).encode(), disk=self._disk)
        except OSError as exc:
            self._fails = True
            self._reporter.lacks(
                TEXTFILE,
                f"cannot write the figures to {self._path}: {exc.strerror or exc}",
                hint=_HINT,
            )
        else:
            self._fails = False
            self._reporter.has(TEXTFILE)

    def next_s(self) -> float:
        """Return when `step` is to be called again."""
        return self._next_s

    def close(self) -> None:
        """Take the file away."""
        with suppress(OSError):
            self._disk.unlink(self._path)
