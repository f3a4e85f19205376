"""What a pull would do: the catalog, through the runner's view, against the cache."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wheelferry.errors import IntegrityError, StoreError
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
            info = decode_entry(record)
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


def _refuse(
    tiers: Tiers, rules: Rules, record: LightRecord, info: EntryInfo
) -> str | None:
    urls: tuple[str, ...] = ()
    if rules.has_indexes and (whole := tiers.view.load(record.ref)) is not None:
        pointer = check_restorable(decode_entry(whole, whole.files), record.pack)
        urls = pointer.find_urls() if pointer else ()
    return rules.refuse(info.key, info.name, urls)
