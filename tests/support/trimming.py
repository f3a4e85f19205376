"""Trim a cache that a test has made, with ages as the test wants them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.disks import CountingDisk
from wheelferry.disk import Disk
from wheelferry.events import Sink, discard
from wheelferry.ops.tiers import VIEW
from wheelferry.ops.trim import Place, TrimReport, apply_trim, read_plan
from wheelferry.ops.trim_plan import TrimPlan
from wheelferry.store.view import View
from wheelferry.store.view_file import read_store_id
from wheelferry.uvcache.holdings import read_holdings

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def nobody() -> None:
    """Say that no uv runs, whatever else goes on on this machine."""


def state_of(cache: Path) -> Path:
    """Return the state directory beside a cache, as by default."""
    return cache.with_name(f"{cache.name}.wheelferry")


@contextmanager
def place_of(
    cache: Path,
    disk: Disk | None = None,
    *,
    emit: Sink = discard,
    find_uv: Callable[[], int | None] = nobody,
) -> Iterator[Place]:
    """Open what a trim works with, as the command does."""
    disk = disk or CountingDisk()
    state = state_of(cache)
    place = Place(cache, state, None, disk, emit, find_uv=find_uv)
    store_id = read_store_id(state / VIEW)
    if store_id is None:
        yield place
        return
    with View.open(state / VIEW, store_id=store_id, disk=disk) as view:
        yield place._replace(view=view)


def trim(
    cache: Path,
    max_bytes: int,
    disk: Disk | None = None,
    *,
    find_uv: Callable[[], int | None] = nobody,
    meanwhile: Callable[[], object] = nobody,
) -> tuple[TrimPlan, TrimReport]:
    """Trim; `meanwhile` happens between the plan and its execution."""
    with place_of(cache, disk, find_uv=find_uv) as place:
        plan = read_plan(place, max_bytes=max_bytes)
        meanwhile()
        return plan, apply_trim(place, plan)


def size_of(cache: Path) -> int:
    """Return what a cache takes on the disk."""
    return read_holdings(cache).size_bytes


def use(archive: Path, *, after_s: float) -> None:
    """Have an archive look as if it was read so many seconds from now.

    From now, because no program can set a change time.
    """
    for path in archive.rglob("*"):
        if path.is_file():
            status = path.stat()
            used_ns = status.st_ctime_ns + int(after_s * 1e9)
            os.utime(path, ns=(used_ns, status.st_mtime_ns))


def archives(cache: Path) -> set[str]:
    """Return the archives that there are."""
    return {path.name for path in (cache / "archive-v0").iterdir()}


def dangling(cache: Path) -> list[str]:
    """Return the links that lead nowhere."""
    return [
        str(path.relative_to(cache))
        for path in cache.rglob("*")
        if path.is_symlink() and not path.exists()
    ]
