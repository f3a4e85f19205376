"""Wait until a daemon has pulled what is in the store, and promoted what is in the cache.

`python -m benchmarks.fleet.calm CACHE STORE`.  The share is asked once, at the beginning:
what others promote later is not waited for.  With `CACHE` alone: only until the daemon has
pulled for the first time, which is all that a runner's first job needs.
"""

import os
import sys
import time
from functools import partial
from pathlib import Path

from wheelferry.daemon.account import read_account
from wheelferry.daemon.schedule import Task

_POLL_S = 0.1
_GIVE_UP_S = 300.0


def has_done(state: Path, *, since_s: float) -> bool:
    """Return whether nothing waits, and a task has ended well after a change."""
    account = read_account(state)
    if account is None or not account.tasks:
        return False
    tasks = account.tasks.values()
    if any(task.waits_since_s is not None or task.last_s is None for task in tasks):
        return False
    return max(task.last_s or 0.0 for task in tasks) >= since_s


def has_pulled(state: Path) -> bool:
    """Return whether a pull has ended well."""
    account = read_account(state)
    pull = account and account.tasks.get(Task.PULL)
    return bool(pull and pull.last_s is not None)


def read_change(folder: Path) -> float:
    """Return when entries of a folder last changed; 0 if there is none."""
    try:
        folder_fd = os.open(folder, os.O_RDONLY)  # not what NFS remembers of it
    except FileNotFoundError:
        return 0.0
    try:
        return os.fstat(folder_fd).st_mtime
    finally:
        os.close(folder_fd)


def main() -> None:
    """Wait as the command line says."""
    cache, *stores = map(Path, sys.argv[1:])
    give_up_s = time.monotonic() + _GIVE_UP_S
    state = Path(f"{cache}.wheelferry")
    is_done = partial(has_pulled, state)
    if stores:
        changes = [read_change(cache / "archive-v0")]
        changes += (read_change(store / "catalog") for store in stores)
        is_done = partial(has_done, state, since_s=max(changes))
    while not is_done():
        if time.monotonic() > give_up_s:
            raise SystemExit(f"the daemon has not come to rest: {read_account(state)}")
        time.sleep(_POLL_S)


if __name__ == "__main__":
    main()
