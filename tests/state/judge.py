"""What must not have happened: each function yields what did."""

from collections.abc import Callable, Iterator

from tests.state.alone import ALONE
from tests.state.mended import judge_mending, might_be_lost
from tests.state.model import DAY_S, FLOOR, LOW, Model
from tests.state.runner import Runner, find_archive
from tests.state.turn import Turn, restored
from tests.state.wares import PACKS, WARES, Ware
from tests.support.packing import read_tree
from wheelferry.ops.gc_plan import GcPlan, Victim, Why
from wheelferry.store.record import Digest

HOUR_S = 3600
"""For so long the inputs of a merged segment stay."""

SUPERSEDED_S = 30 * DAY_S
"""For so long a pack of a format that has a newer one is needed, after its last use."""

Judge = Callable[[Model, Turn], Iterator[str]]


def judge(model: Model, turn: Turn) -> list[str]:
    """Return all that is wrong."""
    checks: tuple[Judge, ...] = (
        _returned,
        _forgotten,
        _buried,
        _missing,
        _taken_away,
        _purged,
        _chosen,
        _caches,
        _segments,
        judge_mending,
    )
    found = [text for check in checks for text in check(model, turn)]
    if run := turn.alone:
        found += ALONE[run.verb](model, turn, run)
    return found


def may_promote(model: Model, turn: Turn, runner: Runner, ware: Ware) -> bool:
    """Return whether a promotion of that runner may bring a ware into the store."""
    return (
        ware in runner.downloads
        and ware not in runner.edited
        and not turn.forbids(ware)
        and not model.was_evicted(turn.before, runner, ware)
    )


def _returned(model: Model, turn: Turn) -> Iterator[str]:
    """What nobody promoted, or might have."""
    promoters = [run.runner for run in turn.of("promote")]
    for ware in turn.after.living - turn.before.living:
        if not any(may_promote(model, turn, runner, ware) for runner in promoters):
            yield f"{ware.label} is in the catalog again"


def _forgotten(model: Model, turn: Turn) -> Iterator[str]:
    """What went out of the catalog, and was not to go."""
    for ware in turn.before.living - turn.after.living:
        is_due = ware.pack in turn.victims or ware.pack in model.doomed
        is_due |= might_be_lost(turn, ware)
        if not is_due and not turn.takes(ware):
            yield f"{ware.label} is not in the catalog any more"


def _buried(model: Model, turn: Turn) -> Iterator[str]:
    """Records that came since a removal had looked."""
    del model
    if any(turn.of("rm", "compact")):
        return
    judged = {s for run in turn.of("gc") if run.plan for s in run.plan.content.segments}
    for segment, numbers in turn.after.buried.items():
        is_new = numbers - turn.before.buried.get(segment, frozenset())
        if not is_new or segment in judged or segment in turn.after.replaced:
            continue
        wares = turn.after.records.get(segment) or turn.before.records[segment]
        if not all(might_be_lost(turn, wares[number]) for number in is_new):
            yield f"records of {segment[:12]} are dead, which no removal has judged"


def _missing(model: Model, turn: Turn) -> Iterator[str]:
    """Packs that records name, and that are not there, or not as they were."""
    shelf = turn.after
    died = any(run.has_died for run in turn.of("promote", "gc", "rm"))
    for pack in shelf.named - (shelf.written_s.keys() - shelf.damaged):
        is_removed = turn.takes(PACKS[pack])
        if pack in model.spoiled or is_removed:
            continue
        if pack in shelf.trashed and (model.is_disturbed or died):
            continue
        yield f"the pack of {PACKS[pack].label} is missing, or damaged"


def _taken_away(model: Model, turn: Turn) -> Iterator[str]:
    """Objects that no removal has chosen, or that are not in the trash."""
    del model
    for digest in turn.before.written_s.keys() - turn.after.written_s.keys():
        is_removed = digest in turn.victims and digest in turn.after.trashed
        is_mended = might_be_lost(turn, PACKS[digest])
        if not (turn.takes(PACKS[digest]) or is_removed or is_mended):
            yield f"the pack of {PACKS[digest].label} is gone"


def _purged(model: Model, turn: Turn) -> Iterator[str]:
    """What left the trash too early, or though it was needed."""
    del model
    graces = [run.argument.grace_s for run in turn.of("gc")]
    there = turn.after.written_s.keys() | turn.after.trashed
    always_named = turn.before.named & turn.after.named
    for digest, since_s in turn.before.trash - turn.after.trash:
        if digest in there or turn.takes(PACKS[digest]):
            continue
        if digest in turn.before.rotten and might_be_lost(turn, PACKS[digest]):
            continue  # brought back, and then set aside
        is_over = graces and since_s <= turn.ended_s - min(graces)
        if not is_over or digest in always_named:
            yield f"the pack of {PACKS[digest].label} was purged"


