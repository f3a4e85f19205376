"""Read packs out of the store into staging, a few at a time."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

from wheelferry.disk import Disk
from wheelferry.errors import IntegrityError, StoreError, StoreFormatUnsupported
from wheelferry.pack.pool import Job, Pool
from wheelferry.pack.reader import Extracted, extract_pack
from wheelferry.store.base import Store
from wheelferry.store.record import Digest
from wheelferry.store.view import LightRecord

FETCHERS = 2
"""Packs that are read at one time."""

SYNC_BYTES = 48 << 20
"""Unpacked size at which what is staged begins to be synced, while more is read.

The sync before anything becomes visible, which all has to wait for, then finds little to
do: a pull of 170 MB took a fifth less time (docs/benchmarks.md).
"""


class Unread(NamedTuple):
    """Why a pack was not read; `is_lost` if its next promotion should mend it."""

    reason: str
    is_lost: bool


class Fetcher:
    """Reads packs; the end of the `with` block ends its threads.

    Attributes:
        stopped_by: What made the store unusable, if anything did; after that nothing
            more is read.
    """

    def __init__(self, store: Store, work: Path, disk: Disk) -> None:
        self.stopped_by: StoreError | None = None
        self._store = store
        self._disk = disk
        self._is_stopped = False
        self._stack = ExitStack()
        self._writers = self._stack.enter_context(Pool())
        self._fetchers = self._stack.enter_context(Pool(workers=FETCHERS))
        syncer = self._stack.enter_context(Pool(workers=1))
        self._early = _EarlySync(work, disk, syncer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopped = True  # what is queued still is not worth reading any more
        self._stack.close()

    def read(
        self,
        targets: Iterable[tuple[LightRecord, Path]],
        tell: Callable[[LightRecord, Extracted], None],
    ) -> dict[Digest, Path | Unread]:
        """Return, by pack, the tree that was staged, or why there is none.

        `targets` are a record of each pack and an empty directory; `tell` hears of each
        pack that was read.

        Raises OSError of the local disk; then nothing more is read.
        """
        jobs = [
            (record, target, self._submit(record, target)) for record, target in targets
        ]
        staged: dict[Digest, Path | Unread] = {}
        for record, target, job in jobs:
            outcome = job.result()
            if isinstance(outcome, Unread):
                staged[record.pack] = outcome
                continue
            staged[record.pack] = target
            self._early.add(outcome.tree_bytes)
            tell(record, outcome)
        self._early.settle()
        return staged

    def _submit(self, record: LightRecord, target: Path) -> Job[Extracted | Unread]:
        return self._fetchers.submit(
            lambda: self._read_one(record, target), weight_bytes=0
        )

    def _read_one(self, record: LightRecord, target: Path) -> Extracted | Unread:
        """Read one pack into `target`; runs in a thread."""
        if self._is_stopped:
            return Unread("it was not read any more", is_lost=False)
        try:
            stream = self._store.open_object(record.pack)
            if stream is None:
                return Unread("its pack is missing from the store", is_lost=True)
            with stream:
                return extract_pack(
                    stream.read,
                    digest=record.pack,
                    size_bytes=record.pack_bytes,
                    announced=Extracted(
                        tree_bytes=record.tree_bytes, tree_files=record.tree_files
                    ),
                    target=target,
                    disk=self._disk,
                    pool=self._writers,
                )
        except IntegrityError as exc:
            return Unread(exc.message, is_lost=True)
        except StoreFormatUnsupported as exc:  # of this one pack
            return Unread(exc.message, is_lost=False)
        except StoreError as exc:
            self._is_stopped = True
            self.stopped_by = exc
            return Unread(exc.message, is_lost=False)
        except OSError:
            self._is_stopped = True
            raise


class _EarlySync:
    """Syncs what is staged from time to time, in a thread of its own."""

    def __init__(self, work: Path, disk: Disk, pool: Pool) -> None:
        self._work = work
        self._disk = disk
        self._pool = pool
        self._staged_bytes = 0
        self._job: Job[None] | None = None

    def add(self, tree_bytes: int) -> None:
        """Note that a tree was staged."""
        self._staged_bytes += tree_bytes
        if self._staged_bytes < SYNC_BYTES:
            return
        if self._job is not None:
            if not self._job.is_done():
                return
            self.settle()
        self._staged_bytes = 0
        self._job = self._pool.submit(
            lambda: self._disk.sync_filesystem(self._work), weight_bytes=0
        )

    def settle(self) -> None:
        """Wait for the last sync and raise its error: the kernel tells each only once."""
        if self._job is not None:
            self._job.result()
            self._job = None
