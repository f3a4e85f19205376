"""What a pull would do: the catalog, through the runner's view, against the cache."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from wheelferry.errors import CacheError, IntegrityError, StoreError
from wheelferry.ops.choose import choose, subject_of
from wheelferry.ops.convert import decode_entry
from wheelferry.ops.fitness import Fitness
from wheelferry.ops.left import Left
from wheelferry.ops.limits import NO_LIMITS, Limits
from wheelferry.ops.rules import Rules
from wheelferry.ops.target import ANYONE, Target
from wheelferry.ops.tiers import Tiers, find_bans
from wheelferry.store.record import Digest
from wheelferry.store.view import LightRecord, RecordRef
from wheelferry.uvcache.entry import EntryInfo, Kind
from wheelferry.uvcache.presence import Inspector, Part, Presence, State
from wheelferry.uvcache.recordcheck import check_key, check_restorable

if TYPE_CHECKING:
    from wheelferry.ops.past import Past
    from wheelferry.ops.serve import Served

_NO_REASONS: Mapping[RecordRef, str] = MappingProxyType({})
_MISFIT = "no Python here can use a wheel with its tags"


class Scope(NamedTuple):
    """What a plan covers, whatever a job needs of it."""

    rules: Rules
    format_ids: tuple[str, ...]


class PullPlan(NamedTuple):
    """What a pull would do.

    Attributes:
        wanted: Records to restore, in whole or in part, in this order; those with one
            pack follow each other.
        held: Records of entries that the cache has already.
        left: What is in the store and stays there, and why.
        fetched: Those of `wanted` whose packs have to be read, one for each pack, in
            the same order.
        other_formats: Number of entries that the store has for other uv versions;
            counted only where nothing is present or wanted.
        refused_segments: Number of segments of the catalog that could not be read.
        over_budget: Number of entries among `left` that `max_bytes` has no room for.
        past: What the cache has had, for a pull in the background.
        served: What the store has of what a job needs; None if nothing says what it
            needs, and the plan is for all that fits.
        target: For whom it is.
        reasons: Why records that serve a job are among `left`.
        scope: What a plan for all that fits would cover.
    """

    wanted: tuple[LightRecord, ...]
    held: tuple[LightRecord, ...]
    left: tuple[Left, ...]
    fetched: tuple[LightRecord, ...]
    other_formats: int = 0
    refused_segments: int = 0
    over_budget: int = 0
    past: "Past | None" = None
    served: "tuple[Served, ...] | None" = None
    target: Target = ANYONE
    reasons: Mapping[RecordRef, str] = _NO_REASONS
    scope: Scope | None = None

    @property
    def faults(self) -> tuple[Left, ...]:
        """Those of `left` that someone may want to act on."""
        return tuple(left for left in self.left if left.is_fault)

    @property
    def unfit(self) -> tuple[Left, ...]:
        """Those of `left` that this machine could not use."""
        return tuple(left for left in self.left if left.is_unfit)

    @property
    def present(self) -> int:
        """Number of entries that the cache has already."""
        return len(self.held)

    @property
    def fetch_bytes(self) -> int:
        """Size of the packs to be read."""
        return sum(record.pack_bytes for record in self.fetched)

    @property
    def tree_bytes(self) -> int:
        """The same, unpacked."""
        return sum(record.tree_bytes for record in self.fetched)


class PullReport:
    """What a pull did; sizes in bytes.

    Attributes:
        restored: Entries that uv finds from now on.
        failed: Entries that could not be restored, and why.
        bytes_read: Of packs, from the store.
        tree_bytes: The same, unpacked.
        present_meanwhile: Entries that another pull, or uv, put there first.
        late: Number of entries among `failed` that the deadline left in the store.
        late_bytes: Size of their packs.
        build_times: Of those restored that were built where somebody saw how long it
            took: the seconds.
        stopped_by: What ended it half way, if anything did.
    """

    def __init__(
        self,
        *,
        restored: Iterable[LightRecord] = (),
        failed: Iterable[Left] = (),
        bytes_read: int = 0,
        tree_bytes: int = 0,
        present_meanwhile: int = 0,
        late: int = 0,
        late_bytes: int = 0,
        stopped_by: CacheError | StoreError | None = None,
    ) -> None:
        self.restored = list(restored)
        self.failed = list(failed)
        self.bytes_read = bytes_read
        self.tree_bytes = tree_bytes
        self.present_meanwhile = present_meanwhile
        self.late = late
        self.late_bytes = late_bytes
        self.build_times: dict[RecordRef, float] = {}
        self.stopped_by = stopped_by


def plan_pull(
    tiers: Tiers,
    rules: Rules,
    format_ids: Sequence[str],
    limits: Limits = NO_LIMITS,
    *,
    target: Target = ANYONE,
    is_background: bool = False,
) -> PullPlan:
    """Read the catalog and the cache and decide what to restore; changes neither.

    Args:
        tiers: Both of them.
        rules: What may be restored.
        format_ids: The cache formats to restore, the preferred ones first.
        limits: What it may take of the store.
        target: For whom it is.
        is_background: Whether no job asked for it: then what this cache has had, and
            has no more, is left in the store.

    Raises CacheError, StoreError.
    """
    refused = tiers.refresh(None if target.demand is None else target.demand.names)
    past = None
    if is_background:
        from wheelferry.ops.past import recall  # noqa: PLC0415

        past = recall(tiers)
    plan = compare(tiers, rules, format_ids, past, target)
    if plan.wanted and past is None and target.demand is None:
        # A job that does not say what it needs has not asked for what was trimmed.
        from wheelferry.ops.past import recall_trimmed  # noqa: PLC0415

        trimmed = recall_trimmed(tiers)
        if trimmed.identities:
            plan = compare(tiers, rules, format_ids, trimmed, target)
            plan = plan._replace(past=None)
    plan = plan._replace(refused_segments=refused)
    if limits.max_bytes is None or plan.fetch_bytes <= limits.max_bytes:
        return plan
    fetched = plan.fetched
    if plan.served is None:
        # Nothing says what the next job needs; the last ones are the best guess.
        from wheelferry.ops.order import last_used_first  # noqa: PLC0415
        from wheelferry.ops.usage import last_uses  # noqa: PLC0415

        fetched = tuple(last_used_first(fetched, last_uses(tiers)))
    return _within(plan, fetched, limits.max_bytes)


def compare(
    tiers: Tiers,
    rules: Rules,
    format_ids: Sequence[str],
    past: "Past | None" = None,
    target: Target = ANYONE,
) -> PullPlan:
    """Return the plan for the view as it is; see `plan_pull`."""
    comparison = _Comparison(tiers, rules, past, target)
    unfit = Fitness(tiers.machine, rules.native).refuse
    names = None if target.demand is None else target.demand.names
    found = tiers.view.light_records(format_ids, names)
    records: Iterable[LightRecord] = filter(comparison.admit, found)
    served: tuple[Served, ...] | None = None
    if target.demand is not None:
        from wheelferry.ops.serve import serve  # noqa: PLC0415 - with a project only

        served = serve(target.demand.needs, records, target.pythons, unfit)
        # One may serve two needs, as where two locks ask for the same.
        records = {r.ref: r for s in served for r in (*s.records, *s.unfit)}.values()
    choice = choose(
        records,
        format_ids=format_ids,
        missing=tiers.view.missing_packs(),
        unfit=unfit,
    )
    for record in choice.records:
        comparison.look_at(record)
    for record in choice.unfit:
        comparison.look_at_unfit(record, unfit(record) or "")
    plan = comparison.plan(choice.left)._replace(
        served=served,
        target=target,
        scope=Scope(rules, tuple(format_ids)),
    )
    if plan.wanted or plan.held or names is not None:
        return plan
    formats = tiers.view.count_by_format().items()
    others = sum(number for format_id, number in formats if format_id not in format_ids)
    return plan._replace(other_formats=others)


def _within(plan: PullPlan, fetched: Sequence[LightRecord], max_bytes: int) -> PullPlan:
    """Return the plan without the packs that a budget has no room for.

    `fetched` are those of the plan, in the order in which they get a place.
    """
    from wheelferry.ops.order import find_beyond  # noqa: PLC0415

    beyond = find_beyond(fetched, max_bytes)
    out = [record for record in plan.wanted if record.pack in beyond]
    left = tuple(
        Left(subject=subject_of(record), reason=beyond[record.pack]) for record in out
    )
    return plan._replace(
        wanted=tuple(r for r in plan.wanted if r.pack not in beyond),
        fetched=tuple(r for r in plan.fetched if r.pack not in beyond),
        left=plan.left + left,
        over_budget=len(left),
        reasons={**plan.reasons, **{r.ref: beyond[r.pack] for r in out}},
    )


class _Comparison:
    """Sorts the records of the store by what the cache has of them."""

    def __init__(
        self, tiers: Tiers, rules: Rules, past: "Past | None", target: Target
    ) -> None:
        self._tiers = tiers
        self._rules = rules
        self._past = past
        self._target = target
        self._inspector = Inspector(tiers.cache)
        self._avoided = tiers.view.avoided_packs()
        self._bans = find_bans(tiers)
        self._wanted: list[LightRecord] = []
        self._held: list[LightRecord] = []
        self._left: list[Left] = []
        self._reasons: dict[RecordRef, str] = {}
        self._to_read: set[Digest] = set()

    def admit(self, record: LightRecord) -> bool:
        """Return whether a record is sound enough to compete for its place."""
        try:
            check_key(decode_entry(record))
        except IntegrityError as exc:
            self._leave(record, exc.message, is_fault=True)
            return False
        return True

    def look_at(self, record: LightRecord) -> None:
        """Decide about one record, which has been admitted and chosen."""
        info = decode_entry(record)
        try:
            reason = self._refuse(record, info)
        except IntegrityError as exc:
            self._leave(record, exc.message, is_fault=True)
            return
        if reason:
            self._leave(record, reason)
            return
        presence = self._inspector.find(info, record.pack)
        if presence.state is State.PRESENT:
            self._held.append(record)
        elif presence.state is State.CONFLICT:
            self._leave(record, presence.reason)
        elif not self._target.is_fit(record.tags):
            self._leave(record, _MISFIT)
        elif reason := self._was_removed(record, presence):
            self._leave(record, reason)
        elif presence.state is State.MENDABLE:
            self._wanted.append(record)
        elif record.pack in self._avoided:
            self._leave(record, "its pack could not be read; a later pull tries again")
        else:
            self._wanted.append(record)
            self._to_read.add(record.pack)

    def look_at_unfit(self, record: LightRecord, reason: str) -> None:
        """Leave a record to other machines, unless uv has built its own in that place."""
        if Kind(record.kind).is_built:
            presence = self._inspector.find(decode_entry(record), record.pack)
            if presence.state is State.PRESENT:
                self._held.append(record)
                return
        self._left.append(
            Left(subject=subject_of(record), reason=reason, is_unfit=True)
        )

    def plan(self, left: Iterable[Left]) -> PullPlan:
        """Return what was found, with what was left out before."""
        wanted: Sequence[LightRecord] = self._wanted
        if wanted:
            # Most pulls have nothing to put in order.
            from wheelferry.ops.order import in_order  # noqa: PLC0415

            wanted = in_order(wanted, self._to_read)
        fetched = {r.pack: r for r in wanted if r.pack in self._to_read}
        return PullPlan(
            wanted=tuple(wanted),
            held=tuple(self._held),
            left=(*left, *self._left),
            fetched=tuple(fetched.values()),
            past=self._past,
            reasons=self._reasons,
        )

    def _was_removed(self, record: LightRecord, presence: Presence) -> str:
        """Return why nobody wants the entry back; "" if that is not so."""
        if self._past is None or record.identity not in self._past.identities:
            return ""
        # A part that uv can do without is no sign of a removal.
        needed = (Part.ARCHIVE, Part.LINK, Part.POINTER)
        return "" if presence.missing.isdisjoint(needed) else self._past.reason

    def _refuse(self, record: LightRecord, info: EntryInfo) -> str | None:
        if self._bans and (reason := self._bans.refuse(record.name, record.version)):
            return reason
        urls: tuple[str, ...] = ()
        view = self._tiers.view
        if self._rules.has_indexes and (whole := view.load(record.ref)) is not None:
            pointer = check_restorable(decode_entry(whole, whole.files), record.pack)
            urls = pointer.find_urls() if pointer else ()
        return self._rules.refuse(info.key, info.name, urls)

    def _leave(
        self, record: LightRecord, reason: str, *, is_fault: bool = False
    ) -> None:
        subject = subject_of(record)
        self._left.append(Left(subject=subject, reason=reason, is_fault=is_fault))
        self._reasons[record.ref] = reason
