"""Records are checked before they become paths."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.entries import KEY, OTHER_FILE, PACK, encode, make_info
from wheelferry.errors import RecordMalformed, UnsafePath
from wheelferry.uvcache.entry import EntryInfo, Kind
from wheelferry.uvcache.place import Place, find_place, link_content
from wheelferry.uvcache.recordcheck import check_key, check_restorable

MANYLINUX = (
    "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_2_x86_64"
)


def with_key(info: EntryInfo, **changes: Any) -> EntryInfo:
    return info._replace(key=info.key._replace(**changes))


@pytest.mark.parametrize("kind", Kind)
def test_what_uv_writes_passes(kind):
    """An entry of each kind is let through, with its pointer if it has one."""
    pointer = check_restorable(make_info(kind), PACK)
    assert (pointer is not None) == kind.has_pointer


@pytest.mark.parametrize("version", ["1.0", "1!2.0", "1.0+cu118", "2024.1.rc1"])
def test_versions_of_all_sorts_pass(version):
    """Epochs, local versions and the like are in paths as uv puts them there."""
    check_restorable(make_info(version=version), PACK)
    check_restorable(make_info(Kind.REGISTRY_SDIST, version=version), PACK)


def test_a_shortened_stem_passes():
    """uv replaces tags that make a name longer than 64 characters by their digest."""
    info = make_info(tags=MANYLINUX)
    check_restorable(with_key(info, stem="1.0-5a2adc379b2dc214"), PACK)
    with pytest.raises(UnsafePath, match="belongs to another wheel"):
        check_restorable(with_key(info, stem="2.0-5a2adc379b2dc214"), PACK)


@pytest.mark.parametrize(
    ("kind", "shard"),
    [
        (Kind.REGISTRY_WHEEL, "pypi/../pure-wheel"),
        (Kind.REGISTRY_WHEEL, "pypi"),
        (Kind.REGISTRY_WHEEL, "pypi/pure-wheel/1.0"),
        (Kind.REGISTRY_WHEEL, "/pypi/pure-wheel"),
        (Kind.REGISTRY_WHEEL, "pypi//pure-wheel"),
        (Kind.REGISTRY_WHEEL, "pypi/other"),
        (Kind.REGISTRY_WHEEL, "pypi/pure-wheel\n"),
        (Kind.REGISTRY_WHEEL, f"index/{KEY}"),
        (Kind.REGISTRY_WHEEL, f"index/{KEY.upper()}/pure-wheel"),
        (Kind.REGISTRY_WHEEL, "path/d64ec65f49db7a34/pure-wheel"),
        (Kind.URL_WHEEL, f"url/{KEY}"),
        (Kind.REGISTRY_SDIST, "pypi/pure-wheel/.."),
        (Kind.REGISTRY_SDIST, "pypi/pure-wheel/.lock"),
        (Kind.REGISTRY_SDIST, "pypi/pure-wheel"),
        (Kind.URL_SDIST, f"url/{KEY}/pure-wheel"),
        (Kind.URL_SDIST, f"editable/{KEY}"),
        (Kind.GIT, f"git/{KEY}"),
        (Kind.GIT, f"git/{KEY}/../{KEY}"),
    ],
)
def test_shards_that_uv_does_not_write_are_refused(kind, shard):
    """Every kind has its shards, at one depth, below one of the bucket's directories."""
    with pytest.raises(UnsafePath, match="shard"):
        check_key(with_key(make_info(kind), shard=shard))


@pytest.mark.parametrize("kind", [Kind.REGISTRY_WHEEL, Kind.GIT])
@pytest.mark.parametrize(
    "stem",
    [
        "",
        "..",
        "1.0-py3-none-any.http",
        "1.0-py3-none-any.lock",
        "../1.0-py3-none-any",
        "a/1.0-py3-none-any",
        ".tmp-1.0-py3-none-any",
        "1.0-py3-none-any\0",
        "1.0-py3-none-any\n",
        "2.0-py3-none-any",
        "other-1.0-py3-none-any",
        "src",
        "revision",
        "metadata",
        "1.0-" + "y" * 300,
    ],
)
def test_stems_of_other_files_are_refused(kind, stem):
    """No record can put its link where another entry, or another kind of file, is."""
    with pytest.raises(UnsafePath):
        check_key(with_key(make_info(kind), stem=stem))


