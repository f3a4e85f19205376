"""The end of a folder in which a share was tried."""

from contextlib import suppress
from pathlib import Path

from tests.support.disks import CountingDisk
from tests.support.packages import write_tree
from wheelferry.disk import Disk
from wheelferry.store.trial import remove_folder


class SwappingDisk(CountingDisk):
    """With the first file, every directory but that file's becomes a link to another."""

    def __init__(self, folder: Path, target: Path) -> None:
        super().__init__()
        self._folder = folder
        self._target = target

    def unlink(self, path: str | Path) -> bool:
        was_there = super().unlink(path)
        for child in sorted(self._folder.iterdir()):
            if any(child.iterdir()) and not child.is_symlink():
                child.rename(self._folder.parent / f"{child.name}-was")
                child.symlink_to(self._target)
        return was_there


def test_folder_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    """Links go, and not what they lead to; a second time, it is absent."""
    folder = tmp_path / "trial"
    write_tree(folder, {"file": b"", "a/file": b"", "a/b/c/file": b""})
    write_tree(tmp_path / "outside", {"file": b""})
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "a/link").symlink_to(tmp_path / "outside")

    remove_folder(folder, Disk())
    remove_folder(folder, Disk())

    assert not folder.exists()
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["file"]


def test_link_in_the_place_of_a_directory_is_not_followed(tmp_path: Path) -> None:
    """Whoever has the share may put it there after the directory was seen."""
    folder, outside = tmp_path / "trial", tmp_path / "outside"
    write_tree(folder, {"a/file": b"", "b/file": b""})
    write_tree(outside, {"file": b""})

    with suppress(OSError):
        remove_folder(folder, SwappingDisk(folder, outside))

    assert [path.name for path in outside.iterdir()] == ["file"]


def test_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """It stays as it is."""
    outside = tmp_path / "outside"
    write_tree(outside, {"file": b""})
    (tmp_path / "trial").symlink_to(outside)

    with suppress(OSError):
        remove_folder(tmp_path / "trial", Disk())

    assert [path.name for path in outside.iterdir()] == ["file"]
