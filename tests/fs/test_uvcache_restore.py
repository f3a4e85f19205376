"""Entries are put in place whole or not at all, and nothing of uv's is overwritten."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.disks import DyingDisk, FailingDisk
from tests.support.entries import (
    OTHER_FILE,
    OTHER_PACK,
    PACK,
    encode,
    make_info,
    make_tree,
    payload_id,
)
from tests.support.restoring import (
    look,
    restore,
    snapshot,
    staging_of,
)
from wheelferry.disk import Disk, FileLock, try_lock
from wheelferry.errors import CacheError, CacheLocked
from wheelferry.uvcache.entry import Kind
from wheelferry.uvcache.formats import FORMATS
from wheelferry.uvcache.locks import lock_cache
from wheelferry.uvcache.presence import State
from wheelferry.uvcache.restore import Restorable, Result, publish
from wheelferry.uvcache.stage import Stage

BUILT = [kind for kind in Kind if kind.is_built]
CP311 = "cp311-cp311-linux_x86_64"
CP312 = "cp312-cp312-linux_x86_64"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A cache that does not exist yet."""
    return tmp_path / "cache"


@pytest.mark.parametrize("settings", ["", "c029b6f00a12f17d"])
@pytest.mark.parametrize("kind", Kind)
def test_an_entry_is_restored_whole(root, kind, settings):
    """All of its parts are there, and a second restore has nothing to do."""
    info = make_info(kind, settings=settings if kind.is_built else "")
    (outcome,) = restore(root, info)
    assert (outcome.result, outcome.reason) == (Result.RESTORED, "")

    found = look(root, info)
    assert found.state is State.PRESENT
    assert found.archive_id == PACK
    assert (root / found.place.metadata).read_bytes() == b"metadata"
    if kind.is_built:
        with zipfile.ZipFile(root / found.place.wheel) as wheel:
            assert "pure_wheel/__init__.py" in wheel.namelist()
    if kind.has_pointer:
        named = payload_id(root / found.place.pointer)
        assert named == (found.place.revision_id or PACK)

    before = snapshot(root)
    (again,) = restore(root, info)
    assert again.result is Result.ALREADY_PRESENT
    assert snapshot(root) == before
    assert list(staging_of(root).iterdir()) == []


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.id)
def test_each_format_is_restored_with_its_style_of_links(root, row):
    """Old uv has absolute links, new uv relative ones; the pointer keeps its shape."""
    kind = Kind.REGISTRY_WHEEL if row.bucket.startswith("w") else Kind.REGISTRY_SDIST
    kind = Kind.GIT if row.shape == "git" else kind
    info = make_info(kind, format_id=row.id)
    (outcome,) = restore(root, info)
    assert outcome.result is Result.RESTORED
    found = look(root, info)
    assert found.place.shard.startswith(f"{row.bucket}/")
    target = (root / found.place.link).readlink()
    assert target.is_absolute() != row.has_relative_links
    assert (root / found.place.link).resolve() == root / "archive-v0" / PACK


def test_one_batch_restores_entries_that_share_a_pack(root):
    """Two formats of one wheel have one archive between them."""
    old, new = make_info(format_id="wheels-v5/array4"), make_info()
    outcomes = restore(root, old, new)
    assert [o.result for o in outcomes] == [Result.RESTORED, Result.RESTORED]
    assert [p.name for p in (root / "archive-v0").iterdir()] == [PACK]
    assert {look(root, i).state for i in (old, new)} == {State.PRESENT}


def test_builds_of_two_pythons_share_a_new_revision(root):
    """Wheels of one sdist meet in one revision, in one batch or in two."""
    batch = [
        (make_info(Kind.REGISTRY_SDIST, tags=CP311), PACK),
        (make_info(Kind.REGISTRY_SDIST, tags=CP312), OTHER_PACK),
    ]
    restore(root, *batch)
    third = make_info(Kind.REGISTRY_SDIST, tags="cp313-cp313-linux_x86_64")
    restore(root, (third, "ef" * 32))
    (pointer,) = root.glob("sdists-v11/**/revision.http")
    revision = pointer.parent / payload_id(pointer)
    assert len(list(revision.glob("*.whl"))) == 3
    assert sum(path.is_symlink() for path in revision.iterdir()) == 3


