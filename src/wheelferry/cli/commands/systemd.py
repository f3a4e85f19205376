"""`wheelferry systemd`: the service for systemd, per user whose jobs use uv."""

from pathlib import Path
from typing import Final

import click

from wheelferry.cli import exits
from wheelferry.cli.command import DRY_RUN, FORCE, command
from wheelferry.cli.render_changes import encode_changes, render_changes
from wheelferry.cli.session import Session
from wheelferry.disk import Disk
from wheelferry.sealed.files import Change
from wheelferry.systemd import files, manager
from wheelferry.systemd.plan import plan_instance, render_files, render_shared
from wheelferry.systemd.render import Instance, check_name

_ROOT: Final = "/"

_USER = click.Option(
    ["--user"], metavar="USER", help="User who runs the jobs, and owns the cache."
)
_NAME = click.Option(
    ["--name"],
    metavar="NAME",
    help="Name of the instance, for a user with several caches; the default is USER.",
)
_TIMER = click.Option(
    ["--pull-timer", "has_timer"],
    is_flag=True,
    help="Pull at boot and by schedule, and run no daemon.",
)
_DIRECTORY = click.Option(
    ["--root"],
    metavar="DIR",
    default=_ROOT,
    help="Directory that has etc/systemd/system, for trying it out; `/` by default.",
)


@command(
    "systemd install",
    example="sudo /opt/wheelferry/bin/wheelferry systemd install --user gitlab-runner --now",
    params=(
        _USER,
        _NAME,
        _TIMER,
        click.Option(
            ["--now", "is_now"],
            is_flag=True,
            help="Start it too, now and at boot; anew if it runs.",
        ),
        FORCE,
        _DIRECTORY,
        DRY_RUN,
    ),
)
def install(
    session: Session,
    *,
    user: str | None,
    name: str | None,
    has_timer: bool,
    is_now: bool,
    is_forced: bool,
    root: str,
    is_dry_run: bool,
) -> int:
    """Install the service for the uv cache of a user, or bring it up to date.

    What the service may write to, and on which port it may listen, follows from the
    configuration as that user has it: run it again after cache.path, cache.state,
    store.path or daemon.metrics_port was changed.  `--config` is for the service too.
    """
    if is_now and root != _ROOT:
        raise click.UsageError("--now is only for this system: leave --root out")
    instance = _plan(session, _require(user), name, has_timer=has_timer)
    directory = _directory(root)
    changes = files.plan_install(
        directory, render_files(instance), name=instance.name, has_timer=has_timer
    )
    if not is_forced:
        files.refuse_edited(changes)
    steps = manager.start_steps(instance.unit)
    if not is_dry_run:
        files.apply_changes(changes, disk=Disk())
    if is_now and not is_dry_run:
        for step in steps:
            manager.run_step(step)
    is_left = not is_now and root == _ROOT
    typed = [manager.render_step(step) for step in steps] if is_left else []
    _tell(session, changes, typed, is_dry_run=is_dry_run)
    if is_now and not is_dry_run:
        session.output.text(f"started {instance.unit}")
    return exits.DONE


@command(
    "systemd print",
    example="wheelferry systemd print --user gitlab-runner",
    params=(_USER, _NAME, _TIMER),
)
def print_(
    session: Session,
    *,
    user: str | None,
    name: str | None,
    has_timer: bool,
) -> int:
    """Print what `install` would write; without a user, what all instances share."""
    if user is None:
        if name is not None:
            raise click.UsageError("--name needs --user")
        texts = render_shared(has_timer=has_timer)
    else:
        instance = _plan(session, user, name, has_timer=has_timer)
        texts = render_files(instance)
    paths = {str(_directory(_ROOT) / path): text for path, text in texts.items()}
    session.output.text(
        "\n".join(f"# {path}\n{text}" for path, text in paths.items()).rstrip()
    )
    session.output.document(
        {"files": [{"path": path, "text": text} for path, text in paths.items()]}
    )
    return exits.DONE


@command(
    "systemd uninstall",
    example="sudo /opt/wheelferry/bin/wheelferry systemd uninstall --user gitlab-runner",
    params=(_USER, _NAME, FORCE, _DIRECTORY, DRY_RUN),
)
def uninstall(
    session: Session,
    *,
    user: str | None,
    name: str | None,
    is_forced: bool,
    root: str,
    is_dry_run: bool,
) -> int:
    """Stop the service of a user, and remove what `install` wrote.

    Cache, state and store stay.  What all instances share goes with the last one.
    """
    name = name or _require(user)
    check_name(name)
    changes = files.plan_uninstall(_directory(root), name=name)
    if not is_forced:
        files.refuse_edited(changes)
    is_live = root == _ROOT and manager.is_running()
    if not is_dry_run:
        units = files.find_units(_directory(root), name) if is_live else ()
        for step in manager.stop_steps(units):
            manager.run_step(step)
        files.apply_changes(changes, disk=Disk())
        if is_live and changes:
            manager.run_step(manager.RELOAD)
    _tell(session, changes, [], is_dry_run=is_dry_run)
    return exits.DONE


def _plan(
    session: Session, user: str, name: str | None, *, has_timer: bool
) -> Instance:
    config_file = session.config_file
    return plan_instance(
        user,
        name=name or user,
        config_file=config_file and str(Path(config_file).absolute()),
        has_timer=has_timer,
    )


def _directory(root: str) -> Path:
    return Path(root).absolute() / files.UNITS


def _require(user: str | None) -> str:
    if user is None:
        raise click.UsageError("--user is missing: whose jobs use the cache?")
    return user


def _tell(
    session: Session, changes: tuple[Change, ...], steps: list[str], *, is_dry_run: bool
) -> None:
    session.output.text(render_changes(changes, steps, is_dry_run=is_dry_run))
    session.output.document(encode_changes(changes, steps))


COMMAND = click.Group(
    "systemd",
    help="Run the daemon under systemd.",
    commands={"install": install, "print": print_, "uninstall": uninstall},
)
