"""`wheelferry doctor`: what is wrong with this runner, and what to do?"""

import os
import stat
from pathlib import Path
from typing import Final

import click

from wheelferry.cli import exits
from wheelferry.cli.command import TIERS, command
from wheelferry.cli.render_doctor import (
    LEVELS,
    encode_examination,
    render_findings,
    render_verdict,
)
from wheelferry.cli.session import Session
from wheelferry.config.uvchoices import find_uv_choices
from wheelferry.disk import Disk, clock
from wheelferry.doctor.examine import examine
from wheelferry.doctor.setup import IndexSetup, Setup
from wheelferry.events import Level
from wheelferry.ops.finding import Severity

_CODES: Final = {Severity.ERROR: exits.UNWELL, Severity.WARNING: exits.DOUBTFUL}


@command(
    "doctor",
    example="sudo -u gitlab-runner wheelferry doctor --workspace ~gitlab-runner/builds",
    settings=(
        "uv.versions",
        *TIERS,
    ),
    params=(
        click.Option(
            ["--workspace"],
            metavar="DIR",
            default=".",
            help="A checkout, or where jobs make them; the working directory by default.",
        ),
        click.Option(
            ["--index", "indexes"],
            metavar="URL",
            multiple=True,
            help="Ask this index whether uv may cache its files, and not those that uv is"
            " told of; a package's page will do.",
        ),
    ),
)
def doctor(session: Session, *, workspace: str, indexes: tuple[str, ...]) -> int:
    """Find out what is wrong with this runner, and say what to do.

    Run it as the user of the jobs, with their environment.  What it tries, it takes away
    again: a hardlink, a rename, and a small file on the share.  A share that hangs is
    given up after 5 s.  Of each index that uv is told of it asks for one page, and for
    the headers of one file.  Exits with 50 if there is an error, with 51 if there is a
    warning.
    """
    output, start_s = session.output, clock.monotonic_s()
    for url in indexes:
        if not url.startswith(("http://", "https://")):
            raise click.UsageError("--index must be a URL: http://... or https://...")
    directory = _find_workspace(workspace)
    setup = _make_setup(session, directory, indexes)
    found = examine(setup, Disk(), output.emit)
    duration_s = clock.monotonic_s() - start_s
    shown = [level for level in LEVELS.values() if output.shows(level)]
    if shown and (text := render_findings(found, min(shown))):
        output.text(text)
    if output.shows(Level.INFO):
        output.text(render_verdict(found, duration_s))
    output.document(encode_examination(found, duration_s))
    return _CODES.get(found.worst, exits.DONE)


def _find_workspace(given: str) -> Path:
    path = Path(os.path.abspath(given))  # noqa: PTH100
    try:
        is_directory = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_directory = False
    except OSError:  # what that means for the jobs, checks say
        is_directory = True
    if not is_directory:
        raise click.UsageError(f"--workspace: there is no directory {path}")
    return path


def _make_setup(session: Session, workspace: Path, urls: tuple[str, ...]) -> Setup:
    config, environ = session.config, session.process.environ
    choices = find_uv_choices(environ)
    given = tuple(IndexSetup(url, "--index") for url in urls)
    origin = next(
        s.origin for s in session.loaded.settings if s.option.key == "cache.path"
    )
    return Setup(
        cache=config.cache.path,
        cache_origin=origin,
        state=config.cache.state,
        store=config.store.path,
        store_id=config.store.id,
        runner=config.runner.name,
        timeout_s=config.store.timeout_s,
        promotes="promote" in (config.daemon.tasks or ("promote",)),
        uv_paths=config.uv.paths,
        uv_versions=config.uv.versions,
        workspace=workspace,
        environ=environ,
        link_mode=choices.link_mode,
        no_cache=choices.no_cache,
        indexes=given or tuple(IndexSetup(*index) for index in choices.indexes),
    )


COMMAND = doctor
