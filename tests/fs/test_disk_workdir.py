"""Temporary directories of processes: live ones are left alone, dead ones are swept."""

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.disks import CountingDisk, FailingDisk, FaultyDisk, Step
from tests.support.within import within
from wheelferry.disk import Disk, WorkDir, try_lock
from wheelferry.disk.bytelocks import ByteLocks
from wheelferry.disk.lock import is_locked
from wheelferry.disk.workdir import sweep

_HOLD = """
import sys
from pathlib import Path
from tests.support.within import within
from wheelferry.disk import Disk, WorkDir
work = WorkDir.open(Path(sys.argv[1]), disk=Disk())
(work.path / "file").write_text("half done")
print(work.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """Where the directories are made; missing at first."""
    return tmp_path / "state" / "staging"


@contextmanager
def another_process(parent: Path) -> Iterator[tuple[Path, "subprocess.Popen[str]"]]:
    """Let another process hold a directory."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Path(process.stdout.readline().strip()), process
    finally:
        process.kill()
        process.communicate()


def test_a_live_directory_survives_the_sweep_of_another_process(parent: Path) -> None:
    """However long it takes: its lock says that it lives."""
    with another_process(parent) as (theirs, _):
        with WorkDir.open(parent, disk=Disk()) as work:
            assert work.path != theirs
            assert sweep(parent, disk=Disk()) == 0
        assert (theirs / "file").read_text() == "half done"


def test_a_dead_directory_is_swept(parent: Path) -> None:
    """The kernel has released its lock, whatever became of the pid in its name."""
    with another_process(parent) as (theirs, process):
        process.kill()
        process.wait()
        assert theirs.exists()
        with WorkDir.open(parent, disk=Disk()) as work:
            assert list(parent.iterdir()) == [work.path]
    assert list(parent.iterdir()) == []


@pytest.mark.parametrize("content", [(), ("file",), ("lock",), ("lock", "file")])
def test_whatever_a_kill_left_is_swept(parent: Path, content: tuple[str, ...]) -> None:
    """Killed before its lock, or while it was removed, a directory is dead too."""
    left = parent / "1-0123456789abcdef"
    left.mkdir(parents=True)
    for name in content:
        (left / name).write_text("")
    assert sweep(parent, disk=Disk()) == 1
    assert list(parent.iterdir()) == []


def test_what_is_no_directory_is_left_alone(parent: Path, tmp_path: Path) -> None:
    """A link out of the staging area is not followed, let alone emptied."""
    parent.mkdir(parents=True)
    (tmp_path / "mine").mkdir()
    (parent / "1-link").symlink_to(tmp_path / "mine")
    (parent / "file").write_text("")
    assert sweep(parent, disk=Disk()) == 0
    assert {path.name for path in parent.iterdir()} == {"1-link", "file"}
    assert (tmp_path / "mine").is_dir()


class SweptAtOnce(CountingDisk):
    """A disk on which another process sweeps as soon as a directory was made."""

    def __init__(self, parent: Path, times: int) -> None:
        super().__init__()
        self.swept: list[str] = []
        self._parent = parent
        self._times = times

    def after(self, step: Step) -> None:
        if step.name == "make_dir" and len(self.swept) < self._times:
            assert sweep(self._parent, disk=Disk()) == 1
            self.swept.append(step.paths[0])


def test_a_sweep_between_directory_and_lock(parent: Path) -> None:
    """1. We make a directory. 2. A sweep sees no lock, removes it. 3. We make another."""
    disk = SweptAtOnce(parent, times=2)
    with WorkDir.open(parent, disk=disk) as work:
        assert len(disk.swept) == 2
        assert str(work.path) not in disk.swept
        assert work.path.is_dir()
        assert sweep(parent, disk=Disk()) == 0, "it is ours now"


