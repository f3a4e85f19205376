"""`wheelferry init`: make a store."""

from pathlib import Path

import click

from wheelferry.cli.command import command
from wheelferry.cli.session import Session
from wheelferry.disk import Disk, clock
from wheelferry.errors import StoreNotInitialised
from wheelferry.store.create import Created, create_store
from wheelferry.store.posix import PosixStore


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
    if not directory and session.config.store.path is None:
        raise click.UsageError("DIRECTORY is missing, and no store is configured")
    path = Path(directory).absolute() if directory else session.store_path()
    _refuse_empty_mount(session, path)
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


def _refuse_empty_mount(session: Session, path: Path) -> None:
    """Refuse to make a new store where a known one is expected: its share may be away."""
    config = session.config.store
    if config.id is None or config.path is None or path != config.path:
        return
    try:
        PosixStore(path, disk=Disk(), runner="init").open()
    except StoreNotInitialised as exc:
        settings = session.loaded.settings
        origin = next(s.origin for s in settings if s.option.key == "store.id")
        raise StoreNotInitialised(
            f"there is no store in {path}, but {origin} says that the one there has the"
            f" id {config.id}",
            hint="is the share mounted? To make a new store there, first take store.id"
            f" out of {origin}",
        ) from exc


def _render(path: Path, created: Created) -> str:
    done = "there is a store already" if created.was_there else "made a store"
    return f"""\
{done} in {path}
On each runner, put this into /etc/wheelferry/config.toml:

[store]
path = "{path}"
id = "{created.info.id}\""""


COMMAND = init
