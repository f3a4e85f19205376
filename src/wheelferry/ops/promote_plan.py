"""What a promotion would do: the settled entries of the cache, against the catalog."""

from dataclasses import dataclass, replace

from wheelferry.events import Event
from wheelferry.ops.convert import METADATA, encode_record
from wheelferry.ops.formats import unknown_format
from wheelferry.ops.left import Left
from wheelferry.ops.past import Past, recall
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import Tiers
from wheelferry.store.record import Identity
from wheelferry.uvcache.cached import CachedEntry, Scan, is_unchanged
from wheelferry.uvcache.entry import EntryInfo
from wheelferry.uvcache.scan import scan_cache
from wheelferry.uvcache.tree import NotPackable, list_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An entry that is to be promoted; `tree_bytes` is its size unpacked."""

    entry: CachedEntry
    tree_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotePlan:
    """What a promotion would do.

    Attributes:
        candidates: What is to be packed and committed.
        in_store: Number of entries that the store has already.
        restored: Number of entries that came from the store.
        left: What the rules, or the state of the entry, keep here.
        known: Entries that the store has already, or that came from it.
        past: What the cache has had before the scan.
    """

    candidates: tuple[Candidate, ...]
    in_store: int
    restored: int
    left: tuple[Left, ...]
    known: tuple[Identity, ...] = ()
    past: Past | None = None

    @property
    def tree_bytes(self) -> int:
        """Size of all candidates, unpacked."""
        return sum(candidate.tree_bytes for candidate in self.candidates)


def plan_promote(tiers: Tiers, rules: Rules) -> PromotePlan:
    """Read both tiers and decide what is to be promoted; changes neither.

    Raises CacheError, StoreError.
    """
    past = recall(tiers)
    scan = scan_cache(tiers.cache)
    tiers.refresh()
    return replace(compare(tiers, rules, scan), past=past)


def compare(tiers: Tiers, rules: Rules, scan: Scan) -> PromotePlan:
    """Return the plan for a scan of the cache and the view as it is."""
    for unknown in scan.unknown:
        tiers.emit(unknown_format(unknown.name, unknown.count))
    candidates: list[Candidate] = []
    left = [Left(subject=str(s.path), reason=s.reason) for s in scan.skipped]
    in_store = restored = 0
    known: list[Identity] = []
    for entry in scan.entries:
        info = entry.info
        identity = encode_record(
            info, pack="", pack_bytes=0, tree_bytes=0, tree_files=0
        ).identity
        if entry.is_restored:
            restored += 1
            known.append(identity)
        elif _in_store(tiers, info, identity):
            in_store += 1
            known.append(identity)
        elif reason := rules.refuse(info.key, info.name, entry.urls):
            left.append(Left(subject=subject_of(info), reason=reason))
        else:
            try:
                tree_bytes = sum(file.size_bytes for file in list_tree(entry))
            except (NotPackable, OSError) as exc:
                fault = Left(
                    subject=subject_of(info),
                    reason=str(exc),
                    is_fault=True,
                    is_unsettled=not is_unchanged(entry),
                )
                left.append(fault)
            else:
                candidates.append(Candidate(entry=entry, tree_bytes=tree_bytes))
    limited = [c for c in candidates if c.entry.info.shortcoming]
    if limited:
        tiers.emit(
            Event(
                name="entry.limited",
                message=f"of little use to jobs: {len(limited)} of the entries to be "
                f"promoted, such as {subject_of(limited[0].entry.info)}: "
                f"{limited[0].entry.info.shortcoming}",
                fields={"entries": len(limited)},
            )
        )
    return PromotePlan(
        candidates=tuple(candidates),
        in_store=in_store,
        restored=restored,
        left=tuple(left),
        known=tuple(known),
    )


def subject_of(info: EntryInfo) -> str:
    """Name an entry for people."""
    return f"{info.name} {info.version} ({info.key.kind.value}, {info.format_id})"


def _in_store(tiers: Tiers, info: EntryInfo, identity: Identity) -> bool:
    """Return whether the store has an entry, with all that this cache has of it.

    A record does not count if pull missed its pack; nor if it lacks metadata, which uv
    keeps of a downloaded wheel only from the first job on that resolves.
    """
    for light in tiers.view.find_identity(identity):
        if tiers.view.is_missing(light.pack):
            continue
        if not info.metadata:
            return True
        known = tiers.view.load(light.ref)
        if known is not None and METADATA in known.files:
            return True
    return False