def _chosen(model: Model, turn: Turn) -> Iterator[str]:
    """Victims that others should have been before."""
    for run in turn.of("gc"):
        for victim in run.plan.victims if run.plan else ():
            if fault := _find_fault(model, turn, run.plan, victim):
                label = PACKS[victim.digest].label
                yield f"{label} was removed for its {victim.why.value}: {fault}"


def _find_fault(model: Model, turn: Turn, plan: GcPlan, victim: Victim) -> str | None:
    digest, budget = victim.digest, plan.budget
    low_s = model.needed_since(turn, digest)
    if victim.why is Why.AGE:
        assert budget.max_age_s is not None
        if low_s >= turn.ended_s - budget.max_age_s:
            return "it was needed since"
    elif victim.why is Why.SUPERSEDED:
        if low_s >= turn.ended_s - SUPERSEDED_S:
            return "it was needed since"
    elif victim.why is Why.ORPHAN:
        # Nobody named it, if another removal had just buried its records.
        others = sum(v.digest == digest for v in turn.all_victims) > 1
        always_named = digest in turn.before.named & turn.after.named
        if always_named and not others and not turn.takes(PACKS[digest]):
            return "a record names it"
        if turn.before.written_s.get(digest, 0) > turn.ended_s - budget.grace_s:
            return "it is young"
    elif victim.why is Why.SIZE:
        return _find_older(model, turn, plan, victim, low_s)
    return None


def _find_older(
    model: Model, turn: Turn, plan: GcPlan, victim: Victim, low_s: int
) -> str | None:
    """Return what stays though it might have gone instead of a victim."""
    max_bytes = plan.budget.max_bytes
    assert max_bytes is not None
    taken = {v.digest for v in plan.victims}
    back = {item.digest: item.size_bytes for item in plan.content.trash}
    sizes = {
        pack.digest: back.get(pack.digest, 0) if pack.is_missing else pack.size_bytes
        for pack in plan.content.packs
        if pack.digest not in taken
    }
    orphans = [o for o in plan.content.orphans if o.digest not in taken]
    left_bytes = sum(sizes.values()) + sum(orphan.size_bytes for orphan in orphans)
    for digest, size_bytes in sizes.items():
        if not size_bytes or model.needed_until(turn, digest) >= low_s:
            continue
        if size_bytes > victim.size_bytes:  # it may have been too much
            is_wrong = size_bytes < max_bytes * (LOW - FLOOR) - 1
        elif size_bytes < victim.size_bytes:  # the victim may not fit in its place
            instead_bytes = left_bytes - size_bytes + victim.size_bytes
            is_wrong = instead_bytes <= max_bytes * LOW
        else:
            is_wrong = True
        if is_wrong:
            return f"{PACKS[digest].label} was needed less recently, and stays"
    return None


def _caches(model: Model, turn: Turn) -> Iterator[str]:
    """What uv would trip over, or take for something that it is not."""
    del model
    for run in turn.of("pull", "trim"):
        yield from _judge_cache(run.runner)
    for run in turn.runs:
        runner = run.runner
        gone = turn.had[runner.name].keys() - turn.has[runner.name].keys()
        if gone and not any(other.runner is runner for other in turn.of("trim")):
            yield f"{runner.name} has lost {[ware.label for ware in gone]}"
        in_store = turn.before.living | turn.after.living | turn.before.hazy
        for ware in restored(turn, runner):
            if turn.forbids(ware):
                yield f"{runner.name} has got {ware.label}, which is forbidden"
            if ware not in in_store and not any(turn.of("promote")):
                yield f"{runner.name} has got {ware.label}, which the store had not"


def _judge_cache(runner: Runner) -> Iterator[str]:
    archives = runner.cache / "archive-v0"
    for ware in WARES:
        archive_id = find_archive(runner.cache, ware)
        if archive_id is None:
            continue
        if not (archives / archive_id).is_dir():
            yield f"{runner.name}: {ware.label} names an archive that is not there"
        elif archive_id not in (ware.pack, runner.downloads.get(ware)):
            yield f"{runner.name}: {ware.label} names another archive"
    for path in archives.glob("?" * 64):
        tree = read_tree(path)
        record = next((t for p, t in tree.items() if p.endswith("/RECORD")), None)
        # Without RECORD neither uv nor a pull takes it for an archive.
        if record and record[0] and tree != PACKS[Digest(path.name)].planned.files:
            yield f"{runner.name}: {path.name} is not what was promoted"


def _segments(model: Model, turn: Turn) -> Iterator[str]:
    """Segments that went before what says the same was old enough."""
    del model
    if turn.is_allowing:
        return
    old_s = turn.ended_s - HOUR_S
    for segment in turn.before.segments.keys() - turn.after.segments.keys():
        by = [m for m, inputs in turn.before.replaced.items() if segment in inputs]
        if min(turn.before.segments[s] for s in (segment, *by)) > old_s:
            yield f"segment {segment[:12]} went too early"