@pytest.mark.parametrize(
    "settings", ["..", "src", KEY[:-1], f"{KEY}/{KEY}", KEY.upper()]
)
def test_settings_shards_are_keys(settings):
    """A settings shard is what uv derives: 16 hex digits, and only for builds."""
    with pytest.raises(UnsafePath, match="settings"):
        check_key(with_key(make_info(Kind.URL_SDIST), settings=settings))
    with pytest.raises(UnsafePath, match="settings"):
        check_key(with_key(make_info(Kind.URL_WHEEL), settings=KEY))


@pytest.mark.parametrize(
    "archive_id", ["", "..", "ab" * 31, "AB" * 32, "ab" * 32 + "\n"]
)
def test_archive_ids_are_digests(archive_id):
    """Only the digest of a pack names an archive."""
    with pytest.raises(UnsafePath, match="SHA-256"):
        check_restorable(make_info(), archive_id)


@pytest.mark.parametrize(
    "format_id", ["wheels-v99/map", "sdists-v11/array3", "../x/map", "archive-v0/git"]
)
def test_formats_must_be_known_and_fit(format_id):
    """A downloaded wheel is not restored into a bucket of builds, or an unknown one."""
    with pytest.raises(RecordMalformed, match="format"):
        check_restorable(make_info()._replace(format_id=format_id), PACK)


def test_the_pointer_must_say_what_the_record_says():
    """uv takes the pointer's word: a wrong digest makes it fail, and it never heals."""
    info = make_info()
    stem = "pure_wheel-1.0-py3-none-any.whl"
    for pointer, complaint in [
        (b"", "none"),
        (info.pointer[:-1], "none"),
        (encode(info.format_id, "id", (OTHER_FILE,), stem), "digests"),
        (encode(info.format_id, "id", (), stem), "digests"),
        (
            encode(info.format_id, "id", info.hashes, "other-1.0-py3-none-any.whl"),
            "for",
        ),
        (encode(info.format_id, "id", info.hashes, stem.replace("1.0", "2.0")), "for"),
    ]:
        with pytest.raises(RecordMalformed, match=complaint):
            check_restorable(info._replace(pointer=pointer), PACK)
    array4 = encode("wheels-v6/array4", "id", info.hashes, stem)
    with pytest.raises(RecordMalformed, match="array4"):
        check_restorable(info._replace(format_id="wheels-v6/map", pointer=array4), PACK)


_TEXT = st.text(alphabet="./-_ab0\0\n\\", max_size=12)


@given(kind=st.sampled_from(Kind), shard=_TEXT, settings=_TEXT, stem=_TEXT)
def test_whatever_passes_stays_in_its_bucket(kind, shard, settings, stem):
    """No key that passes has a component that is empty, hidden or leads up."""
    info = with_key(make_info(kind), shard=shard, settings=settings, stem=stem)
    try:
        check_key(info)
    except UnsafePath:
        return
    place = find_place("bucket", info, "revision")
    for path in (place.link, place.pointer or place.link, place.metadata):
        assert path.startswith("bucket/")
        parts = path.split("/")
        assert not any(part == "" or part.startswith(".") for part in parts)


@pytest.mark.parametrize(
    ("home", "expected"),
    [
        ("wheels-v8/pypi/x", "../../../archive-v0/id"),
        ("sdists-v11/index/k/x/1.0/rev", "../../../../../../archive-v0/id"),
    ],
)
def test_links_are_written_as_uv_writes_them(home, expected):
    """Relative ones climb to the root; absolute ones start there."""
    place = Place(
        shard="", home=home, revision_id="", pointer="", link="", wheel="", metadata=""
    )
    assert link_content(place, "id", root="/c", relative=True) == expected
    assert link_content(place, "id", root="/c", relative=False) == "/c/archive-v0/id"
