"""What `verify` found and did, for people and for machines.

Pure.  `docs/json.md` describes the fields.
"""

from collections.abc import Iterable

from wheelferry.cli.units import count, format_bytes, format_seconds, printable
from wheelferry.ops.finding import Finding
from wheelferry.ops.verify import VerifyReport
from wheelferry.ops.verify_cache import CacheReport
from wheelferry.ops.verify_fix import FixReport


def encode_report(
    report: VerifyReport, fixed: FixReport | None, location: str, duration_s: float
) -> dict[str, object]:
    """Return a report as JSON has it."""
    return {
        "store": location,
        "clean": report.is_clean,
        "segments": report.segments,
        "records": report.records,
        "objects": report.objects,
        "object_bytes": report.object_bytes,
        "read": report.read,
        "read_bytes": report.read_bytes,
        "resumed": report.resumed,
        "quarantined": report.quarantined,
        "quarantined_bytes": report.quarantined_bytes,
        "findings": _encode_findings(report.findings),
        "fixed": None if fixed is None else _encode_fixed(fixed),
        "duration_s": round(duration_s, 3),
    }


def render_report(
    report: VerifyReport, fixed: FixReport | None, location: str, duration_s: float
) -> str:
    """Return each finding, and what sums up."""
    lines = list(_render_findings(report.findings))
    verdict = "clean" if report.is_clean else "DAMAGED"
    lines.append(
        f"{location} is {verdict}: {count(report.objects, 'object')}"
        f" ({format_bytes(report.object_bytes)}), {count(report.segments, 'segment')},"
        f" {count(report.records, 'record')}, {count(len(report.findings), 'finding')},"
        f" {format_seconds(duration_s)}"
    )
    if report.read + report.resumed < report.objects:
        lines.append(
            f"read {count(report.read, 'object')} ({format_bytes(report.read_bytes)});"
            " of the others only whether they are there, and their sizes"
        )
    elif report.resumed:
        lines.append(f"{count(report.resumed, 'object')} had been read by a run before")
    if report.quarantined:
        lines.append(
            f"{count(report.quarantined, 'file')} in quarantine from before"
            f" ({format_bytes(report.quarantined_bytes)})"
        )
    if fixed is not None:
        lines.append(_render_fixed(fixed))
    return "\n".join(lines)


def encode_cache(
    report: CacheReport, location: str, duration_s: float
) -> dict[str, object]:
    """Return a report on the local cache as JSON has it."""
    return {
        "cache": location,
        "clean": report.is_clean,
        "archives": report.archives,
        "restored": report.restored,
        "files": report.files,
        "file_bytes": report.file_bytes,
        "edited": report.edited,
        "findings": _encode_findings(report.findings),
        "duration_s": round(duration_s, 3),
    }


def render_cache(report: CacheReport, location: str, duration_s: float) -> str:
    """Return each finding, and one line that sums up."""
    lines = list(_render_findings(report.findings))
    verdict = "as it was made" if report.is_clean else "EDITED"
    edited = f", {report.edited} edited" if report.edited else ""
    lines.append(
        f"{location} is {verdict}: {count(report.archives, 'unpacked wheel')}"
        f" ({report.restored} from the store{edited}), {count(report.files, 'file')}"
        f" ({format_bytes(report.file_bytes)}), {format_seconds(duration_s)}"
    )
    return "\n".join(lines)


def _encode_findings(findings: Iterable[Finding]) -> list[dict[str, object]]:
    return [
        {
            "severity": finding.severity.value,
            "reference": finding.reference,
            "subject": finding.subject,
            "message": finding.message,
            "hint": finding.hint or None,
        }
        for finding in findings
    ]


def _render_findings(findings: Iterable[Finding]) -> Iterable[str]:
    for finding in findings:
        what = f"{finding.severity.value}[{finding.reference}]"
        yield printable(f"{what}: {finding.subject}: {finding.message}")
        if finding.hint:
            yield printable(f"  hint: {finding.hint}")


def _encode_fixed(fixed: FixReport) -> dict[str, object]:
    return {
        "objects": fixed.objects,
        "segments": fixed.segments,
        "recovered": fixed.recovered,
        "records": fixed.records,
        "leftovers": fixed.leftovers,
        "purged": fixed.purged,
        "refused": fixed.refused or None,
    }


def _render_fixed(fixed: FixReport) -> str:
    done = [
        f"{count(number, noun)} {verb}"
        for number, noun, verb in (
            (fixed.objects, "object", "moved into quarantine"),
            (fixed.segments, "segment", "moved into quarantine"),
            (fixed.recovered, "object", "brought back out of the trash"),
            (fixed.records, "record", "removed, to be promoted anew"),
            (fixed.leftovers, "temporary file", "removed"),
            (fixed.purged, "file", "removed from quarantine for good"),
        )
        if number
    ]
    said = f"fixed: {'; '.join(done) or 'nothing was to be done'}"
    return said if not fixed.refused else f"{said}; {fixed.refused}"
