"""`wheelferry promote`: from the local cache into the store."""

from contextlib import nullcontext

from wheelferry.cli import exits
from wheelferry.cli.bounds import Bounds
from wheelferry.cli.command import DRY_RUN, TIERS, command
from wheelferry.cli.conclude import conclude
from wheelferry.cli.noting import noting_failure
from wheelferry.cli.output import Form
from wheelferry.cli.render_left import tell_left
from wheelferry.cli.render_promote import (
    encode_plan,
    encode_report,
    render_plan,
    render_report,
)
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import connect, make_rules, open_tiers
from wheelferry.disk import clock
from wheelferry.ops.gate import make_gate, open_gate
from wheelferry.ops.ledger import Run
from wheelferry.ops.promote import apply_promote, plan_promote
from wheelferry.ops.turn import take_turn


@command(
    "promote",
    example="wheelferry promote --exclude 'acme-*'",
    settings=(
        "promote.include",
        "promote.exclude",
        "promote.deadline",
        "promote.limit_rate",
        *TIERS,
    ),
    params=(DRY_RUN,),
    form=Form.LINES,
    is_fail_open=True,
)
def promote(session: Session, *, is_dry_run: bool) -> int:
    """Put what the local cache has, and the store lacks, into the store.

    Each archive is checked against its RECORD first; what was edited stays here, and is
    named.  What is not in the store by the deadline, if there is one, is left for the
    next promotion.
    """
    return run_promote(session, is_dry_run=is_dry_run)


def run_promote(
    session: Session, *, is_dry_run: bool = False, is_background: bool = False
) -> int:
    """Promote, and say how it went; return the exit code.

    Args:
        session: Where from, and with which settings.
        is_dry_run: Whether only to say what would be done.
        is_background: Whether no job waits for it: then it takes its time, asks a store
            too that was silent a moment ago, leaves what was refused before, and waits for jobs.
    """
    output, process = session.output, session.process
    config = session.config.promote
    rules = make_rules(config.rules, session.config.pull.native)
    cache = session.config.cache
    gate = make_gate(cache.path, cache.state) if is_background else open_gate()
    gate.wait()
    bounds = Bounds.none()
    if config.deadline_s is not None and not is_background:
        bounds = Bounds.within(config.deadline_s, started_s=process.started_s)
    run = Run(process.started_s, is_awaited=not is_background)
    with (
        nullcontext() if is_dry_run else noting_failure(session, run, {}),
        connect(
            session,
            deadline=bounds.end,
            hard_stop=bounds.stop,
            skips_silent=not is_background,
            makes_state=not is_dry_run,
        ) as link,
    ):
        with (
            open_tiers(session, link, needs_cache=True, only_looks=is_dry_run) as tiers,
            nullcontext() if is_dry_run else take_turn(tiers, until=bounds.move),
        ):
            plan = plan_promote(tiers, rules, is_background=is_background)
            tell_left(output, plan.left)
            if is_dry_run:
                process.take_word()
                output.text(render_plan(plan))
                output.document(encode_plan(plan))
                return exits.DONE
            report = apply_promote(
                tiers,
                plan,
                rate_bytes_s=config.rate_bytes_s,
                until=bounds.move,
                step=gate.wait,
                run=run,
            )
            if is_background and report.stopped_by is None:
                from wheelferry.ops.compact import tend

                tend(tiers)
        link.memory.stopped_by = report.stopped_by
    duration_s = clock.monotonic_s() - process.started_s
    process.take_word()
    code = conclude(
        session,
        report.stopped_by,
        is_partly_done=bool(report.rejected)
        or any(entry.is_fault for entry in plan.left),
    )
    output.summary(
        render_report(plan, report, duration_s, gate.waited_s),
        encode_report(plan, report, duration_s, gate.waited_s),
    )
    return code


COMMAND = promote
