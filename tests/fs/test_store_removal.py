"""Removal from a store in a directory: hostile trash, steps that fail, a server that forgets."""

import errno
from pathlib import Path

import pytest

from tests.support.disks import CountingDisk, FailingDisk
from tests.support.forge import object_path
from tests.support.records import digest_of
from wheelferry.disk import Disk
from wheelferry.errors import StoreError, StoreFull, StoreReadOnly, StoreUnavailable
from wheelferry.store.create import create_store
from wheelferry.store.layout import MAX_TIME_S, parse_trash_name, trash_path
from wheelferry.store.posix import PosixStore
from wheelferry.store.upkeep import Trashed

DATA = b"an object" * 100
DIGEST = digest_of(DATA)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a store with one object."""
    create_store(tmp_path / "store", disk=Disk(), now_s=0.0)
    store_in(tmp_path / "store").put_object([DATA], digest=DIGEST, size_bytes=len(DATA))
    return tmp_path / "store"


def store_in(root: Path, disk: Disk | None = None) -> PosixStore:
    """Return a runner's handle on the store."""
    return PosixStore(root, disk=disk or Disk(), runner="r1")


def test_trash_has_flat_names_that_say_when(root: Path) -> None:
    """Nobody makes a directory, and the removal is one rename."""
    disk = CountingDisk()
    store_in(root, disk).upkeep.discard_object(DIGEST, at_s=1_700_000_000)

    assert disk.names == ["rename"]
    assert [p.name for p in root.glob("trash/*")] == [f"1700000000-{DIGEST}"]


def test_a_rename_that_does_nothing_is_no_removal(root: Path) -> None:
    """To an NFS client both names may be one file, where another host was faster."""
    trashed = root / trash_path(DIGEST, 7)
    trashed.hardlink_to(object_path(root, DIGEST))
    store = store_in(root)

    assert not store.upkeep.discard_object(DIGEST, at_s=7)
    assert store.upkeep.discard_object(DIGEST, at_s=8)


def test_what_is_not_ours_in_the_trash_is_left_alone(root: Path) -> None:
    """Names are taken whole or not at all; a directory or a link is no object."""
    trash = root / "trash"
    (trash / f"123-{DIGEST}").write_bytes(b"")
    (trash / f"0000000001-{DIGEST}.tmp").write_bytes(b"")
    (trash / f"000000000a-{DIGEST}").write_bytes(b"")
    (trash / f"{chr(0x660) * 10}-{DIGEST}").write_bytes(b"")
    (trash / f"0000000002-{DIGEST}").mkdir()
    (trash / f"0000000003-{DIGEST}").symlink_to(root / "wheelferry.json")
    (trash / f"0000000004-{DIGEST}").write_bytes(b"ours")
    store = store_in(root)

    assert store.upkeep.list_trash() == [Trashed(DIGEST, 4, 4)]
    assert len(list(store.upkeep.list_foreign())) == 6


@pytest.mark.parametrize("time_s", [-5, 0, 1, MAX_TIME_S, MAX_TIME_S + 1, 1 << 80])
def test_names_in_the_trash_are_read_back(time_s: int) -> None:
    """Whatever the server's clock says, the name has its form."""
    name = trash_path(DIGEST, time_s).rpartition("/")[2]

    assert parse_trash_name(name) == (DIGEST, min(max(time_s, 0), MAX_TIME_S))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EROFS, StoreReadOnly),
        (errno.EACCES, StoreReadOnly),
        (errno.ENOSPC, StoreFull),
        (errno.EIO, StoreUnavailable),
    ],
)
def test_failed_removals_are_translated_once(
    root: Path, number: int, expected: type[StoreError]
) -> None:
    """The class says whether to try again; the path is in the message."""
    store_in(root).upkeep.discard_object(DIGEST, at_s=1)
    (trashed,) = store_in(root).upkeep.list_trash()
    for step, act in (
        (
            "rename",
            lambda store: store.upkeep.discard_object(digest_of("other"), at_s=1),
        ),
        ("rename", lambda store: store.upkeep.recover_object(trashed)),
        ("unlink", lambda store: store.upkeep.purge_object(trashed)),
        ("open_unique", lambda store: store.upkeep.clock_s()),
    ):
        if (step, number) == ("open_unique", errno.ENOSPC):
            continue
        with pytest.raises(StoreError) as caught:
            act(store_in(root, FailingDisk(step, number)))
        assert type(caught.value) is expected
        assert str(root) in caught.value.message


