"""The one door to the screen: stdout is data, stderr is talk.

Whatever is said for people goes through `printable`, since it may be hostile.
"""

import os
import sys
from collections.abc import Callable, Mapping
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


class _Stream:
    """A stream that cannot fail: work is not broken off because nobody can be told."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream
        self.is_lost = False
        """Whether something was not written, other than to a reader that has gone."""

    def write(self, text: str) -> None:
        """Write, if the stream still takes anything."""
        if self._stream is not None:
            self._try(self._stream.write, text)

    def flush(self) -> None:
        """Write what is held back."""
        if self._stream is not None:
            self._try(self._stream.flush)

    def _try(self, function: Callable[..., object], *args: str) -> None:
        try:
            function(*args)
        except BrokenPipeError:
            self._stream = None
        except OSError:  # such as a full disk under a log file
            self._stream, self.is_lost = None, True


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
        stdout: IO[str] | None,
        stderr: IO[str] | None,
    ) -> None:
        self.name = name
        self.form = form
        self._least = Level.INFO - 10 * verbosity
        self._style = style
        self._stdout = _Stream(stdout)
        self._stderr = _Stream(stderr)
        self._is_bar_drawn = False
        self._drawn_s = float("-inf")

    @property
    def is_verbose(self) -> bool:
        """Whether people want each detail."""
        return self._least <= Level.DEBUG

    def shows(self, level: Level) -> bool:
        """Return whether people want to hear of that level."""
        return level >= self._least

    @property
    def is_lost(self) -> bool:
        """Whether data did not get to stdout, and not because nobody read on."""
        return self._stdout.is_lost

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

    def say(self, level: Level, message: str, *, keep: str = "") -> None:
        """Say a line to people, if they want to hear of that level.

        Characters of `keep` are written as they are.
        """
        if level < self._least:
            return
        if level >= Level.ERROR:
            message = f"{self._paint(_RED, 'error')}: {printable(message)}"
        elif level >= Level.WARNING:
            message = f"{self._paint(_YELLOW, 'warning')}: {printable(message)}"
        else:
            message = printable(message, keep=keep)
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
        if self.form is not Form.TEXT:
            line = {
                "type": "error",
                "reference": error.reference,
                "exit_code": error.exit_code,
                "message": error.message,
                "cause": None if error.__cause__ is None else str(error.__cause__),
                "hint": error.hint,
            }
            self._talk(self._encode("error", line), Level.ERROR)
            return
        block = [f"{self._paint(_RED, f'error[{error.reference}]')}: "]
        block[0] += printable(error.message)
        parts = (("cause", find_cause(error)), ("hint", error.hint))
        block += [f"  {name}: {printable(part)}" for name, part in parts if part]
        for line_text in block:
            self._talk(line_text, Level.ERROR)

    def trace(self, text: str) -> None:
        """Write a traceback to stderr, for people who gave `-v`."""
        if self.form is Form.TEXT and self.is_verbose:
            for line in text.splitlines():
                self._talk(printable(line), Level.DEBUG)

    def close(self) -> None:
        """Take a bar away and flush both streams."""
        self._clear_bar()
        self._stdout.flush()
        self._stderr.flush()

    def _print_json(self, body: Json) -> None:
        self._put(self._encode(self.name, body))

    def _encode(self, name: str, body: Json, *, indent: int | None = None) -> str:
        import json  # not needed where people read

        document = {"schema": f"wheelferry/{name}/1", **body}
        return json.dumps(document, indent=indent)

    def _put(self, text: str) -> None:
        self._clear_bar()
        self._stdout.write(f"{text}\n")

    def _talk(self, text: str, level: Level) -> None:
        self._clear_bar()
        prefix = ""
        if self._style.has_priorities:
            prefix = next((p for least, p in _PRIORITIES if level >= least), "<7>")
        self._stderr.write(f"{prefix}{text}\n")

    def _paint(self, color: str, text: str) -> str:
        return f"{color}{text}{_PLAIN}" if self._style.has_color else text

    def _draw(self, event: Event) -> None:
        if self._style.columns is None or self._least > Level.INFO:
            return
        now_s = clock.monotonic_s()
        if now_s - self._drawn_s >= REDRAW_S:
            line = printable(render_bar(event, self._style.columns))
            self._stderr.write(f"{CLEAR}{line}")
            self._is_bar_drawn, self._drawn_s = True, now_s

    def _clear_bar(self) -> None:
        if self._is_bar_drawn:
            self._stderr.write(CLEAR)
            self._is_bar_drawn, self._drawn_s = False, float("-inf")


def find_cause(error: WheelferryError) -> str:
    """Return the cause of an error in words, or "" if its message has them already."""
    cause = error.__cause__
    if cause is None or (
        isinstance(cause, OSError) and (cause.strerror or "") in error.message
    ):
        return ""
    text = str(cause)
    return "" if text in error.message else text


def choose_style(environ: Mapping[str, str], stderr: IO[str] | None) -> Style:
    """Return how lines on `stderr` are to look."""
    if stderr is None:
        return Style(has_color=False, has_priorities=False, columns=None)
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


def standard_streams() -> tuple[IO[str] | None, IO[str] | None]:
    """Return stdout and stderr: line by line, and unable to fail on a character.

    None stands for one that the process was started without.
    """
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
