"""What of an entry is packed: its archive, or the members of its `.whl`."""

import os
import stat
import zipfile
from pathlib import Path

import pytest

from tests.support.entries import make_info, make_tree
from tests.support.within import within
from wheelferry.disk import Disk
from wheelferry.uvcache.cached import CachedEntry, Stamp
from wheelferry.uvcache.entry import Kind
from wheelferry.uvcache.tree import NotPackable, list_tree, read_record
from wheelferry.uvcache.wheelfile import write_wheel

NAME = "pure_wheel"
RECORD = f"{NAME}-1.0.dist-info/RECORD"


def entry_of(
    archive: Path | None = None, wheel_file: Path | None = None
) -> CachedEntry:
    return CachedEntry(
        info=make_info(Kind.REGISTRY_SDIST, name="pure-wheel"),
        archive=archive,
        wheel_file=wheel_file,
        policy=b"",
        stamp=Stamp(files=()),
    )


def contents(entry: CachedEntry) -> dict[str, tuple[int, bool, bytes]]:
    found = {}
    for file in list_tree(entry):
        with file.open() as stream:
            data = b"".join(iter(lambda: stream.read(3), b""))
        found[file.path] = (file.size_bytes, file.executable, data)
    return found


def make_wheel_file(path: Path, members: dict[str, bytes], mode: int = 0o644) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            wheel.writestr(info, data)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A sound archive, with a script and an empty directory."""
    tree = make_tree(tmp_path / "archive")
    script = tree / f"{NAME}-1.0.data/scripts/run"
    script.parent.mkdir(parents=True)
    script.write_bytes(b"#!python\n")
    script.chmod(0o744)
    (tree / NAME / "empty.txt").touch()
    (tree / NAME / "no-files").mkdir()
    return tree


def test_archive_is_listed_file_by_file(tree):
    """Any x bit makes a file executable; directories are not listed."""
    found = contents(entry_of(tree))
    on_disk = [p for p in tree.rglob("*") if p.is_file()]
    assert {path: data for path, (_, _, data) in found.items()} == {
        p.relative_to(tree).as_posix(): p.read_bytes() for p in on_disk
    }
    assert all(size == len(data) for size, _, data in found.values())
    assert [path for path, (_, x, _) in found.items() if x] == [
        f"{NAME}-1.0.data/scripts/run"
    ]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_archive_and_wheel_file_are_listed_alike(tree, tmp_path, umask):
    """Who installed a wheel and who only built it make one and the same pack."""
    for path in tree.rglob("*"):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~umask)
    write_wheel(tree, tmp_path / "x.whl", disk=Disk())
    assert contents(entry_of(wheel_file=tmp_path / "x.whl")) == contents(entry_of(tree))


def test_archive_is_preferred_to_the_wheel_file(tree, tmp_path):
    """It is there, and needs no inflating."""
    assert contents(entry_of(tree, tmp_path / "missing.whl")) == contents(
        entry_of(tree)
    )


def plant_link(path: Path) -> None:
    path.symlink_to("__init__.py")


def plant_outer_link(path: Path) -> None:
    path.symlink_to("/")


@pytest.mark.parametrize("plant", [plant_link, plant_outer_link, os.mkfifo])
def test_what_is_no_file_is_refused_by_name(tree, plant):
    """Links, also to directories, and pipes: no wheel has any."""
    plant(tree / NAME / "odd")
    with pytest.raises(NotPackable, match=f"{NAME}/odd"):
        list_tree(entry_of(tree))


def test_deep_tree_is_refused(tree):
    """Before the recursion is."""
    (tree / "/".join("d" * 70)).mkdir(parents=True)
    with pytest.raises(NotPackable, match="directories deep"):
        list_tree(entry_of(tree))


def test_file_that_became_a_pipe_does_not_block(tree):
    """A job may do anything between the listing and the reading."""
    path = tree / NAME / "__init__.py"
    (file,) = [f for f in list_tree(entry_of(tree)) if f.path == f"{NAME}/__init__.py"]
    path.unlink()
    os.mkfifo(path)
    with file.open() as stream:
        assert not stream.read(1)
    path.unlink()
    path.symlink_to("empty.txt")
    with pytest.raises(OSError, match="symbolic links"):
        file.open()


@pytest.mark.parametrize("plant", [os.mkfifo, plant_outer_link])
def test_wheel_file_that_is_no_file_does_not_block(tmp_path, plant):
    """A pipe would hang the promotion, and a link lead it to anything that root may read."""
    plant(tmp_path / "x.whl")
    with within(5), pytest.raises(OSError, match=r"no plain file|symbolic links"):
        list_tree(entry_of(wheel_file=tmp_path / "x.whl"))


def test_tree_without_a_record_of_its_package_is_refused(tmp_path):
    """uv could not install it."""
    other = make_tree(tmp_path / "other", "other-wheel")
    with pytest.raises(NotPackable, match="no RECORD of pure-wheel"):
        list_tree(entry_of(other))
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotPackable, match="no RECORD of pure-wheel"):
        list_tree(entry_of(tmp_path / "empty"))


def test_vanished_archive_raises(tmp_path):
    """`uv cache clean` was faster: the caller takes it as gone."""
    with pytest.raises(FileNotFoundError):
        list_tree(entry_of(tmp_path / "missing"))
    with pytest.raises(FileNotFoundError):
        list_tree(entry_of(wheel_file=tmp_path / "missing.whl"))


def test_record_is_read_from_either(tree, tmp_path):
    """The same RECORD, whether unpacked or not; None from a tree without."""
    expected = (tree / RECORD).read_bytes()
    files = list_tree(entry_of(tree))
    assert read_record(files) == expected
    write_wheel(tree, tmp_path / "x.whl", disk=Disk())
    assert read_record(list_tree(entry_of(wheel_file=tmp_path / "x.whl"))) == expected
    assert read_record([f for f in files if f.path != RECORD]) is None


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06", b"no zip file"])
def test_wheel_file_that_is_no_zip_is_refused(tmp_path, data):
    """A file cut short by a power loss, say."""
    path = tmp_path / "x.whl"
    path.write_bytes(data)
    with pytest.raises(NotPackable, match=r"x\.whl is no sound zip file"):
        list_tree(entry_of(wheel_file=path))


def test_damaged_member_is_refused_by_name(tmp_path):
    """A flipped byte shows when the member is read."""
    path = make_wheel_file(tmp_path / "x.whl", {RECORD: b"", "a.py": b"x" * 5000})
    data = bytearray(path.read_bytes())
    at = data.index(b"a.py") + len(b"a.py") + 3
    data[at] ^= 0xFF
    path.write_bytes(data)
    (member,) = [f for f in list_tree(entry_of(wheel_file=path)) if f.path == "a.py"]
    with member.open() as stream, pytest.raises(NotPackable, match=r"a\.py in the"):
        stream.read(6000)


def test_encrypted_member_is_refused(tmp_path):
    """No wheel has one."""
    path = make_wheel_file(tmp_path / "x.whl", {RECORD: b"", "a.py": b"x"})
    data = bytearray(path.read_bytes())
    for at in (i for i in range(len(data)) if data[i : i + 4] == b"PK\x01\x02"):
        data[at + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(NotPackable, match="cannot be read"):
        list_tree(entry_of(wheel_file=path))[0].open()


def test_member_that_is_a_link_is_refused(tmp_path):
    """A zip file can hold symbolic links; uv would write a file."""
    path = make_wheel_file(tmp_path / "x.whl", {RECORD: b"/"}, stat.S_IFLNK | 0o777)
    with pytest.raises(NotPackable, match="is not a file"):
        list_tree(entry_of(wheel_file=path))
