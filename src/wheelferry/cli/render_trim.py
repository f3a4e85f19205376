"""A trim's plan and report, for people and for machines.

Pure.  `docs/json.md` describes the fields.
"""

from wheelferry.cli.units import count, format_bytes, format_seconds, render_table
from wheelferry.ops.trim import TrimReport
from wheelferry.ops.trim_plan import Group, TrimPlan

PRUNE = (
    "`uv cache prune`, or `uv cache prune --ci`, removes what of it is of little use"
)


def encode_plan(plan: TrimPlan) -> dict[str, object]:
    """Return a plan as JSON has it."""
    return {
        **_encode_sizes(plan),
        "victims": [
            {
                "subjects": list(group.subjects),
                "size_bytes": group.size_bytes,
                "shared_bytes": group.shared_bytes,
                "used_s": int(group.used_s),
                "is_named": bool(group.holders),
                "in_store": group.is_in_store,
            }
            for group in plan.victims
        ],
        "victims_bytes": plan.victims_bytes,
        "shared_bytes": plan.shared_bytes,
    }


def render_plan(plan: TrimPlan, now_s: float) -> str:
    """Return a plan as a table, with what is left to uv and the sum."""
    rows = [
        (
            _name(group),
            format_bytes(group.size_bytes),
            format_seconds(max(0.0, now_s - group.used_s)),
            "yes" if group.is_in_store else "no",
        )
        for group in plan.victims
    ]
    lines = []
    if rows:
        header = ("entry", "size", "last use", "in the store")
        lines.append(render_table(rows, header=header, right=(1, 2)))
    lines += [f"left to uv: {format_bytes(size)} {name}" for name, size in plan.others]
    if plan.others:
        lines.append(PRUNE)
    if not rows:
        lines.append(_why_nothing(plan))
        return "\n".join(lines)
    lines.append(
        f"would remove {count(_entries(plan.victims), 'entry', 'entries')},"
        f" {format_bytes(plan.victims_bytes)}{_shared(plan.shared_bytes)};"
        f" {_state(plan, plan.cache_bytes - plan.victims_bytes)}"
    )
    return "\n".join(lines)


def encode_report(
    plan: TrimPlan, report: TrimReport, duration_s: float
) -> dict[str, object]:
    """Return the fields of the summary."""
    stopped_by = report.stopped_by
    return {
        **_encode_sizes(plan),
        "planned": _entries(plan.victims),
        "removed": _entries(report.removed),
        "changed": _entries(report.changed),
        "freed_bytes": report.freed_bytes,
        "shared_bytes": report.shared_bytes,
        "unsettled": 0 if stopped_by is None else 1,
        "stopped_by": stopped_by.reference if stopped_by else None,
        "duration_s": round(duration_s, 3),
    }


def render_report(plan: TrimPlan, report: TrimReport, duration_s: float) -> str:
    """Return the one line that says what changed."""
    if not plan.victims:
        return _why_nothing(plan)
    return (
        f"removed {count(_entries(report.removed), 'entry', 'entries')},"
        f" {format_bytes(report.freed_bytes)}{_shared(report.shared_bytes)};"
        f" {_state(plan, plan.cache_bytes - report.freed_bytes)},"
        f" {format_seconds(duration_s)}"
    )


def is_over(plan: TrimPlan, report: TrimReport) -> bool:
    """Return whether the cache is still larger than it may be."""
    return plan.cache_bytes - report.freed_bytes > plan.max_bytes


def _encode_sizes(plan: TrimPlan) -> dict[str, object]:
    return {
        "cache_bytes": plan.cache_bytes,
        "max_bytes": plan.max_bytes,
        "entries_bytes": plan.entries_bytes,
        "others": [{"name": name, "size_bytes": size} for name, size in plan.others],
        "spared": plan.spared,
    }


def _entries(groups: "tuple[Group, ...] | list[Group]") -> int:
    return sum(len(group.subjects) for group in groups)


def _name(group: Group) -> str:
    first, *others = group.subjects
    text = first if group.holders else f"{first} (nothing names it)"
    return f"{text}, and {len(others)} more" if others else text


def _shared(size_bytes: int) -> str:
    if not size_bytes:
        return ""
    return f" ({format_bytes(size_bytes)} of it only when environments are removed)"


def _state(plan: TrimPlan, cache_bytes: int) -> str:
    return (
        f"the cache has {format_bytes(cache_bytes)} of {format_bytes(plan.max_bytes)}"
    )


def _why_nothing(plan: TrimPlan) -> str:
    state = _state(plan, plan.cache_bytes)
    if plan.cache_bytes <= plan.max_bytes:
        return f"nothing to trim: {state}"
    if plan.spared:
        return f"nothing to trim: {state}, all in use a moment ago"
    return f"nothing to trim: {state}, none of it wheels; {PRUNE}"
