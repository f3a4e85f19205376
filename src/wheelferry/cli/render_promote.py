"""A promotion's plan and report, for people and for machines.

Pure.  `docs/json.md` describes the fields.
"""

from typing import Final

from wheelferry.cli.render_left import (
    count_unsettled,
    encode_failed,
    encode_left,
    render_left,
)
from wheelferry.cli.units import count, format_bytes, format_seconds, render_table
from wheelferry.ops.promote import PromotePlan, PromoteReport

TOLD_S: Final = 1.0
"""A wait for jobs is worth a word from here on."""


def encode_plan(plan: PromotePlan) -> dict[str, object]:
    """Return a plan as JSON has it."""
    infos = [(candidate.entry.info, candidate) for candidate in plan.candidates]
    return {
        "candidates": [
            {
                "name": info.name,
                "version": info.version,
                "tags": info.tags,
                "kind": info.key.kind.value,
                "format": info.format_id,
                "tree_bytes": candidate.tree_bytes,
            }
            for info, candidate in infos
        ],
        "tree_bytes": plan.tree_bytes,
        "in_store": plan.in_store,
        "restored": plan.restored,
        "left": encode_left(plan.left),
    }


def render_plan(plan: PromotePlan) -> str:
    """Return a plan as a table, with what stays here and the sum."""
    rows = [
        (
            c.entry.info.name,
            c.entry.info.version,
            c.entry.info.tags,
            _size(c.tree_bytes),
        )
        for c in plan.candidates
    ]
    lines = render_left(plan.left)
    if rows:
        header = ("package", "version", "tags", "unpacked")
        lines.insert(0, render_table(rows, header=header, right=(3,)))
    entries = count(len(rows), "entry", "entries")
    lines.append(f"would promote {entries}, {_size(plan.tree_bytes)} unpacked")
    return "\n".join(lines)


def encode_report(
    plan: PromotePlan, report: PromoteReport, duration_s: float, waited_s: float
) -> dict[str, object]:
    """Return the fields of the summary; for `waited_s` it stood aside for jobs."""
    stopped_by = report.stopped_by
    return {
        "planned": len(plan.candidates),
        "promoted": len(report.promoted),
        "rejected": encode_failed(report.rejected),
        "in_store": plan.in_store,
        "restored": plan.restored,
        "left": encode_left(plan.left),
        "segments": report.segments,
        "bytes_written": report.bytes_written,
        "tree_bytes": _tree_bytes(report),
        "packs_shared": report.packs_shared,
        "late": report.late,
        "unsettled": count_unsettled(plan.left, report.rejected),
        "stopped_by": stopped_by.reference if stopped_by else None,
        "duration_s": round(duration_s, 3),
        "waited_s": round(waited_s, 3),
    }


def render_report(
    plan: PromotePlan, report: PromoteReport, duration_s: float, waited_s: float
) -> str:
    """Return the one line that says what changed."""
    planned = len(plan.candidates)
    if not planned:
        return f"nothing to promote: {_why_nothing(plan)}"
    waited = ""
    if waited_s >= TOLD_S:
        waited = f", {format_seconds(waited_s)} of it waiting for jobs"
    return (
        f"promoted {len(report.promoted)} of {count(planned, 'entry', 'entries')},"
        f" {_size(report.bytes_written)} over the network"
        f" ({_size(_tree_bytes(report))} unpacked), {format_seconds(duration_s)}{waited}"
    )


def _why_nothing(plan: PromotePlan) -> str:
    parts = []
    if known := plan.in_store + plan.restored:
        parts.append(f"{count(known, 'entry is', 'entries are')} in the store already")
    if left := len(plan.left):
        parts.append(
            f"{count(left, 'entry stays', 'entries stay')} here (-v names them)"
        )
    return "; ".join(parts) or "the cache has no wheels that are known"


def _tree_bytes(report: PromoteReport) -> int:
    return sum(record.tree_bytes for record in report.promoted)


def _size(size_bytes: int) -> str:
    return format_bytes(size_bytes)
