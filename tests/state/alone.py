"""What a command must have done that nobody disturbed: each function yields what is not."""

from collections.abc import Callable, Iterator

from tests.state.mended import judge_alone
from tests.state.model import FLOOR, LOW, Model
from tests.state.turn import Turn
from tests.state.wares import PACKS, WARES
from tests.state.world import Run
from wheelferry.ops.gc_plan import Why


def _alone_promote(model: Model, turn: Turn, run: Run) -> Iterator[str]:
    """What should be in the store, and is not."""
    runner, after = run.runner, turn.after
    for ware in runner.downloads.keys() - runner.edited:
        if turn.forbids(ware):
            continue
        if ware not in after.living and model.must_promote(turn.before, runner, ware):
            yield f"{ware.label} was not promoted"
        missed = ware.pack in model.noted.get(runner.name, ())
        is_whole = ware.pack in after.written_s and ware.pack not in after.damaged
        if ware in turn.before.living and missed and not is_whole:
            yield f"{ware.label} was missed, and is not healed"


def _alone_pull(model: Model, turn: Turn, run: Run) -> Iterator[str]:
    """What should be in the cache, and is not."""
    name, shelf = run.runner.name, turn.before
    if run.argument:
        return
    spared = model.trimmed.get(name, set())
    for ware in shelf.living - turn.has[name].keys() - spared:
        is_whole = ware.pack in shelf.written_s and ware.pack not in shelf.damaged
        noted = ware.pack in model.noted.get(name, ())
        if is_whole and not noted and not turn.forbids(ware):
            yield f"{ware.label} was not restored"


def _alone_gc(model: Model, turn: Turn, run: Run) -> Iterator[str]:
    """A store that is not within its budget, or far below it."""
    del model
    max_bytes, after = run.argument.max_bytes, turn.after
    if left := after.named & after.trashed - after.written_s.keys():
        yield f"{[PACKS[digest].label for digest in left]} stay in the trash"
    if max_bytes is None or run.report.recovered or turn.before.broken:
        return
    has_more = bool(
        after.named & after.written_s.keys()
    )  # else a promotion's, for a day
    if after.size_bytes > max_bytes and has_more:
        yield f"{after.size_bytes} bytes are over the budget of {max_bytes}"
    for victim in run.plan.victims:
        with_it_bytes = after.size_bytes + victim.size_bytes
        is_little = after.size_bytes < max_bytes * FLOOR
        is_hot = victim.needed_s > run.plan.content.now_s - run.plan.budget.grace_s
        fits = with_it_bytes <= max_bytes * (1 if is_little or is_hot else LOW)
        if victim.why is Why.SIZE and fits:
            label = PACKS[victim.digest].label
            yield f"{label} is gone, and would fit: {with_it_bytes} bytes of {max_bytes}"


def _alone_rm(model: Model, turn: Turn, run: Run) -> Iterator[str]:
    """What an admin must get rid of, and is still there."""
    del model
    after = turn.after
    for ware in filter(turn.takes, WARES):
        if not after.forbids(ware):
            yield f"{ware.label} is not forbidden"
        is_there = ware.pack in after.trashed or ware.pack in after.written_s
        if ware in after.living or (ware in turn.before.living and is_there):
            yield f"{ware.label} is still there after {run}"


def _alone_allow(model: Model, turn: Turn, run: Run) -> Iterator[str]:
    """A ban that did not end."""
    del model
    if run.argument in turn.after.bans:
        yield f"{run.argument} is still forbidden"


def _alone_compact(model: Model, turn: Turn, run: Run) -> Iterator[str]:
    """A catalog that could not be merged, though all of it is whole."""
    del model
    if run.report is None and not turn.before.broken:
        yield f"{run.plan}"


def _nothing(model: Model, turn: Turn, run: Run) -> Iterator[str]:
    del model, turn, run
    yield from ()


ALONE: dict[str, Callable[[Model, Turn, Run], Iterator[str]]] = {
    "promote": _alone_promote,
    "pull": _alone_pull,
    "gc": _alone_gc,
    "rm": _alone_rm,
    "allow": _alone_allow,
    "compact": _alone_compact,
    "trim": _nothing,
    "verify": judge_alone,
}
