"""A pull's plan and report, for people and for machines.

Pure.  `docs/json.md` describes the fields.
"""

from wheelferry.cli.render_left import encode_left, render_left
from wheelferry.cli.units import count, format_bytes, format_seconds, render_table
from wheelferry.ops.pull import PullPlan, PullReport


def encode_plan(plan: PullPlan) -> dict[str, object]:
    """Return a plan as JSON has it."""
    return {
        "wanted": [
            {
                "name": record.name,
                "version": record.version,
                "tags": record.tags,
                "kind": record.kind,
                "format": record.format_id,
                "pack": record.pack,
                "pack_bytes": record.pack_bytes,
                "tree_bytes": record.tree_bytes,
            }
            for record in plan.wanted
        ],
        "fetch_bytes": plan.fetch_bytes,
        "tree_bytes": plan.tree_bytes,
        "present": plan.present,
        "left": encode_left(plan.left),
    }


def render_plan(plan: PullPlan) -> str:
    """Return a plan as a table, with what stays there and the sum."""
    rows = [
        (
            record.name,
            record.version,
            record.tags,
            format_bytes(record.pack_bytes),
            format_bytes(record.tree_bytes),
        )
        for record in plan.wanted
    ]
    lines = render_left(plan.left)
    if rows:
        header = ("package", "version", "tags", "packed", "unpacked")
        lines.insert(0, render_table(rows, header=header, right=(3, 4)))
    lines.append(
        f"would pull {count(len(rows), 'entry', 'entries')},"
        f" {format_bytes(plan.fetch_bytes)} over the network"
        f" ({format_bytes(plan.tree_bytes)} unpacked)"
    )
    return "\n".join(lines)


def encode_report(
    plan: PullPlan, report: PullReport, duration_s: float
) -> dict[str, object]:
    """Return the fields of the summary."""
    stopped_by = report.stopped_by
    return {
        "planned": len(plan.wanted),
        "restored": len(report.restored),
        "failed": encode_left(report.failed),
        "present": plan.present,
        "left": len(plan.left),
        "bytes_read": report.bytes_read,
        "tree_bytes": report.tree_bytes,
        "stopped_by": stopped_by.reference if stopped_by else None,
        "duration_s": round(duration_s, 3),
    }


def render_report(plan: PullPlan, report: PullReport, duration_s: float) -> str:
    """Return the one line that says what changed."""
    planned = len(plan.wanted)
    if not planned:
        known = count(plan.present, "entry is", "entries are")
        return f"nothing to pull: {known} in the cache already"
    return (
        f"pulled {len(report.restored)} of {count(planned, 'entry', 'entries')},"
        f" {format_bytes(report.bytes_read)} over the network"
        f" ({format_bytes(report.tree_bytes)} unpacked), {format_seconds(duration_s)}"
    )
