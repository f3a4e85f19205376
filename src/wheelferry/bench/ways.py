"""What each way costs, of what was measured.

Pure.  The time of a job is that until its environment is complete: with uv's cache on the
share the files are copied into it, else they are hardlinked, once they are in the cache.

A part that was measured stands for the whole: packages by the size of their files
in the lock, or else by their number; files of a tree by number, and their bytes by bytes.
"""

from wheelferry.bench.facts import (
    Archived,
    LockFacts,
    Measured,
    Pulled,
    Sampled,
    Spent,
)
from wheelferry.bench.forecast import FREE, UNKNOWN, Cost, Name, Way


def make_ways(measured: Measured, index_mbit: float | None = None) -> tuple[Way, ...]:
    """Return all ways, the one without sharing first and Wheelferry last.

    Args:
        measured: What was found out.
        index_mbit: Speed of the index in Mbit/s, if somebody says so: the time of the
            way without sharing is computed of it, and is unknown otherwise.
    """
    lock, pulled = measured.lock, measured.pulled
    whole = lock.all_bytes
    package = None if whole is None else whole / max(1, lock.packages)
    linked = _linked(lock, pulled)
    none = Way(
        Name.NONE,
        fresh=_from_index(whole, index_mbit).plus(linked),
        again=linked,
        publish=FREE,
        follow=_from_index(package, index_mbit),
    )
    if pulled is None:
        names = (Name.UV, Name.ARCHIVE, Name.WHEELFERRY)
        return (none, *(_unknown(name, package) for name in names))
    scale = scale_of(lock, pulled)
    return (
        none,
        _uv_on_share(measured.sampled, pulled, scale, package),
        _archive(measured.archived, pulled, scale, package, linked),
        _wheelferry(pulled, scale, package, linked),
    )


def scale_of(lock: LockFacts, pulled: Pulled) -> float:
    """Return how many times as much all packages are as those that were pulled."""
    if pulled.index_bytes:
        return max(1.0, lock.index_bytes / pulled.index_bytes)
    return lock.packages / max(1, pulled.packages)


def _from_index(size_bytes: float | None, index_mbit: float | None) -> Cost:
    if size_bytes is None or not index_mbit:
        return Cost(index_bytes=size_bytes, seconds=None)
    return Cost(index_bytes=size_bytes, seconds=size_bytes * 8 / (index_mbit * 1e6))


def _linked(lock: LockFacts, pulled: Pulled | None) -> Cost:
    if pulled is None:
        return Cost(seconds=None)
    return Cost(seconds=pulled.link_s * scale_of(lock, pulled))


def _unknown(name: Name, package: float | None) -> Way:
    shared = UNKNOWN._replace(index_bytes=0)
    publish = UNKNOWN._replace(index_bytes=package)
    return Way(name, fresh=shared, again=shared, publish=publish, follow=shared)


def _uv_on_share(
    sampled: Sampled | None, pulled: Pulled, scale: float, package: float | None
) -> Way:
    """Each job copies every file from the share: by number of files, bytes by bytes."""
    if sampled is None:
        return _unknown(Name.UV, package)
    by_files = scale * pulled.tree_files / max(1, sampled.files)
    by_bytes = scale * pulled.tree_bytes / max(1, sampled.size_bytes)
    written = pulled.tree_bytes / max(1, pulled.packages)
    return Way(
        Name.UV,
        fresh=_cost(sampled.fresh, by_files, by_bytes),
        again=_cost(sampled.again, by_files, by_bytes),
        publish=Cost(index_bytes=package, share_bytes=written),
        follow=FREE,
    )


def _archive(
    archived: Archived | None,
    pulled: Pulled,
    scale: float,
    package: float | None,
    linked: Cost,
) -> Way:
    """A changed package changes the archive: all of it is written and read anew."""
    if archived is None:
        return _unknown(Name.ARCHIVE, package)
    by_bytes = scale * pulled.tree_bytes / max(1, archived.tree_bytes)
    whole = _cost(archived.fresh, by_bytes, by_bytes)
    written = archived.archive_bytes * by_bytes
    return Way(
        Name.ARCHIVE,
        fresh=whole.plus(linked),
        again=linked,
        publish=Cost(index_bytes=package, share_bytes=written),
        follow=whole,
    )


def _wheelferry(
    pulled: Pulled, scale: float, package: float | None, linked: Cost
) -> Way:
    """A pull with nothing to do costs the same for any number of packages."""
    number = max(1, pulled.packages)
    return Way(
        Name.WHEELFERRY,
        fresh=_cost(pulled.fresh, scale, scale).plus(linked),
        again=_cost(pulled.again, 1, 1).plus(linked),
        publish=Cost(index_bytes=package, share_bytes=pulled.pack_bytes / number),
        follow=_cost(pulled.fresh, 1 / number, 1 / number),
    )


def _cost(spent: Spent, factor: float, byte_factor: float) -> Cost:
    return Cost(
        index_bytes=0,
        share_bytes=spent.read_bytes * byte_factor,
        rpcs=None if spent.rpcs is None else spent.rpcs * factor,
        seconds=spent.seconds * factor,
    )