def test_a_local_revision_is_kept(root):
    """The foreign wheel goes into the revision that uv made; its pointer stays."""
    local = make_info(Kind.REGISTRY_SDIST, tags=CP311)
    home = root / "sdists-v11" / local.key.shard
    (home / "cVUXRgA1Ck0m539y" / "src").mkdir(parents=True)
    (home / "cVUXRgA1Ck0m539y" / "metadata.msgpack").write_bytes(b"of this runner")
    pointer = encode(local.format_id, "cVUXRgA1Ck0m539y", local.hashes, "")
    (home / "revision.http").write_bytes(pointer)

    (outcome,) = restore(root, make_info(Kind.REGISTRY_SDIST, tags=CP312))

    assert outcome.result is Result.RESTORED
    assert (home / "revision.http").read_bytes() == pointer
    names = {path.name for path in (home / "cVUXRgA1Ck0m539y").iterdir()}
    assert names == {
        "src",
        "metadata.msgpack",
        f"pure_wheel-1.0-{CP312}",
        f"pure_wheel-1.0-{CP312}.whl",
    }
    metadata = home / "cVUXRgA1Ck0m539y" / "metadata.msgpack"
    assert metadata.read_bytes() == b"of this runner"


@pytest.mark.parametrize("kind", [Kind.REGISTRY_WHEEL, Kind.URL_SDIST])
def test_other_digests_are_left_alone(root, kind):
    """The runner has another file under this name: nothing of it is touched."""
    restore(root, make_info(kind, hashes=(OTHER_FILE,)))
    before = snapshot(root)
    (outcome,) = restore(root, (make_info(kind), OTHER_PACK))
    assert outcome.result is Result.SKIPPED
    assert "another file under this name" in outcome.reason
    assert snapshot(root) == before


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("part", ["link", "wheel", "metadata"])
def test_a_missing_part_is_mended(root, kind, part):
    """What pruning or a user removed is made again, without the pack."""
    info = make_info(kind)
    restore(root, info)
    before = snapshot(root)
    path = getattr(look(root, info).place, part)
    if not path:
        return  # a downloaded wheel has no .whl
    (root / path).unlink()

    (outcome,) = restore(root, info)

    made_usable = part == "link" and kind.is_built
    assert outcome.result is (Result.RESTORED if made_usable else Result.MENDED)
    assert snapshot(root) == before


@pytest.mark.parametrize("kind", Kind)
def test_what_names_a_lost_archive_is_replaced(root, kind):
    """A dangling pointer or link, of uv's own archive, leads to ours afterwards."""
    info = make_info(kind)
    restore(root, (info, OTHER_PACK))
    Disk().remove_tree(root / "archive-v0" / OTHER_PACK)
    (outcome,) = restore(root, info)
    assert outcome.result is Result.RESTORED
    found = look(root, info)
    assert (found.state, found.archive_id) == (State.PRESENT, PACK)


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_broken_archive_of_that_pack_is_replaced(root, is_empty):
    """An archive that lost its RECORD is as good as none: uv fails on it each time."""
    info = make_info()
    restore(root, info)
    archive = root / "archive-v0" / PACK
    if is_empty:
        Disk().remove_tree(archive)
        archive.mkdir()
    else:
        (archive / "pure_wheel-1.0.dist-info/RECORD").unlink()
    (outcome,) = restore(root, info)
    assert outcome.result is Result.RESTORED
    assert look(root, info).state is State.PRESENT


def test_an_sdist_that_uv_builds_now_is_skipped(root):
    """uv holds its lock for as long as the build takes; nobody waits for that."""
    info = make_info(Kind.REGISTRY_SDIST)
    shard = root / "sdists-v11" / info.key.shard
    shard.mkdir(parents=True)
    building = try_lock(shard / ".lock", shared=False)
    assert building is not None
    with building:
        outcomes = restore(root, info, make_info())
    assert [o.result for o in outcomes] == [Result.SKIPPED, Result.RESTORED]
    assert outcomes[0].reason.startswith("another process holds its lock")
    assert [o.is_unsettled for o in outcomes] == [True, False]
    assert look(root, info).state is State.MENDABLE, "its archive came with the other"


