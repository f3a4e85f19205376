"""What a scan finds in a cache: settled entries, and reasons for the rest."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.entries import FILE, KEY, TAGS, encode, make_tree
from wheelferry.errors import CacheError
from wheelferry.uvcache.cached import CachedEntry, Scan, is_unchanged
from wheelferry.uvcache.entry import Kind
from wheelferry.uvcache.formats import FORMATS, Family
from wheelferry.uvcache.reading import find_buckets, read_small
from wheelferry.uvcache.scan import MAX_METADATA_BYTES, scan_cache

COMMIT = "bbbdabc292d81c23"
SETTINGS = "c029b6f00a12f17d"
REVISION = "rev-of-this-cache"


@dataclass
class Cache:
    """A cache that is filled by hand, as uv would."""

    root: Path

    def archive(self, archive_id: str, name: str = "pure-wheel") -> Path:
        return make_tree(self.root / "archive-v0" / archive_id, name)

    def link(self, path: Path, archive_id: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(self.root / "archive-v0" / archive_id)

    def wheel(
        self,
        format_id: str = "wheels-v8/array5",
        shard: str = "pypi/pure-wheel",
        archive_id: str = "Arch-ive_1",
    ) -> Path:
        """Make a downloaded wheel, and return its pointer."""
        bucket = format_id.partition("/")[0]
        filename = f"pure_wheel-1.0-{TAGS}.whl"
        has_name = bucket in ("wheels-v3", "wheels-v4")
        stem = filename.removesuffix(".whl") if has_name else f"1.0-{TAGS}"
        self.archive(archive_id)
        self.link(self.root / bucket / shard / stem, archive_id)
        pointer = self.root / bucket / shard / f"{stem}.http"
        pointer.write_bytes(encode(format_id, archive_id, (FILE,), filename))
        return pointer

    def revision(
        self,
        format_id: str = "sdists-v11/array3",
        shard: str = "pypi/pure-sdist/1.0",
    ) -> Path:
        """Make the pointer of an sdist, and return the directory of its builds."""
        path = self.root / format_id.partition("/")[0] / shard
        (path / REVISION / "src").mkdir(parents=True)
        (path / ".lock").touch()
        pointer = encode(format_id, REVISION, (FILE,), "")
        (path / "revision.http").write_bytes(pointer)
        return path / REVISION

    def build(
        self,
        home: Path,
        *,
        tags: str = TAGS,
        name: str = "pure-sdist",
        archive_id: str = "built-1",
        parts: str = "link whl metadata",
    ) -> None:
        """Make a built wheel, or some parts of it."""
        home.mkdir(parents=True, exist_ok=True)
        stem = f"{name.replace('-', '_')}-1.0-{tags}"
        if "link" in parts:
            self.archive(archive_id, name)
            self.link(home / stem, archive_id)
        if "whl" in parts:
            (home / f"{stem}.whl").write_bytes(b"zip")
        if "metadata" in parts:
            (home / "metadata.msgpack").write_bytes(b"built")

    def scan(self) -> Scan:
        return scan_cache(self.root)

    def only(self) -> CachedEntry:
        scan = self.scan()
        (entry,) = scan.entries
        assert (scan.skipped, scan.unknown) == ((), ())
        return entry


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


WHEEL_FORMATS = [row.id for row in FORMATS if row.family is Family.WHEELS]
SDIST_FORMATS = [
    row.id for row in FORMATS if row.family is Family.SDISTS and row.shape != "git"
]
GIT_FORMATS = [row.id for row in FORMATS if row.shape == "git"]


@pytest.mark.parametrize("format_id", WHEEL_FORMATS)
def test_downloaded_wheel_is_found_in_every_format(cache, format_id):
    """With all that a record needs, and the pointer's bytes as they are."""
    pointer = cache.wheel(format_id)
    pointer.with_suffix(".msgpack").write_bytes(b"resolved")

    entry = cache.only()

    info = entry.info
    assert (info.format_id, info.key.kind) == (format_id, Kind.REGISTRY_WHEEL)
    assert (info.name, info.version, info.tags) == ("pure-wheel", "1.0", TAGS)
    assert (info.key.shard, info.key.settings) == ("pypi/pure-wheel", "")
    assert info.key.stem == pointer.stem
    assert info.hashes == (FILE,)
    assert info.pointer == pointer.read_bytes()
    assert info.metadata == b"resolved"
    assert entry.archive == cache.root / "archive-v0/Arch-ive_1"
    assert entry.wheel_file is None
    assert not entry.is_restored
    assert entry.urls == ("http://index.invalid/files/some.file",)


