"""One line for each run, on this runner's own disk: what it carried, saved and cost.

`figures_file` reads the lines.  This is all that a pull with nothing to do loads of
figures, and all that it does for them.  A run whose line cannot be written goes on.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final, NamedTuple

from wheelferry.disk import Disk, try_lock
from wheelferry.disk.clock import monotonic_s, pause

LOG: Final = "figures.log"
LOCK: Final = "figures.lock"

MAX_LOG_BYTES: Final = 1 << 20

WAIT_S: Final = 0.2
_POLL_S: Final = 0.01

_DAY_S: Final = 24 * 3600


class Run(NamedTuple):
    """A run that is to be noted.

    Attributes:
        began_s: When it began, on the clock of `monotonic_s`.
        is_awaited: Whether a job waits for it.
    """

    began_s: float
    is_awaited: bool = True


def note_run(
    state: Path,
    run: Run,
    sums: Mapping[str, float],
    packages: Sequence[Mapping[str, object]] = (),
    *,
    now_s: float,
    disk: Disk,
) -> None:
    """Add a line for a run that ends now.

    One write, so that a kill leaves all of it or nothing.  Lines are rolled up, by day,
    once a day, and when they are more than MAX_LOG_BYTES.

    Args:
        state: The runner's own directory; without it nothing is noted.
        run: What it was.
        sums: By the names of `figures.Sums`; what is not there is 0.
        packages: By the names of `figures.PackageSums`, each.
        now_s: This host's time, in seconds since the epoch.
        disk: What changes the disk.
    """
    took = "waited_s" if run.is_awaited else "background_s"
    known = {**sums, took: round(monotonic_s() - run.began_s, 3)}
    # By hand: the JSON writer takes as long to load as all of this.
    fields = ",".join(f'"{name}":{value!r}' for name, value in known.items() if value)
    more = _encode(packages)
    # What was written half, on a disk that was full, is a line of its own.
    line = f'\n{{"day":{int(now_s // _DAY_S)},"sums":{{{fields}}}{more}}}'
    try:
        with _kept(state / LOCK):
            size_bytes = _append(state / LOG, line.encode(), disk)
    except OSError:
        return
    if size_bytes > MAX_LOG_BYTES:
        from wheelferry.ops.figures_file import roll  # noqa: PLC0415

        roll(state, disk)


def _append(path: Path, data: bytes, disk: Disk) -> int:
    fd = disk.open_append(path, 0o644)
    try:
        disk.write(fd, data)
        return os.fstat(fd).st_size
    finally:
        os.close(fd)


def _encode(packages: Sequence[Mapping[str, object]]) -> str:
    if not packages:
        return ""
    import json  # noqa: PLC0415

    return f',"packages":{json.dumps(list(packages))}'


@contextmanager
def _kept(path: Path) -> Iterator[None]:
    """Keep the lines from being rolled up while one is added.

    That takes milliseconds; who finds it going on for longer does not wait for its end, and
    a line may be lost if the next one begins at that moment.
    """
    lock = try_lock(path, shared=True, mode=0o644)
    end_s = monotonic_s() + WAIT_S
    while lock is None and monotonic_s() < end_s:
        pause(_POLL_S)
        lock = try_lock(path, shared=True, mode=0o644)
    with lock or nullcontext():
        yield
