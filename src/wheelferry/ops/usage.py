"""Say in the store, once a day, what this runner uses and did; see what others said.

For the removal of packs that nobody needs, for a pull that has no room for all, and for
the figures of a fleet.  A convenience: a runner that may not write to the store, or cannot
reach it, does without.
"""

from collections.abc import Iterable

from wheelferry.errors import CacheError, StoreError
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
    from wheelferry.store.usage import find_last_uses  # noqa: PLC0415

    return find_last_uses(store.usage.read_all())


def is_usage_due(tiers: Tiers) -> bool:
    """Return whether this runner has not said it for a day."""
    try:
        written_s = (tiers.state / USED).stat().st_mtime
    except FileNotFoundError:
        return True
    return not 0 <= tiers.now() - written_s < INTERVAL_S


def note_usage(tiers: Tiers, held: Iterable[Digest]) -> None:
    """Say which packs are held, and what this runner did; if that fails, it is told."""
    from wheelferry.ops.handover import hand_over  # noqa: PLC0415 (once a day)

    try:
        hand_over(tiers, held)
    except (CacheError, StoreError) as exc:
        _refused(tiers, exc)
    # Also after a failure: a pull must not try it before each job.
    marker = tiers.state / USED
    try:
        with local_disk(tiers.state):
            try:
                tiers.disk.create_file(marker, b"")
            except FileExistsError:
                tiers.disk.touch(marker)
    except CacheError as exc:
        _refused(tiers, exc)


def _refused(tiers: Tiers, exc: CacheError | StoreError) -> None:
    # What the store refuses is said elsewhere, or does not matter.
    is_own = isinstance(exc, CacheError)
    tiers.emit(
        Event(
            name="usage.refused",
            level=Level.WARNING if is_own else Level.DEBUG,
            message=f"this runner's use of packs is not noted: {exc.message}",
            fields={"reference": exc.reference},
        )
    )
