"""What a cache has of an entry, on trees made without uv."""

import os
import sys
from pathlib import Path

import pytest

from tests.support.entries import (
    FILE,
    OTHER_FILE,
    PACK,
    encode,
    make_info,
    make_tree,
)
from wheelferry.uvcache.entry import EntryInfo, Hash, Kind
from wheelferry.uvcache.formats import find_format
from wheelferry.uvcache.place import Place, find_place, link_content, new_revision_id
from wheelferry.uvcache.presence import Inspector, Part, Presence, State

LOCAL = "0YyvGhwMoTahRtnZ"
REVISION = "hZdwc8CMX9AEPpcO"
WHEELS = (Kind.REGISTRY_WHEEL, Kind.URL_WHEEL)
BUILDS = (Kind.REGISTRY_SDIST, Kind.URL_SDIST, Kind.GIT)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty cache."""
    path = tmp_path / "cache"
    path.mkdir()
    return path


def put(
    root: Path,
    info: EntryInfo,
    *,
    hashes: tuple[Hash, ...] | None = None,
    archive_id: str = LOCAL,
) -> Place:
    """Put an entry into a cache as uv does, whole, under ids of uv's own."""
    row = find_format(info.format_id)
    assert row is not None
    revision = REVISION if info.key.kind.is_built and info.key.kind.has_pointer else ""
    place = find_place(row.bucket, info, revision)
    (root / place.home).mkdir(parents=True, exist_ok=True)
    if not (root / "archive-v0" / archive_id).exists():
        make_tree(root / "archive-v0" / archive_id, info.name)
    content = link_content(place, archive_id, root=str(root), relative=True)
    (root / place.link).symlink_to(content)
    if place.wheel:
        (root / place.wheel).write_bytes(b"zip")
    if place.pointer:
        name = f"{info.name.replace('-', '_')}-1.0-py3-none-any.whl"
        hashes = info.hashes if hashes is None else hashes
        data = encode(info.format_id, revision or archive_id, hashes, name)
        (root / place.pointer).write_bytes(data)
    (root / place.metadata).write_bytes(b"metadata")
    return place


def find_presence(root: Path, info: EntryInfo, archive_id: str) -> Presence:
    """Look afresh."""
    return Inspector(root).find(info, archive_id)


@pytest.mark.parametrize("kind", Kind)
def test_nothing_is_there_in_an_empty_cache(root, kind):
    """Each part is missing, and nothing is in the way."""
    found = find_presence(root, make_info(kind), PACK)
    assert found.state is State.ABSENT
    assert found.broken == frozenset()
    assert found.archive_id == PACK
    parts = set(Part)
    if not kind.is_built:
        parts.remove(Part.WHEEL)
    if not kind.has_pointer:
        parts.remove(Part.POINTER)
    assert found.missing == parts


@pytest.mark.parametrize("kind", Kind)
def test_archive_of_a_package_that_is_not_there_serves(root, kind):
    """Another entry may have brought the pack: then the small parts are all that misses."""
    info = make_info(kind)
    make_tree(root / "archive-v0" / PACK, info.name)
    found = find_presence(root, info, PACK)
    assert found.state is State.MENDABLE
    assert Part.LINK in found.missing
    assert Part.ARCHIVE not in found.missing


def test_packages_that_are_not_there_are_not_asked_for_one_by_one(root):
    """A store has far more of them than a cache: one listing serves for all."""
    there = make_info(Kind.REGISTRY_WHEEL)
    put(root, there)
    absent = [
        there._replace(
            name=f"p{number}", key=there.key._replace(shard=f"pypi/p{number}")
        )
        for number in range(100)
    ]
    inspector = Inspector(root)
    calls: list[str] = []

    def note(_frame: object, event: str, argument: object) -> None:
        module = getattr(argument, "__module__", "")
        if event == "c_call" and module == "posix":
            calls.append(argument.__name__)  # type: ignore[attr-defined]

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        found = [inspector.find(info, f"{n:064}") for n, info in enumerate(absent)]
    finally:
        sys.setprofile(before)

    assert {presence.state for presence in found} == {State.ABSENT}
    assert calls.count("listdir") == 2, "those of the bucket and of archives"
    assert not {"open", "readlink", "scandir", "stat", "lstat"} & set(calls)


@pytest.mark.parametrize("settings", ["", "c029b6f00a12f17d"])
@pytest.mark.parametrize("kind", Kind)
def test_an_entry_of_uvs_own_is_present(root, kind, settings):
    """Another archive and another revision do not matter if the digests are the same."""
    info = make_info(kind, settings=settings if kind.is_built else "")
    place = put(root, info)
    found = find_presence(root, info, PACK)
    assert found.state is State.PRESENT
    assert (found.archive_id, found.place) == (LOCAL, place)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("part", ["link", "wheel", "metadata"])
