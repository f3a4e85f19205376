"""`wheelferry pull`: from the store into the local cache, before a job."""

from wheelferry.cli import exits
from wheelferry.cli.command import DRY_RUN, command
from wheelferry.cli.output import Form
from wheelferry.cli.render_left import render_left
from wheelferry.cli.render_pull import (
    encode_plan,
    encode_report,
    render_plan,
    render_report,
)
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import make_rules, open_tiers
from wheelferry.disk import clock
from wheelferry.events import Level
from wheelferry.ops.formats import find_formats
from wheelferry.ops.pull import PullReport, apply_pull, plan_pull


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
    with open_tiers(session) as tiers:
        formats = find_formats(
            tiers, versions=config.uv.versions, paths=config.uv.paths
        )
        plan = plan_pull(tiers, make_rules(config.pull), formats)
        if is_dry_run:
            output.text(render_plan(plan))
            output.document(encode_plan(plan))
            return exits.DONE
        for line in render_left(plan.left):
            output.say(Level.DEBUG, line)
        report = apply_pull(tiers, plan)
    duration_s = clock.monotonic_s() - start_s
    output.summary(
        render_report(plan, report, duration_s), encode_report(plan, report, duration_s)
    )
    return _conclude(session, report)


def _conclude(session: Session, report: PullReport) -> int:
    if stopped_by := report.stopped_by:
        if session.is_strict:
            session.output.fail(stopped_by)
            return stopped_by.exit_code
        session.output.warn(
            f"pull stopped half way, the job can go on: {stopped_by.message}",
            reference="pull.stopped",
        )
    return exits.PARTLY_DONE if session.is_strict and report.failed else exits.DONE


COMMAND = pull
