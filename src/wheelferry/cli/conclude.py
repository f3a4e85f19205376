"""The exit code of an operation that did some of its work, and not all."""

from wheelferry.cli import exits
from wheelferry.cli.output import find_cause
from wheelferry.cli.session import Session
from wheelferry.errors import WheelferryError


def conclude(
    session: Session, stopped_by: WheelferryError | None, *, is_partly_done: bool
) -> int:
    """Say what ended it half way, if anything did, and return the exit code."""
    output = session.output
    if stopped_by is not None:
        if session.is_strict:
            output.fail(stopped_by)
            return stopped_by.exit_code
        cause = f" ({text})" if (text := find_cause(stopped_by)) else ""
        hint = f"; {stopped_by.hint}" if stopped_by.hint else ""
        name = output.name.removesuffix("-plan")
        output.warn(
            f"{name} stopped half way, the job can go on:"
            f" {stopped_by.message}{cause}{hint}",
            reference=f"{name}.stopped",
        )
    return exits.PARTLY_DONE if session.is_strict and is_partly_done else exits.DONE