def test_an_end_that_cannot_remove_releases_the_lock(parent: Path) -> None:
    """A daemon that could not remove a directory once does not keep it for ever."""
    work = WorkDir.open(parent, disk=FailingDisk("remove_tree", errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        work.close()
    assert sweep(parent, disk=Disk()) == 1


def test_a_dead_directory_that_cannot_be_removed_stops_nobody(parent: Path) -> None:
    """Such as one that root left: or no job of another user would ever pull again."""
    left = parent / "1-0123456789abcdef"
    left.mkdir(parents=True)
    (left / "lock").write_text("")
    counting = CountingDisk()
    sweep(parent, disk=counting)
    left.mkdir()
    (left / "lock").write_text("")
    number = counting.names.index("remove_tree") + 1
    disk = FaultyDisk(number + 1, errno.EACCES)  # `open` makes the parent first
    with WorkDir.open(parent, disk=disk) as work:
        assert disk.failed is not None
        assert disk.failed.name == "remove_tree"
        assert work.path.is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="run the tests as root to enable it")
def test_a_directory_of_another_user_stops_nobody() -> None:
    """One pull as root must not end all pulls of the user who runs the jobs."""
    # Not in `tmp_path`, which other users may not enter.
    with tempfile.TemporaryDirectory() as scratch:
        parent = Path(scratch)
        parent.chmod(0o777)
        left = parent / "1-0123456789abcdef"
        left.mkdir(mode=0o700)
        (left / "lock").touch(mode=0o600)
        nobody = "import os; os.setresuid(65534, 65534, 65534)\nwork = "
        done = subprocess.run(
            [sys.executable, "-c", _HOLD.replace("work = ", nobody), scratch],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert Path(done.stdout.strip()).is_dir()


def test_lock_is_current_only_while_the_path_names_it(tmp_path: Path) -> None:
    """A lock on a file that was removed, or replaced, excludes nobody."""
    path = tmp_path / ".lock"
    lock = try_lock(path, shared=True)
    assert lock is not None
    with lock:
        assert lock.is_current()
        path.unlink()
        assert not lock.is_current()
        path.write_text("")
        assert not lock.is_current()


def test_lock_excludes_until_it_is_closed(tmp_path: Path) -> None:
    """Shared ones admit each other, and none admits an exclusive one."""
    path = tmp_path / ".lock"
    first, second = try_lock(path, shared=True), try_lock(path, shared=True)
    assert first is not None
    assert second is not None
    first.close()
    assert try_lock(path, shared=False) is None
    second.close()
    alone = try_lock(path, shared=False)
    assert alone is not None
    with alone:
        assert try_lock(path, shared=True) is None


def test_lock_in_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """It is not made: whoever removed it must not find it again."""
    with pytest.raises(FileNotFoundError):
        try_lock(tmp_path / "gone" / ".lock", shared=True)
    assert list(tmp_path.iterdir()) in ([], [tmp_path / ".home"])


def test_directories_of_other_names_are_not_swept(parent: Path, tmp_path: Path) -> None:
    """Whoever has a link put in the place of `parent` has nothing of anybody removed."""
    (tmp_path / "homes/user").mkdir(parents=True)
    (tmp_path / "homes/user/file").write_text("")
    parent.parent.mkdir()
    parent.symlink_to(tmp_path / "homes")
    with WorkDir.open(parent, disk=Disk()):
        assert (tmp_path / "homes/user/file").exists()


def test_lock_files_are_no_links(tmp_path: Path) -> None:
    """A file would be made where it leads to, by whoever takes the lock."""
    (tmp_path / "link").symlink_to(tmp_path / "new")
    for take in (
        lambda path: try_lock(path, shared=True),
        lambda path: try_lock(path, shared=False, mode=None),
        ByteLocks,
    ):
        with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
            take(tmp_path / "link")
    assert not (tmp_path / "new").exists()
    assert not is_locked(tmp_path / "link")


def test_pipe_in_the_place_of_a_lock_file_hangs_nobody(tmp_path: Path) -> None:
    """A job may put one there, and the daemon looks whether it is locked."""
    os.mkfifo(tmp_path / "lock")
    with within(5):
        assert not is_locked(tmp_path / "lock")
