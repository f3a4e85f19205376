"""The same files by the other ways: one by one, and in one archive.

They are written to the folder on the share, forgotten by this machine's kernel, and read.
The kernel still knows their names, which a new runner would have to look up: so the other
ways cost at least what is measured here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from wheelferry.bench.course import Course
from wheelferry.bench.facts import Archived, Sampled
from wheelferry.bench.pulling import ENOUGH, Fetched
from wheelferry.bench.sample import choose_files, choose_within
from wheelferry.bench.trees import ARCHIVES, list_files

MAX_FILES: Final = 1000
_FULL: Final = 0.8
"""Of the room for an archive, what packs of that size may take: it compresses worse."""


def measure_files(
    course: Course, fetched: Fetched, max_bytes: int
) -> tuple[Sampled | None, float | None]:
    """Return what it takes to read them one by one, and to write one, in seconds."""
    files = choose_files(
        list_files(fetched.cache), max_files=MAX_FILES, max_bytes=max_bytes
    )
    yard, bounds = course.yard, course.bounds
    names = [file.name for file in files]
    written, _, write_s = yard.ask(
        "write_tree",
        str(fetched.cache),
        names,
        bounds.write_rate_bytes_s,
        bounds.part(0.3),
    )
    if not written:
        return None, None
    names = names[:written]
    yard.ask("forget_tree", names)
    read = []
    for attempt in ("fresh", "again"):
        target = course.work / attempt
        reading = course.meter.begin()
        count, size_bytes, read_s = yard.ask(
            "read_tree",
            names,
            str(target),
            bounds.read_rate_bytes_s,
            bounds.part(0.5),
        )
        read.append(Sampled(count, size_bytes, *[reading.end(size_bytes, read_s)] * 2))
        course.tiers.disk.remove_tree(target)
    fresh, again = read
    if not fresh.files or again.files != fresh.files:
        return None, write_s / written
    return fresh._replace(again=again.fresh), write_s / written


def measure_archive(
    course: Course, fetched: Fetched, max_bytes: int
) -> Archived | None:
    """Return what it takes to read and unpack them; None if there was no time, or room.

    What there is room for may be the small packages only, which compress like no others:
    fewer than half of the bytes say nothing of all.
    """
    yard, bounds = course.yard, course.bounds
    packs = [(f"{ARCHIVES}/{r.pack}", r.pack_bytes) for r in fetched.plan.fetched]
    names = _existing(fetched.cache, choose_within(packs, int(max_bytes * _FULL)))
    trees = {f"{ARCHIVES}/{r.pack}": r.tree_bytes for r in fetched.plan.fetched}
    tree_bytes = sum(trees[name] for name in set(names))
    if tree_bytes < ENOUGH * fetched.pulled.tree_bytes:
        return None
    size_bytes = yard.ask(
        "write_archive",
        str(fetched.cache),
        names,
        max_bytes,
        bounds.write_rate_bytes_s,
        bounds.part(0.6),
    )
    if not size_bytes:
        return None
    target = course.work / "unpacked"
    course.tiers.disk.make_dirs(target)
    reading = course.meter.begin()
    is_whole, seconds = yard.ask(
        "unpack_archive",
        str(target),
        course.tar,
        bounds.read_rate_bytes_s,
        bounds.part(0.9),
    )
    spent = reading.end(size_bytes, seconds)
    course.tiers.disk.remove_tree(target)
    if not is_whole:
        return None
    return Archived(size_bytes, tree_bytes, spent)


def _existing(cache: Path, names: Sequence[str]) -> list[str]:
    return [name for name in names if (cache / name).is_dir()]
