"""This runner's figures on its own disk: lines of runs, rolled up by day into one file.

`figures.log` has a line for each run.  To roll it up:

1. *rename* it to `figures.<8 hex>.log`: lines that come now are of the next one.
2. *write* the sums anew, with the names of what is in them, and *rename* them into place.
3. *unlink* what is in them.

Killed after 1 or 2: what the sums name is in them, and the rest is not; who reads, or
rolls up next, goes by that.  A kill loses nothing; what is damaged is begun anew, with a
warning, and never keeps a run from its work.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgpack

from wheelferry.disk import Disk, try_lock
from wheelferry.disk.clock import monotonic_s, pause
from wheelferry.errors import RecordMalformed
from wheelferry.events import Event, Level, Sink, discard
from wheelferry.ops.figures import Day, PackageSums, Sums, day_of, merge_days
from wheelferry.ops.figures_map import bound_days, decode_days, encode_days
from wheelferry.ops.ledger import LOCK, LOG
from wheelferry.store.bounded import as_array, as_map, as_text, checksum, unpack

FILE: Final = "figures.msgpack"

_OLD: Final = re.compile(r"(?a)figures\.[0-9a-f]{8}\.log")
_NOT_A_LINE: Final = (AttributeError, KeyError, TypeError, ValueError, RecordMalformed)
_CHECKSUM_BYTES: Final = 8
_MAX_FILE_BYTES: Final = 4 << 20
_MAX_READ_BYTES: Final = 8 << 20
_MAX_ITEMS: Final = 4096
_MAX_OLD: Final = 1000
_WAIT_S: Final = 1.0
_POLL_S: Final = 0.01


class Sending(NamedTuple):
    """What is on its way into the store.

    Attributes:
        name: Of the file that it is to be in, there.
        days: What it adds.
    """

    name: str
    days: tuple[Day, ...]


class Ledger(NamedTuple):
    """A runner's figures.

    Attributes:
        days: All that it did, as far as it is kept.
        unsent: What of that the store has not been told.
        sending: What it is being told.
        sent_as: Name of the runner's file in the store; "" if it has none.
        rolled: Names of the logs that are in here and may still be there.
    """

    days: tuple[Day, ...] = ()
    unsent: tuple[Day, ...] = ()
    sending: Sending | None = None
    sent_as: str = ""
    rolled: frozenset[str] = frozenset()


def read_ledger(state: Path, emit: Sink = discard) -> Ledger:
    """Return a runner's figures up to its last run; changes nothing."""
    while True:
        before = _stamp(state)
        try:
            rolled = _load(state, emit)
        except OSError as exc:
            _warn(emit, f"cannot read {state / FILE}: {exc.strerror}")
            rolled = Ledger()
        ledger = _add_logs(rolled, _logs(state), state, emit)
        if _stamp(state) == before:  # else some of it was just rolled up
            return ledger


def is_first_day(state: Path, now_s: float) -> bool:
    """Return whether this runner has done nothing before today, as far as is known."""
    today = day_of(now_s)
    return all(day.day >= today for day in read_ledger(state).days)


def roll(
    state: Path,
    disk: Disk,
    emit: Sink = discard,
    change: Callable[[Ledger], Ledger] = lambda ledger: ledger,
) -> Ledger | None:
    """Roll up what has come, and return the ledger; None if that cannot be done now.

    Args:
        state: The runner's own directory.
        disk: What changes it.
        emit: Where warnings go.
        change: What else is to be different then.
    """
    try:
        with _locked(state / LOCK) as is_locked:
            if not is_locked:
                return None
            return _roll(state, disk, emit, change)
    except OSError as exc:
        emit(
            Event(
                name="figures.refused",
                level=Level.DEBUG,
                message=f"this runner's figures are not rolled up: {exc}",
            )
        )
        return None


