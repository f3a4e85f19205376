"""Read packs out of the store into staging, a few at a time."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

from wheelferry.disk import Disk
from wheelferry.errors import (
    DeadlinePassed,
    IntegrityError,
    StoreError,
    StoreFormatUnsupported,
)
from wheelferry.ops.intake import EndedError, Flow, Intake
from wheelferry.pack.pool import Job, Pool
from wheelferry.pack.reader import Extracted, extract_pack
from wheelferry.store.base import Store
from wheelferry.store.view import LightRecord

FETCHERS = 2
"""Packs that are read at one time."""


class Unread(NamedTuple):
    """Why a pack was not read.

    Attributes:
        reason: In words, about this pack.
        is_own: Whether something is wrong with the pack itself, and not with the run.
        is_lost: Whether its next promotion should mend it.
        is_late: Whether it is left because of the deadline.
    """

    reason: str
    is_own: bool = False
    is_lost: bool = False
    is_late: bool = False


class Underway(NamedTuple):
    """A pack that is read or waits for it, and the directory that it goes into."""

    record: LightRecord
    target: Path
    job: Job[Extracted | Unread]


class Fetcher:
    """Reads packs; the end of the `with` block ends its threads.

    Attributes:
        intake: What all of it is read through.
        stopped_by: What made the store unusable, if anything did; after that nothing
            more is begun.  A deadline is not among it: what is late says so itself.
        late_by: What the store said at the deadline, if it was asked for something.
    """

    def __init__(self, store: Store, disk: Disk, intake: Intake) -> None:
        self.stopped_by: StoreError | None = None
        self.late_by: DeadlinePassed | None = None
        self.intake = intake
        self._store = store
        self._disk = disk
        self._is_stopped = False
        self._stack = ExitStack()
        self._writers = self._stack.enter_context(Pool())
        self._fetchers = self._stack.enter_context(Pool(workers=FETCHERS))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # What is queued is not worth reading any more, nor the rest of what is read.
        self._is_stopped = True
        self.intake.close()
        self._stack.close()

    def begin(self, targets: Iterable[tuple[LightRecord, Path]]) -> list[Underway]:
        """Have packs read, in this order, each into an empty directory; do not wait.

        The job of each raises OSError of the local disk; then nothing more is begun.
        """
        return [
            Underway(record, target, self._submit(record, target))
            for record, target in targets
        ]

    def _submit(self, record: LightRecord, target: Path) -> Job[Extracted | Unread]:
        return self._fetchers.submit(
            lambda: self._read_one(record, target), weight_bytes=0
        )

    def _read_one(self, record: LightRecord, target: Path) -> Extracted | Unread:
        """Read one pack into `target`; runs in a thread."""
        if self._is_stopped:
            return Unread("it was not read any more")
        if reason := self.intake.refuse(record.pack_bytes):
            return Unread(reason, is_late=True)
        return self._try_one(record, target)

    def _try_one(self, record: LightRecord, target: Path) -> Extracted | Unread:
        try:
            return self._extract(record, target)
        except IntegrityError as exc:
            return Unread(exc.message, is_own=True, is_lost=True)
        except StoreFormatUnsupported as exc:  # of this one pack
            return Unread(exc.message, is_own=True)
        except DeadlinePassed as exc:
            self.late_by = exc
            return Unread(exc.message, is_late=True)
        except StoreError as exc:
            self._is_stopped = True
            self.stopped_by = exc
            return Unread(exc.message)
        except EndedError as exc:
            return Unread(str(exc), is_late=True)
        except OSError:
            self._is_stopped = True
            raise

    def _extract(self, record: LightRecord, target: Path) -> Extracted | Unread:
        stream = self._store.open_object(record.pack)
        if stream is None:
            reason = "its pack is missing from the store"
            return Unread(reason, is_own=True, is_lost=True)
        with stream, Flow(self.intake, stream, record.pack_bytes) as flow:
            return extract_pack(
                flow.read,
                digest=record.pack,
                size_bytes=record.pack_bytes,
                announced=Extracted(
                    tree_bytes=record.tree_bytes, tree_files=record.tree_files
                ),
                target=target,
                disk=self._disk,
                pool=self._writers,
            )
