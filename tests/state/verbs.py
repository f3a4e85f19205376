"""What a runner can be told to do, as the commands do it."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.state.runner import Runner
from tests.state.wares import FORMATS
from tests.state.world import Run
from tests.support.trimming import nobody, size_of
from wheelferry.errors import ObjectCorrupt
from wheelferry.ops.compact import compact
from wheelferry.ops.gc import apply_gc, find_content, plan_gc
from wheelferry.ops.gc_plan import Budget
from wheelferry.ops.promote import apply_promote, plan_promote
from wheelferry.ops.pull import apply_pull, plan_pull
from wheelferry.ops.rm import allow, remove
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import Tiers
from wheelferry.ops.trim import Place, apply_trim, read_plan
from wheelferry.ops.verify import verify_store
from wheelferry.ops.verify_fix import fix_store
from wheelferry.store.compaction import SegmentFacts
from wheelferry.store.record import SegmentId
from wheelferry.store.tombstones import Ban

RULES = Rules()


def _promote(runner: Runner, is_background: bool) -> Run:
    """Return a promotion."""

    def act(tiers: Tiers, run: Run) -> None:
        run.plan = plan_promote(tiers, RULES, is_background=is_background)
        run.report = apply_promote(tiers, run.plan)
        _expect_end(run)

    return Run("promote", runner, act, argument=is_background)


def _pull(runner: Runner, is_background: bool) -> Run:
    """Return a pull of all that fits."""

    def act(tiers: Tiers, run: Run) -> None:
        run.plan = plan_pull(tiers, RULES, FORMATS, is_background=is_background)
        run.report = apply_pull(tiers, run.plan)
        _expect_end(run)

    return Run("pull", runner, act, argument=is_background)


def _collect(runner: Runner, budget: Budget) -> Run:
    """Return a removal of what the store cannot keep."""

    def act(tiers: Tiers, run: Run) -> None:
        run.plan = plan_gc(find_content(tiers), budget)
        run.report = apply_gc(tiers, run.plan)
        _expect_end(run)

    return Run("gc", runner, act, argument=budget)


def _merge(runner: Runner, at_least: int) -> Run:
    """Return a compaction, of whatever may be merged if it is so much."""

    def plan(catalog: Any) -> list[SegmentId]:
        facts: list[SegmentFacts] = list(catalog)
        free = [fact.segment for fact in facts if fact.is_free]
        return free if len(free) >= at_least else []

    def act(tiers: Tiers, run: Run) -> None:
        try:
            run.report = compact(tiers, plan=plan)
        except ObjectCorrupt as exc:  # the daemon says so, and goes on
            run.plan = exc

    return Run("compact", runner, act, argument=at_least)


def _forbid(runner: Runner, ban: Ban) -> Run:
    """Return a removal for good."""

    def act(tiers: Tiers, run: Run) -> None:
        run.report = remove(tiers, ban)

    return Run("rm", runner, act, argument=ban)


def _permit(runner: Runner, ban: Ban) -> Run:
    """Return the end of that."""

    def act(tiers: Tiers, run: Run) -> None:
        run.report = allow(tiers, ban)

    return Run("allow", runner, act, argument=ban)


def _trim(runner: Runner, part: float) -> Run:
    """Return a removal of what the cache cannot keep."""

    def act(tiers: Tiers, run: Run) -> None:
        place = Place(
            tiers.cache,
            tiers.state,
            tiers.view,
            tiers.disk,
            tiers.emit,
            find_uv=nobody,
        )
        max_bytes = int(size_of(tiers.cache) * part)
        run.plan = read_plan(place, max_bytes=max_bytes)
        run.report = apply_trim(place, run.plan)

    return Run("trim", runner, act, argument=part)


def _verify(runner: Runner, is_mending: bool) -> Run:
    """Return a verification of all of the store, and maybe what follows from it."""

    def act(tiers: Tiers, run: Run) -> None:
        run.plan = verify_store(tiers.store, tiers.emit)
        if is_mending:
            run.report = fix_store(tiers, run.plan)
            _expect_end(run)

    return Run("verify", runner, act, argument=is_mending)


def _expect_end(run: Run) -> None:
    assert run.report.stopped_by is None, run.report.stopped_by


MAKE: Mapping[str, Callable[[Runner, Any], Run]] = {
    "promote": _promote,
    "pull": _pull,
    "gc": _collect,
    "compact": _merge,
    "rm": _forbid,
    "allow": _permit,
    "trim": _trim,
    "verify": _verify,
}
"""By verb; each is given what its command is told."""