def _roll(
    state: Path, disk: Disk, emit: Sink, change: Callable[[Ledger], Ledger]
) -> Ledger:
    if (state / LOG).exists():
        disk.rename(state / LOG, state / f"figures.{os.urandom(4).hex()}.log")
    old = [name for name in _logs(state) if name != LOG]
    ledger = change(_add_logs(_load(state, emit), old, state, emit))
    ledger = ledger._replace(
        days=bound_days(ledger.days),
        unsent=bound_days(ledger.unsent),
        rolled=frozenset(old),
    )
    staged = state / f"{FILE}.new"
    disk.unlink(staged)  # of a run that was killed
    fd = disk.open_new(staged, 0o644)
    try:
        disk.write(fd, _encode(ledger))
        disk.sync_file(fd)
    finally:
        os.close(fd)
    disk.rename(staged, state / FILE)
    for name in old:
        disk.unlink(state / name)
    return ledger


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Keep lines and other rolls away; tells whether that worked."""
    end_s = monotonic_s() + _WAIT_S
    while (lock := try_lock(path, shared=False, mode=0o644)) is None:
        if monotonic_s() >= end_s:
            yield False
            return
        pause(_POLL_S)
    with lock:
        yield True


def _logs(state: Path) -> list[str]:
    """Return the names of the logs that are there."""
    try:
        names = [path.name for path in state.iterdir()]
    except OSError:
        return []
    return sorted(n for n in names if n == LOG or _OLD.fullmatch(n))[:_MAX_OLD]


def _stamp(state: Path) -> tuple[int, int] | None:
    try:
        status = (state / FILE).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _load(state: Path, emit: Sink) -> Ledger:
    """Return what was rolled up; nothing, if it is damaged.  Raises OSError."""
    try:
        with (state / FILE).open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return Ledger()
    try:
        return _decode(data, str(state / FILE))
    except RecordMalformed as exc:
        _warn(emit, f"{exc.message}; this runner's figures are begun anew")
        return Ledger()


def _add_logs(ledger: Ledger, names: list[str], state: Path, emit: Sink) -> Ledger:
    """Return the ledger with what the logs have that it does not have."""
    days: list[Day] = []
    for name in names:
        if name not in ledger.rolled:
            days += _read_log(state / name, emit)
    return ledger._replace(
        days=merge_days((*ledger.days, *days)),
        unsent=merge_days((*ledger.unsent, *days)),
    )


def _read_log(path: Path, emit: Sink) -> list[Day]:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_READ_BYTES)
    except OSError:
        return []
    found: list[Day] = []
    damaged = 0
    for line in filter(None, data.split(b"\n")):
        try:
            found.append(_parse_line(line))
        except _NOT_A_LINE:
            damaged += 1
    if damaged:
        _warn(emit, f"{path}: {damaged} of its lines cannot be read")
    return found


def _parse_line(line: bytes) -> Day:
    found: dict[str, Any] = json.loads(line)
    packages: list[Mapping[str, Any]] = found.get("packages", [])
    day = Day(
        day=found["day"],
        sums=Sums(**found["sums"]),
        packages=tuple(PackageSums(**package) for package in packages),
    )
    # With the bounds, and the types, of what comes from elsewhere.
    (checked,) = decode_days(encode_days(bound_days([day])), "")
    return checked


def _encode(ledger: Ledger) -> bytes:
    sending = ledger.sending
    body: bytes = msgpack.packb(
        {
            "days": encode_days(ledger.days),
            "unsent": encode_days(ledger.unsent),
            "sending": sending and [sending.name, encode_days(sending.days)],
            "sent_as": ledger.sent_as,
            "rolled": sorted(ledger.rolled),
        }
    )
    return checksum(body).to_bytes(_CHECKSUM_BYTES, "little") + body


def _decode(data: bytes, where: str) -> Ledger:
    body = data[_CHECKSUM_BYTES:]
    expected = checksum(body).to_bytes(_CHECKSUM_BYTES, "little")
    if len(data) > _MAX_FILE_BYTES or data[:_CHECKSUM_BYTES] != expected:
        raise RecordMalformed(f"{where}: checksum does not match")
    found = as_map(unpack(body, max_items=_MAX_ITEMS, where=where), where)
    sending = found.get("sending")
    rolled = as_array(found.get("rolled"), where, max_items=_MAX_OLD)
    return Ledger(
        days=decode_days(found.get("days"), where),
        unsent=decode_days(found.get("unsent"), where),
        sending=None if sending is None else _decode_sending(sending, where),
        sent_as=as_text(found.get("sent_as"), where, max_chars=_MAX_ITEMS),
        rolled=frozenset(as_text(n, where, max_chars=_MAX_ITEMS) for n in rolled),
    )


def _decode_sending(value: object, where: str) -> Sending:
    pair = as_array(value, where, max_items=2)
    if len(pair) != 2:
        raise RecordMalformed(f"{where}: not a name and days")
    name, days = pair
    return Sending(as_text(name, where, max_chars=_MAX_ITEMS), decode_days(days, where))


def _warn(emit: Sink, message: str) -> None:
    emit(Event(name="figures.damaged", level=Level.WARNING, message=message))
