"""What an operation that was ended half way is told by."""

import io
import json
from pathlib import Path

import pytest

from wheelferry.cli.conclude import conclude
from wheelferry.cli.output import Form, Output, Style
from wheelferry.cli.session import Process, Session
from wheelferry.config.load import load_config
from wheelferry.errors import StoreFull


def session(
    tmp_path: Path, form: Form, *, is_strict: bool
) -> tuple[Session, io.StringIO]:
    """Return a session, and the stream that it talks to."""
    stream = io.StringIO()
    style = Style(has_color=False, has_priorities=False, columns=None)
    output = Output(
        "promote", form=form, verbosity=0, style=style, stdout=stream, stderr=stream
    )
    loaded = load_config({"HOME": str(tmp_path)}, {}, system_file="/nonexistent")
    process = Process(environ={}, system_file="", stdout=stream, stderr=stream)
    run = Session(output=output, loaded=loaded, is_strict=is_strict, process=process)
    return run, stream


def full() -> StoreFull:
    """Return an error as the store raises it."""
    error = StoreFull(
        "cannot write /x: [Errno 28] No space left on device", hint="tidy"
    )
    error.__cause__ = OSError(28, "No space left on device", "/x")
    return error


@pytest.mark.parametrize(
    ("stopped_by", "is_partly_done", "is_strict", "code"),
    [
        (None, False, True, 0),
        (None, True, True, 3),
        (None, True, False, 0),
        (full(), True, True, 24),
        (full(), False, False, 0),
    ],
)
def test_only_strict_tells_by_its_code(
    tmp_path: Path,
    *,
    stopped_by: StoreFull | None,
    is_partly_done: bool,
    is_strict: bool,
    code: int,
) -> None:
    """With `--strict` what ended it has its code, and else what is left has 3."""
    run, _ = session(tmp_path, Form.TEXT, is_strict=is_strict)
    assert conclude(run, stopped_by, is_partly_done=is_partly_done) == code


def test_open_end_is_one_warning(tmp_path: Path) -> None:
    """A job is told what happened, the cause once, and what to do."""
    run, stream = session(tmp_path, Form.TEXT, is_strict=False)
    conclude(run, full(), is_partly_done=False)
    assert stream.getvalue() == (
        "warning: promote stopped half way, the job can go on: cannot write /x:"
        " [Errno 28] No space left on device; tidy\n"
    )
    run, stream = session(tmp_path, Form.LINES, is_strict=False)
    conclude(run, full(), is_partly_done=False)
    assert json.loads(stream.getvalue())["type"] == "promote.stopped"