class Racing(Disk):
    """A disk on which uv is faster: `race` runs before the first link or pointer."""

    def __init__(self, race) -> None:
        self._race = race

    def _run(self) -> None:
        race, self._race = self._race, None
        if race is not None:
            race()

    def link_new(self, source, target) -> bool:
        if not str(target).endswith(".lock"):
            self._run()
        return super().link_new(source, target)

    def symlink(self, content, path) -> None:
        self._run()
        super().symlink(content, path)


def test_a_pointer_that_uv_writes_meanwhile_stays(root):
    """uv downloads the same wheel while we restore it: its pointer is not replaced."""
    info = make_info(metadata=b"")
    pointer = encode(info.format_id, "uvs-own-archive_", info.hashes, "pure_wheel.whl")
    home = root / "wheels-v8" / info.key.shard

    def download() -> None:
        make_tree(root / "archive-v0" / "uvs-own-archive_")
        (home / "1.0-py3-none-any").symlink_to(
            "../../../../archive-v0/uvs-own-archive_"
        )
        (home / "1.0-py3-none-any.http").write_bytes(pointer)

    (outcome,) = restore(root, info, disk=Racing(download))

    assert outcome.result is Result.RESTORED
    assert (home / "1.0-py3-none-any.http").read_bytes() == pointer
    assert look(root, info).archive_id == "uvs-own-archive_"
    assert look(root, info).state is State.PRESENT


class Interleaved(Disk):
    """A disk on which other pulls run before certain renames into the archive bucket.

    `others` has one for each such rename; None lets it pass undisturbed.
    """

    def __init__(self, *others: Callable[[], object] | None) -> None:
        self._others = list(others)

    def rename(self, source, target) -> None:
        if Path(target).name == PACK and self._others:
            other = self._others.pop(0)
            if other is not None:
                other()
        super().rename(source, target)


def test_an_archive_that_another_pull_placed_meanwhile_stays(root):
    """Its pointer leads to it by then: to move it aside would break the job beside us."""
    info = make_info()
    inodes = []

    def pull() -> None:
        restore(root, info)
        inodes.append((root / "archive-v0" / PACK).stat().st_ino)

    (outcome,) = restore(root, info, disk=Interleaved(pull))

    assert outcome.result is Result.RESTORED
    assert look(root, info).state is State.PRESENT
    assert [(root / "archive-v0" / PACK).stat().st_ino] == inodes


def test_three_pulls_that_find_a_broken_archive_agree(root):
    """Whoever moved it aside, the next good one stays, and nobody fails."""
    info = make_info()
    restore(root, info)
    archive = root / "archive-v0" / PACK

    def lose_record() -> None:
        (archive / "pure_wheel-1.0.dist-info/RECORD").unlink()

    lose_record()
    third = Interleaved(None, lambda: restore(root, info))
    second = Interleaved(None, lambda: restore(root, info, disk=third))
    (outcome,) = restore(root, info, disk=second)
    assert outcome.result is Result.RESTORED
    assert look(root, info).state is State.PRESENT


def test_a_broken_archive_that_another_pull_moved_aside_is_no_hindrance(root):
    """Two pulls may see it, and only one can move it."""
    info = make_info()
    restore(root, info)
    (root / "archive-v0" / PACK / "pure_wheel-1.0.dist-info/RECORD").unlink()

    class Overtaken(Disk):
        def rename(self, source, target) -> None:
            if Path(source).name == PACK:
                super().rename(source, root.with_name("taken"))
            super().rename(source, target)

    (outcome,) = restore(root, info, disk=Overtaken())
    assert outcome.result is Result.RESTORED
    assert look(root, info).state is State.PRESENT


