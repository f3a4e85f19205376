"""Make a click command of a function that takes a `Session` and returns an exit code."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import click

from wheelferry.cli import exits
from wheelferry.cli.output import Form
from wheelferry.cli.session import Process, open_session
from wheelferry.config.options import OPTIONS

Body: TypeAlias = Callable[..., int]


def _print_help(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it so
    del param
    if value:
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


HELP = click.Option(
    ["-h", "--help"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_help,
    help="Show this message and exit.",
)
"""In place of click's own, which looks for translations at every run: 2 ms."""
ALWAYS = (
    click.Option(
        ["--config", "config_file"],
        metavar="FILE",
        help="Read this configuration file on top of the others.",
    ),
    click.Option(["--json", "as_json"], is_flag=True, help="Write JSON to stdout."),
    click.Option(
        ["-q", "--quiet", "quiet"],
        count=True,
        help="Say only warnings; twice: only errors.",
    ),
    click.Option(
        ["-v", "--verbose", "verbose"],
        count=True,
        help="Say each step, and show tracebacks.",
    ),
)
"""Flags of every command; they may stand before the command as well."""
TIERS = ("store.path", "cache.path", "cache.state", "runner.name")
"""Settings of every command that works between cache and store."""
DRY_RUN = click.Option(
    ["--dry-run", "is_dry_run"],
    is_flag=True,
    help="Say what would be done, with sizes, and do nothing.",
)
FORCE = click.Option(
    ["--force", "is_forced"],
    is_flag=True,
    help="Lose what was changed in the files by hand.",
)
_STRICT = click.Option(
    ["--strict", "is_strict"],
    is_flag=True,
    help="Fail when something failed or was left undone.",
)


class CommandWithExits(click.Command):
    """A command whose help ends with exit codes and an example."""

    def __init__(self, *args: Any, example: str, exit_help: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        self.exit_help = exit_help

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what comes after the options."""
        del ctx
        for paragraph in (self.exit_help, f"Example: {self.example}"):
            formatter.write_paragraph()
            formatter.write_text(" ".join(paragraph.split()))


def command(
    name: str,
    *,
    example: str,
    settings: Sequence[str] = (),
    params: Sequence[click.Parameter] = (),
    form: Form = Form.DOCUMENT,
    is_fail_open: bool = False,
) -> Callable[[Body], click.Command]:
    """Return a decorator that makes a command named `name`.

    Args:
        name: As in the schema; the last word is what is typed.
        example: One invocation, for the help.
        settings: Keys of the settings whose flags it has.
        params: Its own flags and arguments, passed to the function by name.
        form: What it writes to stdout under `--json`; with `DRY_RUN` it is always one
            document, of the schema `<name>-plan`.
        is_fail_open: Whether, without `--strict`, its errors become one warning and
            exit code 0: it runs before or after a job, which must not suffer.
    """

    def decorate(body: Body) -> click.Command:
        def callback(
            *,
            config_file: str | None,
            as_json: bool,
            quiet: int,
            verbose: int,
            is_strict: bool = False,
            **rest: Any,
        ) -> int:
            context = click.get_current_context()
            before = context.find_root().params
            process = context.find_object(Process)
            if process is None:
                raise TypeError("a command needs a Process as its context's object")
            process.is_fail_open = is_fail_open and not is_strict
            is_plan = bool(rest.get(DRY_RUN.name or ""))
            json_form = Form.DOCUMENT if is_plan else form
            output = process.open_output(
                f"{name.replace(' ', '-')}{'-plan' if is_plan else ''}",
                form=json_form if as_json or before.get("as_json") else Form.TEXT,
                verbosity=verbose - quiet + _verbosity(before),
            )
            flags = {key: rest.pop(_parameter(key)) for key in settings}
            session = open_session(
                process,
                output,
                {k: v for k, v in flags.items() if v is not None and v != ()},
                config_file=config_file or before.get("config_file"),
                is_strict=is_strict,
            )
            return body(session, **rest)

        return CommandWithExits(
            name.rpartition(" ")[2],
            callback=callback,
            help=body.__doc__,
            params=[
                *params,
                *map(_option, settings),
                *([_STRICT] if is_fail_open else []),
                *ALWAYS,
                HELP,
            ],
            example=example,
            exit_help=exits.HELP_FAIL_OPEN if is_fail_open else exits.HELP,
            add_help_option=False,
        )

    return decorate


def run_command(group: click.Command, argv: Sequence[str], process: Process) -> int:
    """Parse `argv` and run the command that it names; return its exit code."""
    try:
        with group.make_context("wheelferry", list(argv), obj=process) as context:
            result = group.invoke(context)
    except click.exceptions.Exit as exc:  # --help and --version
        return exc.exit_code
    return result if isinstance(result, int) else exits.DONE


def _verbosity(params: Mapping[str, Any]) -> int:
    return int(params.get("verbose", 0)) - int(params.get("quiet", 0))


def _option(key: str) -> click.Option:
    option = OPTIONS[key]
    if option.flag is None:
        raise ValueError(f"{key} has no flag")
    return click.Option(
        [option.flag, _parameter(key)],
        multiple=option.kind.is_list,
        metavar=option.kind.metavar,
        help=f"{option.help}.",
    )


def _parameter(key: str) -> str:
    return key.replace(".", "_")


__all__ = [
    "ALWAYS",
    "DRY_RUN",
    "FORCE",
    "HELP",
    "TIERS",
    "CommandWithExits",
    "command",
    "run_command",
]
