"""`wheelferry gc`: keep the store within its budget."""

from wheelferry.cli import exits
from wheelferry.cli.budget import BUDGET, make_budget
from wheelferry.cli.command import DRY_RUN, TIERS, command
from wheelferry.cli.render_gc import (
    encode_plan,
    encode_report,
    render_plan,
    render_report,
)
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import connect, open_tiers
from wheelferry.disk import clock
from wheelferry.ops.compact import tend
from wheelferry.ops.folding import tend_usage
from wheelferry.ops.gc import apply_gc, find_content, plan_gc
from wheelferry.ops.gc_due import is_due, note_looked


@command(
    "gc",
    example="wheelferry gc --max-size 200G --dry-run",
    settings=(*BUDGET, *TIERS),
    params=(DRY_RUN,),
)
def gc(session: Session, *, is_dry_run: bool) -> int:
    """Remove from the store what nobody needs, to keep it within its budget.

    What no record names goes, what is of formats that have newer ones and that no runner
    has needed for 30 days, and what is beyond the budget: the least recently needed
    first.  It can be had back until the grace is over; only then its room is free, with
    the next gc.  Safe at any time, on any number of hosts at once.  Exits with 3 if the
    budget cannot be reached.
    """
    return run_gc(session, is_dry_run=is_dry_run)


def run_gc(
    session: Session, *, is_dry_run: bool = False, is_background: bool = False
) -> int:
    """Remove what is to go, and say what that was; return the exit code.

    Args:
        session: Where from, and with which budget.
        is_dry_run: Whether only to say what would be done.
        is_background: Whether nobody asks for it: then it looks at all of the store only
            if there is a reason to.
    """
    output = session.output
    budget = make_budget(session.config.gc)
    with (
        connect(session, makes_state=not is_dry_run) as link,
        open_tiers(session, link, needs_cache=False, only_looks=is_dry_run) as tiers,
    ):
        location = tiers.store.location
        if is_background and not is_due(tiers, budget):
            output.summary(f"nothing is due to be removed from {location}", {})
            return exits.DONE
        plan = plan_gc(find_content(tiers), budget)
        if is_dry_run:
            output.text(render_plan(plan, location))
            output.document(encode_plan(plan, location))
            return exits.DONE if plan.is_reached else exits.PARTLY_DONE
        report = apply_gc(tiers, plan)
        if report.stopped_by is None:
            note_looked(tiers, plan)
            tend_usage(tiers)
            tend(tiers)
    duration_s = clock.monotonic_s() - session.process.started_s
    text = render_report(plan, report, location, duration_s)
    body = encode_report(plan, report, location, duration_s)
    if is_background:
        output.summary(text.replace("\n", "; "), body)
    else:
        output.text(text)
        output.document(body)
    if report.stopped_by is not None:
        raise report.stopped_by
    return exits.DONE if plan.is_reached else exits.PARTLY_DONE


COMMAND = gc
