"""Put packs into the store, and then the segment that names them."""

from wheelferry.events import Event, Level
from wheelferry.ops.convert import event_fields
from wheelferry.ops.outflow import Outflow
from wheelferry.ops.packing import Packed
from wheelferry.ops.promote_report import PromoteReport
from wheelferry.ops.tiers import Tiers
from wheelferry.pack.writer import SpooledPack
from wheelferry.store.base import PutOutcome
from wheelferry.store.record import Digest, Record
from wheelferry.store.segment import encode_segment

BATCH_ENTRIES = 64
BATCH_BYTES = 256 << 20
BATCH_SMALL_BYTES = 16 << 20
"""A segment is committed when its records, the packs they name, or the small files in
them reach one of these."""


class Batch:
    """Packs that are in the store, and not yet named by a segment."""

    def __init__(self, tiers: Tiers, report: PromoteReport, outflow: Outflow) -> None:
        self._tiers = tiers
        self._report = report
        self._outflow = outflow
        self._records: list[Record] = []
        self._packs: dict[Digest, SpooledPack] = {}
        self._evicted = tiers.view.memory.evicted()

    def add(self, packed: Packed) -> None:
        """Put a pack into the store; whatever comes, the pack is taken care of."""
        pack, digest = packed.pack, packed.record.pack
        if digest in self._packs:
            pack.close()
        else:
            try:
                if packed.record.identity in self._evicted:
                    self._recover(digest)
                self._put(digest, pack)
            except BaseException:
                pack.close()
                raise
            self._packs[digest] = pack
        if self._is_catalogued(packed.record):
            # Only its pack had been lost, or damaged.
            self._tiers.view.forget_missing(digest)
            self._note(packed.record)
        else:
            self._records.append(packed.record)
        if self._is_full():
            self.commit()

    def commit(self) -> None:
        """Write the segment, then put back what another host removed before it."""
        if not self._records:
            return
        tiers, report = self._tiers, self._report
        created_s = int(tiers.now())
        while True:
            data = encode_segment(
                self._records, runner=tiers.runner, created_s=created_s
            )
            segment = tiers.store.commit_segment(data)
            if not tiers.view.is_buried(segment):
                break
            # The very bytes that were removed within this second: they need another name.
            created_s += 1
        for digest in tiers.store.look_again(self._packs):
            self._put(digest, self._packs[digest])
        tiers.view.add_own(segment, data)
        report.segments += 1
        for record in self._records:
            self._note(record)
        self.discard()

    def discard(self) -> None:
        """Remove the spooled packs."""
        for pack in self._packs.values():
            pack.close()
        self._packs.clear()
        self._records.clear()

    def _is_full(self) -> bool:
        spooled_bytes = sum(pack.pack_bytes for pack in self._packs.values())
        small_bytes = sum(
            len(data) for record in self._records for data in record.files.values()
        )
        return (
            len(self._records) >= BATCH_ENTRIES
            or spooled_bytes >= BATCH_BYTES
            or small_bytes >= BATCH_SMALL_BYTES
        )

    def _is_catalogued(self, record: Record) -> bool:
        """Return whether the catalog says all of this already."""
        view = self._tiers.view
        for light in view.find_identity(record.identity):
            known = view.load(light.ref) if light.pack == record.pack else None
            if (
                known is not None
                and known.needs == record.needs
                and record.files.keys() <= known.files.keys()
            ):
                return True
        return False

    def _note(self, record: Record) -> None:
        self._report.promoted.append(record)
        self._tiers.emit(_promoted(record))

    def _recover(self, digest: Digest) -> None:
        """Bring a pack back that was removed a while ago: that costs no network."""
        upkeep = self._tiers.store.upkeep
        for trashed in upkeep.list_trash(only={digest})[-1:]:
            upkeep.recover_object(trashed)

    def _put(self, digest: Digest, pack: SpooledPack) -> None:
        outcome = self._tiers.store.put_object(
            self._outflow.limit(pack.chunks()),
            digest=digest,
            size_bytes=pack.pack_bytes,
            is_suspect=self._tiers.view.is_missing(digest),
        )
        if outcome is PutOutcome.ALREADY_PRESENT:
            self._report.packs_shared += 1
        else:
            self._report.bytes_written += pack.pack_bytes


def _promoted(record: Record) -> Event:
    return Event(
        name="entry.promoted",
        level=Level.DEBUG,
        message=f"promoted {record.name} {record.version} ({record.tags})",
        fields=event_fields(record),
    )