@pytest.mark.parametrize("format_id", SDIST_FORMATS)
def test_built_wheel_is_found_in_every_format(cache, format_id):
    """The revision's id is left out of the key: it is another on each runner."""
    cache.build(cache.revision(format_id))

    entry = cache.only()

    info = entry.info
    assert (info.format_id, info.key.kind) == (format_id, Kind.REGISTRY_SDIST)
    assert str(info.key) == f"pypi/pure-sdist/1.0/pure_sdist-1.0-{TAGS}"
    assert info.hashes == (FILE,)
    assert info.metadata == b"built"
    assert entry.archive == cache.root / "archive-v0/built-1"
    assert entry.wheel_file is not None
    assert entry.wheel_file.name == f"pure_sdist-1.0-{TAGS}.whl"


@pytest.mark.parametrize("format_id", GIT_FORMATS)
def test_git_build_is_found_in_every_format(cache, format_id):
    """It has no pointer, no hashes and no URL."""
    home = cache.root / format_id.partition("/")[0] / "git" / KEY / COMMIT
    cache.build(home)

    entry = cache.only()

    assert (entry.info.format_id, entry.info.key.kind) == (format_id, Kind.GIT)
    assert entry.info.key.shard == f"git/{KEY}/{COMMIT}"
    assert (entry.info.pointer, entry.info.hashes, entry.urls) == (b"", (), ())


@pytest.mark.parametrize(
    ("shard", "kind"),
    [
        (f"index/{KEY}/pure-wheel", Kind.REGISTRY_WHEEL),
        (f"url/{KEY}/pure-wheel", Kind.URL_WHEEL),
    ],
)
def test_kind_of_a_wheel_follows_from_its_shard(cache, shard, kind):
    """Any index, and direct URLs."""
    cache.wheel(shard=shard)
    key = cache.only().info.key
    assert (key.shard, key.kind) == (shard, kind)


@pytest.mark.parametrize(
    ("shard", "kind"),
    [
        (f"index/{KEY}/pure-sdist/1.0", Kind.REGISTRY_SDIST),
        (f"url/{KEY}", Kind.URL_SDIST),
    ],
)
def test_kind_of_a_build_follows_from_its_shard(cache, shard, kind):
    """Any index, and direct URLs."""
    cache.build(cache.revision(shard=shard))
    key = cache.only().info.key
    assert (key.shard, key.kind) == (shard, kind)


def test_builds_with_settings_are_entries_of_their_own(cache):
    """The settings shard is a part of the key."""
    home = cache.revision()
    cache.build(home)
    cache.build(home / SETTINGS, archive_id="built-2")
    cache.build(home / "not-a-shard", archive_id="built-3")
    found = {e.info.key.settings: e.archive for e in cache.scan().entries}
    archives = cache.root / "archive-v0"
    assert found == {"": archives / "built-1", SETTINGS: archives / "built-2"}


@pytest.mark.parametrize(
    "spelled", ["Pure.Sdist-1.0", "Pure_Sdist-1.0", "pure_sdist-1.0.RC1"]
)
@pytest.mark.parametrize("is_unpacked", [True, False])
def test_wheel_that_its_backend_spelled_otherwise_is_one_entry(
    cache, spelled, is_unpacked
):
    """uv keeps the backend's name of the `.whl`, and spells that of the link itself."""
    home = cache.revision()
    cache.build(home, parts="link whl metadata" if is_unpacked else "whl metadata")
    (home / f"pure_sdist-1.0-{TAGS}.whl").rename(home / f"{spelled}-{TAGS}.whl")
    entry = cache.only()
    version = "1.0" if is_unpacked else spelled.partition("-")[2]
    assert entry.info.key.stem == f"pure_sdist-{version}-{TAGS}"
    assert (entry.info.name, entry.info.version) == ("pure-sdist", version)
    assert entry.wheel_file == home / f"{spelled}-{TAGS}.whl"
    assert (entry.archive is not None) == is_unpacked


