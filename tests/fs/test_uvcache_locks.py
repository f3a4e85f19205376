"""uv's locks, taken on plain directories."""

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheelferry.disk import Disk, FileLock, try_lock
from wheelferry.errors import CacheError
from wheelferry.uvcache.locks import lock_cache, lock_sdist


@pytest.fixture
def no_umask() -> Iterator[None]:
    """Run under a umask that takes everything from others."""
    before = os.umask(0o077)
    yield
    os.umask(before)


class Waits:
    """A clock that only moves when somebody waits, and acts then."""

    def __init__(self, *actions: Callable[[], object]) -> None:
        self.now_s = 0.0
        self._actions = list(actions)

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        if self._actions:
            self._actions.pop(0)()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty directory."""
    path = tmp_path / "cache"
    path.mkdir()
    return path


def take(
    root: Path, wait_s: float = 0.0, waits: Waits | None = None
) -> FileLock | None:
    waits = waits or Waits()
    return lock_cache(
        root, disk=Disk(), wait_s=wait_s, clock=waits.clock, sleep=waits.sleep
    )


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.usefixtures("no_umask")
def test_lock_makes_what_uv_makes_in_a_new_cache(tmp_path):
    """The first pull may come before any uv: root, tag, .gitignore and lock are made."""
    root = tmp_path / "deep" / "cache"
    lock = take(root)
    assert lock is not None
    with lock:
        assert sorted(p.name for p in root.iterdir()) == [
            ".gitignore",
            ".lock",
            "CACHEDIR.TAG",
        ]
        assert (root / ".gitignore").read_bytes() == b"*"
        tag = (root / "CACHEDIR.TAG").read_bytes()
        assert tag == b"Signature: 8a477f597d28d172789f06886806bc55"
        assert (mode_of(root), mode_of(root / "CACHEDIR.TAG")) == (0o700, 0o600)
        assert mode_of(root / ".lock") == 0o666, "other users' uv must be able to lock"


def test_lock_leaves_an_existing_cache_alone(root):
    """Files that are there keep their bytes and modes."""
    for name in (".lock", ".gitignore", "CACHEDIR.TAG"):
        (root / name).write_text("as it was")
        (root / name).chmod(0o600)
    lock = take(root)
    assert lock is not None
    lock.close()
    assert {p.read_text() for p in root.iterdir()} == {"as it was"}
    assert {mode_of(p) for p in root.iterdir()} == {0o600}


def test_lock_is_shared(root):
    """It goes along with another uv, and keeps prune and clean out until it is closed."""
    first, second = take(root), take(root)
    assert first is not None
    assert second is not None
    first.close()
    assert try_lock(root / ".lock", shared=False) is None
    second.close()
    prune = try_lock(root / ".lock", shared=False)
    assert prune is not None
    prune.close()


def test_lock_gives_up_at_its_deadline(root):
    """While prune holds the cache, the answer is None after the time allowed."""
    prune = held(root)
    waits = Waits()
    assert take(root, wait_s=0.3, waits=waits) is None
    assert waits.now_s == pytest.approx(0.3)
    prune.close()


def test_lock_comes_when_prune_is_done(root):
    """It is taken at the first look after prune let go."""
    prune = held(root)
    lock = take(root, wait_s=1.0, waits=Waits(int, prune.close))
    assert lock is not None
    lock.close()


def test_lock_is_on_the_file_that_clean_left(root):
    """A lock whose file `clean` removed meanwhile excludes nobody: the new one counts."""
    clean = held(root)

    def finish_clean() -> None:
        (root / ".lock").unlink()
        clean.close()

    lock = take(root, wait_s=1.0, waits=Waits(finish_clean))
    assert lock is not None
    assert lock.is_current()
    lock.close()


def test_lock_that_cannot_be_opened_is_an_error_with_a_hint(tmp_path):
    """A root that is a file cannot be locked; the error names the path."""
    (tmp_path / "cache").write_text("not a directory")
    with pytest.raises(CacheError, match=r"cache/\.lock"):
        take(tmp_path / "cache")


@pytest.mark.usefixtures("no_umask")
def test_sdist_lock_never_waits(root):
    """While uv builds an sdist its lock is held, and ours is refused at once."""
    lock = lock_sdist(root, disk=Disk())
    assert lock is not None
    assert mode_of(root / ".lock") == 0o666
    assert lock_sdist(root, disk=Disk()) is None
    lock.close()
    again = lock_sdist(root, disk=Disk())
    assert again is not None
    with pytest.raises(BlockingIOError), (root / ".lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    again.close()
    assert [p.name for p in root.iterdir()] == [".lock"]


def held(root: Path) -> FileLock:
    lock = try_lock(root / ".lock", shared=False)
    assert lock is not None
    return lock
