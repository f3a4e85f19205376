"""What a pull would do: the catalog, through the runner's view, against the cache."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wheelferry.errors import CacheError, IntegrityError, StoreError
from wheelferry.ops.choose import choose, subject_of
from wheelferry.ops.convert import decode_entry
from wheelferry.ops.left import Left
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import Tiers
from wheelferry.store.record import Digest
from wheelferry.store.view import LightRecord
from wheelferry.uvcache.entry import EntryInfo
from wheelferry.uvcache.presence import Inspector, State
from wheelferry.uvcache.recordcheck import check_key, check_restorable


class PullPlan(NamedTuple):
    """What a pull would do.

    Attributes:
        wanted: Records to restore, in whole or in part.
        held: Packs of entries that the cache has already.
        left: What is in the store and stays there, and why.
        fetched: Those of `wanted` whose packs have to be read, one for each pack.
        other_formats: Number of entries that the store has for other uv versions;
            counted only where nothing is present or wanted.
        refused_segments: Number of segments of the catalog that could not be read.
    """

    wanted: tuple[LightRecord, ...]
    held: tuple[Digest, ...]
    left: tuple[Left, ...]
    fetched: tuple[LightRecord, ...]
    other_formats: int = 0
    refused_segments: int = 0

    @property
    def faults(self) -> tuple[Left, ...]:
        """Those of `left` that someone may want to act on."""
        return tuple(left for left in self.left if left.is_fault)

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
        stopped_by: CacheError | StoreError | None = None,
    ) -> None:
        self.restored = list(restored)
        self.failed = list(failed)
        self.bytes_read = bytes_read
        self.tree_bytes = tree_bytes
        self.present_meanwhile = present_meanwhile
        self.stopped_by = stopped_by


def plan_pull(tiers: Tiers, rules: Rules, format_ids: Sequence[str]) -> PullPlan:
    """Read the catalog and the cache and decide what to restore; changes neither.

    `format_ids` are the cache formats to restore, the preferred ones first.

    Raises CacheError, StoreError.
    """
    refused = tiers.refresh()
    return compare(tiers, rules, format_ids)._replace(refused_segments=refused)


def compare(tiers: Tiers, rules: Rules, format_ids: Sequence[str]) -> PullPlan:
    """Return the plan for the view as it is; see `plan_pull`."""
    comparison = _Comparison(tiers, rules)
    choice = choose(
        filter(comparison.admit, tiers.view.light_records(format_ids)),
        format_ids=format_ids,
        missing=tiers.view.missing_packs(),
    )
    for record in choice.records:
        comparison.look_at(record)
    plan = comparison.plan(choice.left)
    if plan.wanted or plan.held:
        return plan
    formats = tiers.view.count_by_format().items()
    others = sum(number for format_id, number in formats if format_id not in format_ids)
    return plan._replace(other_formats=others)


class _Comparison:
    """Sorts the records of the store by what the cache has of them."""

    def __init__(self, tiers: Tiers, rules: Rules) -> None:
        self._tiers = tiers
        self._rules = rules
        self._inspector = Inspector(tiers.cache)
        self._avoided = tiers.view.avoided_packs()
        self._wanted: list[LightRecord] = []
        self._held: list[Digest] = []
        self._left: list[Left] = []
        self._fetched: dict[Digest, LightRecord] = {}

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
            self._held.append(record.pack)
        elif presence.state is State.CONFLICT:
            self._leave(record, presence.reason)
        elif presence.state is State.MENDABLE:
            self._wanted.append(record)
        elif record.pack in self._avoided:
            self._leave(record, "its pack could not be read; a later pull tries again")
        else:
            self._wanted.append(record)
            self._fetched[record.pack] = record

    def plan(self, left: Iterable[Left]) -> PullPlan:
        """Return what was found, with what was left out before."""
        return PullPlan(
            wanted=tuple(self._wanted),
            held=tuple(self._held),
            left=(*left, *self._left),
            fetched=tuple(self._fetched.values()),
        )

    def _refuse(self, record: LightRecord, info: EntryInfo) -> str | None:
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