def test_each_version_of_a_commit_has_its_own_wheel(cache):
    """A version can be made of the date: one commit, built twice, has two."""
    home = cache.root / "sdists-v11" / "git" / KEY / COMMIT
    cache.build(home)
    old, new = (home / f"pure_sdist-{v}-{TAGS}" for v in ("1.0", "1.1"))
    cache.link(new, "built-1")
    new.with_name(f"{new.name}.whl").write_bytes(b"zip")
    found = {e.info.key.stem: e.wheel_file for e in cache.scan().entries}
    assert found == {p.name: p.with_name(f"{p.name}.whl") for p in (old, new)}


def test_builds_of_two_pythons_share_a_revision(cache):
    """Each is an entry of its own."""
    home = cache.revision()
    cache.build(home, tags="cp311-cp311-linux_x86_64")
    cache.build(home, tags="cp312-cp312-linux_x86_64", archive_id="built-2")
    tags = [entry.info.tags for entry in cache.scan().entries]
    assert tags == ["cp311-cp311-linux_x86_64", "cp312-cp312-linux_x86_64"]


def test_shortened_stem_is_kept_and_the_name_is_the_pointers(cache):
    """A stem that uv shortened does not tell the tags."""
    pointer = cache.wheel()
    short = pointer.with_name(f"1.0-{KEY}.http")
    pointer.rename(short)
    info = cache.only().info
    assert (info.key.stem, info.version, info.tags) == (f"1.0-{KEY}", "1.0", TAGS)


def test_built_wheel_that_was_only_resolved_is_settled(cache):
    """It has a `.whl` and metadata, and no archive yet."""
    cache.build(cache.revision(), parts="whl metadata")
    entry = cache.only()
    assert entry.archive is None
    assert entry.wheel_file is not None


@pytest.mark.parametrize("parts", ["whl", "metadata", ""])
def test_build_that_is_under_way_is_left_out(cache, parts):
    """uv renames the metadata into place last."""
    cache.build(cache.revision(), parts=parts)
    assert cache.scan() == Scan(entries=(), skipped=(), unknown=())


def test_link_alone_is_settled(cache):
    """After `uv cache prune --ci` or a restore, there may be no `.whl`."""
    cache.build(cache.revision(), parts="link")
    entry = cache.only()
    assert entry.wheel_file is None
    assert entry.info.metadata == b""


def test_dangling_link_falls_back_to_the_wheel_file(cache):
    """An archive that is gone can be made again from the `.whl`."""
    cache.build(cache.revision())
    (cache.root / "archive-v0/built-1").rename(cache.root / "elsewhere")
    assert cache.only().archive is None


def test_link_of_a_moved_cache_leads_to_the_archive_here(cache):
    """Old uv wrote absolute links, which name the place where the cache was."""
    cache.build(cache.revision(), parts="link")
    cache.root = cache.root.rename(cache.root.with_name("moved"))
    assert cache.only().archive == cache.root / "archive-v0/built-1"


def test_wheel_without_its_archive_is_skipped(cache):
    """A pointer whose archive was pruned names nothing."""
    cache.wheel()
    (cache.root / "archive-v0/Arch-ive_1").rename(cache.root / "elsewhere")
    (skipped,) = cache.scan().skipped
    assert skipped.path == f"wheels-v8/pypi/pure-wheel/1.0-{TAGS}.http"
    assert skipped.reason == "its archive is missing"


def test_archive_that_is_a_link_is_not_followed(cache):
    """Else what is outside of the cache could be promoted."""
    cache.wheel()
    archive = cache.root / "archive-v0/Arch-ive_1"
    archive.symlink_to(archive.rename(cache.root.parent / "outside"))
    assert cache.scan().entries == ()


