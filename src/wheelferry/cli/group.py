"""The top command: knows the others by name, and imports one when it is invoked."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

import click

from wheelferry import __version__
from wheelferry.cli.command import ALWAYS, HELP

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "init": "Make a store in a directory.",
        "promote": "Put what the local cache has, and the store lacks, into the store.",
        "pull": "Put what the store has, and the local cache lacks, into the cache.",
        "trim": "Keep the local cache within a size; what was used least recently goes.",
        "daemon": "Promote and pull by itself, for as long as it runs.",
        "systemd": "Install the daemon as a service, or remove it.",
        "doctor": "Find out what is wrong with this runner, and say what to do.",
        "hooks": "Put pull and promote around the jobs of a CI system.",
        "status": "Show what is in the cache, in the store, and in only one of them.",
        "stats": "Show what runners carried and saved, and what that cost.",
        "gc": "Remove from the store what nobody needs, to keep it within its budget.",
        "rm": "Remove a package from the store for good, or allow it again.",
        "verify": "Check every object and every segment of the store.",
        "report": "Write a page about the store: what it holds, saves, and would give up next.",
        "config": "Show the configuration.",
        "bench": "Measure this share, and say what a fleet would save per day.",
        "demo": "Show the main job on two runners in a temporary folder.",
    }
)
"""Names of the commands and what they do; `commands/<name>.py` has `COMMAND`."""

_PACKAGE: Final = "wheelferry.cli.commands"


class LazyGroup(click.Group):
    """A group that lists its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names, in the order of a first use."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module, and return the command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        found = import_module(f"{_PACKAGE}.{cmd_name}").COMMAND
        return found if isinstance(found, click.Command) else None

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands from the table alone."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write how to switch everything off."""
        del ctx
        formatter.write_paragraph()
        formatter.write_text(
            "WHEELFERRY_DISABLE=1 makes every command do nothing and succeed."
        )


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it so
    del param
    if value:
        click.echo(f"wheelferry {__version__}")
        ctx.exit()


GROUP: Final = LazyGroup(
    "wheelferry",
    help=(
        "Share finished wheels between the local uv caches of many runners, through a"
        " store on NFS."
    ),
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Show the version and exit.",
        ),
        *ALWAYS,
        HELP,
    ],
    add_help_option=False,
)
