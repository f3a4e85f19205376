"""`wheelferry daemon`: promotes and pulls by itself, for as long as it runs."""

import pickle
import sys
from collections.abc import Sequence
from typing import Final

import click

from wheelferry.cli import exits
from wheelferry.cli.command import command
from wheelferry.cli.output import Form
from wheelferry.cli.session import Session
from wheelferry.config import environment
from wheelferry.config.load import load_config
from wheelferry.config.model import Config
from wheelferry.daemon.door import Terms
from wheelferry.daemon.loop import Daemon, Manager
from wheelferry.daemon.notify import Notifier
from wheelferry.daemon.schedule import Task
from wheelferry.daemon.shift import Settings
from wheelferry.disk import Disk
from wheelferry.errors import ConfigError
from wheelferry.store.layout import CATALOG

MAX_SOCKET_PATH_BYTES: Final = 107
"""unix(7): 108 bytes with the one that ends it."""

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
    the store is pulled, until SIGTERM; if `trim.max_size` says how large the cache may
    be, it is trimmed when no uv uses it.  SIGHUP has it read the configuration again.
    `wheelferry systemd install` makes a service of it.
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
    argv = (sys.executable, *isolated, "-m", "wheelferry.cli.job")
    payload = pickle.dumps(config)
    return Settings(
        cache=config.cache.path,
        state=config.cache.state,
        store=store,
        runner=config.runner.name,
        catalog=store / CATALOG,
        tasks=_settle_tasks(config),
        poll_s=config.daemon.poll_s,
        rescan_s=config.daemon.rescan_s,
        gc_s=config.gc.interval_s,
        timeout_s=config.store.timeout_s,
        job_argv=argv,
        payload=payload,
        door=_settle_door(config, argv, payload),
        metrics_port=config.daemon.metrics_port,
        textfile=config.daemon.textfile,
    )


def _settle_tasks(config: Config) -> frozenset[Task]:
    """Return what it does: for gc and trim, a budget decides, whatever else is named."""
    tasks = set(map(Task, config.daemon.tasks or (Task.PROMOTE, Task.PULL, Task.GC)))
    gc = config.gc
    if (gc.max_bytes, gc.max_age_s, gc.keep_free_bytes) == (None, None, None):
        tasks.discard(Task.GC)
    if config.trim.max_bytes is not None:
        tasks.add(Task.TRIM)
    return frozenset(tasks)


def _settle_door(config: Config, argv: Sequence[str], payload: bytes) -> Terms | None:
    """Return where it listens, if anywhere; raises ConfigError for what serves nobody."""
    path, projects = config.daemon.socket, config.daemon.projects
    if path is None:
        return None
    if not projects:
        raise ConfigError(
            f"daemon.socket is {path}, but no project is served there",
            hint="set daemon.projects to the directory of the jobs' checkouts",
        )
    if len(str(path).encode()) > MAX_SOCKET_PATH_BYTES:
        raise ConfigError(
            f"daemon.socket is longer than the kernel takes: {path}",
            hint=f"use a path of at most {MAX_SOCKET_PATH_BYTES} bytes",
        )
    return Terms(
        path=path,
        roots=tuple(map(str, projects)),
        deadline_s=config.pull.deadline_s,
        argv=argv,
        payload=payload,
    )


COMMAND = daemon
