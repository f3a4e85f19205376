"""What processes take, as the kernel tells it: a process and all that are below it."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_SWITCHES = "voluntary_ctxt_switches:"


class Holdings(NamedTuple):
    """What processes hold now, in sum.

    Attributes:
        processes: How many they are.
        threads, files: Those that they have; files with pipes and all else.
        rss_bytes: Memory, counted for each process that has it.
        pss_bytes: Memory, what several have divided by their number.
    """

    processes: int
    threads: int
    files: int
    rss_bytes: int
    pss_bytes: int


class Effort(NamedTuple):
    """What processes have done since they were started, in sum.

    Attributes:
        cpu_s: Time of a core, with that of children that have ended; to 10 ms.
        wakeups: How often they went to sleep, and so were woken.
    """

    cpu_s: float
    wakeups: int


def family(pid: int) -> list[int]:
    """Return a process and all that it started, and so on, as far as they live."""
    below: dict[int, list[int]] = {}
    for path in _PROC.glob("[0-9]*/stat"):
        if fields := _stat(int(path.parent.name)):
            below.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = [pid]
    for member in found:
        found += below.get(member, [])
    return found


def holdings(pids: Iterable[int]) -> Holdings:
    """Return what these processes hold; one that has ended holds nothing."""
    known = [one for pid in pids if (one := _holdings(pid)) is not None]
    return Holdings(*map(sum, zip(*known, strict=True)))


def effort(pids: Iterable[int]) -> Effort:
    """Return what these processes have done."""
    known = [one for pid in pids if (one := _effort(pid)) is not None]
    return Effort(sum(one.cpu_s for one in known), sum(one.wakeups for one in known))


def inotify_watches(pid: int) -> int:
    """Return how many inotify watches a process has."""
    texts = (_read(path) for path in (_PROC / str(pid) / "fdinfo").iterdir())
    return sum(text.count("inotify wd:") for text in texts)


def _holdings(pid: int) -> Holdings | None:
    home = _PROC / str(pid)
    sizes = {
        line.partition(":")[0]: int(line.split()[1]) * 1024
        for line in _read(home / "smaps_rollup").splitlines()[1:]
    }
    try:
        threads, files = (len([*(home / name).iterdir()]) for name in ("task", "fd"))
    except FileNotFoundError:
        return None
    return (sizes and Holdings(1, threads, files, sizes["Rss"], sizes["Pss"])) or None


def _effort(pid: int) -> Effort | None:
    fields = _stat(pid)
    if not fields:
        return None
    texts = [_read(path) for path in (_PROC / str(pid) / "task").glob("*/status")]
    return Effort(
        cpu_s=sum(map(int, fields[11:15])) / _TICKS,
        wakeups=sum(_field(text, _SWITCHES) for text in texts),
    )


def _field(text: str, name: str) -> int:
    _, _, rest = text.partition(name)
    return int(rest.split()[0]) if rest else 0


def _stat(pid: int) -> list[str]:
    """Return the fields of stat from the third on; none if the process has ended."""
    return _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
