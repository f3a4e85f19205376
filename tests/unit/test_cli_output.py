"""The door to the screen."""

import io
import json
from typing import Any

import pytest

from wheelferry.cli.output import Form, Output, Style, choose_style
from wheelferry.errors import StoreUnavailable
from wheelferry.events import Event, Level


class Screen:
    """An output, and what it wrote."""

    def __init__(
        self,
        form: Form = Form.TEXT,
        *,
        verbosity: int = 0,
        has_color: bool = False,
        has_priorities: bool = False,
        columns: int | None = None,
    ) -> None:
        self.stdout, self.stderr = io.StringIO(), io.StringIO()
        self.output = Output(
            "pull",
            form=form,
            verbosity=verbosity,
            style=Style(
                has_color=has_color, has_priorities=has_priorities, columns=columns
            ),
            stdout=self.stdout,
            stderr=self.stderr,
        )

    @property
    def out(self) -> str:
        """What is on stdout."""
        return self.stdout.getvalue()

    @property
    def err(self) -> str:
        """What is on stderr."""
        return self.stderr.getvalue()

    def out_json(self) -> list[Any]:
        """Return the JSON lines on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]

    def err_json(self) -> list[Any]:
        """Return the JSON lines on stderr."""
        return [json.loads(line) for line in self.err.splitlines()]


def event(level: Level, message: str = "six 1.0") -> Event:
    """Return an event."""
    return Event(
        name="entry.restored", level=level, message=message, fields={"pack_bytes": 3}
    )


@pytest.mark.parametrize(
    ("verbosity", "shown"),
    [
        (-2, ["error: six 1.0"]),
        (-1, ["warning: six 1.0", "error: six 1.0"]),
        (0, ["six 1.0", "warning: six 1.0", "error: six 1.0"]),
        (1, ["six 1.0", "six 1.0", "warning: six 1.0", "error: six 1.0"]),
    ],
)
def test_events_are_talk_for_people(verbosity: int, shown: list[str]) -> None:
    """People get the message on stderr, from the level that they asked for."""
    screen = Screen(verbosity=verbosity)
    for level in Level:
        screen.output.emit(event(level))
    assert screen.err.splitlines() == shown
    assert not screen.out


def test_events_are_data_in_json_lines() -> None:
    """JSON lines have every event, however quiet talk is; ours prevail over fields."""
    screen = Screen(Form.LINES, verbosity=-2)
    screen.output.emit(event(Level.DEBUG))
    screen.output.emit(
        Event(name="x.done", message="m", fields={"type": "evil", "message": "evil"})
    )
    assert screen.out_json() == [
        {
            "schema": "wheelferry/pull/1",
            "type": "entry.restored",
            "level": "debug",
            "message": "six 1.0",
            "pack_bytes": 3,
        },
        {
            "schema": "wheelferry/pull/1",
            "type": "x.done",
            "level": "info",
            "message": "m",
        },
    ]
    assert not screen.err


def test_events_beside_a_document_are_on_stderr() -> None:
    """Where stdout is one document, events are JSON lines on stderr."""
    screen = Screen(Form.DOCUMENT)
    screen.output.emit(event(Level.DEBUG))
    screen.output.emit(event(Level.WARNING))
    screen.output.document({"a": 1})
    assert json.loads(screen.out) == {"schema": "wheelferry/pull/1", "a": 1}
    assert [line["level"] for line in screen.err_json()] == ["warning"]


def test_text_and_document_exclude_each_other() -> None:
    """A command says both, and the form decides which is written."""
    for form in Form:
        screen = Screen(form)
        screen.output.text("text")
        screen.output.document({})
        assert (screen.out == "text\n") is (form is Form.TEXT)


def test_summary_is_the_last_line() -> None:
    """People get the sentence, unless `-q`; machines always get the summary."""
    for verbosity, expected in ((0, "pulled\n"), (-1, "")):
        screen = Screen(verbosity=verbosity)
        screen.output.summary("pulled", {"restored": 1})
        assert screen.out == expected
    screen = Screen(Form.LINES, verbosity=-1)
    screen.output.summary("pulled", {"restored": 1})
    assert screen.out_json() == [
        {"schema": "wheelferry/pull/1", "type": "summary", "restored": 1}
    ]


def failure() -> StoreUnavailable:
    """Return an error with all its parts."""
    error = StoreUnavailable("cannot list /mnt/wheels", hint="check the mount")
    error.__cause__ = OSError(116, "Stale file handle")
    return error


def test_error_is_one_block() -> None:
    """An error names what failed, why, and what to do."""
    screen = Screen(verbosity=-2)
    screen.output.fail(failure())
    assert screen.err == (
        "error[store-unavailable]: cannot list /mnt/wheels\n"
        "  cause: [Errno 116] Stale file handle\n"
        "  hint: check the mount\n"
    )
    assert not screen.out


def test_cause_is_said_once() -> None:
    """A message that has the operating system's words already is not followed by them."""
    error = StoreUnavailable("cannot write /mnt/x: [Errno 28] No space left on device")
    error.__cause__ = OSError(28, "No space left on device", "/mnt/x")
    screen = Screen()
    screen.output.fail(error)
    assert screen.err.count("No space left") == 1


