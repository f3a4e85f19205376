"""What verifications must not have done, and what those had to that nobody disturbed."""

from collections.abc import Iterator

from tests.state.model import DAY_S, Model
from tests.state.shelf import Shelf
from tests.state.turn import Turn
from tests.state.wares import PACKS, Ware
from tests.state.world import Run
from wheelferry.ops.finding import Finding, Severity

QUARANTINE_S = 30 * DAY_S
"""For so long what was damaged is kept."""


def might_be_lost(turn: Turn, ware: Ware) -> bool:
    """Return whether a mending may have had a ware's pack go, or its records."""
    before = turn.before
    is_mending = any(run.argument for run in turn.of("verify"))
    unsound = before.damaged | before.rotten | (before.named - before.sound)
    return is_mending and ware.pack in unsound


def judge_mending(model: Model, turn: Turn) -> Iterator[str]:
    """Yield what a verification has done that no damage asked for."""
    yield from _judge_aside(turn)
    yield from _judge_gone(turn)
    yield from _judge_left(turn)
    for run in turn.of("verify"):
        if run.plan:
            yield from _judge_findings(model, turn, run)


def _judge_aside(turn: Turn) -> Iterator[str]:
    """What is in quarantine, and should not be."""
    before = turn.before
    died = any(run.has_died for run in turn.of("verify"))
    for aside in turn.after.aside - before.aside:
        # Killed before it looked once more, it leaves what a promoter has replaced.
        if aside.is_sound and not died:
            yield f"{aside.name[:12]} is sound, and in quarantine"
        if not aside.has_reason:
            yield f"{aside.name[:12]} is in quarantine without a reason"
        # What is in the trash is looked at when somebody has brought it back.
        if aside.name not in before.damaged | before.broken | before.rotten:
            yield f"{aside.name[:12]} was not damaged, and is in quarantine"


def _judge_gone(turn: Turn) -> Iterator[str]:
    """What was damaged, and is not kept for whoever wants to know why."""
    before, after = turn.before, turn.after
    kept = {aside.name for aside in after.aside}
    for aside in before.aside - after.aside:
        if aside.name not in kept and aside.since_s >= turn.ended_s - QUARANTINE_S:
            yield f"{aside.name[:12]} left the quarantine too early"
    for digest in before.damaged - after.written_s.keys() - turn.victims - kept:
        if not turn.takes(PACKS[digest]):
            yield f"the damaged pack of {PACKS[digest].label} is gone"
    for segment in before.broken - after.broken - after.segments.keys() - kept:
        if not any(turn.of("compact")):
            yield f"the damaged segment {segment[:12]} is gone"


def _judge_left(turn: Turn) -> Iterator[str]:
    """What is named without a sound pack, though a mending came to its end.

    Beside a removal that may be; and where somebody died who had to look again.
    """
    fixes = [run for run in turn.of("verify") if run.argument]
    if any(turn.of("gc", "rm")) or any(run.has_died for run in turn.runs):
        return
    if not fixes or any(run.report.refused for run in fixes):
        return
    after = turn.after
    for pack in after.named - after.sound - turn.before.rotten:
        yield f"the pack of {PACKS[pack].label} is named, and missing or damaged"


def _judge_findings(model: Model, turn: Turn, run: Run) -> Iterator[str]:
    """What was called damaged, and is not."""
    for digest in run.plan.bad_packs.keys() - model.spoiled:
        yield f"{run} calls the pack of {PACKS[digest].label} damaged"
    for segment in run.plan.bad_segments.keys() - turn.before.broken:
        yield f"{run} calls segment {segment[:12]} damaged"


def judge_alone(model: Model, turn: Turn, run: Run) -> Iterator[str]:
    """What was not found or mended, or was and should not have been."""
    del model
    found, before = run.plan, turn.before
    expected = {(Severity.ERROR, subject) for subject in _find_damage(before)}
    orphans = before.written_s.keys() - before.named
    expected |= {(Severity.INFO, digest) for digest in orphans}
    said = {(finding.severity, finding.subject) for finding in found.findings}
    for severity, subject in expected - said:
        yield f"{subject} was not found ({severity})"
    for finding in found.findings:
        if (finding.severity, finding.subject) not in expected:
            yield f"{_render(finding)} was found"
    if run.argument:
        yield from _judge_mended(turn, run)
    elif turn.after != before:
        yield "a verification has changed the store"


def _judge_mended(turn: Turn, run: Run) -> Iterator[str]:
    """What is not as a mending leaves a store: all that is named is there, and sound."""
    before, after, report = turn.before, turn.after, run.report
    kept = {aside.name for aside in after.aside}
    wrong = before.damaged | before.broken
    for name in wrong - kept:
        yield f"{name[:12]} is not in quarantine"
    if (report.objects, report.segments) != (len(before.damaged), len(before.broken)):
        yield f"{report.objects} packs and {report.segments} segments were moved"
    if after.broken:
        yield "damaged segments are in the catalog"
    back = before.trashed & (before.named - before.sound)
    for pack in (after.damaged | (after.named - after.sound)) - before.rotten:
        yield f"the pack of {PACKS[pack].label} is named, and missing or damaged"
    for pack in back - after.written_s.keys():
        yield f"the pack of {PACKS[pack].label} was not brought back"
    stays = {ware for ware in before.living if ware.pack in before.sound | back}
    for ware in after.living ^ stays:
        yield f"{ware.label} is {'still' if ware in after.living else 'not'} there"
    if after.removals != before.removals:
        yield "what was lost is said to be removed"
    if report.refused:
        yield f"it was refused: {report.refused}"


def _find_damage(shelf: Shelf) -> Iterator[str]:
    yield from shelf.damaged
    yield from shelf.named - shelf.written_s.keys()
    yield from (f"catalog/{segment}.seg" for segment in shelf.broken)


def _render(finding: Finding) -> str:
    return f"{finding.severity} {finding.reference} {finding.subject}"