@pytest.mark.parametrize("in_the_way", ["a file", "a dangling link"])
def test_what_is_no_directory_is_moved_out_of_an_archives_place(root, in_the_way):
    """Nobody can use it, and a tree cannot be renamed over it."""
    info = make_info()
    (root / "archive-v0").mkdir(parents=True)
    if in_the_way == "a file":
        (root / "archive-v0" / PACK).write_text("")
    else:
        (root / "archive-v0" / PACK).symlink_to("gone")
    (outcome,) = restore(root, info)
    assert outcome.result is Result.RESTORED
    assert look(root, info).state is State.PRESENT


@pytest.mark.parametrize("kind", Kind)
def test_what_a_prune_took_meanwhile_is_withdrawn(root, kind):
    """uv before 0.8 prunes without a lock: no pointer or link may outlive its archive."""
    info = make_info(kind)

    def prune() -> None:
        Disk().remove_tree(root / "archive-v0" / PACK)

    (outcome,) = restore(root, info, disk=Racing(prune))

    assert outcome.result is Result.SKIPPED
    assert "at the same time" in outcome.reason
    named_by = look(root, info).place
    assert not os.path.lexists(
        root / (named_by.link if kind.is_built else named_by.pointer)
    )


def test_a_lock_that_clean_removed_is_refused(root):
    """Before the first step the root lock must still be the one that others see."""
    lock = lock_cache(root, disk=Disk(), wait_s=0)
    assert isinstance(lock, FileLock)
    (root / ".lock").unlink()
    staging_of(root).mkdir()
    with lock, pytest.raises(CacheLocked, match=r"\.lock"):
        publish(Stage(root, staging_of(root), Disk()), [], lock=lock)


def test_links_in_the_place_of_directories_are_not_followed(root, tmp_path):
    """A bucket that is a link leads out of the cache: nothing is written there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    root.mkdir()
    (root / "wheels-v8").symlink_to(outside)
    outcomes = restore(root, make_info(), make_info(Kind.GIT))
    assert [o.result for o in outcomes] == [Result.SKIPPED, Result.RESTORED]
    assert "wheels-v8" in outcomes[0].reason
    assert list(outside.iterdir()) == []


def test_a_link_in_the_place_of_the_archive_bucket_is_not_followed(root, tmp_path):
    """Nor is an archive moved out of the cache."""
    outside = tmp_path / "outside"
    outside.mkdir()
    root.mkdir()
    (root / "archive-v0").symlink_to(outside)
    (outcome,) = restore(root, make_info())
    assert outcome.result is Result.SKIPPED
    assert list(outside.iterdir()) == []


def test_a_cache_behind_a_link_is_restored_into(root, tmp_path):
    """The root itself may be a link, as admins make it to move a cache elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    root.symlink_to(tmp_path / "elsewhere")
    (outcome,) = restore(root, make_info())
    assert outcome.result is Result.RESTORED
    assert (tmp_path / "elsewhere" / "archive-v0" / PACK).is_dir()


@pytest.mark.parametrize("holds", ["nothing", "another package"])
def test_a_pack_without_that_wheel_is_skipped(root, holds):
    """uv would fail on such an archive, each time; so it is not put in place."""
    info = make_info()
    staging_of(root).mkdir()
    stage = Stage(root, staging_of(root), Disk())
    tree = stage.archive_dir(PACK, info.name)
    assert tree is not None
    if holds != "nothing":
        make_tree(tree, "other")
    lock = lock_cache(root, disk=Disk(), wait_s=0)
    assert lock is not None
    with lock:
        items = [Restorable(info=info, archive_id=PACK, staged=tree)]
        (outcome,) = publish(stage, items, lock=lock)
    assert outcome.result is Result.SKIPPED
    assert "does not hold" in outcome.reason
    assert not (root / "archive-v0").exists()


def test_an_entry_without_its_archive_is_skipped(root):
    """The pack was not fetched, and the cache has no such archive."""
    lock = lock_cache(root, disk=Disk(), wait_s=0)
    assert lock is not None
    staging_of(root).mkdir()
    with lock:
        items = [Restorable(info=make_info(), archive_id=PACK)]
        (outcome,) = publish(Stage(root, staging_of(root), Disk()), items, lock=lock)
    assert outcome.result is Result.SKIPPED
    assert "not fetched" in outcome.reason


