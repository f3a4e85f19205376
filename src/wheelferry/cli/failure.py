"""What becomes of an exception: a block on stderr and a code, or one warning and 0."""

from collections.abc import Sequence

import click

from wheelferry.cli import exits
from wheelferry.cli.command import run_command
from wheelferry.cli.group import FAIL_OPEN, GROUP
from wheelferry.cli.output import Form, Output
from wheelferry.cli.session import Process
from wheelferry.errors import WheelferryError


class Usage(WheelferryError):
    """The command line does not name something that can be done."""

    reference = "usage"
    exit_code = exits.USAGE


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
    be the cause a dead share, a broken configuration file or a fault of our own.
    """
    try:
        code = run_command(group, argv, process)
    except click.exceptions.NoArgsIsHelpError as exc:
        process.stderr.write(f"{exc.format_message()}\n")
        code = exits.USAGE
    except click.UsageError as exc:
        code = _fail(process, argv, _usage(exc), is_fail_open=False)
    except (KeyboardInterrupt, click.Abort):
        stop = Interrupted("interrupted; whatever was complete stays")
        code = _fail(process, argv, stop, is_fail_open=False)
    except WheelferryError as exc:
        _trace(process, argv, exc)
        code = _fail(process, argv, exc, is_fail_open=process.is_fail_open)
    except Exception as exc:  # noqa: BLE001 - shown, with a report
        is_fail_open = _is_fail_open(process, argv)
        _trace(process, argv, exc)
        error = _unexpected(exc, argv, process)
        code = _fail(process, argv, error, is_fail_open=is_fail_open)
    _output(process, argv).close()
    return code


def _fail(
    process: Process,
    argv: Sequence[str],
    error: WheelferryError,
    *,
    is_fail_open: bool,
) -> int:
    output = _output(process, argv)
    if not is_fail_open:
        output.fail(error)
        return error.exit_code
    cause = f" ({error.__cause__})" if error.__cause__ else ""
    hint = f"; {error.hint}" if error.hint else ""
    output.warn(
        f"{output.name} gave up, the job can go on: {error.message}{cause}{hint}",
        reference=f"{output.name}.failed",
    )
    if output.form is not Form.TEXT:
        body = {"error": error.reference, "message": error.message}
        output.summary("", body)
    return exits.DONE


def _is_fail_open(process: Process, argv: Sequence[str]) -> bool:
    if process.output is not None:
        return process.is_fail_open
    # The command's module could not be imported, as on a runner half upgraded.
    return "--strict" not in argv and not FAIL_OPEN.isdisjoint(argv[:1])


def _output(process: Process, argv: Sequence[str]) -> Output:
    """Return the run's output, or one made up if the command line was not understood."""
    if process.output is not None:
        return process.output
    form = Form.DOCUMENT if "--json" in argv else Form.TEXT
    return process.open_output("wheelferry", form=form, verbosity=0)


def _usage(exc: click.UsageError) -> Usage:
    path = exc.ctx.command_path if exc.ctx else "wheelferry"
    message = exc.format_message().rstrip(".")
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