def test_a_small_part_can_be_mended_without_the_pack(root, kind, part):
    """The archive that is there serves to make what is missing."""
    info = make_info(kind)
    place = put(root, info)
    path = getattr(place, part)
    if not path:
        return  # downloaded wheels have no .whl
    (root / path).unlink()
    found = find_presence(root, info, PACK)
    if part == "link" and kind.is_built:
        # Nothing else says which archive was built.
        assert found.missing == {Part.LINK, Part.ARCHIVE}
        assert found.state is State.ABSENT
        return
    assert found.state is State.MENDABLE
    assert found.missing == {Part(part)}
    assert found.archive_id == LOCAL


@pytest.mark.parametrize("kind", Kind)
def test_an_archive_of_the_pack_needs_no_transfer(root, kind):
    """Where another entry with the same pack was restored, the pack is not needed."""
    make_tree(root / "archive-v0" / PACK)
    found = find_presence(root, make_info(kind), PACK)
    assert found.state is State.MENDABLE
    assert Part.LINK in found.missing


@pytest.mark.parametrize("damage", ["gone", "empty", "no RECORD", "empty RECORD"])
@pytest.mark.parametrize("kind", Kind)
def test_an_archive_that_uv_fails_on_is_missing(root, kind, damage):
    """uv does not heal such an archive; what names it may be replaced."""
    info = make_info(kind)
    put(root, info)
    archive = root / "archive-v0" / LOCAL
    record = archive / "pure_wheel-1.0.dist-info/RECORD"
    if damage == "no RECORD":
        record.unlink()
    elif damage == "empty RECORD":
        os.truncate(record, 0)
    else:
        archive.rename(root.with_name("elsewhere"))
        if damage == "empty":
            archive.mkdir()
    found = find_presence(root, info, PACK)
    assert found.state is State.ABSENT
    named_by = Part.LINK if kind.is_built else Part.POINTER
    assert named_by in found.broken
    assert found.archive_id == PACK


@pytest.mark.parametrize("other", ["other", "pure-wheel-more"])
def test_an_archive_of_another_package_is_missing(root, other):
    """An archive that is not of this package cannot be installed as it."""
    make_tree(root / "archive-v0" / PACK, other)
    dist_info = f"{other.replace('-', '_')}-1.0.dist-info"
    archive = root / "archive-v0" / PACK
    (archive / dist_info).rename(archive / f"{other}-1.0.dist-info")
    found = find_presence(root, make_info(), PACK)
    assert Part.ARCHIVE in found.missing


@pytest.mark.parametrize("kind", [k for k in Kind if k.has_pointer])
def test_other_digests_are_a_conflict(root, kind):
    """The cache has another wheel or sdist under this name: it stays."""
    info = make_info(kind)
    put(root, info, hashes=(OTHER_FILE,))
    found = find_presence(root, info, PACK)
    assert found.state is State.CONFLICT
    assert str(OTHER_FILE) in found.reason


@pytest.mark.parametrize("kind", [k for k in Kind if k.has_pointer])
def test_missing_digests_are_compared_with_care(root, kind):
    """An entry without digests is no match for one with; between two, the local counts."""
    info = make_info(kind)
    put(root, info, hashes=())
    found = find_presence(root, info, PACK)
    assert found.state is State.CONFLICT
    assert "without digests" in found.reason

    bare = make_info(kind, hashes=())
    assert find_presence(root, bare, PACK).state is State.PRESENT


def test_a_hashless_wheel_does_not_go_into_a_local_revision(root):
    """Without digests nobody knows whether it is of the same sdist."""
    here = make_info(Kind.URL_SDIST, tags="cp311-cp311-linux_x86_64", hashes=())
    put(root, here)
    other = make_info(Kind.URL_SDIST, tags="cp312-cp312-linux_x86_64", hashes=())
    found = find_presence(root, other, PACK)
    assert found.state is State.CONFLICT


def test_a_build_for_another_python_belongs_into_the_local_revision(root):
    """The revision that is there is kept, and gets the foreign wheel."""
    put(root, make_info(Kind.REGISTRY_SDIST, tags="cp311-cp311-linux_x86_64"))
    other = make_info(Kind.REGISTRY_SDIST, tags="cp312-cp312-linux_x86_64")
    found = find_presence(root, other, PACK)
    assert found.state is State.ABSENT
    assert found.place.revision_id == REVISION
    assert found.missing == {Part.ARCHIVE, Part.LINK, Part.WHEEL}


