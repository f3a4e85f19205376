"""Say in the store, once a day, which packs this runner's cache holds; see what others said.

For the removal of packs that nobody needs, and for a pull that has no room for all.  A convenience: a runner that may not write to
the store, or cannot reach it, does without.
"""

from collections.abc import Iterable

from wheelferry.errors import StoreError
from wheelferry.events import Event, Level
from wheelferry.ops.local import local_disk
from wheelferry.ops.tiers import USED, Tiers
from wheelferry.store.base import Store
from wheelferry.store.record import Digest

INTERVAL_S = 24 * 3600


def last_uses(tiers: Tiers) -> dict[Digest, int]:
    """Return when a runner last had a use for each pack, as far as runners said so.

    In seconds of the server's clock, and to a day: what counts is that a cache held it.
    Empty if the store does not tell.
    """
    try:
        return read_uses(tiers.store)
    except StoreError:
        return {}  # then the order is as good as another


def read_uses(store: Store) -> dict[Digest, int]:
    """Return the same; raises StoreError if the store does not tell."""
    found: dict[Digest, int] = {}
    for _, written_s, usage in store.read_usage():
        for time_s, packs in ((written_s, usage.held), *usage.before):
            for pack in packs:
                found[pack] = max(time_s, found.get(pack, time_s))
    return found


def note_usage(tiers: Tiers, held: Iterable[Digest], *, is_due: bool = False) -> None:
    """Write which packs are held, unless that was done within a day and is not due."""
    marker = tiers.state / USED
    try:
        written_s = marker.stat().st_mtime
    except FileNotFoundError:
        written_s = 0.0
    if not is_due and 0 <= tiers.now() - written_s < INTERVAL_S:
        return
    try:
        tiers.store.write_usage(held)
    except StoreError as exc:
        tiers.emit(
            Event(
                name="usage.refused",
                level=Level.DEBUG,
                message=f"this runner's use of packs is not noted: {exc.message}",
                fields={"reference": exc.reference},
            )
        )
    # Also after a failure: a pull must not try it before each job.
    with local_disk(tiers.state):
        try:
            tiers.disk.create_file(marker, b"")
        except FileExistsError:
            tiers.disk.touch(marker)
