"""What `verify` found, for people and for machines.

Pure.  `docs/json.md` describes the fields.
"""

from wheelferry.cli.units import count, format_bytes, format_seconds, printable
from wheelferry.ops.verify import VerifyReport


def encode_report(
    report: VerifyReport, location: str, duration_s: float
) -> dict[str, object]:
    """Return a report as JSON has it."""
    return {
        "store": location,
        "clean": report.is_clean,
        "segments": report.segments,
        "records": report.records,
        "objects": report.objects,
        "object_bytes": report.object_bytes,
        "findings": [
            {
                "severity": finding.severity.value,
                "reference": finding.reference,
                "subject": finding.subject,
                "message": finding.message,
                "hint": finding.hint or None,
            }
            for finding in report.findings
        ],
        "duration_s": round(duration_s, 3),
    }


def render_report(report: VerifyReport, location: str, duration_s: float) -> str:
    """Return each finding, and one line that sums up."""
    lines = []
    for finding in report.findings:
        what = f"{finding.severity.value}[{finding.reference}]"
        lines.append(printable(f"{what}: {finding.subject}: {finding.message}"))
        if finding.hint:
            lines.append(printable(f"  hint: {finding.hint}"))
    verdict = "clean" if report.is_clean else "DAMAGED"
    lines.append(
        f"{location} is {verdict}: {count(report.objects, 'object')}"
        f" ({format_bytes(report.object_bytes)}), {count(report.segments, 'segment')},"
        f" {count(report.records, 'record')}, {count(len(report.findings), 'finding')},"
        f" {format_seconds(duration_s)}"
    )
    return "\n".join(lines)
