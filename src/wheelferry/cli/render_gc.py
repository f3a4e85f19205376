"""What a removal would do, or did, for people and for machines.

Pure.  `docs/json.md` describes the fields.
"""

from collections import Counter
from typing import Final

from wheelferry.cli.units import count, format_bytes, format_seconds, render_table
from wheelferry.ops.gc import GcReport
from wheelferry.ops.gc_plan import GcPlan, Victim, Why

WHY: Final = {
    Why.BANNED: "`wheelferry rm` has forbidden it",
    Why.ORPHAN: "no record names it",
    Why.SUPERSEDED: "its format has a newer one",
    Why.AGE: "not needed for too long",
    Why.SIZE: "the store is too large",
    Why.FREE: "the share is too full",
}

_DAY_S: Final = 24 * 3600


def encode_plan(plan: GcPlan, location: str) -> dict[str, object]:
    """Return a plan as JSON has it."""
    return {
        "store": location,
        **_encode_budget(plan),
        "victims": [
            {
                "pack": victim.digest,
                "subject": victim.subject,
                "reason": victim.why.value,
                "size_bytes": victim.size_bytes,
                "needed_s": victim.needed_s,
            }
            for victim in plan.victims
        ],
        "victim_bytes": plan.victim_bytes,
        "expired": len(plan.expired),
        "expired_bytes": plan.expired_bytes,
        "resting": len(plan.resting),
        "resting_bytes": plan.resting_bytes,
        "recovered": len(plan.wanted),
    }


def encode_report(
    plan: GcPlan, report: GcReport, location: str, duration_s: float
) -> dict[str, object]:
    """Return a report as JSON has it."""
    stopped_by = report.stopped_by
    return {
        "store": location,
        **_encode_budget(plan),
        "discarded": report.discarded,
        "discarded_bytes": report.discarded_bytes,
        "purged": report.purged,
        "purged_bytes": report.purged_bytes,
        "early": report.early,
        "recovered": report.recovered,
        "records": report.records,
        "stopped_by": stopped_by.reference if stopped_by else None,
        "duration_s": round(duration_s, 3),
    }


def _encode_budget(plan: GcPlan) -> dict[str, object]:
    return {
        "object_bytes": plan.content.object_bytes,
        "free_bytes": plan.content.free_bytes,
        "now_s": plan.content.now_s,
        "over_bytes": plan.over_bytes,
        "short_bytes": plan.short_bytes,
        "is_reached": plan.is_reached,
    }


def render_plan(plan: GcPlan, location: str) -> str:
    """Return a table of what would go, and one line for each kind of thing."""
    lines = []
    if plan.victims:
        now_s = plan.content.now_s
        rows = [
            (
                victim.digest[:12],
                victim.subject or "-",
                format_bytes(victim.size_bytes),
                _render_age(now_s - victim.needed_s),
                WHY[victim.why],
            )
            for victim in plan.victims
        ]
        header = ("pack", "of", "size", "not needed for", "why")
        lines += [render_table(rows, header=header, right=(2, 3)), ""]
    size = format_bytes(plan.content.object_bytes)
    if plan.victims:
        size = format_bytes(plan.content.object_bytes + plan.wanted_bytes)
        lines.append(
            f"would remove {count(len(plan.victims), 'object')} of"
            f" {format_bytes(plan.victim_bytes)} from {location} ({_count_reasons(plan.victims)}):"
            f" {format_bytes(plan.left_bytes)} of {size} stay; the room is free"
            f" {_render_grace(plan)}"
        )
    else:
        lines.append(f"nothing to remove from {location}: it holds {size}")
    if plan.expired:
        lines.append(
            f"would free {format_bytes(plan.expired_bytes)} now:"
            f" {count(len(plan.expired), 'object')} in the trash, whose grace is over"
        )
    if plan.wanted:
        lines.append(
            f"would bring back {count(len(plan.wanted), 'object')} that records name"
        )
    lines += _render_rest(plan)
    return "\n".join(lines)


