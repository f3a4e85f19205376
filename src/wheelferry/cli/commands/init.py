"""`wheelferry init`: make a store."""

from pathlib import Path

import click

from wheelferry.cli.command import command
from wheelferry.cli.session import Session
from wheelferry.disk import Disk, clock
from wheelferry.store.create import Created, create_store


@command(
    "init",
    example="wheelferry init /mnt/wheels --group ci",
    settings=("store.path",),
    params=(
        click.Argument(["directory"], required=False),
        click.Option(
            ["--group"],
            help="Let all members of this group write: needed if runners have several"
            " users.",
        ),
    ),
)
def init(session: Session, directory: str | None, group: str | None) -> int:
    """Make a store in a directory.

    DIRECTORY is empty or missing (its parent must exist); the default is the configured
    store.  A store that is there already is completed, and loses nothing.
    """
    path = Path(directory).absolute() if directory else session.store_path()
    created = create_store(path, disk=Disk(), now_s=clock.now_s(), group=group)
    session.output.text(_render(path, created))
    session.output.document(
        {
            "store": str(path),
            "id": created.info.id,
            "format_version": created.info.format_version,
            "created": created.info.created,
            "was_there": created.was_there,
        }
    )
    return 0


def _render(path: Path, created: Created) -> str:
    done = "there is a store already" if created.was_there else "made a store"
    return f"""\
{done} in {path}
On each runner, put this into /etc/wheelferry/config.toml:

[store]
path = "{path}"
id = "{created.info.id}\""""


COMMAND = init