@pytest.mark.parametrize(
    "path",
    [
        f"wheels-v8/pypi/pure-wheel/.tmpAbCdEf/1.0-{TAGS}.http",
        "wheels-v8/.tmpAbCdEf/pure-wheel/x.http",
        f"wheels-v8/pypi/pure-wheel/1.0-{TAGS}.rev",
        f"wheels-v8/path/{KEY}/pure-wheel/1.0-{TAGS}.http",
        f"sdists-v11/path/{KEY}/revision.rev",
        f"sdists-v11/editable/{KEY}/revision.rev",
        "sdists-v11/pypi/pure-sdist/1.0/revision.rev",
        "simple-v21/pypi/pure-wheel.rkyv",
        "interpreter-v5/a/b.msgpack",
        ".tmpAbCdEf/wheels-v8/x.http",
        "builds-v0/.tmpAbCdEf/x.whl",
    ],
)
def test_what_is_not_shared_is_not_looked_at(cache, path):
    """Temporary files, local kinds and other buckets: not even reported."""
    cache.archive("some-id")
    file = cache.root / path
    file.parent.mkdir(parents=True)
    pointer = encode(
        "wheels-v8/array5", "some-id", (FILE,), f"pure_wheel-1.0-{TAGS}.whl"
    )
    file.write_bytes(pointer)
    assert cache.scan() == Scan(entries=(), skipped=(), unknown=())


def test_revision_that_is_not_current_is_left_out(cache):
    """Only the one that the pointer names counts."""
    home = cache.revision()
    cache.build(home)
    cache.build(home.with_name("older-revision"), archive_id="built-2")
    assert cache.only().archive == cache.root / "archive-v0/built-1"


def test_archive_inside_a_git_repository_is_skipped(cache):
    """uv keeps its hashes beside it, in a file that would have to travel along."""
    home = cache.root / "sdists-v11/git" / KEY / COMMIT
    cache.build(home)
    (home / "hashes.msgpack").touch()
    scan = cache.scan()
    assert scan.entries == ()
    assert [s.reason for s in scan.skipped] == ["an archive inside a git repository"]


def test_wheel_of_another_package_is_skipped(cache):
    """A shard belongs to one package."""
    cache.wheel(shard="pypi/other")
    cache.build(cache.revision(), name="another")
    scan = cache.scan()
    assert scan.entries == ()
    assert len(scan.skipped) == 2


def test_damaged_pointer_is_skipped_and_not_taken_for_a_newer_format(cache):
    """The message names the file; the rest of the cache is found."""
    pointer = cache.wheel()
    pointer.write_bytes(pointer.read_bytes()[:-9])
    cache.build(cache.revision())
    scan = cache.scan()
    assert [entry.info.name for entry in scan.entries] == ["pure-sdist"]
    assert [s.path for s in scan.skipped] == [
        pointer.relative_to(cache.root).as_posix()
    ]
    assert scan.unknown == ()


def test_pointer_that_is_no_plain_file_is_left_out(cache, tmp_path):
    """A link, a pipe or a directory in a pointer's place neither blocks nor leads out."""
    pointer = cache.wheel()
    pointer.rename(tmp_path / "real")
    pointer.symlink_to(tmp_path / "real")
    os.mkfifo(pointer.with_name(f"2.0-{TAGS}.http"))
    pointer.with_name(f"3.0-{TAGS}.http").mkdir()
    assert cache.scan().entries == ()


def test_unknown_shape_is_counted_by_name(cache):
    """A newer uv that kept the bucket's name."""
    pointer = cache.wheel("wheels-v6/map")
    data = pointer.read_bytes()
    pointer.write_bytes(data.replace(b"\x85\xa2id", b"\x86\xa1n\x01\xa2id", 1))
    scan = cache.scan()
    (unknown,) = scan.unknown
    assert unknown.name == "wheels-v6/map(filename,hashes,id,n,size,version)"
    assert unknown.count == 1


def test_shape_of_another_bucket_is_unknown(cache):
    """`array4` is known, and not in `wheels-v4`."""
    pointer = cache.wheel("wheels-v5/array4")
    (cache.root / "wheels-v5").rename(cache.root / "wheels-v4")
    (unknown,) = cache.scan().unknown
    assert (unknown.name, unknown.count) == ("wheels-v4/array4", 1)
    assert not pointer.exists()


