"""What a removal decides on: the store as it is, and when runners needed what."""

from collections.abc import Iterable

from wheelferry.errors import CacheError, StoreFull, StoreReadOnly
from wheelferry.ops.gc_facts import Content, Orphan, Pack
from wheelferry.ops.tiers import Tiers, find_bans
from wheelferry.ops.usage import read_uses
from wheelferry.store.record import Digest
from wheelferry.store.upkeep import Dated


def find_content(tiers: Tiers) -> Content:
    """Read what there is to decide on; changes nothing.

    Costs a listing of all directories of the store, and of the files in them.

    Raises:
        CacheError: Another process keeps the view busy, which then is of the past.
        StoreError: The store cannot be read.
    """
    result = tiers.view.refresh(tiers.store)
    if result.deferred:
        raise CacheError(
            "another process is busy with this runner's view of the catalog",
            hint="try again in a minute",
        )
    is_whole = not tiers.tell(result)
    # First, so that the times below are known of all of them: other processes of this
    # runner may add to the view at any moment.
    segments = tiers.view.segments()
    # The uses before the objects: what comes meanwhile is young by its own time.
    uses = read_uses(tiers.store)
    dated = {
        item.digest: (item.size_bytes, item.written_s)
        for item in tiers.store.upkeep.list_objects()
        if isinstance(item, Dated)
    }
    times = tiers.store.upkeep.segment_times()
    trash = tuple(tiers.store.upkeep.list_trash())
    free_bytes = tiers.store.upkeep.survey(writes=False).free_bytes
    promoted: dict[Digest, int] = {}
    for pack, segment in tiers.view.promotions():
        promoted[pack] = max(promoted.get(pack, 0), times.get(segment, 0))
    banned = find_banned(tiers)
    seen_s = [written_s for _, written_s in dated.values()]
    now_s = _find_now(tiers, [*seen_s, *times.values(), *uses.values()])
    packs = tuple(
        Pack(
            digest=pack.digest,
            size_bytes=dated.get(pack.digest, (0, 0))[0],
            # No runner can have needed it later than now, whatever it says.
            needed_s=min(
                now_s,
                max(
                    uses.get(pack.digest, 0),
                    promoted.get(pack.digest, 0),
                    dated.get(pack.digest, (0, 0))[1],
                ),
            ),
            subject=f"{pack.name} {pack.version}",
            format_ids=pack.format_ids,
            is_missing=pack.digest not in dated,
            is_banned=pack.digest in banned,
        )
        for pack in tiers.view.packs()
    )
    named = {pack.digest for pack in packs}
    orphans = tuple(
        Orphan(digest=digest, size_bytes=size_bytes, since_s=since_s)
        for digest, (size_bytes, since_s) in dated.items()
        if digest not in named
    )
    return Content(
        packs=packs,
        orphans=orphans,
        trash=trash,
        free_bytes=free_bytes,
        now_s=now_s,
        is_whole=is_whole,
        segments=segments,
    )


def find_banned(tiers: Tiers) -> frozenset[Digest]:
    """Return the packs that records of what an admin has forbidden name."""
    bans = find_bans(tiers)
    if bans is None:
        return frozenset()
    names = {name for name, _, _ in tiers.view.bans()}
    return frozenset(
        light.pack
        for light in tiers.view.light_records(names=names)
        if bans.refuse(light.name, light.version)
    )


def _find_now(tiers: Tiers, seen_s: Iterable[int]) -> int:
    """Return the server's time.

    Where nothing can be written to ask for it, the latest that is seen in the store: then
    all seems younger than it is, and nothing goes too early.  That is bounded by this
    host's clock, since a runner may say of itself what it likes.
    """
    try:
        return tiers.store.upkeep.clock_s()
    except (StoreFull, StoreReadOnly):
        host_s = int(tiers.now())
        return max((s for s in seen_s if s <= host_s), default=host_s)
