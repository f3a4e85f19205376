"""The one door to the screen: stdout is data, stderr is talk.

Whatever is said for people goes through `printable`, since it may be hostile.
"""

import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from io import TextIOWrapper
from typing import IO, Final, TypeAlias

from wheelferry.cli.bar import CLEAR, REDRAW_S, is_progress, render_bar
from wheelferry.cli.units import printable
from wheelferry.disk import clock
from wheelferry.errors import WheelferryError
from wheelferry.events import Event, Level

Json: TypeAlias = Mapping[str, object]

_PRIORITIES: Final = (
    (Level.ERROR, "<3>"),
    (Level.WARNING, "<4>"),
    (Level.INFO, "<6>"),
)
"""Of syslog, as journald reads them at the start of a line."""

_RED: Final = "\x1b[1;31m"
_YELLOW: Final = "\x1b[33m"
_PLAIN: Final = "\x1b[0m"


class Form(StrEnum):
    """What a command writes to stdout."""

    TEXT = "text"
    DOCUMENT = "document"
    """One JSON document; events are JSON lines on stderr."""
    LINES = "lines"
    """JSON lines: the events, and a summary as the last one."""


class Style:
    """How lines for people look: decided once per run, from the environment."""

    def __init__(
        self, *, has_color: bool, has_priorities: bool, columns: int | None
    ) -> None:
        self.has_color = has_color
        self.has_priorities = has_priorities
        self.columns = columns
        """Width of the terminal that a bar can be drawn on, if any."""


class Output:
    """Everything that a run says.

    Args:
        name: Of the command, for the schema: `wheelferry/<name>/1`.
        form: What goes to stdout.
        verbosity: 0 shows INFO and more, 1 also DEBUG, -1 WARNING, -2 ERROR.  It does
            not change what is data.
        style: How lines on stderr look.
    """

    def __init__(
        self,
        name: str,
        *,
        form: Form,
        verbosity: int,
        style: Style,
        stdout: IO[str],
        stderr: IO[str],
    ) -> None:
        self.name = name
        self.form = form
        self._least = Level.INFO - 10 * verbosity
        self._style = style
        self._stdout: IO[str] | None = stdout
        self._stderr: IO[str] | None = stderr
        self._is_bar_drawn = False
        self._drawn_s = float("-inf")

    def emit(self, event: Event) -> None:
        """Say or show an event: the `Sink` for operations."""
        if is_progress(event):
            self._draw(event)
        elif self.form is Form.TEXT:
            self.say(event.level, event.message)
        else:
            own = {
                "type": event.name,
                "level": event.level.name.lower(),
                "message": event.message,
            }
            line = {**own, **event.fields, **own}  # ours first, and ours prevail
            if self.form is Form.LINES:
                self._print_json(line)
            elif event.level >= self._least:
                self._talk(self._encode("event", line), event.level)

    def say(self, level: Level, message: str) -> None:
        """Say a line to people, if they want to hear of that level."""
        if level < self._least:
            return
        if level >= Level.ERROR:
            message = f"{self._paint(_RED, 'error')}: {printable(message)}"
        elif level >= Level.WARNING:
            message = f"{self._paint(_YELLOW, 'warning')}: {printable(message)}"
        else:
            message = printable(message)
        self._talk(message, level)

    def warn(self, message: str, *, reference: str = "warning") -> None:
        """Say a warning that is no operation's event."""
        self.emit(Event(name=reference, level=Level.WARNING, message=message))

    def text(self, text: str) -> None:
        """Write text for people to stdout; nothing where the form is JSON.

        For what a command was asked for: it appears under `-q` too.
        """
        if self.form is Form.TEXT:
            self._put(printable(text, keep="\n"))

    def summary(self, text: str, body: Json) -> None:
        """Write what a command did, its last line: for people, or as JSON.

        Under `-q` people do not get it.
        """
        if self.form is Form.TEXT:
            if self._least <= Level.INFO:
                self.text(text)
        else:
            self._print_json({"type": "summary", **body})

    def document(self, body: Json, *, name: str | None = None) -> None:
        """Write the one JSON document of a command; nothing where the form is text."""
        if self.form is not Form.TEXT:
            self._put(self._encode(name or self.name, body, indent=2))

    def fail(self, error: WheelferryError) -> None:
        """Write a fatal error to stderr: one block for people, one line as JSON."""
        cause = "" if error.__cause__ is None else str(error.__cause__)
        if self.form is not Form.TEXT:
            line = {
                "type": "error",
                "reference": error.reference,
                "exit_code": error.exit_code,
                "message": error.message,
                "context": error.context,
                "cause": cause or None,
                "hint": error.hint,
            }
            self._talk(self._encode("error", line), Level.ERROR)
            return
        block = [f"{self._paint(_RED, f'error[{error.reference}]')}: "]
        block[0] += printable(error.message)
        parts = (("while", error.context), ("cause", cause), ("hint", error.hint))
        block += [f"  {name}: {printable(part)}" for name, part in parts if part]
        for line_text in block:
            self._talk(line_text, Level.ERROR)

    def trace(self, text: str) -> None:
        """Write a traceback to stderr, for people who gave `-v`."""
        if self.form is Form.TEXT and self._least <= Level.DEBUG:
            for line in text.splitlines():
                self._talk(printable(line), Level.DEBUG)

    def close(self) -> None:
        """Take a bar away and flush both streams."""
        self._clear_bar()
        self._stdout = _flush(self._stdout)
        self._stderr = _flush(self._stderr)

    def _print_json(self, body: Json) -> None:
        self._put(self._encode(self.name, body))

    def _encode(self, name: str, body: Json, *, indent: int | None = None) -> str:
        import json  # not needed where people read

        document = {"schema": f"wheelferry/{name}/1", **body}
        return json.dumps(document, indent=indent)

    def _put(self, text: str) -> None:
        self._clear_bar()
        self._stdout = _write(self._stdout, f"{text}\n")

    def _talk(self, text: str, level: Level) -> None:
        self._clear_bar()
        prefix = ""
        if self._style.has_priorities:
            prefix = next((p for least, p in _PRIORITIES if level >= least), "<7>")
        self._stderr = _write(self._stderr, f"{prefix}{text}\n")

    def _paint(self, color: str, text: str) -> str:
        return f"{color}{text}{_PLAIN}" if self._style.has_color else text

    def _draw(self, event: Event) -> None:
        if self._style.columns is None or self._least > Level.INFO:
            return
        now_s = clock.monotonic_s()
        if now_s - self._drawn_s >= REDRAW_S:
            line = printable(render_bar(event, self._style.columns))
            self._stderr = _write(self._stderr, f"{CLEAR}{line}")
            self._is_bar_drawn, self._drawn_s = True, now_s

    def _clear_bar(self) -> None:
        if self._is_bar_drawn:
            self._stderr = _write(self._stderr, CLEAR)
            self._is_bar_drawn, self._drawn_s = False, float("-inf")


