"""Promote: what the cache has and the store lacks goes into the store.

Order of effects, per batch: each pack into `objects/`, then one segment into `catalog/`,
then a look whether every pack that the segment names is still there.  Killed after a
pack: an orphan, which no record names.  Killed after the segment: all of it counts.
At the end, once a day, what the runner holds and did: see `handover`.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from wheelferry.disk import WorkDir
from wheelferry.disk.clock import Deadline, monotonic_s
from wheelferry.errors import CacheError, DeadlinePassed, StoreError, StoreFull
from wheelferry.events import Event, Level, progress
from wheelferry.ops.builds import ROLE, Build, encode_build_s, find_time, read_builds
from wheelferry.ops.ledger import Run, note_run
from wheelferry.ops.left import Left
from wheelferry.ops.local import local_disk, sweep_staging
from wheelferry.ops.outflow import Outflow
from wheelferry.ops.pace import Pace
from wheelferry.ops.packing import Packed, pack_entry
from wheelferry.ops.past import note
from wheelferry.ops.promote_batch import Batch
from wheelferry.ops.promote_plan import Candidate, PromotePlan, plan_promote
from wheelferry.ops.promote_report import PromoteReport
from wheelferry.ops.tiers import Tiers
from wheelferry.ops.usage import is_usage_due, note_usage
from wheelferry.pack.pool import Pool
from wheelferry.pack.writer import go_on
from wheelferry.store.record import Digest, Identity
from wheelferry.store.view import Rejection

__all__ = [
    "Candidate",
    "PromotePlan",
    "PromoteReport",
    "apply_promote",
    "plan_promote",
]

NEVER: Final = Deadline.never()

ABANDONED_S = 24 * 3600
"""Age at which a temporary file of this runner's in the store belongs to nobody."""


def apply_promote(
    tiers: Tiers,
    plan: PromotePlan,
    *,
    rate_bytes_s: int | None = None,
    until: Deadline = NEVER,
    step: Callable[[], None] = go_on,
    run: Run | None = None,
) -> PromoteReport:
    """Carry a plan out; what cannot be promoted is reported, and the rest goes on.

    When the store takes no more, what it has is committed and the report says so.  With
    `run`, it is in the figures.

    Args:
        tiers: The tiers; their own deadline leaves time after `until`, for a commit.
        plan: What to do.
        rate_bytes_s: How much of packs is written in a second; None is no limit.
        until: When nothing more is begun, nor before that what could not be there then.
        step: Called before each frame that is packed, and each block that is written; may
            block.
        run: What it is, for the figures.
    """
    report = PromoteReport()
    try:
        try:
            _apply(
                tiers, plan, report, Outflow(rate_bytes_s, step=step), until, step=step
            )
        finally:
            promoted = (record.identity for record in report.promoted)
            note(tiers, plan.past, (*plan.known, *promoted))
            _note_refused(tiers, {**plan.rejected, **report.refused})
    except (CacheError, StoreError) as exc:
        report.stopped_by = exc
    if run is not None:
        _note_run(tiers, run, report)
    if report.stopped_by is None:
        _tell(tiers, plan, report)
    return report


def _apply(
    tiers: Tiers,
    plan: PromotePlan,
    report: PromoteReport,
    outflow: Outflow,
    until: Deadline,
    *,
    step: Callable[[], None],
) -> None:
    if not plan.candidates:
        sweep_staging(tiers.staging, tiers.disk)
        return
    with local_disk(tiers.staging):
        _promote(tiers, plan, report, outflow, until, step=step)
    if report.late:
        raise DeadlinePassed(
            f"{report.late} of {len(plan.candidates)} entries are left in the cache:"
            " they could not be in the store before the deadline",
            hint="the next promotion goes on from here; promote.deadline (--deadline)"
            " gives it more time",
        )
    with contextlib.suppress(StoreError):  # all is committed: it can wait
        tiers.store.sweep_staging(older_than_s=ABANDONED_S)