def test_unknown_buckets_are_counted_by_name(cache):
    """A newer uv with new buckets: nothing of it is read, but it is told how much."""
    cache.wheel()
    cache.build(cache.revision())
    for old, new in (("wheels-v8", "wheels-v99"), ("sdists-v11", "sdists-v99")):
        (cache.root / old).rename(cache.root / new)
    scan = cache.scan()
    assert [(u.name, u.count) for u in scan.unknown] == [
        ("sdists-v99", 1),
        ("wheels-v99", 1),
    ]


def test_scan_that_finds_something_is_not_blind(cache):
    """An unknown bucket beside a known one is reported, and no more."""
    cache.wheel()
    (cache.root / "wheels-v99").mkdir()
    scan = cache.scan()
    assert [u.name for u in scan.unknown] == ["wheels-v99"]


def test_scan_of_nothing_is_empty(cache):
    """A cache that is not there, or empty, has nothing and is not blind."""
    empty = Scan(entries=(), skipped=(), unknown=())
    assert cache.scan() == empty
    cache.root.mkdir()
    assert cache.scan() == empty


def test_restored_archive_is_known_by_its_name(cache):
    """Only 64 lower-case hex digits are the digest of a pack."""
    cache.wheel(archive_id="ab" * 32)
    cache.build(cache.revision(), archive_id="AB" * 32)
    restored = {e.info.name: e.is_restored for e in cache.scan().entries}
    assert restored == {"pure-wheel": True, "pure-sdist": False}


@pytest.mark.parametrize("suffix", ["", ".whl"])
def test_replaced_build_is_noticed(cache, suffix):
    """A link or `.whl` that another file took the place of."""
    cache.build(cache.revision())
    entry = cache.only()
    assert is_unchanged(entry)
    assert entry.wheel_file is not None
    path = entry.wheel_file.with_suffix(suffix)
    spare = path.with_name("spare")
    cache.link(spare, "built-1") if not suffix else spare.write_bytes(b"zip")
    spare.rename(path)
    assert not is_unchanged(entry)


def test_replaced_or_removed_pointer_is_noticed(cache):
    """uv renames a new pointer over the old one; clean removes it."""
    pointer = cache.wheel()
    entry = cache.only()
    spare = pointer.with_name("spare")
    spare.write_bytes(pointer.read_bytes())
    spare.rename(pointer)
    assert not is_unchanged(entry)
    entry = cache.only()
    pointer.unlink()
    assert not is_unchanged(entry)


def test_huge_metadata_is_left_behind(cache):
    """It is of use for resolving only; the wheel is shared without it."""
    pointer = cache.wheel()
    with pointer.with_suffix(".msgpack").open("wb") as file:
        file.truncate(MAX_METADATA_BYTES + 1)
    assert cache.only().info.metadata == b""


def test_cache_of_another_user_is_an_error(cache):
    """The message says what to do."""
    pointer = cache.wheel()
    pointer.parent.chmod(0)
    user = os.geteuid()
    if user == 0:  # who may read all
        os.seteuid(65534)
    try:
        with pytest.raises(CacheError, match="cannot read the uv cache") as caught:
            cache.scan()
    finally:
        os.seteuid(user)
        pointer.parent.chmod(0o755)

    assert caught.value.hint == "run as the user whose jobs use this cache"


def test_buckets_are_found_by_name(cache):
    """Known or not, and nothing that only begins like one."""
    for name in ("wheels-v8", "sdists-v99", "wheels-vX", "wheels", "archive-v0"):
        (cache.root / name).mkdir(parents=True)
    assert find_buckets(cache.root) == ("sdists-v99", "wheels-v8")
    assert find_buckets(cache.root / "missing") == ()


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 500])
def test_small_file_is_read_up_to_a_limit(tmp_path, size):
    """One byte more than the limit tells that it is too long."""
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    assert read_small(str(path), 100) == bytes(min(size, 101))


def test_file_that_tells_no_size_is_read_all_the_same():
    """As one that grows after it was looked at; those of /proc have none."""
    status = read_small("/proc/self/status", 1 << 20)
    assert status is not None
    assert b"Pid:" in status


def test_urls_are_read_only_when_asked_for(cache):
    """A promotion asks for those of the few entries that the store has not got."""
    cache.wheel()
    entry = cache.only()
    assert entry.policy in entry.info.pointer
    assert entry.urls == ("http://index.invalid/files/some.file",)
