"""A cache is told from one that was made in its place."""

import os
from pathlib import Path

from wheelferry.uvcache.mark import find_mark


def make_cache(root: Path) -> Path:
    """Make an empty cache; return the file that marks it."""
    root.mkdir(exist_ok=True)
    tag = root / "CACHEDIR.TAG"
    tag.write_text("Signature: 8a477f597d28d172789f06886806bc55")
    return tag


def test_mark_stays_while_the_cache_is_filled_and_moved(tmp_path: Path) -> None:
    """Nothing that uv does in a cache changes it."""
    root = tmp_path / "cache"
    tag = make_cache(root)
    mark = find_mark(root)
    assert mark
    (root / "wheels-v9").mkdir()
    tag.chmod(0o600)
    root.rename(tmp_path / "moved")
    assert find_mark(tmp_path / "moved") == mark


def test_mark_differs_for_a_cache_with_the_same_inode(tmp_path: Path) -> None:
    """A file system gives the inode of a file that was removed to the next one."""
    tag = make_cache(tmp_path)
    mark = find_mark(tmp_path)
    status = tag.stat()
    os.utime(tag, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert find_mark(tmp_path) != mark


def test_mark_differs_for_a_cache_of_the_same_time(tmp_path: Path) -> None:
    """Some file systems know the time to a second only."""
    tags = [make_cache(tmp_path / name) for name in "ab"]
    for tag in tags:
        os.utime(tag, ns=(0, 0))
    assert find_mark(tmp_path / "a") != find_mark(tmp_path / "b")


def test_mark_of_no_cache_is_empty(tmp_path: Path) -> None:
    """Also where the root is there, as `uv cache clean` of uv 0.13 leaves it."""
    assert find_mark(tmp_path / "absent") == ""
    assert find_mark(tmp_path) == ""
