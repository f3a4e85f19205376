"""What a promotion would do: the settled entries of the cache, against the catalog."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from wheelferry.events import Event
from wheelferry.native.elf import NotUnderstood
from wheelferry.native.judge import Policy
from wheelferry.ops.convert import METADATA, encode_record
from wheelferry.ops.fitness import Fitness
from wheelferry.ops.formats import unknown_format
from wheelferry.ops.left import Left
from wheelferry.ops.needs import find_needs
from wheelferry.ops.past import Past, recall
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import Tiers, find_bans
from wheelferry.store.record import Identity
from wheelferry.store.view import LightRecord, Rejection
from wheelferry.uvcache.cached import CachedEntry, Scan, is_unchanged
from wheelferry.uvcache.entry import EntryInfo
from wheelferry.uvcache.scan import scan_cache
from wheelferry.uvcache.tree import NotPackable, list_tree, stamp_tree
from wheelferry.uvcache.used import last_used_s

EVICTED = "it was removed from the store, and no job here has used it since"

_NOTHING: Mapping[Identity, Rejection] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An entry that is to be promoted; `tree_bytes` is its size unpacked."""

    entry: CachedEntry
    identity: Identity
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
        rejected: Entries among `left` that a promotion refused before.
    """

    candidates: tuple[Candidate, ...]
    in_store: int
    restored: int
    left: tuple[Left, ...]
    known: tuple[Identity, ...] = ()
    past: Past | None = None
    rejected: Mapping[Identity, Rejection] = field(default_factory=dict)

    @property
    def tree_bytes(self) -> int:
        """Size of all candidates, unpacked."""
        return sum(candidate.tree_bytes for candidate in self.candidates)


def plan_promote(
    tiers: Tiers, rules: Rules, *, is_background: bool = False
) -> PromotePlan:
    """Read both tiers and decide what is to be promoted; changes neither.

    What was refused before, and has not changed since, is looked at again only if this
    is not `is_background`: someone asks for it.

    Raises CacheError, StoreError.
    """
    past = recall(tiers)
    scan = scan_cache(tiers.cache)
    tiers.refresh()
    rejected = tiers.view.memory.rejected() if is_background else _NOTHING
    return replace(compare(tiers, rules, scan, rejected), past=past)


def compare(
    tiers: Tiers, rules: Rules, scan: Scan, rejected: Mapping[Identity, Rejection]
) -> PromotePlan:
    """Return the plan for a scan of the cache and the view as it is.

    Those of `rejected` that have not changed since are left where they are.
    """
    for unknown in scan.unknown:
        tiers.emit(unknown_format(unknown.name, unknown.count))
    candidates: list[Candidate] = []
    left = [Left(subject=str(s.path), reason=s.reason) for s in scan.skipped]
    in_store = restored = 0
    known: list[Identity] = []
    in_catalog = _InCatalog(tiers, rules)
    removals = _Removals(tiers)
    still_rejected: dict[Identity, Rejection] = {}
    for entry in scan.entries:
        info = entry.info
        identity = encode_record(
            info, pack="", pack_bytes=0, tree_bytes=0, tree_files=0
        ).identity
        if entry.is_restored:
            restored += 1
            known.append(identity)
        elif in_catalog.has(entry, identity):
            in_store += 1
            known.append(identity)
        elif reason := (
            rules.refuse(info.key, info.name, entry.urls)
            or removals.refuse(entry, identity)
        ):
            left.append(Left(subject=subject_of(info), reason=reason))
        elif before := _find_rejection(entry, rejected.get(identity)):
            still_rejected[identity] = before
            reason = f"refused before, and not changed since: {before.reason}"
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
                candidates.append(
                    Candidate(entry=entry, identity=identity, tree_bytes=tree_bytes)
                )
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
        rejected=still_rejected,
    )


def subject_of(info: EntryInfo) -> str:
    """Name an entry for people."""
    return f"{info.name} {info.version} ({info.key.kind.value}, {info.format_id})"


def _find_rejection(entry: CachedEntry, before: Rejection | None) -> Rejection | None:
    """Return how an entry was refused before, if it has not changed since."""
    if before is None:
        return None
    try:
        return before if stamp_tree(entry) == before.stamp else None
    except OSError:  # it goes just now, which is found out by whoever reads it
        return None


class _Removals:
    """What has been removed from the store, and is not to come back by itself."""

    def __init__(self, tiers: Tiers) -> None:
        self._bans = find_bans(tiers)
        self._evicted = tiers.view.memory.evicted()

    def refuse(self, entry: CachedEntry, identity: Identity) -> str | None:
        """Return why an entry stays in the cache, or None."""
        info = entry.info
        if self._bans and (reason := self._bans.refuse(info.name, info.version)):
            return reason
        removed_s = self._evicted.get(identity)
        if removed_s is not None and last_used_s(entry) <= removed_s:
            return EVICTED
        return None


class _InCatalog:
    """What the store has already, of what this cache has."""

    def __init__(self, tiers: Tiers, rules: Rules) -> None:
        self._view = tiers.view
        self._machine = tiers.machine
        # What is not restored here may still be of use elsewhere.
        policy = Policy.CHECKED if rules.native is Policy.NEVER else rules.native
        self._fitness = Fitness(tiers.machine, policy)

    def has(self, entry: CachedEntry, identity: Identity) -> bool:
        """Return whether the store has an entry, with all that this cache has of it.

        A record does not count if pull missed its pack; nor if it lacks metadata, which
        uv keeps of a downloaded wheel only from the first job on that resolves; nor if
        it is of a build for machines that have more than this one, unless ours would
        need the same.
        """
        info = entry.info
        found = [
            light
            for light in self._view.find_identity(identity)
            if not self._view.is_missing(light.pack)
            and (not info.metadata or self._has_metadata(light))
        ]
        if any(self._fitness.refuse(light) is None for light in found):
            return True
        return bool(found) and info.is_native and self._has_same_needs(entry, found)

    def _has_metadata(self, light: LightRecord) -> bool:
        known = self._view.load(light.ref)
        return known is not None and METADATA in known.files

    def _has_same_needs(self, entry: CachedEntry, found: Iterable[LightRecord]) -> bool:
        try:
            needs = find_needs(entry.info, list_tree(entry), self._machine)
        except (NotPackable, NotUnderstood, OSError):
            return False  # to be found once more, and said, when it is packed
        return any(light.needs == needs for light in found)
