"""uv's own locks on its cache, taken the way uv takes them.

`uv cache prune` and `clean` hold the root's `.lock` exclusively, every other uv command
holds it shared (from 0.8 on), and so do we while we restore.  A build holds the `.lock`
beside the sdist's pointer.

Order, as in uv: root (shared), then one sdist.  We never wait for an sdist's lock, and
hold no second one, so no deadlock can arise.  The `<stem>.lock` of a wheel (uv 0.12.12
and later) is not taken: uv holds it to unpack a wheel only once, while what we create
beside it (link, pointer) is created only if absent, and uv replaces those by rename.
"""

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from wheelferry.disk import Disk, FileLock, try_lock
from wheelferry.disk.clock import monotonic_s, pause
from wheelferry.disk.lock import is_locked
from wheelferry.errors import CacheError

LOCK = ".lock"

_TAG = b"Signature: 8a477f597d28d172789f06886806bc55"  # https://bford.info/cachedir/
_LOCK_MODE = 0o666


def lock_cache(
    root: Path,
    *,
    disk: Disk,
    wait_s: float,
    shared: bool = True,
    poll_s: float = 0.05,
    clock: Callable[[], float] = monotonic_s,
    sleep: Callable[[float], None] = pause,
) -> FileLock | None:
    """Take the cache's root lock; return None if it stays held for `wait_s`.

    Shared, to add to the cache; else exclusively, to remove from it as `uv cache prune`
    does.  It is asked for again and again, and not queued for: so nobody waits for us
    who would not wait for the present holder.

    Makes what uv makes in a new cache, so that it works before any uv has run.  The lock
    is on the file that the path names at the time of the return: `uv cache clean` removes
    it, and whoever waited for the old one would hold nothing.  As clean unlocks before it
    removes, `is_current` has to be asked again after the work.

    A uv older than 0.8 knows no root lock: ours does not stop its prune, which even
    removes the file as one that it does not know.

    Raises:
        CacheError: The cache cannot be made or its lock file cannot be opened.
    """
    path = root / LOCK
    end = clock() + wait_s
    while True:
        try:
            _ensure_base_files(root, disk)
            lock = _try_current(path, shared=shared)
        except FileNotFoundError:
            lock = None  # `clean` removed the root between our two steps
        except OSError as exc:
            raise _refused(path, exc) from exc
        if lock is not None:
            return lock
        left_s = end - clock()
        if left_s <= 0:
            return None
        sleep(min(poll_s, left_s))


def lock_sdist(directory: Path, *, disk: Disk) -> FileLock | None:
    """Take the lock of one sdist, exclusively; return None if it is held.

    By uv, which builds it, or by another pull.  Never waits: a build may take an hour.
    `directory` is the one that has `revision.http`, or that of a git commit; it must
    exist.

    Raises OSError if the lock file cannot be made or opened.
    """
    path = directory / LOCK
    _ensure_lock_file(path, disk)
    return _try_current(path, shared=False)


def is_in_use(root: Path) -> bool:
    """Return whether a uv command, or a pull of ours, is at work with the cache.

    uv holds the root's lock from its start to its end, and `uv run` for as long as what
    it runs.  A uv older than 0.8.19 has no such lock, and is not seen.

    A uv that starts in the microseconds that this takes waits for their end, and says so
    only with `-v`.
    """
    return is_locked(root / LOCK)


def _try_current(path: Path, *, shared: bool) -> FileLock | None:
    lock = try_lock(path, shared=shared, mode=_LOCK_MODE)
    if lock is None or lock.is_current():
        return lock
    lock.close()
    return None


def _ensure_base_files(root: Path, disk: Disk) -> None:
    """Make the root and what uv has at the top of every cache, if missing.

    A kill leaves a part of it, which uv completes; also an empty `CACHEDIR.TAG`, which
    uv leaves as it is.
    """
    if not root.is_dir():
        disk.make_dirs(root)
    for name, data in (("CACHEDIR.TAG", _TAG), (".gitignore", b"*")):
        path = root / name
        if not path.exists():
            with suppress(FileExistsError):
                disk.create_file(path, data)
    _ensure_lock_file(root / LOCK, disk)


def _ensure_lock_file(path: Path, disk: Disk) -> None:
    """Make a lock file that every user may lock, whatever the umask, as uv does.

    Under its own name at once: a temporary name in the root could make a `uv cache
    prune` of old fail, which trips over what vanishes.  A kill between the two steps
    leaves a file that locks the same, for fewer users.
    """
    if not path.exists():
        with suppress(FileExistsError):  # a uv that started at the same time made it
            disk.create_file(path, b"", _LOCK_MODE)
            disk.set_mode(path, _LOCK_MODE)


def _refused(path: Path, exc: OSError) -> CacheError:
    hint = f"check the disk that holds {path.parent}"
    if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = f"run as the user whose jobs use {path.parent}, who can write there"
    return CacheError(f"cannot lock the uv cache at {path}: {exc.strerror}", hint=hint)
