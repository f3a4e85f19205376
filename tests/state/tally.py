"""How much happened: a machine that does nothing finds nothing wrong."""

from collections.abc import Iterator

from tests.state.model import Model
from tests.state.turn import Turn, restored
from tests.state.world import Run


def count(model: Model, turn: Turn) -> Iterator[str]:
    """Yield what happened in a turn, once for each time, for a tally."""
    before, after = turn.before, turn.after
    yield "turns"
    if len(turn.runs) > 1:
        yield "turns together"
    yield from ("promoted" for _ in after.living - before.living)
    yield from ("evicted" for _ in after.trashed - before.trashed)
    gone = before.trashed - after.trashed - after.written_s.keys()
    yield from ("purged" for _ in gone)
    yield from ("removed for good" for _ in filter(turn.takes, before.living))
    removed = before.segments.keys() - after.segments.keys()
    yield from ("segments removed" for _ in removed)
    healed = (before.damaged - after.damaged) & after.written_s.keys()
    yield from ("healed" for _ in healed)
    yield from ("came back" for _ in after.living & model.lost)
    for run in turn.runs:
        yield f"{run.verb} that died" if run.has_died else run.verb
        yield from ("restored" for _ in restored(turn, run.runner))
        yield from _count_report(run)
        if run.verb == "promote":
            for ware in run.runner.downloads:
                if model.was_evicted(before, run.runner, ware):
                    yield "refused as evicted"
                if turn.forbids(ware):
                    yield "refused as forbidden"


def _count_report(run: Run) -> Iterator[str]:
    if run.has_died or run.report is None:
        return
    if run.verb == "gc":
        yield from ("recovered" for _ in range(run.report.recovered))
    elif run.verb == "compact":
        yield from ("segments merged" for _ in range(run.report.merged))
    elif run.verb == "trim":
        yield from ("trimmed" for _ in run.report.removed)
    elif run.verb == "verify":
        yield from ("packs set aside" for _ in range(run.report.objects))
        yield from ("segments set aside" for _ in range(run.report.segments))
        yield from ("records buried as lost" for _ in range(run.report.records))
    elif run.verb == "pull":
        yield from ("missed" for _ in run.report.failed)