def choose_style(environ: Mapping[str, str], stderr: IO[str]) -> Style:
    """Return how lines on `stderr` are to look."""
    is_terminal = stderr.isatty()
    has_priorities = not is_terminal and _is_journal(environ, stderr)
    if environ.get("NO_COLOR"):
        has_color = False
    else:
        forced = environ.get("FORCE_COLOR", "") not in ("", "0")
        is_capable = is_terminal and environ.get("TERM") != "dumb"
        has_color = not has_priorities and (forced or is_capable)
    has_bar = is_terminal and environ.get("TERM") != "dumb"
    return Style(
        has_color=has_color,
        has_priorities=has_priorities,
        columns=_columns(stderr) if has_bar else None,
    )


def standard_streams() -> tuple[IO[str], IO[str]]:
    """Return stdout and stderr: line by line, and unable to fail on a character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    return sys.stdout, sys.stderr


def _columns(stderr: IO[str]) -> int:
    try:
        columns = os.get_terminal_size(stderr.fileno()).columns
    except (OSError, ValueError):  # no descriptor: a stream in memory
        columns = 0
    return columns or 80  # some consoles say 0


def _is_journal(environ: Mapping[str, str], stderr: IO[str]) -> bool:
    """Return whether `stderr` goes to journald: JOURNAL_STREAM names its inode."""
    named = environ.get("JOURNAL_STREAM")
    if not named:
        return False
    try:
        status = os.fstat(stderr.fileno())
    except (OSError, ValueError):  # no descriptor: a stream in memory
        return False
    return named == f"{status.st_dev}:{status.st_ino}"


def _write(stream: IO[str] | None, text: str) -> IO[str] | None:
    """Write, and return the stream; None once its reader has gone.

    Work is not broken off because nobody reads about it any more.
    """
    if stream is None:
        return None
    try:
        stream.write(text)
    except BrokenPipeError:
        return None
    return stream


def _flush(stream: IO[str] | None) -> IO[str] | None:
    if stream is None:
        return None
    try:
        stream.flush()
    except BrokenPipeError:
        return None
    return stream
