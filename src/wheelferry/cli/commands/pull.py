"""`wheelferry pull`: from the store into the local cache, before a job."""

from typing import Final

from wheelferry.cli import exits
from wheelferry.cli.command import DRY_RUN, command
from wheelferry.cli.conclude import conclude
from wheelferry.cli.output import Form
from wheelferry.cli.render_left import tell_left
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import connect, make_rules, open_tiers
from wheelferry.disk import clock
from wheelferry.disk.clock import Deadline

PUBLISH_S: Final = 1.5
"""Of the deadline, at most what is kept for publishing what was read."""

PATIENCE_S: Final = 0.5
"""After the deadline, how long what is not the store may take to end."""


@command(
    "pull",
    example="wheelferry pull --dry-run",
    settings=(
        "pull.include",
        "pull.exclude",
        "pull.deadline",
        "pull.max_bytes",
        "pull.limit_rate",
        "uv.versions",
        "store.path",
        "cache.path",
        "cache.state",
        "runner.name",
    ),
    params=(DRY_RUN,),
    form=Form.LINES,
    is_fail_open=True,
)
def pull(session: Session, *, is_dry_run: bool) -> int:
    """Put what the store has, and the local cache lacks, into the cache.

    Every pack is checked against its digest before uv can see anything of it.  What is
    not there by the deadline is left for the next pull.
    """
    return run_pull(session, is_dry_run=is_dry_run)


def run_pull(
    session: Session, *, is_dry_run: bool = False, is_background: bool = False
) -> int:
    """Pull, and say how it went; return the exit code.

    Args:
        session: Where to, and with which settings.
        is_dry_run: Whether only to say what would be done.
        is_background: Whether no job waits for it, and none asked: then it takes its
            time, asks a store too that was silent a moment ago, and leaves what was
            removed from this cache.
    """
    output, process, config = session.output, session.process, session.config
    deadline_s = config.pull.deadline_s
    over_s = process.started_s + deadline_s
    soft, hard = over_s - min(PUBLISH_S, deadline_s / 5), over_s + PATIENCE_S
    with connect(
        session,
        deadline=Deadline.never() if is_background else Deadline(soft),
        hard_stop=None if is_background else Deadline(hard),
        skips_silent=not is_background,
        makes_state=not is_dry_run,
    ) as link:
        # While the other process starts: a job waits for whichever takes longer.
        from wheelferry.cli import render_pull as render
        from wheelferry.ops.formats import find_formats
        from wheelferry.ops.pull import Limits, apply_pull, plan_pull

        limits = Limits(config.pull.max_bytes, config.pull.rate_bytes_s)
        with open_tiers(
            session, link, needs_cache=False, only_looks=is_dry_run
        ) as tiers:
            formats = find_formats(
                tiers, versions=config.uv.versions, paths=config.uv.paths
            )
            plan = plan_pull(
                tiers,
                make_rules(config.pull.rules, config.pull.native),
                formats,
                limits,
                is_background=is_background,
            )
            tell_left(output, plan.left)
            if is_dry_run:
                process.take_word()
                output.text(render.render_plan(plan))
                output.document(render.encode_plan(plan))
                return exits.DONE
            report = apply_pull(tiers, plan, limits)
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
