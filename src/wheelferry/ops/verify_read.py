"""Read what a store holds, and what looks damaged once more; several packs at a time.

What is said of a file is said after two reads, of a file that was opened anew: one machine
with bad memory must not talk a fleet out of its store.
"""

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from threading import Event as Flag
from typing import Final, Generic, NamedTuple, TypeVar

from wheelferry.errors import (
    IntegrityError,
    StoreFormatUnsupported,
    StoreSilent,
    StoreUnavailable,
    WheelferryError,
)
from wheelferry.pack.pool import BUDGET_BYTES, Job, Pool
from wheelferry.pack.reader import Extracted, check_pack
from wheelferry.store.base import Store
from wheelferry.store.upkeep import Dated

T = TypeVar("T")

JOBS: Final = 4
"""Packs that are read at a time: as many calls as the process on the store takes."""

_DAMAGE: Final = (IntegrityError, StoreUnavailable)
"""What one file can have, and the store as a whole be well."""


class Verdict(NamedTuple, Generic[T]):
    """What came of a read.

    Attributes:
        value: What was read; None if there is nothing, or nothing sound.
        problem: What both reads, or one that needs no second, complained of.
        doubt: What two reads said, if they did not say the same: the machine is in doubt.
    """

    value: T | None = None
    problem: WheelferryError | None = None
    doubt: str = ""


class _Stopped(Exception):
    """Somebody else's read has ended all of them."""


def read_twice(read: Callable[[], T | None]) -> Verdict[T]:
    """Return what `read` returns; if it finds damage, ask it once more.

    Damage on the share is the same each time: what is wrong with the digest of a file
    says which one it has.  What differs from read to read is of this machine.

    Raises StoreError of the store as a whole.
    """
    try:
        return Verdict(read())
    except StoreFormatUnsupported as exc:
        return Verdict(problem=exc)
    except StoreSilent:
        raise  # so is all the rest of the store
    except _DAMAGE as first:
        said = f"one read found: {first.message}; the next read found"
        try:
            return Verdict(read(), doubt=f"{said} nothing wrong")
        except StoreSilent:
            raise
        except _DAMAGE as second:
            are_of_bytes = isinstance(first, IntegrityError) and isinstance(
                second, IntegrityError
            )
            if are_of_bytes and first.message != second.message:
                return Verdict(problem=second, doubt=f"{said}: {second.message}")
            return Verdict(problem=second)


def read_packs(
    store: Store,
    wanted: Iterable[Dated],
    settle: Callable[[Dated, Verdict[Extracted]], None],
) -> None:
    """Read packs in a few threads; call `settle` here with each, in the order given.

    Raises StoreError of the store as a whole; then, and on any other error, no more is
    read.
    """
    is_over = Flag()
    waiting: deque[tuple[Dated, Job[Verdict[Extracted]]]] = deque()

    def settle_first() -> None:
        item, job = waiting.popleft()
        settle(item, job.result())

    with Pool(JOBS) as pool:
        try:
            for item in wanted:
                call = partial(_read_pack, store, item, is_over)
                weight_bytes = BUDGET_BYTES // (2 * JOBS)
                waiting.append((item, pool.submit(call, weight_bytes=weight_bytes)))
                while waiting and (waiting[0][1].is_done() or len(waiting) > 4 * JOBS):
                    settle_first()
            while waiting:
                settle_first()
        finally:
            is_over.set()


def _read_pack(store: Store, item: Dated, is_over: Flag) -> Verdict[Extracted]:
    def read() -> Extracted | None:
        stream = store.open_object(item.digest)
        if stream is None:
            return None

        def take(size_bytes: int) -> bytes:
            if is_over.is_set():
                raise _Stopped
            return stream.read(size_bytes)

        with stream:
            return check_pack(take, digest=item.digest, size_bytes=item.size_bytes)

    return read_twice(read)
