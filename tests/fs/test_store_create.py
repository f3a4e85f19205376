"""Making a store: modes, groups, what is refused, and each crash position."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.disks import Died, DyingDisk, FailingDisk
from tests.support.records import digest_of
from wheelferry.disk import Disk
from wheelferry.errors import (
    ConfigError,
    StoreError,
    StoreFormatUnsupported,
    StoreFull,
    StoreNotInitialised,
    StoreReadOnly,
)
from wheelferry.store import layout
from wheelferry.store.base import PutOutcome
from wheelferry.store.create import Created, create_store
from wheelferry.store.posix import PosixStore


def create(root: Path, disk: Disk | None = None, group: str | None = None) -> Created:
    """Make a store in `root`."""
    return create_store(root, disk=disk or Disk(), now_s=1_800_000_000.0, group=group)


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Return an empty directory."""
    (tmp_path / "share").mkdir()
    return tmp_path / "share"


def mode_of(path: Path) -> int:
    """Return a path's permission bits."""
    return path.stat().st_mode & 0o7777


def test_create_makes_all_directories_and_two_files(tmp_path):
    """Nothing of a store has to be made later, but a runner's own staging."""
    created = create(tmp_path / "store")
    root = tmp_path / "store"
    names = {str(path.relative_to(root)) for path in root.rglob("*")}

    assert names == {*layout.DIRECTORIES, "README", "wheelferry.json"}
    assert len(list((root / "objects").iterdir())) == 256
    assert not created.was_there
    assert created.info.created == "2027-01-15T08:00:00+00:00"
    assert PosixStore(root, disk=Disk(), runner="r").open() == created.info


def test_readme_says_whose_it_is_and_how_to_check(tmp_path):
    """Someone on the file server finds out without Wheelferry."""
    create(tmp_path / "store")
    text = (tmp_path / "store" / "README").read_text()

    assert "Wheelferry" in text
    assert "sha256sum" in text


def test_command_in_the_readme_finds_a_damaged_object(tmp_path):
    """It needs only a shell, and names the file."""
    create(tmp_path / "store")
    store = PosixStore(tmp_path / "store", disk=Disk(), runner="r1")
    for data in (b"good", b"bad"):
        store.put_object([data], digest=digest_of(data), size_bytes=len(data))
    path = layout.object_path(digest_of(b"bad"))
    (tmp_path / "store" / path).chmod(0o644)
    (tmp_path / "store" / path).write_bytes(b"BAD")
    text = (tmp_path / "store" / "README").read_text()
    command = "\n".join(line for line in text.splitlines() if line.startswith("    "))
    result = subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path / "store",
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout == f"DAMAGED {path.removeprefix('objects/')}\n"


def test_create_in_an_empty_directory(share):
    """A mount point is there before the store is."""
    created = create(share)

    assert not created.was_there
    assert PosixStore(share, disk=Disk(), runner="r").open() == created.info


def test_create_twice_keeps_the_store(tmp_path):
    """The second time changes nothing, and says so."""
    first = create(tmp_path / "store")
    before = (tmp_path / "store" / "wheelferry.json").stat()
    second = create(tmp_path / "store")
    after = (tmp_path / "store" / "wheelferry.json").stat()

    assert second.was_there
    assert second.info == first.info
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_create_again_makes_missing_directories(tmp_path):
    """init mends a store that lost some."""
    create(tmp_path / "store")
    (tmp_path / "store" / "objects" / "5f").rmdir()
    (tmp_path / "store" / "trash").rmdir()

    assert create(tmp_path / "store").was_there
    assert (tmp_path / "store" / "objects" / "5f").is_dir()
    assert (tmp_path / "store" / "trash").is_dir()


@pytest.mark.parametrize("name", ["precious.txt", "README", "staging", ".git"])
def test_create_refuses_a_directory_with_something_else(share, name):
    """Nothing is written beside other people's files, nor over their README."""
    (share / name).write_text("mine")

    with pytest.raises(StoreError, match=name) as caught:
        create(share)
    assert "empty directory" in (caught.value.hint or "")
    assert (share / name).read_text() == "mine"


def test_create_does_not_mind_what_file_servers_put_there(share):
    """An ext4 export has `lost+found`, a filer its snapshots."""
    (share / "lost+found").mkdir()
    (share / ".snapshot").mkdir()

    assert not create(share).was_there


def test_create_refuses_a_path_without_a_parent(tmp_path):
    """A mistyped mount point is not made on the local disk."""
    with pytest.raises(StoreError, match="does not exist"):
        create(tmp_path / "mnt" / "wheels")
    assert not (tmp_path / "mnt").exists()


def test_create_refuses_a_file(tmp_path):
    """The message is about the path that was given."""
    (tmp_path / "file").write_text("mine")

    with pytest.raises(StoreError, match="file is not a directory"):
        create(tmp_path / "file")