def render_report(
    plan: GcPlan, report: GcReport, location: str, duration_s: float
) -> str:
    """Return what was freed, what rests in the trash and until when."""
    content = plan.content
    freed = (
        f"freed {format_bytes(report.purged_bytes)} of {location}"
        f" ({count(report.purged, 'object')} out of the trash),"
        f" {format_seconds(duration_s)}"
    )
    lines = [freed]
    if report.early:
        lines.append(
            f"{count(report.early, 'object')} of these went before their grace was over:"
            " the share was too full to write what was removed"
        )
    if report.discarded:
        held_bytes = content.object_bytes + report.recovered_bytes
        left_bytes = held_bytes - report.discarded_bytes
        lines.append(
            f"removed {count(report.discarded, 'object')} of"
            f" {format_bytes(report.discarded_bytes)}"
            f" ({count(report.records, 'record')}; {_count_reasons(plan.victims)}):"
            f" {format_bytes(left_bytes)} stay; the room is free {_render_grace(plan)}"
        )
    if report.others:
        lines.append(
            f"{count(report.others, 'object')} had been removed by another host"
        )
    if report.recovered:
        lines.append(
            f"brought back {count(report.recovered, 'object')} that records name again"
        )
    lines += _render_rest(plan)
    return "\n".join(lines)


def _render_rest(plan: GcPlan) -> list[str]:
    """Say what else there is to know: the trash, the budget, the catalog."""
    lines = []
    if plan.resting:
        until_s = max(item.since_s for item in plan.resting) + plan.budget.grace_s
        until = format_seconds(max(0.0, until_s - plan.content.now_s))
        lines.append(
            f"in the trash: {count(len(plan.resting), 'object')} of"
            f" {format_bytes(plan.resting_bytes)}, the last of them for {until} more;"
            " a gc after that frees them"
        )
    if plan.over_bytes:
        lines.append(
            f"BUDGET NOT REACHED: {format_bytes(plan.over_bytes)} more than"
            f" {format_bytes(plan.budget.max_bytes or 0)} stay, in objects that no record"
            " names yet; promotions are under way, or were killed: a gc after the grace"
            " removes what is left of them"
        )
    if plan.short_bytes:
        lines.append(
            f"BUDGET NOT REACHED: {format_bytes(plan.short_bytes)} are missing to"
            f" {format_bytes(plan.budget.keep_free_bytes or 0)} of free space, though"
            " nothing is left in the store but what runners needed within"
            f" {_render_age(plan.budget.grace_s)}: look what else fills the share, or"
            " give --max-size, which takes these too"
        )
    if plan.hot:
        lines.append(
            f"the budget is tight: {count(plan.hot, 'of these packs was', 'of these packs were')}"
            f" needed within {_render_age(plan.budget.grace_s)}, and may be promoted again"
            " soon; raise gc.max_size (--max-size)"
        )
    if plan.budget.is_unlimited:
        lines.append(
            "there is no budget: set max_size, max_age or keep_free under [gc], or give"
            " --max-size, --max-age or --keep-free"
        )
    if not plan.content.is_whole:
        lines.append(
            "not all of the catalog could be read, so objects without a record stay, and"
            " the trash;"
            " `wheelferry verify` says what is wrong with it"
        )
    return lines


def _count_reasons(victims: tuple[Victim, ...]) -> str:
    found = Counter(victim.why for victim in victims)
    return ", ".join(f"{found[why]} {WHY[why]}" for why in Why if found[why])


def _render_grace(plan: GcPlan) -> str:
    return f"in {_render_age(plan.budget.grace_s)}, with the next gc"


def _render_age(seconds: float) -> str:
    if seconds >= 2 * _DAY_S:
        return f"{seconds / _DAY_S:.0f} days"
    return format_seconds(max(0.0, float(seconds)))
