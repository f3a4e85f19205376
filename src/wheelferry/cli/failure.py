"""What becomes of an exception: a block on stderr and a code, or one warning and 0."""

from collections.abc import Sequence

import click

from wheelferry.cli import exits
from wheelferry.cli.command import run_command
from wheelferry.cli.group import GROUP
from wheelferry.cli.output import Form, Output, find_cause
from wheelferry.cli.session import Process
from wheelferry.cli.words import is_fail_open
from wheelferry.config.load import WrongFlag
from wheelferry.errors import WheelferryError
from wheelferry.events import Level


class Usage(WheelferryError):
    """The command line does not name something that can be done."""

    reference = "usage"
    exit_code = exits.USAGE


class OutputLost(WheelferryError):
    """What was asked for could not be written, to stdout or into a file."""

    reference = "output"
    exit_code = exits.OUTPUT_LOST


class Interrupted(WheelferryError):
    """Somebody pressed Ctrl-C."""

    reference = "interrupted"
    exit_code = exits.INTERRUPTED


class Unexpected(WheelferryError):
    """A fault of Wheelferry's own."""

    reference = "unexpected"
    exit_code = exits.UNEXPECTED


def run_guarded(
    argv: Sequence[str], process: Process, *, group: click.Command = GROUP
) -> int:
    """Run a command line; show what goes wrong, and return the exit code.

    A command that fails open (see `command`) turns all of it but wrong usage and an
    interruption into a warning: a job must be no worse off for our having been there,
    be the cause a dead share, a broken configuration file or a fault of our own.  Wrong
    usage is what the command line alone shows, and so is the same in every run.
    """
    try:
        code = run_command(group, argv, process)
    except click.exceptions.NoArgsIsHelpError as exc:
        _output(process, argv).say(Level.INFO, exc.format_message(), keep="\n")
        code = exits.USAGE
    except click.UsageError as exc:
        code = _fail(process, argv, _usage(exc), is_fail_open=False)
    except (KeyboardInterrupt, click.Abort):
        stop = Interrupted("interrupted; whatever was complete stays")
        code = _fail(process, argv, stop, is_fail_open=False)
    except WrongFlag as exc:
        code = _fail(
            process, argv, Usage(exc.message, hint=exc.hint), is_fail_open=False
        )
    except WheelferryError as exc:
        _trace(process, argv, exc)
        code = _fail(process, argv, exc, is_fail_open=process.is_fail_open)
    except Exception as exc:  # noqa: BLE001 - shown, with a report
        is_open = is_fail_open(argv)  # though its module may not even load
        if process.output is not None:
            is_open = process.is_fail_open
        _trace(process, argv, exc)
        error = _unexpected(exc, argv, process)
        code = _fail(process, argv, error, is_fail_open=is_open)
    output = _output(process, argv)
    output.close()
    if output.is_lost and code == exits.DONE and not process.is_fail_open:
        lost = OutputLost("cannot write to stdout", hint="is its disk full?")
        code = _fail(process, argv, lost, is_fail_open=False)
        output.close()
    process.call_off()
    return code


def _fail(
    process: Process,
    argv: Sequence[str],
    error: WheelferryError,
    *,
    is_fail_open: bool,
) -> int:
    process.take_word()
    output = _output(process, argv)
    if not is_fail_open:
        output.fail(error)
        return error.exit_code
    name = output.name.removesuffix("-plan")
    cause = f" ({text})" if (text := find_cause(error)) else ""
    hint = f"; {error.hint}" if error.hint else ""
    output.warn(
        f"{name} gave up, the job can go on: {error.message}{cause}{hint}",
        reference=f"{name}.failed",
    )
    if output.form is not Form.TEXT:
        body = {"error": error.reference, "message": error.message}
        output.summary("", body)
    return exits.DONE


def _output(process: Process, argv: Sequence[str]) -> Output:
    """Return the run's output, or one made up if the command line was not understood."""
    if process.output is not None:
        return process.output
    form = Form.DOCUMENT if "--json" in argv else Form.TEXT
    return process.open_output("wheelferry", form=form, verbosity=0)


def _usage(exc: click.UsageError) -> Usage:
    path = exc.ctx.command_path if exc.ctx else "wheelferry"
    message = " ".join(exc.format_message().split()).rstrip(".")
    return Usage(message, hint=f"see `{path} --help`")


def _trace(process: Process, argv: Sequence[str], exc: BaseException) -> None:
    import traceback

    _output(process, argv).trace("".join(traceback.format_exception(exc)))


def _unexpected(exc: Exception, argv: Sequence[str], process: Process) -> Unexpected:
    from wheelferry.cli.crash import redact, write_report

    path = write_report(exc, argv, process.environ, process.state)
    where = f"a report is in {path}" if path else "run it again with -v for a traceback"
    error = Unexpected(
        redact(f"unexpected {type(exc).__name__}: {exc}"),
        hint=f"this is a fault of wheelferry; {where}",
    )
    error.__cause__ = None
    return error