def test_a_staging_area_on_another_filesystem_is_refused(root):
    """Nothing could be renamed from there; the message says what to set."""
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == root.parent.stat().st_dev:
        pytest.skip("no second filesystem; mount a tmpfs on /dev/shm")
    with pytest.raises(CacheError, match="filesystem") as caught:
        Stage(root, elsewhere, Disk())
    assert caught.value.hint


@pytest.mark.parametrize("step", ["rename", "link_new", "symlink", "sync_filesystem"])
@pytest.mark.parametrize("number", [28, 18])
def test_a_full_disk_stops_the_restore(root, step, number):
    """ENOSPC and EXDEV concern all entries: the error names the cache and what to do."""
    restore(root)  # so that the root and its lock are there
    with pytest.raises(CacheError) as caught:
        restore(root, make_info(), disk=FailingDisk(step, number))
    assert str(root) in caught.value.message
    assert caught.value.hint


def test_an_entry_that_cannot_be_placed_does_not_stop_the_others(root):
    """A file where a directory belongs concerns one entry only."""
    root.mkdir()
    (root / "wheels-v8").write_text("in the way")
    outcomes = restore(root, make_info(), (make_info(Kind.GIT), PACK))
    assert [o.result for o in outcomes] == [Result.SKIPPED, Result.RESTORED]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_files_have_the_modes_that_uv_gives_them(root, umask):
    """Directories 777 and files 666 less the umask; lock files 666 for everybody."""
    before = os.umask(umask)
    try:
        info = make_info(Kind.REGISTRY_SDIST)
        restore(root, info)
    finally:
        os.umask(before)
    place = look(root, info).place
    directories = [root, root / place.home, root / "archive-v0" / PACK]
    assert {p.stat().st_mode & 0o777 for p in directories} == {0o777 & ~umask}
    files = [root / place.pointer, root / place.metadata]
    assert {p.stat().st_mode & 0o777 for p in files} == {0o666 & ~umask}
    assert (root / place.wheel).stat().st_mode & 0o777 == 0o644 & ~umask
    assert (root / place.shard / ".lock").stat().st_mode & 0o777 == 0o666


@pytest.mark.parametrize(
    "key",
    [
        {"shard": "../../../evil/pure-wheel"},
        {"shard": "/evil/pure-wheel"},
        {"stem": "../1.0-py3-none-any"},
        {"stem": "1.0-py3-none-any.http"},
    ],
)
def test_hostile_records_are_skipped_one_by_one(root, key):
    """What the store says of one entry cannot stop the others, nor leave the cache."""
    good = make_info()
    evil = good._replace(key=good.key._replace(**key))
    outcomes = restore(root, evil, good)
    assert [o.result for o in outcomes] == [Result.SKIPPED, Result.RESTORED]
    assert "cannot be restored" in outcomes[0].reason
    other = root.with_name("other")
    restore(other, good)
    assert snapshot(root) == snapshot(other)
    names = {path.name for path in root.parent.iterdir()} - {".home"}
    assert names == {
        root.name,
        other.name,
        f"{root.name}.wheelferry",
        f"{other.name}.wheelferry",
    }


def test_all_is_durable_before_anything_is_visible(root):
    """One syncfs after the last write, before the first rename, link or pointer."""
    restore(root)  # so that the root and its lock are there
    disk = DyingDisk()
    batch = [(make_info(), PACK), (make_info(Kind.GIT), OTHER_PACK)]
    restore(root, *batch, disk=disk)
    lock_files = [i for i, name in enumerate(disk.names) if name == "set_mode"]
    (sync,) = [i for i, name in enumerate(disk.names) if name == "sync_filesystem"]
    visible = {"rename", "link_new", "symlink", "unlink"}
    assert visible.isdisjoint(disk.names[:sync])
    after = [i for i, name in enumerate(disk.names) if name == "write" and i > sync]
    assert after == [], "nothing is written but empty lock files"
    assert len(lock_files) == 1