@pytest.mark.parametrize("form", [Form.DOCUMENT, Form.LINES])
def test_error_is_one_json_line(form: Form) -> None:
    """With `--json` an error is one line on stderr."""
    screen = Screen(form)
    screen.output.fail(failure())
    assert screen.err_json() == [
        {
            "schema": "wheelferry/error/1",
            "type": "error",
            "reference": "store-unavailable",
            "exit_code": 25,
            "message": "cannot list /mnt/wheels",
            "cause": "[Errno 116] Stale file handle",
            "hint": "check the mount",
        }
    ]


def test_hostile_message_stays_on_its_line() -> None:
    """A name from the store cannot start a line, nor send an escape sequence."""
    screen = Screen()
    screen.output.emit(event(Level.WARNING, "x\n::error::\x1b[2J"))
    assert screen.err == "warning: x\\n::error::\\x1b[2J\n"


def test_color_is_ours_alone() -> None:
    """Colour surrounds the word that says how bad it is."""
    screen = Screen(has_color=True)
    screen.output.say(Level.WARNING, "x")
    screen.output.fail(StoreUnavailable("y"))
    assert screen.err == (
        "\x1b[33mwarning\x1b[0m: x\n\x1b[1;31merror[store-unavailable]\x1b[0m: y\n"
    )


def test_journal_gets_priorities() -> None:
    """Under journald each line starts with its priority."""
    screen = Screen(verbosity=1, has_priorities=True)
    for level in Level:
        screen.output.emit(event(level))
    assert [line[:3] for line in screen.err.splitlines()] == [
        "<7>",
        "<6>",
        "<4>",
        "<3>",
    ]


def test_bar_leaves_nothing_behind() -> None:
    """A bar is taken away before anything else is said, and at the end."""
    screen = Screen(columns=80)
    tick = Event(name="pull.progressed", message="p", fields={"done": 1, "total": 2})
    screen.output.emit(tick)
    assert screen.err.startswith("\r\x1b[Kp [####")
    screen.output.text("data")
    assert screen.err.endswith("] 1/2\r\x1b[K")
    screen.output.emit(tick)
    screen.output.close()
    assert screen.err.endswith("] 1/2\r\x1b[K")


def test_bar_is_for_terminals() -> None:
    """Elsewhere progress is not written at all, nor into JSON."""
    tick = Event(name="pull.progressed", message="p", fields={"done": 1, "total": 2})
    for form in Form:
        screen = Screen(form)
        screen.output.emit(tick)
        assert not screen.err + screen.out


class Deaf(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        """Fail."""
        del text
        raise self.error


@pytest.mark.parametrize(
    ("stream", "is_lost"),
    [
        (Deaf(BrokenPipeError()), False),
        (Deaf(OSError(28, "No space left on device")), True),
        (None, False),
    ],
)
def test_stream_that_takes_nothing_does_not_stop_the_work(
    stream: io.StringIO | None, is_lost: bool
) -> None:
    """A reader that has gone, a full disk, and no stream at all: work goes on."""
    output = Output(
        "pull",
        form=Form.TEXT,
        verbosity=0,
        style=choose_style({}, stream),
        stdout=stream,
        stderr=stream,
    )
    output.text("x")
    output.say(Level.INFO, "x")
    output.text("y")
    output.close()
    assert output.is_lost is is_lost


class Terminal(io.StringIO):
    """A stream that claims to be a terminal without a size."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@pytest.mark.parametrize(
    ("environ", "stream", "has_color"),
    [
        ({}, io.StringIO(), False),
        ({"FORCE_COLOR": "1"}, io.StringIO(), True),
        ({"FORCE_COLOR": "0"}, io.StringIO(), False),
        ({}, Terminal(), True),
        ({"NO_COLOR": "1"}, Terminal(), False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, Terminal(), False),
        ({"TERM": "dumb"}, Terminal(), False),
    ],
)
def test_color_follows_the_environment(
    environ: dict[str, str], stream: io.StringIO, has_color: bool
) -> None:
    """Colour is for terminals; NO_COLOR forbids it, FORCE_COLOR asks for it."""
    assert choose_style(environ, stream).has_color is has_color
