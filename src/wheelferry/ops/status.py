"""Status: what each tier has, by format, and what would move between them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelferry.ops import promote_plan, pull_plan
from wheelferry.ops.left import Left
from wheelferry.ops.rules import Rules
from wheelferry.ops.target import ANYONE, Target
from wheelferry.ops.tiers import Tiers
from wheelferry.uvcache.scan import scan_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatStatus:
    """Entries of one cache format.

    Attributes:
        is_pulled: Whether a pull on this machine restores this format.
        cache: Entries in the cache; `restored` of them came from the store.
        store: Entries in the store.
        to_promote: Entries that a promotion would put into the store.
        to_promote_bytes: Their size, unpacked.
        to_pull: Entries that a pull would put into the cache.
        to_pull_bytes: Size of the packs to be read for them, each counted once.
    """

    format_id: str
    is_pulled: bool
    cache: int
    restored: int
    store: int
    to_promote: int
    to_promote_bytes: int
    to_pull: int
    to_pull_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Both tiers; sizes in bytes.

    Attributes:
        left: What a pull would leave in the store, and why.
    """

    cache: Path
    store: str
    store_id: str
    runner: str
    segments: int
    records: int
    packs: int
    pack_bytes: int
    tree_bytes: int
    formats: tuple[FormatStatus, ...]
    unknown: tuple[str, ...]
    left: tuple[Left, ...] = ()


def read_status(
    tiers: Tiers,
    *,
    promote_rules: Rules,
    pull_rules: Rules,
    format_ids: Sequence[str],
    target: Target = ANYONE,
) -> Status:
    """Read both tiers; `format_ids` are those that a pull restores here, for `target`.

    Raises CacheError, StoreError.
    """
    scan = scan_cache(tiers.cache)
    tiers.refresh()
    promotion = promote_plan.compare(
        tiers, promote_rules, scan, tiers.view.memory.rejected()
    )
    pull = pull_plan.compare(tiers, pull_rules, format_ids, target=target)
    cache = Counter(entry.info.format_id for entry in scan.entries)
    restored = Counter(e.info.format_id for e in scan.entries if e.is_restored)
    store = tiers.view.count_by_format()
    to_promote = Counter(c.entry.info.format_id for c in promotion.candidates)
    to_pull = Counter(record.format_id for record in pull.wanted)
    to_promote_bytes: Counter[str] = Counter()
    for candidate in promotion.candidates:
        to_promote_bytes[candidate.entry.info.format_id] += candidate.tree_bytes
    to_pull_bytes: Counter[str] = Counter()
    for record in pull.fetched:
        to_pull_bytes[record.format_id] += record.pack_bytes
    totals = tiers.view.totals()
    return Status(
        cache=tiers.cache,
        store=tiers.store.location,
        store_id=tiers.store_id,
        runner=tiers.runner,
        segments=totals.segments,
        records=totals.records,
        packs=totals.packs,
        pack_bytes=totals.pack_bytes,
        tree_bytes=totals.tree_bytes,
        formats=tuple(
            FormatStatus(
                format_id=format_id,
                is_pulled=format_id in format_ids,
                cache=cache[format_id],
                restored=restored[format_id],
                store=store.get(format_id, 0),
                to_promote=to_promote[format_id],
                to_promote_bytes=to_promote_bytes[format_id],
                to_pull=to_pull[format_id],
                to_pull_bytes=to_pull_bytes[format_id],
            )
            for format_id in sorted(cache.keys() | store.keys())
        ),
        unknown=tuple(unknown.name for unknown in scan.unknown),
        left=pull.left,
    )
