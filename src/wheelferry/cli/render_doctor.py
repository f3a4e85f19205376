"""What `doctor` found, for people and for machines.

Pure.  `docs/json.md` describes the fields.
"""

from typing import Final

from wheelferry.cli.units import count, format_seconds, printable
from wheelferry.doctor.checks.table import CHECKS
from wheelferry.doctor.examine import Examination
from wheelferry.events import Level
from wheelferry.ops.finding import Finding, Severity

LEVELS: Final = {
    Severity.ERROR: Level.ERROR,
    Severity.WARNING: Level.WARNING,
    Severity.INFO: Level.INFO,
    Severity.OK: Level.DEBUG,
}
"""What `-q` and `-v` show of findings."""


def encode_examination(found: Examination, duration_s: float) -> dict[str, object]:
    """Return all findings as JSON has them."""
    return {
        "well": found.worst in (Severity.INFO, Severity.OK),
        "errors": found.count(Severity.ERROR),
        "warnings": found.count(Severity.WARNING),
        "findings": [
            {
                "severity": finding.severity.value,
                "reference": finding.reference,
                "subject": finding.subject,
                "message": finding.message,
                "meaning": finding.meaning or None,
                "hint": finding.hint or None,
            }
            for finding in found.findings
        ],
        "left_out": list(found.left_out),
        "duration_s": round(duration_s, 3),
    }


def render_findings(found: Examination, least: Level) -> str:
    """Return those findings that are at least of a level, the worst first."""
    return "\n".join(
        _render(finding)
        for finding in found.findings
        if LEVELS[finding.severity] >= least
    )


def render_verdict(found: Examination, duration_s: float) -> str:
    """Return one line that sums up, and one for what was not looked at."""
    checks = count(len(CHECKS) - len(found.left_out), "check")
    took = format_seconds(duration_s)
    if found.worst in (Severity.INFO, Severity.OK):
        verdict = f"all is well: {checks}"
    else:
        parts = [
            count(found.count(Severity.ERROR), "error"),
            count(found.count(Severity.WARNING), "warning"),
        ]
        verdict = f"{checks}: {', '.join(part for part in parts if part[0] != '0')}"
    lines = [f"{verdict}, {took}"]
    if found.left_out:
        lines.append(
            f"not looked at, for want of the above: {', '.join(found.left_out)}"
        )
    return "\n".join(lines)


def _render(finding: Finding) -> str:
    head = f"{finding.severity.value}[{finding.reference}]"
    lines = [printable(f"{head}: {finding.subject}: {finding.message}")]
    for name, text in (("means", finding.meaning), ("do", finding.hint)):
        if text:
            lines.append(printable(f"  {name}: {text}"))
    return "\n".join(lines)
