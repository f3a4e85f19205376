"""`wheelferry promote`: from the local cache into the store."""

from wheelferry.cli import exits
from wheelferry.cli.command import DRY_RUN, command
from wheelferry.cli.conclude import conclude
from wheelferry.cli.output import Form
from wheelferry.cli.render_left import tell_left
from wheelferry.cli.render_promote import (
    encode_plan,
    encode_report,
    render_plan,
    render_report,
)
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import make_rules, open_tiers
from wheelferry.disk import clock
from wheelferry.ops.promote import apply_promote, plan_promote


@command(
    "promote",
    example="wheelferry promote --exclude 'acme-*'",
    settings=(
        "promote.include",
        "promote.exclude",
        "store.path",
        "cache.path",
        "cache.state",
        "runner.name",
    ),
    params=(DRY_RUN,),
    form=Form.LINES,
    is_fail_open=True,
)
def promote(session: Session, *, is_dry_run: bool) -> int:
    """Put what the local cache has, and the store lacks, into the store.

    Each archive is checked against its RECORD first; what was edited stays here, and is
    named.
    """
    output, start_s = session.output, clock.monotonic_s()
    rules = make_rules(session.config.promote)
    with open_tiers(session, needs_cache=True, only_looks=is_dry_run) as tiers:
        plan = plan_promote(tiers, rules)
        tell_left(output, plan.left)
        if is_dry_run:
            output.text(render_plan(plan))
            output.document(encode_plan(plan))
            return exits.DONE
        report = apply_promote(tiers, plan)
    duration_s = clock.monotonic_s() - start_s
    code = conclude(
        session,
        report.stopped_by,
        is_partly_done=bool(report.rejected)
        or any(entry.is_fault for entry in plan.left),
    )
    output.summary(
        render_report(plan, report, duration_s), encode_report(plan, report, duration_s)
    )
    return code


COMMAND = promote
