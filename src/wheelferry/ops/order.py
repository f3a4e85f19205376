"""Which packs a pull reads first, together, or not at all: pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby

from wheelferry.store.record import Digest
from wheelferry.store.view import LightRecord
from wheelferry.uvcache.entry import Kind


def in_order(
    wanted: Iterable[LightRecord], to_read: Collection[Digest]
) -> list[LightRecord]:
    """Return the records in the order in which they are restored.

    What needs no pack to be read comes first.  Then built wheels, since a build costs a
    job the most; then small packs before large ones, so that much is there when the
    time is up.  Records with one pack follow each other; otherwise the order is kept.
    """
    records = list(wanted)
    built = {record.pack for record in records if Kind(record.kind).is_built}
    first: dict[Digest, int] = {}
    for number, record in enumerate(records):
        first.setdefault(record.pack, number)
    return sorted(
        records,
        key=lambda r: (
            r.pack in to_read,
            r.pack not in built,
            r.pack_bytes,
            first[r.pack],
        ),
    )


def last_used_first(
    fetched: Iterable[LightRecord], used_s: Mapping[Digest, int]
) -> list[LightRecord]:
    """Return a record of each pack, those first that a runner had a use for last.

    `used_s` says when that was.  One that it does not have is new in the store, and
    comes first; otherwise the order is kept.
    """
    return sorted(
        fetched, key=lambda r: -used_s[r.pack] if r.pack in used_s else float("-inf")
    )


def find_beyond(fetched: Iterable[LightRecord], max_bytes: int) -> dict[Digest, str]:
    """Return the packs that a budget has no room for, with the reason.

    `fetched` are a record of each pack that has to be read, in order.  A pack that does
    not fit is left out, and smaller ones after it may still fit.
    """
    beyond: dict[Digest, str] = {}
    room_bytes = max_bytes
    for record in fetched:
        if record.pack_bytes <= room_bytes:
            room_bytes -= record.pack_bytes
        else:
            beyond[record.pack] = (
                f"beyond pull.max_bytes: its pack has {record.pack_bytes} bytes, and"
                f" {room_bytes} of {max_bytes} are left"
            )
    return beyond


def in_batches(
    wanted: Iterable[LightRecord], to_read: Collection[Digest], batch_bytes: int
) -> Iterator[list[LightRecord]]:
    """Yield records in their order, as many together as unpack to `batch_bytes`.

    Those with one pack, which follow each other, are never parted.  A pack that unpacks
    to more makes a batch by itself: others do not wait for it.
    """
    batch: list[LightRecord] = []
    tree_bytes = 0
    for pack, group in groupby(wanted, lambda record: record.pack):
        records = list(group)
        more_bytes = records[0].tree_bytes if pack in to_read else 0
        if batch and tree_bytes + more_bytes > batch_bytes:
            yield batch
            batch, tree_bytes = [], 0
        batch += records
        tree_bytes += more_bytes
    if batch:
        yield batch