def test_builds_for_two_pythons_share_a_new_revision():
    """The id of a revision that we make follows from the sdist alone, and is uv's size."""
    ids = {
        new_revision_id(make_info(Kind.REGISTRY_SDIST, tags=tags))
        for tags in ("cp311-cp311-linux_x86_64", "cp312-cp312-linux_x86_64")
    }
    ids.add(new_revision_id(make_info(Kind.REGISTRY_SDIST, hashes=(OTHER_FILE,))))
    assert len(ids) == 2
    assert {len(revision_id) for revision_id in ids} == {16}


def test_a_wheel_under_another_spelling_of_its_name_is_there(root):
    """Build backends spell names as they like; uv reads them all the same."""
    info = make_info(Kind.GIT)
    place = put(root, info)
    spelled = place.wheel.replace("pure_wheel", "Pure.Wheel")
    (root / place.wheel).rename(root / spelled)
    assert find_presence(root, info, PACK).state is State.PRESENT


def test_a_pointer_that_others_cannot_read_is_a_conflict(root):
    """uv 0.12.0 shares a bucket with 0.11, which cannot read what it wrote."""
    put(root, make_info(format_id="wheels-v6/array5"))
    older = find_presence(root, make_info(format_id="wheels-v6/array4"), PACK)
    assert older.state is State.CONFLICT
    assert "array5" in older.reason


def test_a_pointer_that_others_can_read_is_fine(root):
    """uv 0.12.24 and 0.10 read each other's pointers."""
    put(root, make_info(format_id="wheels-v6/array4"))
    newer = find_presence(root, make_info(format_id="wheels-v6/map"), PACK)
    assert newer.state is State.PRESENT


@pytest.mark.parametrize("data", [b"", bytes(468)])
def test_a_pointer_that_a_power_loss_emptied_may_be_replaced(root, data):
    """uv ignores it; so it is in nobody's use."""
    info = make_info()
    place = put(root, info)
    (root / place.pointer).write_bytes(data)
    found = find_presence(root, info, PACK)
    assert Part.POINTER in found.broken
    assert found.reason == ""


def test_a_pointer_in_an_unknown_form_is_a_conflict(root):
    """It may be of a newer uv, which would fetch the wheel again after each pull."""
    info = make_info()
    place = put(root, info)
    (root / place.pointer).write_bytes(b"\x97" + os.urandom(300))
    found = find_presence(root, info, PACK)
    assert found.state is State.CONFLICT
    assert "no known form" in found.reason


@pytest.mark.parametrize("kind", Kind)
def test_a_directory_in_the_place_of_a_link_is_a_conflict(root, kind):
    """uv may install from it; a link cannot replace it at once."""
    info = make_info(kind)
    place = put(root, info)
    (root / place.link).unlink()
    make_tree(root / place.link)
    assert find_presence(root, info, PACK).state is State.CONFLICT


@pytest.mark.parametrize("kind", Kind)
def test_a_link_out_of_the_cache_is_broken(root, kind):
    """Such as into the place where the cache was before it was moved."""
    info = make_info(kind)
    place = put(root, info)
    elsewhere = root.with_name("old") / "archive-v0" / LOCAL
    make_tree(elsewhere)
    (root / place.link).unlink()
    (root / place.link).symlink_to(elsewhere)
    found = find_presence(root, info, PACK)
    assert Part.LINK in found.broken


def test_links_are_followed_under_any_name_of_the_root(root, tmp_path):
    """Absolute links are in order however the path to the cache is spelled."""
    info = make_info(format_id="wheels-v3/array2")
    place = put(root, info)
    alias = tmp_path / "alias"
    alias.symlink_to(root)
    (root / place.link).unlink()
    (root / place.link).symlink_to(alias / "archive-v0" / LOCAL)
    assert find_presence(root, info, PACK).state is State.PRESENT
    assert find_presence(alias, info, PACK).state is State.PRESENT


def test_an_unknown_format_is_a_conflict(root):
    """A record of a format that this version does not know is left out."""
    info = make_info()
    foreign = EntryInfo(
        format_id="wheels-v9/array9",
        key=info.key,
        name=info.name,
        version=info.version,
        tags=info.tags,
        hashes=(FILE,),
        size_bytes=None,
        pointer=info.pointer,
        metadata=b"",
    )
    assert find_presence(root, foreign, PACK).state is State.CONFLICT
