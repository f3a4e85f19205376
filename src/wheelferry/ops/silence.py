"""Remember that a store did not answer, so that the next jobs need not find out again.

One small file in the state directory, a line for each store: when it was last silent,
for how many seconds it is left alone since then, and where it is.  The file is a
convenience.  What cannot be read counts as not said, what cannot be written is not, and
of processes that write at once the last one wins.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from wheelferry.disk import Disk
from wheelferry.errors import (
    DeadlinePassed,
    StoreError,
    StoreSilent,
    StoreUnavailable,
    WheelferryError,
)

FILE: Final = "silent-stores"
FIRST_WAIT_S: Final = 60
MAX_WAIT_S: Final = 300

LONG_WAIT_S: Final = 5.0
"""An error after so long a wait counts as silence: a soft mount, or a short deadline."""

_LATE: Final = (DeadlinePassed, StoreUnavailable)
_FORGOTTEN_S: Final = 24 * 3600
_MAX_BYTES: Final = 16 << 10
_MAX_STORES: Final = 16


class Silence(NamedTuple):
    """That a store was silent.

    Attributes:
        at_s: When it last was, in seconds since the epoch.
        wait_s: For how long it is left alone since then.
    """

    at_s: float
    wait_s: int

    @property
    def until_s(self) -> float:
        """When it is asked again, in seconds since the epoch."""
        return self.at_s + self.wait_s

    def is_active(self, now_s: float) -> bool:
        """Return whether the store is to be left alone."""
        return now_s < self.until_s


def is_silence(error: WheelferryError | None, longest_wait_s: float) -> bool:
    """Return whether the next job would wait for the store in vain, too.

    Args:
        error: What ended the run, if anything did.
        longest_wait_s: For how long a call that failed had waited for an answer.
    """
    if isinstance(error, StoreSilent):
        return True
    if isinstance(error, StoreError) and not isinstance(error, _LATE):
        return False  # such as a full store: that is an answer
    return longest_wait_s >= LONG_WAIT_S


def recall(state: Path, location: str, *, now_s: float) -> Silence | None:
    """Return what is remembered of a store; it may be over (see `Silence.is_active`).

    A time in the future is not believed: the clock was set back.
    """
    known = _read(state, now_s)
    return known.get(_name(location)) if known else None


def note(state: Path, location: str, *, disk: Disk, now_s: float) -> Silence:
    """Remember that a store was silent just now; return for how long it counts.

    Twice as long as before if it was to be asked again; several processes that find it
    silent at the same time count as one.
    """
    known = _read(state, now_s)
    before = known.get(_name(location))
    if before is None:
        wait_s = FIRST_WAIT_S
    elif before.is_active(now_s):
        wait_s = before.wait_s
    else:
        wait_s = min(2 * before.wait_s, MAX_WAIT_S)
    silence = Silence(now_s, wait_s)
    _write(state, {**known, _name(location): silence}, disk)
    return silence


def forget(state: Path, location: str, *, disk: Disk, now_s: float) -> bool:
    """Forget that a store was silent, since it answered; return whether it was known."""
    known = dict(_read(state, now_s))
    if known.pop(_name(location), None) is None:
        return False
    _write(state, known, disk)
    return True


def _name(location: str) -> str:
    """Return a location as the file has it: one line, whatever is in it."""
    return location.encode("unicode_escape").decode("ascii")


def _read(state: Path, now_s: float) -> Mapping[str, Silence]:
    try:
        # Not waiting for a writer, should it be a pipe.
        fd = os.open(state / FILE, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return {}
    try:
        data = os.read(fd, _MAX_BYTES)
    except OSError:
        return {}
    finally:
        os.close(fd)
    found: dict[str, Silence] = {}
    for line in data.decode("ascii", "replace").split("\n"):
        at, _, rest = line.partition(" ")
        wait, _, name = rest.partition(" ")
        with suppress(ValueError):
            silence = Silence(float(at), int(wait))
            if _is_credible(silence, now_s):
                found[name] = silence
    return found


def _is_credible(silence: Silence, now_s: float) -> bool:
    is_past = now_s - _FORGOTTEN_S <= silence.at_s <= now_s
    return is_past and FIRST_WAIT_S <= silence.wait_s <= MAX_WAIT_S


def _write(state: Path, known: Mapping[str, Silence], disk: Disk) -> None:
    newest = sorted(known.items(), key=lambda item: item[1].at_s)[-_MAX_STORES:]
    text = "".join(f"{s.at_s:.3f} {s.wait_s} {name}\n" for name, s in newest)
    path = state / FILE
    temporary = state / f"{FILE}.{os.urandom(6).hex()}"
    with suppress(OSError):
        if not newest:
            disk.unlink(path)
            return
        try:
            disk.create_file(temporary, text.encode(), 0o644)
            disk.rename(temporary, path)
        except OSError:
            disk.unlink(temporary)
