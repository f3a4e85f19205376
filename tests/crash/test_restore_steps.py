"""Restore killed after each of its steps: uv finds entries whole, or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.disks import Died, DyingDisk
from tests.support.entries import OTHER_PACK, PACK, encode, make_info, payload_id
from tests.support.restoring import look, restore, snapshot, staging_of
from wheelferry.disk import Disk, WorkDir
from wheelferry.uvcache.entry import EntryInfo, Kind
from wheelferry.uvcache.presence import Part, State

CP311, CP312 = "cp311-cp311-linux_x86_64", "cp312-cp312-linux_x86_64"
BATCH = [
    (make_info(), PACK),
    (make_info(format_id="wheels-v3/array2"), PACK),
    (make_info(Kind.REGISTRY_SDIST, tags=CP311), PACK),
    (make_info(Kind.REGISTRY_SDIST, tags=CP312), OTHER_PACK),
    (make_info(Kind.GIT), PACK),
]


def empty(_: Path) -> None:
    """A runner that had no cache."""


def with_local_revision(root: Path) -> None:
    """A runner that built the sdist itself, for a third Python."""
    info = make_info(Kind.REGISTRY_SDIST, tags="cp313-cp313-linux_x86_64")
    restore(root, (info, "ef" * 32))
    (pointer,) = root.glob("sdists-v11/**/revision.http")
    home = pointer.parent / payload_id(pointer)
    home.rename(home.with_name("cVUXRgA1Ck0m539y"))
    pointer.write_bytes(encode(info.format_id, "cVUXRgA1Ck0m539y", info.hashes, ""))


def with_lost_archives(root: Path) -> None:
    """A runner whose archives were emptied by a power loss."""
    restore(root, *BATCH)
    for path in (root / "archive-v0").iterdir():
        Disk().remove_tree(path)
        path.mkdir()


def with_lost_records(root: Path) -> None:
    """A runner of whose archives only a part reached the disk."""
    restore(root, *BATCH)
    for path in root.glob("archive-v0/*/*.dist-info/RECORD"):
        path.unlink()


BROKEN = (with_lost_archives, with_lost_records)


def accepts(root: Path, info: EntryInfo, digest: str) -> bool:
    """Return whether uv can use the entry; fail if it would trip over it."""
    found = look(root, info, digest)
    assert not found.reason
    return not found.missing & {Part.ARCHIVE, Part.LINK, Part.POINTER}


@pytest.mark.parametrize("before", [empty, with_local_revision, *BROKEN])
def test_a_kill_at_any_step_leaves_a_cache_that_uv_accepts(
    tmp_path: Path, before: Callable[[Path], None]
) -> None:
    """No pointer names a lost archive, and the next restore completes what is missing."""
    counter = DyingDisk()
    before(tmp_path / "whole")
    restore(tmp_path / "whole", *BATCH, disk=counter)
    whole = snapshot(tmp_path / "whole")
    assert counter.steps > 10

    for step in range(1, counter.steps + 1):
        root = tmp_path / f"{step}" / "cache"
        root.parent.mkdir()
        before(root)
        had = [accepts(root, *pair) for pair in BATCH]
        local = snapshot(root)
        disk = DyingDisk(last_step=step)
        with pytest.raises(Died):
            restore(root, *BATCH, disk=disk)
        where = f"killed at step {step}, {disk.names[-1]}"

        after = snapshot(root)
        changed = [p for p in local if after.get(p) != local[p]]
        assert all(_was_useless(p, before) for p in changed), (where, changed)
        for path in root.glob("wheels-*/**/*.http"):
            named = root / "archive-v0" / payload_id(path)
            usable = any(named.glob("*.dist-info/RECORD"))
            assert usable or before in BROKEN, where
        has = [accepts(root, *pair) for pair in BATCH]
        assert all(now or not then for then, now in zip(had, has, strict=True)), where

        restore(root, *BATCH)
        again = snapshot(root)
        assert set(again) == set(whole), where
        assert all(look(root, *pair).state is State.PRESENT for pair in BATCH), where
        assert all(again[p] == data for p, data in local.items() if p not in changed)
        with WorkDir.open(staging_of(root), disk=Disk()):
            assert len(list(staging_of(root).iterdir())) == 1, "the dead are swept"


def _was_useless(path: str, before: Callable[[Path], None]) -> bool:
    """Return whether what is at that path may be replaced."""
    return before in BROKEN and path.startswith("archive-v0/")
