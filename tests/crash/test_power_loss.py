"""What is left when the power fails at any instant: no name without its content."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cachetree import formats_of, make_cache, many
from tests.support.powerloss import Instant, Node, RecordingDisk, rebuild
from tests.support.soundness import CacheJudge, damage, objects
from tests.support.tiers import Ferry, empty_store, make_store
from wheelferry.disk import Disk

ENTRIES = many()
FORMATS = formats_of(ENTRIES)


def losses_in_store(
    disk: RecordingDisk, root: Path, rebuilt: Path
) -> Iterator[tuple[str, list[str]]]:
    """Yield each state that a power loss can leave the store in, and what is damaged.

    A network filesystem need not keep the order of names, so that each one that was not
    synced may be missing by itself.
    """
    seen = set()
    for instant in disk.instants:
        visible = (f"{root}/objects/", f"{root}/catalog/")
        for names in _store_losses(instant, visible):
            shown = frozenset(
                (path, node in instant.lost)
                for path, node in names.items()
                if path.startswith(visible)
            )
            if shown not in seen:
                seen.add(shown)
                empty_store(rebuilt)
                rebuild(names, instant.lost, root=root, target=rebuilt)
                wrong = [f"{f.reference} {f.subject}" for f in damage(rebuilt)]
                yield f"after {instant.step}", wrong


def _store_losses(
    instant: Instant, visible: tuple[str, ...]
) -> Iterator[dict[str, Node]]:
    yield instant.survivors()
    for index, change in enumerate(instant.pending):
        if change.node is not None and change.path.startswith(visible):
            yield instant.lose_one(index)


def losses_in_cache(
    disk: RecordingDisk, root: Path, rebuilt: Path
) -> Iterator[tuple[str, list[str]]]:
    """Yield each state that a power loss can leave the cache in, and what is wrong."""
    judge = CacheJudge(ENTRIES)
    seen = set()
    for instant in disk.instants:
        names = instant.survivors()
        shown = frozenset(
            (path, node in instant.lost)
            for path, node in names.items()
            if path.startswith(f"{root}/") and ".tmp" not in path
        )
        if shown not in seen:
            seen.add(shown)
            Disk().remove_tree(rebuilt)
            rebuilt.mkdir()
            rebuild(names, instant.lost, root=root, target=rebuilt)
            yield f"after {instant.step}", judge.wrong(rebuilt)


def promote(scratch: Path, dropped: str | None = None) -> list[list[str]]:
    """Promote, and return what is damaged after a power loss at each instant."""
    cache = make_cache(scratch / "cache", ENTRIES)
    ferry = Ferry(cache=cache, store=make_store(scratch / "store"))
    disk = RecordingDisk(dropped)
    assert len(ferry.promote(disk).promoted) == len(ENTRIES)
    losses = losses_in_store(disk, ferry.store, make_store(scratch / "rebuilt"))
    return [wrong for _, wrong in losses]


def pull(scratch: Path, dropped: str | None = None) -> list[list[str]]:
    """Pull, and return what is wrong in the cache after a power loss at each instant."""
    store = make_store(scratch / "store")
    Ferry(cache=make_cache(scratch / "a", ENTRIES), store=store).promote()
    ferry = Ferry(cache=scratch / "b", store=store, runner="r2")
    disk = RecordingDisk(dropped)
    assert len(ferry.pull(FORMATS, disk).restored) == len(ENTRIES)
    # Of the same name, since absolute links lead to where the cache is.
    ferry.cache.rename(scratch / "real")
    losses = losses_in_cache(disk, ferry.cache, ferry.cache)
    return [wrong for _, wrong in losses]


def test_power_loss_in_a_promotion_leaves_a_clean_store(scratch: Path) -> None:
    """At no instant does a name come back without its content, or a segment alone."""
    states = promote(scratch)
    packs = len(objects(scratch / "store"))
    assert len(states) == packs + 2, "none, each pack in turn, and the segment"
    assert [wrong for wrong in states if wrong] == []


@pytest.mark.parametrize("dropped", ["sync_file", "sync_dir"])
def test_syncs_of_a_promotion_are_needed(scratch: Path, dropped: str) -> None:
    """Without one kind of sync, a power loss damages the store."""
    assert any(promote(scratch, dropped))


def test_power_loss_in_a_pull_leaves_a_cache_that_uv_accepts(scratch: Path) -> None:
    """At no instant does a pointer or link lead to an archive that is empty or torn."""
    states = pull(scratch)
    assert len(states) > 4 * len(ENTRIES)
    assert [wrong for wrong in states if wrong] == []


def test_the_sync_of_a_pull_is_needed(scratch: Path) -> None:
    """Without the one syncfs, a power loss leaves archives that uv fails on."""
    wrong = [line for lines in pull(scratch, "sync_filesystem") for line in lines]
    assert any("an archive that is not whole" in line for line in wrong)
