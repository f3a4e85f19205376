"""Short names for the making of findings.

Pure.
"""

from functools import partial

from wheelferry.ops.finding import Finding, Severity


def _find(
    reference: str,
    subject: str,
    message: str,
    *,
    severity: Severity,
    meaning: str = "",
    hint: str = "",
) -> Finding:
    return Finding(
        severity=severity,
        reference=reference,
        subject=subject,
        message=message,
        meaning=meaning,
        hint=hint,
    )


error = partial(_find, severity=Severity.ERROR)
warning = partial(_find, severity=Severity.WARNING)
info = partial(_find, severity=Severity.INFO)
ok = partial(_find, severity=Severity.OK)


def spell_bytes(size_bytes: int) -> str:
    """Return a size such as `1.5 GiB`, for messages."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes} B"
