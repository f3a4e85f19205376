"""`wheelferry config show`: each value, and where it came from."""

import click

from wheelferry.cli.command import command
from wheelferry.cli.session import Session
from wheelferry.cli.units import render_table
from wheelferry.config.load import Setting, Source
from wheelferry.config.values import encode_value, render_value

_FLAGS = ("store.path", "cache.path", "cache.state", "runner.name", "uv.versions")


@command(
    "config show",
    example="wheelferry config show --json | jq '.settings[\"store.path\"].origin'",
    settings=_FLAGS,
)
def show(session: Session) -> int:
    """Show each setting, its value and where that came from.

    A value marked `final` is one that files of users, variables and flags cannot change.
    """
    settings = session.loaded.settings
    session.output.text(_render(settings))
    session.output.document({"settings": {s.option.key: _encode(s) for s in settings}})
    return 0


def _render(settings: tuple[Setting, ...]) -> str:
    rows = [
        (s.option.key, _origin(s), render_value(s.option.kind, s.value))
        for s in settings
    ]
    return render_table(rows, header=("setting", "from", "value"))


def _origin(setting: Setting) -> str:
    if setting.source is Source.DEFAULT:
        return f"default ({setting.origin})" if setting.origin else "default"
    return f"{setting.origin} (final)" if setting.is_final else setting.origin


def _encode(setting: Setting) -> dict[str, object]:
    return {
        "value": encode_value(setting.value),
        "source": setting.source.value,
        "origin": setting.origin or None,
        "final": setting.is_final,
    }


COMMAND = click.Group("config", help="Show the configuration.", commands={"show": show})
