"""What the daemon says of itself, for `wheelferry status`: a small file on the local disk.

`<state>/daemon.json` is replaced by rename whenever something changes; the lock on
`<state>/daemon.lock`, held for the daemon's life, tells whether it still counts.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from wheelferry.disk import Disk, clock
from wheelferry.disk.lock import FileLock, try_lock
from wheelferry.disk.replace import replace_file
from wheelferry.errors import CacheError, DaemonRunning
from wheelferry.ops.metrics import Known, decode_known, encode_known

FILE: Final = "daemon.json"
LOCK: Final = "daemon.lock"
_MAX_BYTES: Final = 64 << 10

_TRIES: Final = 10
_PAUSE_S: Final = 0.05
"""`read_account` holds the lock for a moment; a daemon holds it for longer than this."""


class TaskAccount(NamedTuple):
    """How one task goes; times in seconds since the epoch.

    Attributes:
        last_s: When it last ended well, if it did.
        last_did: What it did the last time that there was something to do.
        failures: How many runs in a row have failed.
        waits_since_s: Since when there is something that it has not done yet.
    """

    last_s: float | None = None
    last_did: str = ""
    failures: int = 0
    waits_since_s: float | None = None


class Carried(NamedTuple):
    """What a task has carried between cache and store since the start, or a reload.

    Attributes:
        entries: How many entries.
        size_bytes: Of packs, over the network.
    """

    entries: int = 0
    size_bytes: int = 0


class Removed(NamedTuple):
    """What a task has removed since the start, or a reload.

    Attributes:
        number: Of packs (gc), or of entries (trim).
        size_bytes: What they had.
        excess_bytes: What the last run left beyond the budget; None before the first.
    """

    number: int = 0
    size_bytes: int = 0
    excess_bytes: int | None = None


class Account(NamedTuple):
    """How the daemon goes; times in seconds since the epoch.

    Attributes:
        pid: Its process.
        version: Of Wheelferry.
        started_s: When it started.
        cache: What it watches.
        store: Where it carries to.
        runner: Who it is in the store.
        watching: `inotify`, `polling`, or `absent` while there is no cache.
        watches: How many inotify watches it has.
        degraded: What it lacks now, in words; empty if nothing.
        degraded_since_s: Since when.
        last_error: The last one, in words; empty if there was none.
        last_error_s: When that was.
        tasks: By name, how each goes.
        carried: By the task's name, what it carried, also for jobs that asked for it.
        removed: By the task's name, what it removed.
        known: What the runner knows of the store, as of the last run.
    """

    pid: int
    version: str
    started_s: float
    cache: str
    store: str
    runner: str
    watching: str = ""
    watches: int = 0
    degraded: str = ""
    degraded_since_s: float | None = None
    last_error: str = ""
    last_error_s: float | None = None
    tasks: Mapping[str, TaskAccount] = {}
    carried: Mapping[str, Carried] = {}
    removed: Mapping[str, Removed] = {}
    known: Known = Known()


def take_daemon_lock(state: Path, cache: Path) -> FileLock:
    """Become the one daemon of a cache, for as long as the lock is held.

    Raises:
        DaemonRunning: There is another one.
        CacheError: The lock cannot be taken.
    """
    for _ in range(_TRIES):
        try:
            lock = try_lock(state / LOCK, shared=False, mode=0o644)
        except OSError as exc:
            raise CacheError(
                f"cannot lock {state / LOCK}: {exc.strerror}",
                hint="cache.state must be in a place that this user may write to",
            ) from exc
        if lock is not None:
            return lock
        clock.pause(_PAUSE_S)
    other = _read(state)
    who = f" (process {other.pid})" if other else ""
    raise DaemonRunning(
        f"another daemon{who} serves the cache {cache}",
        hint="`wheelferry status` shows it; for several caches on one host see"
        " docs/operations.md",
    )


def write_account(state: Path, account: Account, disk: Disk) -> None:
    """Replace the file; what cannot be written is not, and nobody fails for it."""
    body = {
        **account._asdict(),
        "tasks": {name: task._asdict() for name, task in account.tasks.items()},
        "carried": {name: each._asdict() for name, each in account.carried.items()},
        "removed": {name: each._asdict() for name, each in account.removed.items()},
        "known": encode_known(account.known),
    }
    with suppress(OSError):
        replace_file(state / FILE, json.dumps(body).encode(), disk=disk)


def read_account(state: Path) -> Account | None:
    """Return what the daemon that runs now says of itself; None if there is none."""
    try:
        lock = try_lock(state / LOCK, shared=True, mode=None)
    except PermissionError:  # another user's; they may look all the same
        return _read(state)
    except OSError:
        return None
    if lock is not None:
        lock.close()
        return None
    return _read(state)


def _read(state: Path) -> Account | None:
    try:
        with (state / FILE).open("rb") as file:
            found: dict[str, Any] = json.loads(file.read(_MAX_BYTES))
        tasks = {name: TaskAccount(**task) for name, task in found["tasks"].items()}
        carried = {name: Carried(**each) for name, each in found["carried"].items()}
        removed = {name: Removed(**each) for name, each in found["removed"].items()}
        known = decode_known(found["known"])
        parts = {"carried": carried, "removed": removed, "known": known}
        return Account(**{**found, "tasks": tasks, **parts})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None  # not written yet, or by another version
