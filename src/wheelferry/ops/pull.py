"""Pull: what the store has and the cache lacks comes into the cache.

gather: the catalog, through the runner's view, and what the cache has.  plan: which
records to restore.  apply: `restoration`.

It runs before every job and mostly has nothing to do, so what it imports is counted.
Values here and below are named tuples: to define a frozen dataclass takes 1 ms.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wheelferry.errors import IntegrityError, StoreError
from wheelferry.ops.choose import choose, subject_of
from wheelferry.ops.convert import decode_entry, decode_hashes, decode_key
from wheelferry.ops.left import Left
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import Tiers
from wheelferry.ops.usage import note_usage
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
    """

    wanted: tuple[LightRecord, ...]
    held: tuple[Digest, ...]
    left: tuple[Left, ...]
    fetched: tuple[LightRecord, ...]

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
        stopped_by: What made the store unusable half way, if anything did.
    """

    def __init__(
        self,
        *,
        restored: Iterable[LightRecord] = (),
        failed: Iterable[Left] = (),
        bytes_read: int = 0,
        tree_bytes: int = 0,
        stopped_by: StoreError | None = None,
    ) -> None:
        self.restored = list(restored)
        self.failed = list(failed)
        self.bytes_read = bytes_read
        self.tree_bytes = tree_bytes
        self.stopped_by = stopped_by


def plan_pull(tiers: Tiers, rules: Rules, format_ids: Sequence[str]) -> PullPlan:
    """Read the catalog and the cache and decide what to restore; changes neither.

    `format_ids` are the cache formats to restore, the preferred ones first.

    Raises CacheError, StoreError.
    """
    tiers.refresh()
    choice = choose(
        tiers.view.light_records(format_ids),
        format_ids=format_ids,
        missing=tiers.view.missing_packs(),
    )
    left = list(choice.left)
    wanted: list[LightRecord] = []
    held: list[Digest] = []
    fetched: dict[Digest, LightRecord] = {}
    inspector = Inspector(tiers.cache)
    for record in choice.records:
        try:
            info = _light_info(record)
            check_key(info)
            reason = _refuse(tiers, rules, record, info)
        except IntegrityError as exc:
            left.append(Left(subject=subject_of(record), reason=exc.message))
            continue
        if reason:
            left.append(Left(subject=subject_of(record), reason=reason))
            continue
        presence = inspector.find(info, record.pack)
        if presence.state is State.PRESENT:
            held.append(record.pack)
        elif presence.state is State.CONFLICT:
            left.append(Left(subject=subject_of(record), reason=presence.reason))
        else:
            wanted.append(record)
            if presence.state is State.ABSENT:
                fetched[record.pack] = record
    return PullPlan(
        wanted=tuple(wanted),
        held=tuple(held),
        left=tuple(left),
        fetched=tuple(fetched.values()),
    )


def apply_pull(tiers: Tiers, plan: PullPlan) -> PullReport:
    """Carry a plan out; what cannot be restored is reported, and the rest goes on.

    When the store fails, what was read until then is published and the report says so.

    Raises CacheError: the cache cannot be written, or stayed locked.
    """
    report = PullReport()
    if plan.wanted:
        # Most pulls have nothing to do, and need not load what restores.
        from wheelferry.ops.restoration import restore  # noqa: PLC0415

        restore(tiers, plan, report)
    if report.stopped_by is None:
        note_usage(tiers, (*plan.held, *(record.pack for record in report.restored)))
    return report


def _light_info(record: LightRecord) -> EntryInfo:
    """Return what a record says of an entry, without its small files."""
    return EntryInfo(
        format_id=record.format_id,
        key=decode_key(record.kind, record.shard, record.settings, record.stem),
        name=record.name,
        version=record.version,
        tags=record.tags,
        hashes=decode_hashes(record.hashes),
        size_bytes=record.size_bytes,
        pointer=b"",
        metadata=b"",
    )


def _refuse(
    tiers: Tiers, rules: Rules, record: LightRecord, info: EntryInfo
) -> str | None:
    urls: tuple[str, ...] = ()
    if rules.has_indexes and (whole := tiers.view.load(record.ref)) is not None:
        pointer = check_restorable(decode_entry(whole), record.pack)
        urls = pointer.find_urls() if pointer else ()
    return rules.refuse(info.key, info.name, urls)
