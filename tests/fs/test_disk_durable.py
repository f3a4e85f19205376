"""What a disk does where somebody has put a link in a file's place."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from wheelferry.disk import Disk


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return a file of nobody else's business, which `link` beside it leads to."""
    path = tmp_path / "target"
    path.write_bytes(b"")
    path.chmod(0o600)
    os.utime(path, (1, 1))
    (tmp_path / "link").symlink_to(path)
    return path


def test_no_mode_is_set_through_a_link(target: Path) -> None:
    """Root would open the file to all."""
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        Disk().set_mode(target.with_name("link"), 0o666)
    assert target.stat().st_mode & 0o777 == 0o600


def test_mode_is_set_of_a_file_a_directory_and_a_descriptor(target: Path) -> None:
    """Also of what may not be read."""
    target.chmod(0)
    Disk().set_mode(target, 0o640)
    assert target.stat().st_mode & 0o777 == 0o640
    with target.open("rb") as file:
        Disk().set_mode(file.fileno(), 0o444)
    assert target.stat().st_mode & 0o777 == 0o444
    Disk().set_mode(target.parent, 0o2750)
    assert target.parent.stat().st_mode & 0o7777 == 0o2750


def test_no_owner_and_no_time_is_set_through_a_link(target: Path) -> None:
    """Those of the link are."""
    link = target.with_name("link")
    before = target.stat()
    Disk().touch(link)
    Disk().set_group(link, os.getgid())
    Disk().set_owner(link, os.getuid(), os.getgid())
    after = target.stat()
    assert (after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


STEPS: dict[str, Callable[[Disk, Path], object]] = {
    "make_dir": lambda disk, path: disk.make_dir(path / "new"),
    "open_new": lambda disk, path: disk.open_new(path / "new"),
    "open_unique": lambda disk, path: disk.open_unique(path / "new"),
    "create_file": lambda disk, path: disk.create_file(path / "new", b""),
    "rename-from": lambda disk, path: disk.rename(path / "file", path.parent / "new"),
    "rename-to": lambda disk, path: disk.rename(path.parent / "own", path / "new"),
    "link-from": lambda disk, path: disk.link_new(path / "file", path.parent / "new"),
    "link-to": lambda disk, path: disk.link_new(path.parent / "own", path / "new"),
    "symlink": lambda disk, path: disk.symlink("file", path / "new"),
    "unlink": lambda disk, path: disk.unlink(path / "file"),
    "remove_dir": lambda disk, path: disk.remove_dir(path / "empty"),
    "remove_tree": lambda disk, path: disk.remove_tree(path / "full"),
    "set_mode": lambda disk, path: disk.set_mode(path / "file", 0o777),
    "set_group": lambda disk, path: disk.set_group(path / "file", os.getgid()),
    "set_owner": lambda disk, path: disk.set_owner(path / "file", -1, os.getgid()),
    "touch": lambda disk, path: disk.touch(path / "file"),
    "sync_dir": lambda disk, path: disk.sync_dir(path / "full"),
}


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Return a directory with another, and a link to one that is elsewhere."""
    for path in (tmp_path / "elsewhere", tmp_path / "share/inside"):
        (path / "full").mkdir(parents=True)
        (path / "empty").mkdir()
        (path / "full/file").write_bytes(b"")
        (path / "file").write_bytes(b"")
        os.utime(path / "file", (1, 1))
    (tmp_path / "share/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "share/own").write_bytes(b"")
    return tmp_path / "share"


def facts(root: Path) -> dict[str, tuple[int, int, int]]:
    """Return what a step could have changed."""
    return {
        str(path): (status.st_ino, status.st_mode, status.st_ctime_ns)
        for path in sorted(root.rglob("*"))
        for status in [path.lstat()]
    }


@pytest.mark.parametrize("step", STEPS)
def test_no_step_leads_out_of_where_it_is_confined(share: Path, step: str) -> None:
    """Whoever puts a link in the place of a directory has nothing changed elsewhere."""
    disk = Disk()
    disk.confine(share)
    before = facts(share.parent / "elsewhere")

    with pytest.raises(NotADirectoryError) as caught:
        STEPS[step](disk, share / "link")
    assert caught.value.filename == str(share / "link")
    assert facts(share.parent / "elsewhere") == before
    assert (share / "own").exists()


@pytest.mark.parametrize("step", STEPS)
def test_steps_that_are_confined_work(share: Path, step: str) -> None:
    """And where the root is named by a link, which is its owner's."""
    (share.parent / "root").symlink_to(share)
    disk = Disk()
    disk.confine(share.parent / "root")

    STEPS[step](disk, share.parent / "root/inside")


def test_error_of_a_confined_step_names_the_whole_path(share: Path) -> None:
    """As of any other."""
    disk = Disk()
    disk.confine(share)
    gone, new = share / "inside/gone", share / "inside/new"

    with pytest.raises(FileNotFoundError) as caught:
        disk.rename(gone, new)
    assert (caught.value.filename, caught.value.filename2) == (str(gone), str(new))
    with pytest.raises(FileNotFoundError) as caught:
        disk.make_dir(share / "gone/further/new")
    assert caught.value.filename == str(share / "gone")
    assert not disk.unlink(gone)
