"""Two pulls into one cache at once: each pack is read by one of them.

A pull claims a pack before it reads it, and until its entries are published.  What
another has claimed it puts off to the end.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from wheelferry.disk.bytelocks import MAX_OFFSET, ByteLocks
from wheelferry.disk.clock import Deadline
from wheelferry.store.record import Digest

FILE: Final = "claims"

POLL_S: Final = 0.05

MAX_WAIT_S: Final = 60.0
"""For how long a pull waits for packs that another one has claimed, at most.

A pull with a deadline waits for half of the time that it has left then.  After that it
reads them itself: who claims them is stuck, or too slow to be waited for.
"""


class Claims:
    """The packs that this process reads; the end of the `with` block gives them up.

    A claim is a lock on the local disk, so the kernel gives up those of the dead.  A
    convenience: where none can be had, every pack counts as ours.
    """

    def __init__(self, state: Path) -> None:
        self._locks: ByteLocks | None = None
        with suppress(OSError):
            self._locks = ByteLocks(state / FILE)
        self._held: set[Digest] = set()
        self._is_waived = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._locks is not None:
            self._locks.close()

    def take(self, pack: Digest) -> bool:
        """Return whether the pack is ours to read; if not, another pull is at it."""
        if self._locks is None or pack in self._held:
            return True
        try:
            is_ours = self._locks.try_lock(_offset(pack))
        except OSError:  # a filesystem without locks
            return True
        if is_ours:
            self._held.add(pack)
        return is_ours or self._is_waived

    def give_up(self, packs: Iterable[Digest]) -> None:
        """Let others have these packs."""
        for pack in self._held.intersection(packs):
            self._held.discard(pack)
            if self._locks is not None:
                self._locks.unlock(_offset(pack))

    def waive(self) -> None:
        """From now on, take what others have claimed too."""
        self._is_waived = True


def patience(deadline: Deadline) -> Deadline:
    """Return until when to wait for packs that others have claimed."""
    return Deadline.after(min(MAX_WAIT_S, deadline.remaining_s() / 2))


def _offset(pack: Digest) -> int:
    return int(pack[:16], 16) & MAX_OFFSET
