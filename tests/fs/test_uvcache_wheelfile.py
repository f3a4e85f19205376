"""The `.whl` that is made again from an unpacked tree."""

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from tests.support.entries import make_tree
from tests.support.within import within
from wheelferry.disk import Disk
from wheelferry.uvcache.wheelfile import write_wheel


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = make_tree(tmp_path / "tree")
    script = tree / "zz/run"
    script.parent.mkdir()
    script.write_bytes(b"#!python\n")
    script.chmod(0o700)
    return tree


def write(tree: Path, target: Path) -> bytes:
    write_wheel(tree, target, disk=Disk())
    return target.read_bytes()


def test_wheel_has_the_files_of_the_tree(tree, tmp_path):
    """Every file with its content, and nothing else: no directories."""
    write(tree, tmp_path / "a.whl")
    with zipfile.ZipFile(tmp_path / "a.whl") as wheel:
        assert wheel.testzip() is None
        found = {name: wheel.read(name) for name in wheel.namelist()}
    assert found == {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for path in tree.rglob("*")
        if path.is_file()
    }


def test_equal_trees_make_equal_wheels(tree, tmp_path):
    """Times, umask and the order on the disk leave no trace."""
    other = tmp_path / "other"
    for path in sorted((p for p in tree.rglob("*") if p.is_file()), reverse=True):
        copy = other / path.relative_to(tree)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
        copy.chmod(path.stat().st_mode & 0o700)
        os.utime(copy, (1, 1))
    assert write(other, tmp_path / "b.whl") == write(tree, tmp_path / "a.whl")


def test_wheel_is_in_the_order_of_the_standard(tree, tmp_path):
    """Sorted, `.dist-info` last; executables are marked."""
    write(tree, tmp_path / "a.whl")
    with zipfile.ZipFile(tmp_path / "a.whl") as wheel:
        modes = {i.filename: oct(i.external_attr >> 16) for i in wheel.infolist()}
    names = list(modes)
    assert names[:2] == ["pure_wheel/__init__.py", "zz/run"]
    assert all(".dist-info/" in name for name in names[2:])
    assert names[2:] == sorted(names[2:])
    assert {n: m for n, m in modes.items() if m != "0o100644"} == {"zz/run": "0o100755"}


def test_wheel_is_compressed_fast(tree, tmp_path):
    """Level 1: this file is read at most once."""
    data = b"".join(hashlib.sha256(bytes([i % 50])).digest() for i in range(20_000))
    (tree / "data.bin").write_bytes(data)
    write(tree, tmp_path / "a.whl")
    with zipfile.ZipFile(tmp_path / "slow.zip", "w") as slow:
        slow.writestr("x", data, zipfile.ZIP_DEFLATED, 1)
        expected = slow.getinfo("x").compress_size
    with zipfile.ZipFile(tmp_path / "a.whl") as wheel:
        assert wheel.getinfo("data.bin").compress_size == expected < len(data) / 2


def test_existing_file_is_not_replaced(tree, tmp_path):
    """The target is always a new name in a staging directory."""
    target = tmp_path / "a.whl"
    target.touch()
    with pytest.raises(FileExistsError):
        write_wheel(tree, target, disk=Disk())


@pytest.mark.parametrize("is_link", [False, True])
def test_nothing_but_files_is_put_into_a_wheel(tree, tmp_path, is_link):
    """A job edits the cache: a pipe would hang the pull, a link give away root's files."""
    path = tree / "zz/run"
    path.unlink()
    path.symlink_to("/etc/passwd") if is_link else os.mkfifo(path)
    with within(5), pytest.raises(OSError, match=r"no plain file|symbolic links"):
        write(tree, tmp_path / "a.whl")