def test_a_server_that_forgot_a_name_has_lost_it_to_another_host(root: Path) -> None:
    """ESTALE of a rename or an unlink is a miss."""
    store_in(root).upkeep.discard_object(DIGEST, at_s=1)
    (trashed,) = store_in(root).upkeep.list_trash()
    renames = store_in(root, FailingDisk("rename", errno.ESTALE))
    unlinks = store_in(root, FailingDisk("unlink", errno.ESTALE))

    assert not renames.upkeep.discard_object(DIGEST, at_s=1)
    assert not renames.upkeep.recover_object(trashed)
    assert not unlinks.upkeep.purge_object(trashed)


def test_a_store_without_trash_says_how_to_get_one(root: Path) -> None:
    """It is no reason to take an object for removed."""
    (root / "trash").rmdir()

    with pytest.raises(StoreUnavailable) as caught:
        store_in(root).upkeep.discard_object(DIGEST, at_s=1)
    assert "wheelferry init" in (caught.value.hint or "")
    assert object_path(root, DIGEST).exists()


def test_clock_of_a_full_share_is_that_of_the_runners_directory(root: Path) -> None:
    """To touch it needs no room; a runner that has none yet cannot tell."""
    disk = FailingDisk("open_unique", errno.ENOSPC)
    now_s = store_in(root, disk).upkeep.clock_s()
    (root / "probe").write_bytes(b"")

    assert 0 <= (root / "probe").stat().st_mtime - now_s < 5
    with pytest.raises(StoreFull):
        PosixStore(root, disk=disk, runner="new2").upkeep.clock_s()


def test_clock_is_that_of_the_files(root: Path) -> None:
    """It leaves nothing; a first run of a runner makes its directory for that."""
    now_s = PosixStore(root, disk=Disk(), runner="new").upkeep.clock_s()
    (root / "probe").write_bytes(b"")

    assert 0 <= (root / "probe").stat().st_mtime - now_s < 5
    assert list(root.glob("staging/new/*")) == []


@pytest.fixture
def elsewhere(root: Path) -> Path:
    """Return a directory that has a file of that name, as other stores of content do."""
    path = root.parent / "elsewhere"
    path.mkdir()
    (path / DIGEST).write_bytes(b"not ours")
    return path


def swap(place: Path, target: Path) -> None:
    """Put a link in the place of a directory."""
    place.rename(target.parent / "was")
    place.symlink_to(target)


@pytest.mark.parametrize("is_late", [False, True])
def test_nothing_is_removed_through_a_link(
    root: Path, elsewhere: Path, is_late: bool
) -> None:
    """Whoever has the share can put one in a directory's place, also just before a step.

    An admin's gc would move blobs of a container registry into another directory.
    """
    prefix = object_path(root, DIGEST).parent

    class Late(Disk):
        def rename(self, source, target) -> None:
            swap(prefix, elsewhere)
            super().rename(source, target)

    if not is_late:
        swap(prefix, elsewhere)
    store = store_in(root, Late() if is_late else Disk())

    with pytest.raises(StoreUnavailable, match="a link or a file is in the place"):
        store.upkeep.discard_object(DIGEST, at_s=1)
    assert (elsewhere / DIGEST).read_bytes() == b"not ours"
    assert list((root / "trash").iterdir()) == []


def test_nothing_is_purged_through_a_link(root: Path, elsewhere: Path) -> None:
    """The name of what is in the trash is known to all."""
    (elsewhere / f"0000000001-{DIGEST}").write_bytes(b"not ours")
    swap(root / "trash", elsewhere)

    with pytest.raises(StoreUnavailable):
        store_in(root).upkeep.purge_object(Trashed(DIGEST, 1, 1))
    assert (elsewhere / f"0000000001-{DIGEST}").exists()


@pytest.mark.parametrize("where", ["staging", "staging/r1", "catalog"])
def test_nothing_is_written_through_a_link(root: Path, elsewhere: Path, where) -> None:
    """A promoter of root's would fill other disks, and put files where others read."""
    swap(root / where, elsewhere)
    (elsewhere / "r1").mkdir()

    with pytest.raises(StoreUnavailable):
        store_in(root).commit_segment(b"a segment")
    assert sorted(p.name for p in elsewhere.rglob("*")) == sorted([DIGEST, "r1"])
