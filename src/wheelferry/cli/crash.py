"""The report of an exception that nobody expected, ready to paste into an issue."""

import os
import platform
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from wheelferry import __version__
from wheelferry.disk import Disk, clock

MAX_REPORTS = 20
"""How many reports are kept in one directory."""

_PREFIX = "wheelferry-crash-"
_USERINFO = re.compile(r"://[^/@\s'\"]+@")
_QUERY = re.compile(r"(://[^\s'\"?]+)\?[^\s'\"]+")


def redact(text: str) -> str:
    """Return `text` with what URLs may carry of secrets replaced by `***`."""
    return _QUERY.sub(r"\1?***", _USERINFO.sub("://***@", text))


def render_report(
    exc: BaseException, argv: Sequence[str], environ: Mapping[str, str], now_s: float
) -> str:
    """Return the report as Markdown.

    Of the environment only names are told, and only of variables that are ours or uv's:
    values of others can be anything.
    """
    names = sorted(n for n in environ if n.startswith(("WHEELFERRY_", "UV_")))
    trace = "".join(traceback.format_exception(exc))
    when = datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds")
    report = f"""\
# wheelferry: unexpected {type(exc).__name__}

* wheelferry {__version__}
* Python {platform.python_version()} ({sys.executable})
* {platform.platform()}
* {when}
* command: `{" ".join(["wheelferry", *argv])}`
* variables set: {", ".join(names) or "none"}

## Traceback

```
{trace.rstrip()}
```
"""
    return redact(report)


def write_report(
    exc: BaseException,
    argv: Sequence[str],
    environ: Mapping[str, str],
    state: Path | None,
) -> Path | None:
    """Write the report into the state directory, else into that for temporary files.

    Returns its path, or None if no place takes it.
    """
    now_s = clock.now_s()
    data = render_report(exc, argv, environ, now_s).encode(errors="backslashreplace")
    stamp = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%S")
    name = f"{_PREFIX}{stamp}-{os.getpid()}.md"
    temporary = Path(environ.get("TMPDIR") or "/tmp")  # noqa: S108 - created exclusively
    disk = Disk()
    for directory in (state, temporary):
        # Not made here: a state directory that is missing may be what went wrong.  Nor
        # asked of pathlib, which raises where this user may not look.
        if directory is None or not os.path.isdir(directory):  # noqa: PTH112
            continue
        try:
            disk.create_file(directory / name, data, mode=0o600)
        except OSError:  # the report is a courtesy; the next place may take it
            continue
        _keep_newest(directory, disk)
        return directory / name
    return None


def _keep_newest(directory: Path, disk: Disk) -> None:
    """Remove old reports: what fails in each run of a daemon must not fill a disk."""
    with suppress(OSError):
        names = sorted(path.name for path in directory.glob(f"{_PREFIX}*.md"))
        for name in names[:-MAX_REPORTS]:
            disk.unlink(directory / name)