def _promote(
    tiers: Tiers,
    plan: PromotePlan,
    report: PromoteReport,
    outflow: Outflow,
    until: Deadline,
    *,
    step: Callable[[], None],
) -> None:
    with WorkDir.open(tiers.staging, disk=tiers.disk) as work, Pool() as pool:
        batch = Batch(tiers, report, outflow)
        builds = read_builds(tiers.state)
        pace = Pace()
        try:
            done_bytes = 0
            for done, candidate in enumerate(plan.candidates):
                tiers.emit(
                    progress(
                        "promoting",
                        done=done,
                        total=len(plan.candidates),
                        done_bytes=done_bytes,
                        total_bytes=plan.tree_bytes,
                    )
                )
                done_bytes += candidate.tree_bytes
                step()
                left_s = until.remaining_s()
                if not left_s or not pace.arrives(candidate.tree_bytes, left_s):
                    report.late += 1
                    continue
                begin_s = monotonic_s()
                outcome = pack_entry(
                    candidate.entry,
                    work.path,
                    tiers.disk,
                    pool,
                    machine=tiers.machine,
                    step=step,
                )
                if isinstance(outcome, Packed):
                    batch.add(_timed(outcome, candidate, builds))
                else:
                    report.rejected.append(outcome.left)
                    if outcome.stamp:
                        refused = Rejection(outcome.stamp, outcome.left.reason)
                        report.refused[candidate.identity] = refused
                    tiers.emit(_rejected(outcome.left))
                pace = pace.after(candidate.tree_bytes, monotonic_s() - begin_s)
            batch.commit()
        except StoreFull:
            # There may be room for what names the packs that found some.
            with contextlib.suppress(StoreError):
                batch.commit()
            raise
        finally:
            batch.discard()


def _note_run(tiers: Tiers, run: Run, report: PromoteReport) -> None:
    sums = {
        "promoted": len(report.promoted),
        "promoted_bytes": report.bytes_written,
    }
    note_run(tiers.state, run, sums, now_s=tiers.now(), disk=tiers.disk)


def _tell(tiers: Tiers, plan: PromotePlan, report: PromoteReport) -> None:
    """Say in the store what is held and was done, once a day.

    Not on a runner's first day, so that its first promotion costs no more than others:
    unless packs were there already.  That they are needed shows in no object's time, and
    a merge of segments forgets when this one was written.
    """
    from wheelferry.ops.figures_file import is_first_day  # noqa: PLC0415 (seldom)

    if report.packs_shared or (
        is_usage_due(tiers) and not is_first_day(tiers.state, tiers.now())
    ):
        note_usage(tiers, _held_packs(tiers, plan, report))


def _held_packs(
    tiers: Tiers, plan: PromotePlan, report: PromoteReport
) -> Iterator[Digest]:
    """Yield the packs of all entries of the cache that the store has."""
    for identity in plan.known:
        for light in tiers.view.find_identity(identity):
            yield light.pack
    for record in report.promoted:
        yield record.pack


def _note_refused(tiers: Tiers, refused: Mapping[Identity, Rejection]) -> None:
    """Remember what need not be read again; writes only if that is new.

    Raises CacheError.
    """
    if refused != tiers.view.memory.rejected():
        tiers.view.memory.replace_rejected(refused)


def _timed(packed: Packed, candidate: Candidate, builds: Sequence[Build]) -> Packed:
    """Return what was packed with how long its build took, if that was seen."""
    build_s = find_time(candidate.entry.wheel_file, builds)
    if build_s is None:
        return packed
    files = {**packed.record.files, ROLE: encode_build_s(build_s)}
    return replace(packed, record=packed.record._replace(files=files))


def _rejected(left: Left) -> Event:
    return Event(
        name="entry.rejected",
        level=Level.WARNING,
        message=f"not promoted: {left.subject}: {left.reason}",
        fields={"subject": left.subject, "reason": left.reason},
    )
