"""What a disk does where somebody has put a link in a file's place."""

import errno
import os
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
