"""Scan a cache, and compare it with a store that has all of it already.

An archive has 100 tiny files, which neither step may touch.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.runner import FORMATS, Runner, make_runner
from benchmarks.steps import OURS, Group
from benchmarks.wheels import write_small_wheel
from tests.support.tiers import Ferry
from wheelferry.disk import Disk
from wheelferry.ops.promote import plan_promote
from wheelferry.uvcache.scan import scan_cache

_FILES_EACH = 100


def prepare(folder: Path, entries: int, _wheels: Path) -> None:
    """Make a runner whose entries are all in the store."""
    runner = make_runner(folder, "runner", settings=FORMATS)
    for number in range(entries):
        archive = runner.add_wheel(f"p{number}-1.0-py3-none-any.whl", number)
        write_small_wheel(archive, f"p{number}", files=_FILES_EACH)
    runner.wheelferry("promote", "--strict")


def _runner(folder: Path) -> Runner:
    return Runner(home=folder / "runner", store=folder / "store")


def scan(folder: Path) -> Callable[[], object]:
    """Find the entries."""
    return partial(scan_cache, _runner(folder).cache)


def compare(folder: Path) -> Callable[[], object]:
    """Plan a promotion, which finds nothing to do: scan, refresh, compare."""
    return partial(_compare, Ferry(cache=_runner(folder).cache, store=folder / "store"))


def _compare(ferry: Ferry) -> None:
    with ferry.open(Disk()) as tiers:
        if plan_promote(tiers, ferry.rules).candidates:
            raise SystemExit("there is something to promote")


def walk(folder: Path) -> Callable[[], object]:
    """List the same directories, and read the same pointers."""
    [bucket] = _runner(folder).cache.glob("wheels-*")
    return partial(_walk, bucket)


def _walk(directory: str | Path) -> None:
    with os.scandir(directory) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                _walk(entry.path)
            elif entry.name.endswith(".http"):
                with open(entry.path, "rb", buffering=0) as stream:  # noqa: PTH123
                    stream.read()


def walk_all(folder: Path) -> Callable[[], object]:
    """List all of the cache, archives included, and look at each file."""
    return partial(_walk_all, _runner(folder).cache)


def _walk_all(directory: str | Path) -> None:
    with os.scandir(directory) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                _walk_all(entry.path)
            else:
                entry.stat(follow_symlinks=False)


def describe(folder: Path) -> str:
    """Say how many entries and files there are."""
    entries = len(scan_cache(_runner(folder).cache).entries)
    return f"{entries:,} entries, {entries * _FILES_EACH:,} files in their archives"


GROUP = Group(
    unit="entries",
    sizes=(200,),
    prepare=prepare,
    describe=describe,
    steps={
        "scan": {OURS: scan, "scandir": walk, "scandir, all files": walk_all},
        "compare": {OURS: compare, "scandir": walk},
    },
)
