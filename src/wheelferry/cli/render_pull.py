"""A pull's plan and report, for people and for machines.

Pure.  `docs/json.md` describes the fields.
"""

from collections import Counter

from wheelferry.cli.render_left import (
    count_unsettled,
    encode_failed,
    encode_left,
    render_left,
)
from wheelferry.cli.units import (
    count,
    format_bytes,
    format_seconds,
    printable,
    render_table,
)
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
        "other_formats": plan.other_formats,
        "refused_segments": plan.refused_segments,
        "over_budget": plan.over_budget,
        "left": encode_left(plan.left),
        "pythons": list(map(str, plan.target.pythons)),
        "packages": _encode_packages(plan),
    }


def _encode_packages(plan: PullPlan) -> list[dict[str, object]] | None:
    if plan.served is None:
        return None
    from wheelferry.ops.packages import by_package

    return [
        {
            "name": package.name,
            "version": package.version,
            "state": package.state.value,
            "fetch_bytes": package.fetch_bytes,
            "reason": package.reason,
            "pythons": list(package.pythons),
        }
        for package in by_package(plan)
    ]


def render_plan(plan: PullPlan) -> str:
    """Return a plan as a table, with what stays there and the sum."""
    if plan.served is not None:
        return _render_packages(plan)
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
    lines.append(_would_pull(plan))
    return "\n".join(lines)


def _render_packages(plan: PullPlan) -> str:
    """Return a line for each package that a job needs, and the sum."""
    from wheelferry.ops.packages import State, by_package, find_pythons

    words = {
        State.PRESENT: "present",
        State.NOT_IN_STORE: "not in store",
        State.NOT_HERE: "not for this machine",
        State.LEFT: "left in the store",
    }
    rows = []
    for package in by_package(plan):
        if package.state is State.FETCH:
            what = f"to fetch, {format_bytes(package.fetch_bytes)}"
        else:
            what = words[package.state]
        whom = f" (for {', '.join(package.pythons)})" if package.pythons else ""
        why = f": {package.reason}" if package.reason else ""
        rows.append((package.name, package.version, printable(what + whom + why)))
    header = ("package", "version", "what")
    table = [render_table(rows, header=header)] if rows else []
    here = ", ".join(map(str, find_pythons(plan))) or "no Python: none is known here"
    return "\n".join((*table, f"for {here}", _would_pull(plan)))


def _would_pull(plan: PullPlan) -> str:
    return (
        f"would pull {count(len(plan.wanted), 'entry', 'entries')},"
        f" {format_bytes(plan.fetch_bytes)} over the network"
        f" ({format_bytes(plan.tree_bytes)} unpacked)"
    )


def encode_report(
    plan: PullPlan, report: PullReport, duration_s: float
) -> dict[str, object]:
    """Return the fields of the summary."""
    stopped_by = report.stopped_by
    return {
        "planned": len(plan.wanted),
        "restored": len(report.restored),
        "failed": encode_failed(report.failed),
        "present": plan.present,
        "present_meanwhile": report.present_meanwhile,
        "other_formats": plan.other_formats,
        "refused_segments": plan.refused_segments,
        "over_budget": plan.over_budget,
        "late": report.late,
        "late_bytes": report.late_bytes,
        "unsettled": count_unsettled(report.failed),
        "left": encode_left(plan.left),
        "not_in_store": _count_missing(plan),
        "bytes_read": report.bytes_read,
        "tree_bytes": report.tree_bytes,
        "stopped_by": stopped_by.reference if stopped_by else None,
        "duration_s": round(duration_s, 3),
    }


def render_report(plan: PullPlan, report: PullReport, duration_s: float) -> str:
    """Return the one line that says what changed."""
    planned = len(plan.wanted)
    if not planned:
        return f"nothing to pull: {_why_nothing(plan)}"
    more = ""
    if number := report.present_meanwhile:
        was = "was" if number == 1 else "were"
        more += f"; {number} {was} put there meanwhile"
    if report.late:
        late = format_bytes(report.late_bytes)
        more += f"; {report.late} left at the deadline ({late})"
    if plan.unfit:
        more += f"; {_describe_unfit(plan)}"
    if plan.over_budget:
        more += f"; {plan.over_budget} left beyond pull.max_bytes"
    if missing := _count_missing(plan):
        more += f"; {_missing(missing)}"
    return (
        f"pulled {len(report.restored)} of {count(planned, 'entry', 'entries')},"
        f" {format_bytes(report.bytes_read)} over the network"
        f" ({format_bytes(report.tree_bytes)} unpacked), {format_seconds(duration_s)}"
        f"{more}"
    )


def _why_nothing(plan: PullPlan) -> str:
    reasons = (
        (plan.present, "in the cache already"),
        (len(plan.left) - len(plan.unfit), "left in the store (-v names them)"),
        (plan.other_formats, "for other uv versions"),
    )
    parts = [f"{_are(number)} {where}" for number, where in reasons if number]
    if plan.unfit:
        parts.append(_describe_unfit(plan))
    if missing := _count_missing(plan):
        parts.append(_missing(missing))
    if plan.refused_segments:
        refused = count(plan.refused_segments, "segment")
        parts.append(f"{refused} of the catalog could not be read")
    if plan.target.demand is not None:
        parts += map(printable, plan.target.demand.lockless)
        return "; ".join(parts) or "nothing is asked for that a store can have"
    return "; ".join(parts) or "the store is empty"


def _describe_unfit(plan: PullPlan) -> str:
    """Say how many entries this machine cannot use, and why it is most of them."""
    ((reason, number), *others) = Counter(e.reason for e in plan.unfit).most_common()
    more = f", and {sum(n for _, n in others)} for other reasons" if others else ""
    which = count(number, "entry is", "entries are")
    return printable(f"{which} not for this machine: {reason}{more}")


def _count_missing(plan: PullPlan) -> int:
    """Return the number of packages that a job needs and that the store cannot serve.

    For no interpreter here: which of them the job will use is not known.
    """
    served = [s for s in plan.served or () if not s.unfit]
    return len(
        {s.need.name for s in served} - {s.need.name for s in served if s.records}
    )


def _missing(number: int) -> str:
    return f"{count(number, 'package is', 'packages are')} not in the store"


def _are(number: int) -> str:
    return count(number, "entry is", "entries are")
