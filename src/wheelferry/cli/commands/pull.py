"""`wheelferry pull`: from the store into the local cache, before a job."""

from wheelferry.cli import exits
from wheelferry.cli.command import DRY_RUN, command
from wheelferry.cli.conclude import conclude
from wheelferry.cli.output import Form
from wheelferry.cli.render_left import tell_left
from wheelferry.cli.render_pull import (
    encode_plan,
    encode_report,
    render_plan,
    render_report,
)
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import make_rules, open_tiers
from wheelferry.disk import clock
from wheelferry.ops.formats import find_formats
from wheelferry.ops.pull import apply_pull, plan_pull


@command(
    "pull",
    example="wheelferry pull --dry-run",
    settings=(
        "pull.include",
        "pull.exclude",
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

    Every pack is checked against its digest before uv can see anything of it.
    """
    output, start_s = session.output, clock.monotonic_s()
    config = session.config
    with open_tiers(session, needs_cache=False, only_looks=is_dry_run) as tiers:
        formats = find_formats(
            tiers, versions=config.uv.versions, paths=config.uv.paths
        )
        plan = plan_pull(tiers, make_rules(config.pull), formats)
        tell_left(output, plan.left)
        if is_dry_run:
            output.text(render_plan(plan))
            output.document(encode_plan(plan))
            return exits.DONE
        report = apply_pull(tiers, plan)
    duration_s = clock.monotonic_s() - start_s
    code = conclude(
        session,
        report.stopped_by,
        is_partly_done=bool(report.failed or plan.faults or plan.refused_segments),
    )
    output.summary(
        render_report(plan, report, duration_s), encode_report(plan, report, duration_s)
    )
    return code


COMMAND = pull
