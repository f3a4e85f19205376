"""What became of files, for people and for machines: pure."""

from collections.abc import Sequence

from wheelferry.sealed.files import Action, Change


def render_changes(
    changes: Sequence[Change], steps: Sequence[str], *, is_dry_run: bool
) -> str:
    """Return a line for each file, and what is left to do by hand."""
    would = "would be " if is_dry_run else ""
    lines = [
        f"{c.path}: {'' if c.action is Action.UNCHANGED else would}{c.action.value}"
        for c in changes
    ]
    lines = lines or ["nothing to do: no file that was installed is there"]
    if steps:
        lines += ["", "Next:", *(f"  {step}" if step else "" for step in steps)]
    return "\n".join(lines)


def encode_changes(
    changes: Sequence[Change], steps: Sequence[str]
) -> dict[str, object]:
    """Return the same as JSON has it."""
    return {
        "changes": [{"path": str(c.path), "action": c.action.value} for c in changes],
        "next": list(steps),
    }
