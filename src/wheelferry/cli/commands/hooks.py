"""`wheelferry hooks`: pull before, and promote after the jobs of a CI system."""

import os
import sys
from pathlib import Path
from typing import Final

import click

from wheelferry.cli import exits
from wheelferry.cli.command import DRY_RUN, FORCE, command
from wheelferry.cli.render_changes import encode_changes, render_changes
from wheelferry.cli.session import Session
from wheelferry.disk import Disk
from wheelferry.hooks import plan
from wheelferry.hooks.catalogue import SNIPPETS, Ci
from wheelferry.hooks.render import SYSTEM_PATH, Site
from wheelferry.sealed import files

_PROMOTE_S: Final = 60.0
"""Of a promotion after a job, unless `promote.deadline` is set."""

_EXAMPLE_VOLUME: Final = "/srv/ci"

_INTO_WHAT: Final = {
    Ci.GITHUB: "the directory of GitHub's runner, such as /home/runner/actions-runner",
    Ci.BUILDKITE: "the agent's hooks-path, such as /etc/buildkite-agent/hooks",
}

_RESTART: Final = "# Restart the runner: it reads .env when it starts."

_SCRIPTS_HOME: Final = "/etc/wheelferry/hooks"

_CI = click.Argument(["ci"], type=click.Choice([ci.value for ci in Ci]), metavar="CI")
_SCRIPTS = click.Option(
    ["--scripts"],
    metavar="DIR",
    default=_SCRIPTS_HOME,
    show_default=True,
    help="Directory of the two scripts that all CI systems share.",
)
_INTO = click.Option(
    ["--into"],
    metavar="DIR",
    help="Directory of GitHub's runner, or hooks-path of the Buildkite agent.",
)


@command(
    "hooks show",
    example="wheelferry hooks show gitlab",
    params=(_CI, _SCRIPTS),
)
def show(session: Session, *, ci: str, scripts: str) -> int:
    """Show what goes where in gitlab, github, buildkite, jenkins, gitea, woodpecker.

    `generic` is for any other system that can run a command before and after a job.
    The scripts that are called there are written by `install`.
    """
    site = _find_site(session, scripts)
    snippets = plan.render_snippets(Ci(ci), site)
    session.output.text(
        "\n".join(f"# For {s.where}:\n{text}" for s, text in snippets).rstrip()
    )
    session.output.document(
        {
            "snippets": [
                {"where": snippet.where, "text": text} for snippet, text in snippets
            ],
            "files": [
                {"path": f"{site.scripts}/{name}", "text": text}
                for name, text in plan.render_scripts(site).items()
            ],
        }
    )
    return exits.DONE


@command(
    "hooks install",
    example="sudo /opt/wheelferry/bin/wheelferry hooks install github --into /srv/runner",
    params=(_CI, _INTO, _SCRIPTS, FORCE, DRY_RUN),
)
def install(
    session: Session,
    *,
    ci: str,
    into: str | None,
    scripts: str,
    is_forced: bool,
    is_dry_run: bool,
) -> int:
    """Write the scripts, and the CI system's own files that call them.

    What has to be pasted into a file of yours is shown.  Run it again after an upgrade,
    and after pull.deadline, promote.deadline or daemon.socket was changed: the scripts
    have the values of now.
    """
    site = _find_site(session, scripts)
    wanted = Ci(ci)
    changes = plan.plan_install(wanted, site, into=_directory(wanted, into))
    if not is_forced:
        files.refuse_edited(plan.WRITER, changes)
    if not is_dry_run:
        files.apply_changes(plan.WRITER, changes, disk=Disk())
    steps = [
        line
        for snippet, text in plan.render_snippets(wanted, site)
        if not snippet.target
        for line in [f"# For {snippet.where}:", *text.splitlines(), ""]
    ]
    if wanted is Ci.GITHUB:
        steps = [_RESTART, "", *steps]
    session.output.text(render_changes(changes, steps[:-1], is_dry_run=is_dry_run))
    session.output.document(encode_changes(changes, steps[:-1]))
    return exits.DONE


@command(
    "hooks uninstall",
    example="sudo wheelferry hooks uninstall github --into /srv/runner",
    params=(_CI, _INTO, _SCRIPTS, FORCE, DRY_RUN),
)
def uninstall(
    session: Session,
    *,
    ci: str,
    into: str | None,
    scripts: str,
    is_forced: bool,
    is_dry_run: bool,
) -> int:
    """Remove the CI system's own files that call the scripts.

    The scripts stay, since others may call them: GitHub's runner fails each job if a hook
    is gone.  `uninstall generic` removes them.
    """
    wanted = Ci(ci)
    site = _find_site(session, scripts)
    changes = plan.plan_uninstall(wanted, site, into=_directory(wanted, into))
    if not is_forced:
        files.refuse_edited(plan.WRITER, changes)
    if not is_dry_run:
        files.apply_changes(plan.WRITER, changes, disk=Disk())
    steps = _find_rest(wanted, site)
    session.output.text(render_changes(changes, steps, is_dry_run=is_dry_run))
    session.output.document(encode_changes(changes, steps))
    return exits.DONE


def _find_rest(ci: Ci, site: Site) -> list[str]:
    """Return what is left to do by hand once the files of a CI system are gone."""
    if ci is Ci.GENERIC:
        return []
    steps = [_RESTART] if ci is Ci.GITHUB else []
    if any(not snippet.target for snippet in SNIPPETS[ci]):
        steps.append(f"# What `hooks show {ci.value}` shows: take it out where it is.")
    elsewhere = site.scripts != _SCRIPTS_HOME
    return [
        *steps,
        f"# The scripts in {site.scripts} stay. Once nothing calls them:",
        "wheelferry hooks uninstall generic"
        + (f" --scripts {site.scripts}" if elsewhere else ""),
    ]


def _directory(ci: Ci, into: str | None) -> Path | None:
    """Return where the files of a CI system are, if it has any."""
    if not plan.has_files(ci):
        if into is not None:
            raise click.UsageError(
                f"--into is not for {ci.value}: it has no such files"
            )
        return None
    if into is None:
        raise click.UsageError(f"--into is missing: it takes {_INTO_WHAT[ci]}")
    return Path(into).absolute()


def _find_site(session: Session, scripts: str) -> Site:
    config = session.config
    cache = str(config.cache.path)
    roots = config.daemon.projects
    builds = str(roots[0]) if roots else f"{_EXAMPLE_VOLUME}/builds"
    if not roots:
        cache = f"{_EXAMPLE_VOLUME}/uv"
    with_uv = (str(path) for path in config.uv.paths if os.access(path / "uv", os.X_OK))
    config_file = session.config_file
    return Site(
        python=sys.executable,
        scripts=os.path.abspath(scripts),  # noqa: PTH100 - `..` has to go
        path=tuple(dict.fromkeys([*SYSTEM_PATH, *with_uv])),
        config_file=str(Path(config_file).absolute()) if config_file else "",
        socket=str(config.daemon.socket or ""),
        pull_s=config.pull.deadline_s,
        promote_s=config.promote.deadline_s or _PROMOTE_S,
        cache=cache,
        builds=builds,
        volume=os.path.commonpath([cache, builds]),
    )


COMMAND = click.Group(
    "hooks",
    help="Put pull and promote around the jobs of a CI system.",
    commands={"show": show, "install": install, "uninstall": uninstall},
)
