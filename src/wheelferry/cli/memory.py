"""What this runner remembers of a store that did not answer, before and after a run."""

from contextlib import suppress
from pathlib import Path

from wheelferry.config.model import CacheConfig
from wheelferry.disk import Disk, clock
from wheelferry.errors import StoreError, StoreSilent, WheelferryError
from wheelferry.events import Event, Sink
from wheelferry.ops.silence import forget, is_silence, note, recall


class StoreMemory:
    """The memory of one store, for one run.

    Args:
        path: Where the store is; nothing is looked up there.
        cache: Where the memory is.
        makes_state: Whether the state directory may be made for it.
        disk: What changes it.
        emit: Hears of it when a store answers again.
    """

    def __init__(
        self,
        path: Path,
        cache: CacheConfig,
        *,
        makes_state: bool,
        disk: Disk,
        emit: Sink,
    ) -> None:
        self.stopped_by: WheelferryError | None = None
        """What ended the run half way, where that is a value and no exception."""
        self._location = str(path)
        self._cache = cache
        self._makes_state = makes_state
        self._disk = disk
        self._emit = emit
        self._known = recall(cache.state, self._location, now_s=clock.now_s())

    def refuse(self) -> None:
        """Raise StoreSilent if the store is to be left alone now."""
        now_s = clock.now_s()
        if self._known is not None and self._known.is_active(now_s):
            raise StoreSilent(
                f"the store in {self._location} did not answer"
                f" {now_s - self._known.at_s:.0f} s ago, and is asked again in"
                f" {self._known.until_s - now_s:.0f} s",
                hint="`wheelferry status` asks it now",
            )

    def settle(self, error: WheelferryError | None, longest_wait_s: float) -> None:
        """Remember, or forget, at the end of a run.

        `error` is what ended it, if anything did: its hint is told what follows.
        """
        error = error or self.stopped_by
        if is_silence(error, longest_wait_s):
            self._note(error)
        elif self._known is not None:
            self._forget(is_well=not isinstance(error, StoreError))

    def _note(self, error: WheelferryError | None) -> None:
        if self._makes_state:
            with suppress(OSError):  # it is there, or there is no place for it
                self._disk.make_dir(self._cache.state)
        silence = note(
            self._cache.state, self._location, disk=self._disk, now_s=clock.now_s()
        )
        if error is not None:
            more = f"pull and promote do without it for the next {silence.wait_s} s"
            error.hint = f"{error.hint}; {more}" if error.hint else more

    def _forget(self, *, is_well: bool) -> None:
        forget(self._cache.state, self._location, disk=self._disk, now_s=clock.now_s())
        if is_well:
            self._emit(
                Event(
                    name="store.answered",
                    message="the store answers again: pull and promote use it",
                )
            )