def test_create_refuses_a_newer_store_untouched(share):
    """Before anything is changed."""
    (share / "wheelferry.json").write_text('{"format": 2}')

    with pytest.raises(StoreFormatUnsupported):
        create(share)
    assert [path.name for path in share.iterdir()] == ["wheelferry.json"]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_modes_do_not_depend_on_the_umask(tmp_path, umask):
    """Whoever runs init, others can read the store."""
    before = os.umask(umask)
    try:
        create(tmp_path / "store")
    finally:
        os.umask(before)
    root = tmp_path / "store"

    assert {mode_of(root / name) for name in ("", *layout.DIRECTORIES)} == {0o755}
    assert mode_of(root / "wheelferry.json") == 0o444
    assert mode_of(root / "README") == 0o444


def test_modes_of_a_directory_that_was_there_are_kept(share):
    """Without a group, what the admin set up is not changed."""
    share.chmod(0o700)
    create(share)

    assert mode_of(share) == 0o700


def test_group_may_write_and_owns_what_is_made(tmp_path):
    """setgid on all directories; sticky where each runner has something of its own."""
    gid = (os.getgroups() or [os.getegid()])[-1] if os.geteuid() else 12345
    before = os.umask(0o077)
    try:
        create(tmp_path / "store", group=str(gid))
        store = PosixStore(tmp_path / "store", disk=Disk(), runner="r1")
        digest = digest_of(b"x")
        outcome = store.put_object([b"x"], digest=digest, size_bytes=1)
    finally:
        os.umask(before)
    root = tmp_path / "store"

    for name in ("", *layout.DIRECTORIES):
        personal = name in ("staging", "usage")
        assert mode_of(root / name) == (0o3775 if personal else 0o2775)
        assert (root / name).stat().st_gid == gid
    assert outcome is PutOutcome.COMMITTED
    made = root / layout.object_path(digest)
    assert (made.stat().st_gid, mode_of(made)) == (gid, 0o444)
    assert mode_of(root / "staging" / "r1") == 0o2775
    assert (root / "wheelferry.json").stat().st_gid == gid


def test_group_can_be_given_later(tmp_path):
    """init again with a group opens an existing store to it."""
    create(tmp_path / "store")
    gid = os.getegid()

    assert create(tmp_path / "store", group=str(gid)).was_there
    assert mode_of(tmp_path / "store" / "objects" / "00") == 0o2775


def test_unknown_group_is_a_mistake_in_the_configuration(tmp_path):
    """Nothing is made."""
    with pytest.raises(ConfigError, match="no-such-group"):
        create(tmp_path / "store", group="no-such-group")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("step", "number", "expected"),
    [
        ("make_dir", errno.EROFS, StoreReadOnly),
        ("set_mode", errno.EPERM, StoreReadOnly),
        ("sync_file", errno.ENOSPC, StoreFull),
        ("link_new", errno.EDQUOT, StoreFull),
    ],
)
def test_failed_create_is_translated(tmp_path, step, number, expected):
    """And leaves no store."""
    with pytest.raises(expected, match=f"Errno {number}"):
        create(tmp_path / "store", FailingDisk(step, number))
    with pytest.raises(StoreNotInitialised):
        PosixStore(tmp_path / "store", disk=Disk(), runner="r").open()


def test_create_killed_at_any_step_is_away_or_whole_and_can_be_completed(tmp_path):
    """There is no half a store: the link of `wheelferry.json` is the commit point."""
    counting = DyingDisk()
    create(tmp_path / "counted", counting)
    commit = counting.names.index("link_new") + 1
    # Directories are all alike: the first ones and everything after them will do.
    for last_step in [*range(8), *range(commit - 14, counting.steps + 1)]:
        root = tmp_path / f"store-{last_step}"
        with pytest.raises(Died):
            create(root, DyingDisk(last_step))
        store = PosixStore(root, disk=Disk(), runner="r1")
        if last_step < commit:
            with pytest.raises(StoreNotInitialised, match="away"):
                store.open()
        else:
            store.open()

        assert create(root).was_there is (last_step >= commit)
        store.open()
        assert store.list_segments() == frozenset()
        assert list(store.upkeep.list_foreign()) == []


@pytest.mark.parametrize("name", ["objects", "objects/5f", "staging"])
def test_nothing_is_made_or_changed_through_a_link(tmp_path, name):
    """Whoever may write to the share must not have root give other directories away."""
    root, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    create(root)
    elsewhere.mkdir(0o700)
    (root / name).rename(tmp_path / "was")
    (root / name).symlink_to(elsewhere)

    for group in (None, str(os.getgid())):
        with pytest.raises(StoreError, match="is a link or a file"):
            create(root, group=group)
    assert mode_of(elsewhere) == 0o700
    assert list(elsewhere.iterdir()) == []


def test_root_may_be_named_by_a_link(tmp_path):
    """It is the admin's own."""
    (tmp_path / "link").symlink_to(tmp_path / "store")
    (tmp_path / "store").mkdir()
    create(tmp_path / "link", group=str(os.getgid()))

    assert mode_of(tmp_path / "store") == 0o2775
