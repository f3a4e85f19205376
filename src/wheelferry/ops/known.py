"""Find what a runner knows without asking the store."""

from pathlib import Path

from wheelferry.disk import Disk
from wheelferry.errors import CacheError, StoreError
from wheelferry.ops.figures_file import read_ledger
from wheelferry.ops.metrics import Known, find_sums
from wheelferry.ops.tiers import VIEW
from wheelferry.store.view import View
from wheelferry.store.view_file import read_store_id
from wheelferry.store.view_rows import Totals


def read_known(
    state: Path,
    *,
    disk: Disk,
    now_s: float,
    store_max_bytes: int | None = None,
    cache_max_bytes: int | None = None,
) -> Known:
    """Return what the runner knows of the store as of its last refresh, and of itself.

    What cannot be read now is not known: figures are worth no error.

    Args:
        state: The runner's state directory.
        disk: What replaces a view that is damaged.
        now_s: This host's time, in seconds since the epoch.
        store_max_bytes: What the store may have, or None.
        cache_max_bytes: What the cache may have, or None.
    """
    known = Known(
        store_max_bytes=store_max_bytes,
        cache_max_bytes=cache_max_bytes,
        sums=find_sums(read_ledger(state).days, now_s),
    )
    totals = _read_totals(state / VIEW, disk)
    if totals is None:
        return known
    return known._replace(
        packs=totals.packs,
        pack_bytes=totals.pack_bytes,
        records=totals.records,
        segments=totals.segments,
    )


def _read_totals(path: Path, disk: Disk) -> Totals | None:
    store_id = read_store_id(path)
    if store_id is None:
        return None
    try:
        with View.open(path, store_id=store_id, disk=disk) as view:
            return view.totals()
    except (CacheError, StoreError):
        return None
