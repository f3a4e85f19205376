"""One run of a task: `python -m wheelferry.cli.job promote|pull|gc|trim`, by the daemon.

With `--project DIR` it is the pull that a job has asked the daemon for, and waits for.

The configuration comes pickled on stdin: that of the daemon, whatever the files say by
now.  What is done and how it ended goes to stdout and stderr as JSON lines, and then what the
runner knows of the store, for the daemon's figures.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from wheelferry.cli.output import Form, Json, Output, choose_style, standard_streams
from wheelferry.cli.session import Process, Session
from wheelferry.config.load import Loaded
from wheelferry.config.model import Config
from wheelferry.errors import ProjectRefused

_ENVIRON: Final = {"NO_COLOR": "1"}


class _JobOutput(Output):
    """Makes the summary short, and adds what people would have read."""

    def summary(self, text: str, body: Json) -> None:
        """Write the last line: its text, and the numbers, but no lists of entries."""
        numbers = {k: v for k, v in body.items() if not isinstance(v, list)}
        super().summary(text, {**numbers, "text": text})

    def known(self, config: Config) -> None:
        """Write what the runner knows of the store."""
        from wheelferry.daemon.jobs import KNOWN
        from wheelferry.disk import Disk, clock
        from wheelferry.ops.known import read_known
        from wheelferry.ops.metrics import encode_known

        known = read_known(
            config.cache.state,
            disk=Disk(),
            now_s=clock.now_s(),
            store_max_bytes=config.gc.max_bytes,
            cache_max_bytes=config.trim.max_bytes,
        )
        self._print_json({"type": KNOWN, KNOWN: encode_known(known)})


@click.command("job")
@click.argument("task", type=click.Choice(["promote", "pull", "gc", "trim"]))
@click.option("--project", type=Path)
@click.pass_obj
def job(process: Process, task: str, project: Path | None) -> int:
    """Run a task with the configuration on stdin."""
    import pickle

    try:
        config: Config = pickle.load(sys.stdin.buffer)  # noqa: S301 - the daemon's
    except (EOFError, pickle.UnpicklingError):
        return 0  # killed before it could say it: nobody waits for this
    output = process.output = _JobOutput(
        task,
        form=Form.LINES,
        verbosity=0,
        style=choose_style(process.environ, process.stderr),
        stdout=process.stdout,
        stderr=process.stderr,
    )
    process.state = config.cache.state
    session = Session(
        output=output,
        loaded=Loaded(config, (), ()),
        is_strict=True,
        process=process,
    )
    if project is not None:
        return _serve(session, project)
    code = _run(session, task)
    output.known(config)
    return code


def _run(session: Session, task: str) -> int:
    if task == "promote":
        from wheelferry.cli.commands.promote import run_promote

        return run_promote(session, is_background=True)
    if task == "gc":
        from wheelferry.cli.commands.gc import run_gc

        return run_gc(session, is_background=True)
    if task == "trim":
        from wheelferry.cli.commands.trim import run_trim

        return run_trim(session, is_background=True)
    from wheelferry.cli.commands.pull import run_pull

    return run_pull(session, is_background=True)


def _serve(session: Session, project: Path) -> int:
    """Pull for a job, which waits for it."""
    from wheelferry.cli.commands.pull import run_pull
    from wheelferry.project.inputs import Inputs

    roots = tuple(Path(os.path.realpath(r)) for r in session.config.daemon.projects)
    found = find_served(project, roots)
    return run_pull(session, inputs=Inputs(projects=(found,), within=roots))


def find_served(project: Path, roots: Sequence[Path]) -> Path:
    """Return the directory that a path leads to, if that is in one of `roots`.

    What is in there may lead elsewhere still, and is looked at when it is read.  All of
    this looks at the disk, and may hang where a link leads to a share that is away:
    whoever started this process ends it.

    Raises ProjectRefused.
    """
    real = Path(os.path.realpath(project))
    if not any(map(real.is_relative_to, roots)):
        raise ProjectRefused(f"{str(project)!r} leads out of daemon.projects")
    if not real.is_dir():
        raise ProjectRefused(
            f"{str(project)!r} is no directory on the host",
            hint="mount the checkouts at the path that they have on the host",
        )
    return real


def main() -> None:
    """Run it and leave the process."""
    # The daemon ends it so; a daemon that a shell has put into the background ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from wheelferry.cli.failure import run_guarded

    stdout, stderr = standard_streams()
    process = Process(environ=_ENVIRON, system_file="", stdout=stdout, stderr=stderr)
    os._exit(run_guarded(sys.argv[1:], process, group=job))


if __name__ == "__main__":
    main()
