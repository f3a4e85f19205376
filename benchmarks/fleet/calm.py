"""Wait until a daemon has pulled what is in the store, and promoted what is in the cache.

`python -m benchmarks.fleet.calm CACHE STORE`.  The share is asked once, at the beginning:
what others promote later is not waited for.
"""

import os
import sys
import time
from pathlib import Path

from wheelferry.daemon.account import read_account

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
    cache, store = map(Path, sys.argv[1:])
    give_up_s = time.monotonic() + _GIVE_UP_S
    changes = map(read_change, (cache / "archive-v0", store / "catalog"))
    since_s, state = max(changes), Path(f"{cache}.wheelferry")
    while not has_done(state, since_s=since_s):
        if time.monotonic() > give_up_s:
            raise SystemExit(f"the daemon has not come to rest: {read_account(state)}")
        time.sleep(_POLL_S)


if __name__ == "__main__":
    main()
