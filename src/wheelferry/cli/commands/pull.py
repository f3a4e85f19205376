"""`wheelferry pull`: from the store into the local cache, before a job."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from wheelferry.cli import exits
from wheelferry.cli.bounds import Bounds
from wheelferry.cli.command import DRY_RUN, TIERS, command
from wheelferry.cli.conclude import conclude
from wheelferry.cli.noting import noting_failure
from wheelferry.cli.output import Form
from wheelferry.cli.render_left import tell_left
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import connect, make_rules, open_tiers
from wheelferry.disk import clock
from wheelferry.ops.ledger import Run

if TYPE_CHECKING:
    from wheelferry.project.inputs import Inputs


def _file_option(*names: str, metavar: str, text: str) -> click.Option:
    return click.Option(names, multiple=True, metavar=metavar, help=text)


PROJECT: Final = (
    _file_option(
        "--project",
        "projects",
        metavar="DIR",
        text="Pull only what the lock of the project in this directory asks for.",
    ),
    _file_option(
        "--lock",
        "locks",
        metavar="FILE",
        text="Pull only what this uv.lock, pylock.toml or script lock asks for.",
    ),
    _file_option(
        "-r",
        "--requirements",
        "requirements",
        metavar="FILE",
        text="Pull only what this requirements file pins.",
    ),
    _file_option(
        "-c",
        "--constraints",
        "constraints",
        metavar="FILE",
        text="Versions for requirements that pin none.",
    ),
    _file_option(
        "--extra",
        "extras",
        metavar="NAME",
        text="Of the project's extras only this; all if not given.",
    ),
    click.Option(["--no-extras"], is_flag=True, help="None of the project's extras."),
    _file_option(
        "--group",
        "groups",
        metavar="NAME",
        text="Of the dependency groups only this; all if not given.",
    ),
    click.Option(["--no-groups"], is_flag=True, help="None of the dependency groups."),
    _file_option(
        "--package",
        "packages",
        metavar="NAME",
        text="Of the members of the workspace only this; all if not given.",
    ),
)
"""What a job needs, and which parts of it."""


@command(
    "pull",
    example="wheelferry pull --project . --dry-run",
    settings=(
        "pull.include",
        "pull.exclude",
        "pull.deadline",
        "pull.max_bytes",
        "pull.limit_rate",
        "uv.versions",
        "python.versions",
        *TIERS,
    ),
    params=(DRY_RUN, *PROJECT),
    form=Form.LINES,
    is_fail_open=True,
)
def pull(session: Session, *, is_dry_run: bool, **given: Any) -> int:
    """Put what the store has, and the local cache lacks, into the cache.

    Of all that the Pythons of this machine can use; with `--project`, `--lock` or `-r`,
    of what these ask for, with all extras and groups.  Every pack is checked against
    its digest before uv can see anything of it.  What is not there by the deadline is
    left for the next pull.
    """
    return run_pull(session, is_dry_run=is_dry_run, inputs=_find_inputs(given))


def _find_inputs(given: Mapping[str, Any]) -> "Inputs | None":
    """Return what is to say what the job needs, if anything is.

    Raises click.UsageError: flags that make no sense together.
    """
    for names, none in (("extras", "no_extras"), ("groups", "no_groups")):
        if given[names] and given[none]:
            flag, no = f"--{names[:-1]}", f"--{none.replace('_', '-')}"
            raise click.UsageError(f"{flag} and {no} exclude each other")
    if not (given["projects"] or given["locks"] or given["requirements"]):
        if any(given.values()):
            raise click.UsageError(
                "--extra, --group, --package and -c need --project, --lock or -r"
            )
        return None
    from wheelferry.project.inputs import Inputs, Narrowing

    return Inputs(
        projects=_paths(given["projects"]),
        locks=_paths(given["locks"]),
        requirements=_paths(given["requirements"]),
        constraints=_paths(given["constraints"]),
        narrowing=Narrowing(
            extras=_chosen(given["extras"], none=given["no_extras"]),
            groups=_chosen(given["groups"], none=given["no_groups"]),
            packages=_chosen(given["packages"]),
        ),
    )


def _paths(given: Sequence[str]) -> tuple[Path, ...]:
    return tuple(Path(text).absolute() for text in given)


def _chosen(given: Sequence[str], *, none: bool = False) -> frozenset[str] | None:
    if not given and not none:
        return None
    from wheelferry.uvcache.wheelname import normalise_name

    return frozenset(map(normalise_name, given))


def run_pull(
    session: Session,
    *,
    is_dry_run: bool = False,
    is_background: bool = False,
    inputs: "Inputs | None" = None,
) -> int:
    """Pull, and say how it went; return the exit code.

    Args:
        session: Where to, and with which settings.
        is_dry_run: Whether only to say what would be done.
        is_background: Whether no job waits for it, and none asked: then it takes its
            time, asks a store too that was silent a moment ago, and leaves what was
            removed from this cache.
        inputs: What says what a job needs; without, all that fits is pulled.
    """
    output, process, config = session.output, session.process, session.config
    bounds = Bounds.none()
    if not is_background:
        bounds = Bounds.within(config.pull.deadline_s, started_s=process.started_s)
    run = Run(process.started_s, is_awaited=not is_background)
    failed = {"pulls": 1, "failed": 1}
    with (
        nullcontext() if is_dry_run else noting_failure(session, run, failed),
        connect(
            session,
            deadline=bounds.move,
            hard_stop=bounds.stop,
            skips_silent=not is_background,
            makes_state=not is_dry_run,
        ) as link,
    ):
        # While the other process starts: a job waits for whichever takes longer.
        from wheelferry.cli import render_pull as render
        from wheelferry.cli.aim import find_aim
        from wheelferry.ops.pull import Limits, apply_pull, plan_pull

        limits = Limits(config.pull.max_bytes, config.pull.rate_bytes_s)
        with open_tiers(
            session, link, needs_cache=False, only_looks=is_dry_run
        ) as tiers:
            aim = find_aim(config, tiers, inputs)
            plan = plan_pull(
                tiers,
                make_rules(config.pull.rules, config.pull.native),
                aim.formats,
                limits,
                target=aim.target,
                is_background=is_background,
            )
            tell_left(output, plan.left)
            if is_dry_run:
                process.take_word()
                output.text(render.render_plan(plan))
                output.document(render.encode_plan(plan))
                return exits.DONE
            report = apply_pull(tiers, plan, limits, run=run)
        link.memory.stopped_by = report.stopped_by
    duration_s = clock.monotonic_s() - process.started_s
    process.take_word()
    code = conclude(
        session,
        report.stopped_by,
        is_partly_done=bool(report.failed or plan.faults or plan.refused_segments),
    )
    output.summary(
        render.render_report(plan, report, duration_s),
        render.encode_report(plan, report, duration_s),
    )
    return code


COMMAND = pull
