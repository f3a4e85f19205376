"""`wheelferry daemon`: promotes and pulls by itself, for as long as it runs."""

import pickle
import sys

import click

from wheelferry.cli import exits
from wheelferry.cli.command import command
from wheelferry.cli.output import Form
from wheelferry.cli.session import Session
from wheelferry.config import environment
from wheelferry.config.load import load_config
from wheelferry.config.model import Config
from wheelferry.daemon.loop import Daemon, Manager
from wheelferry.daemon.notify import Notifier
from wheelferry.daemon.schedule import Task
from wheelferry.daemon.shift import Settings
from wheelferry.disk import Disk
from wheelferry.store.layout import CATALOG

_FLAGS = ("store.path", "cache.path", "cache.state", "runner.name")


@command(
    "daemon",
    example="wheelferry daemon --store /mnt/wheels",
    settings=_FLAGS,
    params=(
        click.Option(
            ["--check", "is_check"],
            is_flag=True,
            help="Check the configuration, and end.",
        ),
    ),
    form=Form.LINES,
)
def daemon(session: Session, *, is_check: bool) -> int:
    """Promote and pull by itself, for as long as it runs.

    What uv puts into the cache is promoted as soon as it is complete, and what is new in
    the store is pulled, until SIGTERM.  SIGHUP has it read the configuration again.  `wheelferry systemd
    install` makes a service of it.
    """
    settings = _settle(session.config, session)
    if is_check:
        return exits.DONE
    process = session.process

    def reload() -> Settings:
        loaded = load_config(
            process.environ,
            session.flags,
            config_file=session.config_file,
            system_file=process.system_file,
        )
        return _settle(loaded.config, session._replace(loaded=loaded))

    found = environment.find_service_manager(process.environ)
    Daemon(
        settings,
        reload=reload,
        emit=session.output.emit,
        manager=Manager(Notifier(found.address), found.watchdog_s),
        disk=Disk(),
    ).run()
    return exits.DONE


def _settle(config: Config, session: Session) -> Settings:
    """Return what the daemon needs; raises ConfigError if there is no store."""
    store = session.store_path()
    isolated = ["-I"] if sys.flags.isolated else []
    return Settings(
        cache=config.cache.path,
        state=config.cache.state,
        store=store,
        catalog=store / CATALOG,
        tasks=frozenset(map(Task, config.daemon.tasks or Task)),
        poll_s=config.daemon.poll_s,
        rescan_s=config.daemon.rescan_s,
        timeout_s=config.store.timeout_s,
        job_argv=(sys.executable, *isolated, "-m", "wheelferry.cli.job"),
        payload=pickle.dumps(config),
    )


COMMAND = daemon
