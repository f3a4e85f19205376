"""`PosixStore`: what the contract of all stores cannot see, and each crash position."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.support.disks import Died, DyingDisk, FailingDisk
from tests.support.reads import CountingReads
from tests.support.records import digest_of, make_record
from wheelferry.disk import Disk
from wheelferry.errors import (
    ObjectCorrupt,
    RecordMalformed,
    StoreError,
    StoreFormatUnsupported,
    StoreFull,
    StoreNotInitialised,
    StoreReadOnly,
    StoreUnavailable,
)
from wheelferry.store import layout, reading
from wheelferry.store.base import PutOutcome
from wheelferry.store.create import create_store
from wheelferry.store.posix import PosixStore
from wheelferry.store.reading import Reads
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.segment import encode_segment
from wheelferry.store.upkeep import Dated, Foreign

DATA = os.urandom(3 << 20)
DIGEST = digest_of(DATA)
SEGMENT = encode_segment([make_record(pack=DIGEST)], runner="r1", created_s=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the root of an empty store."""
    create_store(tmp_path / "store", disk=Disk(), now_s=0.0)
    return tmp_path / "store"


def store_in(
    root: Path, disk: Disk | None = None, reads: Reads | None = None
) -> PosixStore:
    """Return a runner's handle on the store."""
    return PosixStore(root, disk=disk or Disk(), runner="r1", reads=reads)


def put(store: PosixStore) -> PutOutcome:
    """Put `DATA`."""
    return store.put_object([DATA], digest=DIGEST, size_bytes=len(DATA))


def commit(store: PosixStore) -> object:
    """Commit `SEGMENT`."""
    return store.commit_segment(SEGMENT)


def opened(store: PosixStore) -> BinaryIO:
    """Open `DATA`, which is there."""
    stream = store.open_object(DIGEST)
    assert stream is not None
    return stream


def names_in(directory: Path) -> list[str]:
    """Return the names in a directory."""
    return sorted(path.name for path in directory.iterdir())


def staged(root: Path) -> list[str]:
    """Return the names of this runner's temporary files."""
    directory = root / "staging" / "r1"
    return names_in(directory) if directory.exists() else []


def test_open_calls_an_empty_folder_away(tmp_path):
    """An empty mount point is a share that is not mounted, never an empty store."""
    with pytest.raises(StoreNotInitialised, match="away") as caught:
        store_in(tmp_path).open()
    assert str(tmp_path) in caught.value.message
    assert "mount" in (caught.value.hint or "")


def test_open_calls_a_missing_folder_away(tmp_path):
    """So is a mount point that is gone."""
    with pytest.raises(StoreNotInitialised, match="away"):
        store_in(tmp_path / "absent").open()


def test_open_refuses_a_newer_format(root):
    """The message names the format that this version cannot use."""
    info = root / "wheelferry.json"
    data = info.read_bytes().replace(b'"format": 1', b'"format": 9')
    info.unlink()
    info.write_bytes(data)

    with pytest.raises(StoreFormatUnsupported, match="format 9"):
        store_in(root).open()


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(put, id="put_object"),
        pytest.param(commit, id="commit_segment"),
        pytest.param(lambda store: store.open_object(DIGEST), id="open_object"),
        pytest.param(lambda store: store.object_size(DIGEST), id="object_size"),
        pytest.param(lambda store: store.look_again([DIGEST]), id="look_again"),
        pytest.param(
            lambda store: list(store.upkeep.list_objects()), id="list_objects"
        ),
        pytest.param(
            lambda store: list(store.upkeep.list_foreign()), id="list_foreign"
        ),
        pytest.param(lambda store: store.list_segments(), id="list_segments"),
        pytest.param(
            lambda store: store.read_segment(SegmentId(DIGEST)), id="read_segment"
        ),
    ],
)
def test_store_that_went_away_is_never_empty(root, use):
    """Unmounted between two calls, every call says so, and makes no directories."""
    store = store_in(root)
    store.open()
    root.rename(root.parent / "elsewhere")
    root.mkdir()

    with pytest.raises(StoreNotInitialised, match="away"):
        use(store)
    assert list(root.iterdir()) == []


def test_missing_directory_in_a_store_is_named(root):
    """A store that lost a directory is damaged, not away; init mends it."""
    (root / "catalog").rmdir()

    with pytest.raises(StoreUnavailable, match="catalog") as caught:
        store_in(root).list_segments()
    assert "wheelferry init" in (caught.value.hint or "")


IN_AB = Digest("ab" + "0" * 62)


@pytest.mark.parametrize(
    ("missing", "use", "tried"),
    [
        pytest.param(
            "trash", lambda u: list(u.list_foreign()), "list {root}", id="list_foreign"
        ),
        pytest.param(
            "objects/ab",
            lambda u: list(u.list_objects()),
            "list {root}/objects",
            id="list_objects-one",
        ),
        pytest.param(
            "objects",
            lambda u: list(u.list_objects()),
            "list {root}/objects",
            id="list_objects",
        ),
        pytest.param(
            "trash", lambda u: u.list_trash(), "list {root}/trash", id="list_trash"
        ),
        pytest.param(
            "trash",
            lambda u: u.discard_object(IN_AB, at_s=1),
            f"remove {{root}}/objects/ab/{IN_AB}",
            id="discard_object",
        ),
        pytest.param(
            "staging",
            lambda u: u.clock_s(),
            "write {root}/staging/r1",
            id="clock_s",
        ),
    ],
)
def test_what_is_missing_is_named_and_not_what_is_there(root, missing, use, tried):
    """Where it is not itself what was tried, both are: `init` mends it in any case."""
    (root / layout.object_path(IN_AB)).write_bytes(b"object")
    shutil.rmtree(root / missing)

    with pytest.raises(StoreUnavailable) as caught:
        use(store_in(root).upkeep)

    tried = tried.format(root=root)
    named = "it" if tried.endswith(f" {root}/{missing}") else f"{root}/{missing}"
    assert caught.value.message == (
        f"cannot {tried}: {named} is missing from the store"
    )


def test_missing_staging_is_never_made(root):
    """A runner makes its own directory in `staging/`, and no other one."""
    (root / "staging").rmdir()

    with pytest.raises(StoreUnavailable, match="missing"):
        put(store_in(root))
    assert not (root / "staging").exists()


def test_object_of_a_wrong_size_is_replaced(root):
    """A short object is damaged for certain: ours takes its place."""
    path = root / layout.object_path(DIGEST)
    path.write_bytes(DATA[:1000])

    assert put(store_in(root)) is PutOutcome.REPLACED
    assert path.read_bytes() == DATA
    assert staged(root) == []


def test_object_of_the_right_size_is_never_touched(root):
    """Not rewritten and not renamed over: readers keep their inode and their pages."""
    put(store_in(root))
    path = root / layout.object_path(DIGEST)
    before = path.stat()
    disk = DyingDisk(last_step=0)  # dies at any step

    assert put(store_in(root, disk)) is PutOutcome.ALREADY_PRESENT
    after = path.stat()
    assert (before.st_ino, before.st_ctime_ns) == (after.st_ino, after.st_ctime_ns)
    assert disk.names == []


def test_object_committed_by_another_host_meanwhile_is_replaced_by_its_equal(root):
    """Of two promoters the second wins, and nothing else is different."""

    def chunks() -> Iterator[bytes]:
        yield DATA[:100]
        put(PosixStore(root, disk=Disk(), runner="r2"))
        yield DATA[100:]

    outcome = store_in(root).put_object(chunks(), digest=DIGEST, size_bytes=len(DATA))

    assert outcome is PutOutcome.COMMITTED
    assert (root / layout.object_path(DIGEST)).read_bytes() == DATA
    assert staged(root) == []


def test_suspect_object_that_cannot_be_read_is_replaced(root):
    """A bad sector under it is damage too; a new file lies elsewhere."""
    put(store_in(root))
    store = store_in(root, reads=FlakyReads("read_into", None, errno.EIO))
    outcome = store.put_object(
        [DATA], digest=DIGEST, size_bytes=len(DATA), is_suspect=True
    )

    assert outcome is PutOutcome.REPLACED


def test_object_stays_readable_when_it_is_removed(root):
    """gc does not tear what a pull is reading."""
    store = store_in(root)
    put(store)
    with opened(store) as stream:
        (root / layout.object_path(DIGEST)).unlink()

        assert stream.read() == DATA


@pytest.mark.parametrize("kind", ["directory", "link", "fifo"])
def test_what_is_no_file_is_no_object(root, kind):
    """Nothing but a regular file is opened; a FIFO does not hang anyone."""
    path = root / layout.object_path(DIGEST)
    if kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("/etc/passwd")
    else:
        os.mkfifo(path)
    store = store_in(root)

    assert store.open_object(DIGEST) is None
    assert store.object_size(DIGEST) is None
    assert list(store.upkeep.list_objects()) == [
        Foreign(layout.object_path(DIGEST), "it is not a regular file")
    ]


def test_listings_tell_foreign_names(root):
    """What others left in the store is neither object nor segment, and is told once."""
    store = store_in(root)
    put(store)
    segment = store.commit_segment(SEGMENT)
    wrong_place = "00" if not DIGEST.startswith("00") else "01"
    among_objects = {
        f"objects/{DIGEST[:2]}/README",
        f"objects/{wrong_place}/{DIGEST}",
    }
    elsewhere = {
        "objects/notes",
        "catalog/.nfs0000000000000001",
        f"catalog/{'g' * 64}.seg",
        f"catalog/{segment}.seg.bak",
        "notes.txt",
    }
    for name in among_objects | elsewhere:
        (root / name).write_bytes(b"x")
    (root / "lost+found").mkdir()
    found = list(store.upkeep.list_objects())

    assert [item[:2] for item in found if isinstance(item, Dated)] == [
        (DIGEST, len(DATA))
    ]
    assert {i.path for i in found if isinstance(i, Foreign)} == among_objects
    assert store.list_segments() == {segment}
    assert {item.path for item in store.upkeep.list_foreign()} == elsewhere


def test_segment_with_other_bytes_is_corrupt(root):
    """A segment's name is the digest of its bytes, and that is checked on each read."""
    store = store_in(root)
    segment = store.commit_segment(SEGMENT)
    path = root / layout.segment_path(segment)
    path.unlink()
    path.write_bytes(SEGMENT[:-1] + b"x")

    with pytest.raises(ObjectCorrupt, match=segment):
        store.read_segment(segment)


def test_segment_of_a_wrong_size_is_written_again(root):
    """A torn segment can be mended by whoever has its bytes."""
    store = store_in(root)
    segment = store.commit_segment(SEGMENT)
    path = root / layout.segment_path(segment)
    path.unlink()
    path.write_bytes(SEGMENT[:10])
    store.commit_segment(SEGMENT)

    assert store.read_segment(segment) == SEGMENT


def test_huge_segment_is_not_read_into_memory(root):
    """A file larger than any segment is refused after the limit."""
    path = root / layout.segment_path(SegmentId(DIGEST))
    with path.open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(ObjectCorrupt, match="more than"):
        store_in(root).read_segment(SegmentId(DIGEST))


def test_huge_segment_is_not_written(root):
    """What no reader would take is not committed."""
    with pytest.raises(RecordMalformed):
        store_in(root).commit_segment(bytes(layout.MAX_SEGMENT_BYTES + 1))
    assert store_in(root).list_segments() == frozenset()


def test_committed_files_are_readable_by_all_whatever_the_umask(root):
    """Runners of other users read what was promoted with umask 077."""
    before = os.umask(0o077)
    try:
        store = store_in(root)
        put(store)
        segment = store.commit_segment(SEGMENT)
    finally:
        os.umask(before)

    for path in (layout.object_path(DIGEST), layout.segment_path(segment)):
        assert (root / path).stat().st_mode & 0o7777 == 0o444


@pytest.mark.parametrize("act", [put, commit])
@pytest.mark.parametrize("step", ["open_unique", "write", "sync_file", "rename"])
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EROFS, StoreReadOnly),
        (errno.EACCES, StoreReadOnly),
        (errno.EPERM, StoreReadOnly),
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EIO, StoreUnavailable),
        (errno.ESTALE, StoreUnavailable),
        (errno.ETIMEDOUT, StoreUnavailable),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else "",
)
def test_failed_write_is_translated_once(root, act, step, number, expected):
    """The class says whether to try again; path, cause and a hint are in it."""
    with pytest.raises(StoreError) as caught:
        act(store_in(root, FailingDisk(step, number)))

    assert type(caught.value) is expected
    assert str(root) in caught.value.message
    assert f"[Errno {number}]" in caught.value.message
    assert caught.value.hint
    assert isinstance(caught.value.__cause__, OSError)
    assert list(store_in(root).upkeep.list_objects()) == []
    assert staged(root) == []


class FlakyReads(Reads):
    """Reads of which some calls raise, in the order given; None lets one through."""

    def __init__(self, call: str, *numbers: int | None) -> None:
        self._numbers = list(numbers)
        self.calls: list[str] = []
        real = getattr(self, call)

        def step(*args: object) -> object:
            self.calls.append(call)
            number = self._numbers.pop(0) if self._numbers else None
            if number is not None:
                raise OSError(number, os.strerror(number))
            return real(*args)

        setattr(self, call, step)


def test_first_miss_is_not_believed(root):
    """NFS remembers misses for half a minute; opening the directory ends that."""
    put(store_in(root))
    store = store_in(root, reads=FlakyReads("open_file", errno.ENOENT))

    with opened(store) as stream:
        assert stream.read(5) == DATA[:5]


def test_first_miss_of_a_size_is_not_believed(root):
    """So an object that is there is not promoted again."""
    put(store_in(root))
    store = store_in(root, reads=FlakyReads("file_facts", errno.ENOENT))

    assert put(store) is PutOutcome.ALREADY_PRESENT


def test_stale_handle_is_opened_again_by_name(root):
    """ESTALE on open is tried once more, and then it is a miss."""
    put(store_in(root))
    once = store_in(root, reads=FlakyReads("open_file", errno.ESTALE))
    twice = store_in(root, reads=FlakyReads("open_file", errno.ESTALE, errno.ESTALE))

    with opened(once) as stream:
        assert stream.read() == DATA
    assert twice.open_object(DIGEST) is None


def test_stale_handle_half_way_is_opened_again_by_name(root):
    """Reading goes on where it was: an object's content never changes."""
    put(store_in(root))
    store = store_in(root, reads=FlakyReads("read_into", None, errno.ESTALE, None))
    with opened(store) as stream:
        found = stream.read(1000) + stream.read(1000)

    assert found == DATA[:2000]


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EBADF])
def test_removed_object_that_the_server_forgot_is_corrupt(root, number):
    """Half of it was delivered: this pack is missed, and the store goes on."""
    put(store_in(root))
    store = store_in(root, reads=FlakyReads("read_into", None, number))
    with opened(store) as stream:
        stream.read(1000)
        (root / layout.object_path(DIGEST)).unlink()
        with pytest.raises(ObjectCorrupt, match="was removed while it was read"):
            stream.read(1000)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ETIMEDOUT])
def test_failed_read_is_translated_once(root, number):
    """A read that fails is not a miss: the store is unavailable."""
    put(store_in(root))
    opening = store_in(root, reads=FlakyReads("open_file", number))
    reading = store_in(root, reads=FlakyReads("read_into", number))
    listing = store_in(root, reads=FlakyReads("list_names", number))

    with pytest.raises(StoreUnavailable, match=DIGEST):
        opening.open_object(DIGEST)
    with opened(reading) as stream, pytest.raises(StoreUnavailable):
        stream.read(1)
    with pytest.raises(StoreUnavailable, match="catalog"):
        listing.list_segments()


@pytest.mark.parametrize(
    ("step", "use"),
    [
        ("list_names", lambda store: store.list_segments()),
        ("list_entries", lambda store: list(store.upkeep.list_objects())),
        ("list_entries", lambda store: list(store.upkeep.list_foreign())),
    ],
    ids=["list_segments", "list_objects", "list_foreign"],
)
def test_stale_handle_of_a_directory_is_opened_again_by_name(root, step, use):
    """Once, and the listing is the same."""
    put(store_in(root))
    commit(store_in(root))
    once = store_in(root, reads=FlakyReads(step, errno.ESTALE))
    twice = store_in(root, reads=FlakyReads(step, errno.ESTALE, errno.ESTALE))

    assert use(once) == use(store_in(root))
    with pytest.raises(StoreUnavailable, match="Stale"):
        use(twice)


def test_stale_handle_of_a_segment_is_opened_again_by_name(root):
    """A segment is read from its beginning then."""
    segment = store_in(root).commit_segment(SEGMENT)
    once = store_in(root, reads=FlakyReads("read_into", errno.ESTALE))
    twice = store_in(root, reads=FlakyReads("read_into", errno.ESTALE, errno.ESTALE))

    assert once.read_segment(segment) == SEGMENT
    with pytest.raises(StoreUnavailable, match=segment):
        twice.read_segment(segment)


def test_segment_that_arrives_in_pieces_is_read_whole(root):
    """A read may return less than was asked for."""

    class Slow(Reads):
        def read_into(self, fd: int, buffer: memoryview) -> int:
            return super().read_into(fd, buffer[:7])

    segment = store_in(root).commit_segment(SEGMENT)

    assert store_in(root, reads=Slow()).read_segment(segment) == SEGMENT


def test_opening_reads_once_and_a_segment_is_committed_without_a_look(root):
    """Each call may be a round trip, and `open` is before each job."""
    reads = FlakyReads("read_into")
    store_in(root, reads=reads).open()
    assert reads.calls == ["read_into"]
    looks = FlakyReads("file_facts")
    store_in(root, reads=looks).commit_segment(SEGMENT)

    assert looks.calls == []


def test_listing_of_foreign_files_looks_at_none(root):
    """What a directory's entries say is enough, and those of objects are left alone."""
    put(store_in(root))
    reads = CountingReads()

    assert list(store_in(root, reads=reads).upkeep.list_foreign()) == []
    assert [step.name for step in reads.log] == ["list_entries"] * len(reads.log)
    assert sorted(step.paths[0] for step in reads.log) == [
        str(root / name)
        for name in (
            "",
            "catalog",
            "objects",
            "quarantine",
            "staging",
            "staging/r1",
            "trash",
        )
    ]


def test_look_again_opens_each_directory_once(root):
    """Hits have to be current too; a batch of a hundred packs costs no more than that."""
    put(store_in(root))
    reads = FlakyReads("look_into")

    assert store_in(root, reads=reads).look_again([DIGEST, DIGEST]) == []
    assert reads.calls == ["look_into"]


def test_sweep_removes_old_files_of_its_own_names_only(root):
    """Neither notes, nor other runners' files, nor young ones are touched."""
    store = store_in(root)
    put(store)
    mine = root / "staging" / "r1"
    old, young = mine / f"{'0' * 32}.tmp", mine / f"{'1' * 32}.tmp"
    note = mine / "notes.txt"
    other = root / "staging" / "r2" / f"{'0' * 32}.tmp"
    other.parent.mkdir()
    for path in (old, young, note, other):
        path.write_bytes(b"x")
    for path in (old, note, other):
        os.utime(path, (1, 1))

    assert store.sweep_staging(older_than_s=3600) == 1
    assert names_in(mine) == [young.name, note.name]
    assert other.exists()


def test_sweep_leaves_what_is_being_written(root):
    """However slow the upload, and whatever age is given."""
    store = store_in(root)
    removed = []

    def chunks() -> Iterator[bytes]:
        yield DATA[: 2 << 20]
        removed.append(store.sweep_staging(older_than_s=-1.0))
        yield DATA[2 << 20 :]

    outcome = store.put_object(chunks(), digest=DIGEST, size_bytes=len(DATA))

    assert outcome is PutOutcome.COMMITTED
    assert removed == [0]


def test_sweep_of_a_runner_that_never_wrote(root):
    """It does not even make the directory."""
    assert store_in(root).sweep_staging(older_than_s=0) == 0
    assert names_in(root / "staging") == []


def steps_of(root: Path, act: Callable[[PosixStore], object]) -> int:
    """Count the steps that `act` takes on a store like `root`."""
    copy = root.parent / "counted"
    create_store(copy, disk=Disk(), now_s=0.0)
    disk = DyingDisk()
    act(store_in(copy, disk))
    return disk.steps


@pytest.mark.parametrize("act", [put, commit])
def test_nothing_half_written_is_seen_after_any_crash(root, act):
    """Killed at any step, it is whole or missing; then it can be written after all."""
    total = steps_of(root, act)
    seen = set()
    for last_step in range(1, total + 1):
        with pytest.raises(Died):
            act(store_in(root, DyingDisk(last_step)))

        fresh = store_in(root)
        fresh.open()
        objects, segments = list(fresh.upkeep.list_objects()), fresh.list_segments()
        seen.add(bool(objects or segments))
        assert [item[:2] for item in objects] in ([], [(DIGEST, len(DATA))])
        for segment in segments:
            assert fresh.read_segment(segment) == SEGMENT
        assert list(fresh.upkeep.list_foreign()) == []
        act(fresh)
        fresh.sweep_staging(older_than_s=-1.0)
        assert staged(root) == []
        for path in [*root.glob("objects/*/*"), *root.glob("catalog/*")]:
            path.unlink()
        (root / "staging" / "r1").rmdir()

    assert total >= 5
    assert seen == {False, True}


def test_commit_point_is_the_rename(root):
    """Before the rename nothing is there, after it everything."""
    disk = DyingDisk()
    put(store_in(root, disk))
    rename = disk.names.index("rename") + 1
    path = root / layout.object_path(DIGEST)
    for last_step, there in ((rename - 1, False), (rename, True)):
        path.unlink(missing_ok=True)
        shutil.rmtree(root / "staging" / "r1")
        with pytest.raises(Died):
            put(store_in(root, DyingDisk(last_step)))
        assert path.exists() is there


def test_directory_with_too_many_names_takes_no_memory(root, monkeypatch):
    """Anyone who may write to the store can fill one; what lists it gives up."""
    monkeypatch.setattr(reading, "MAX_NAMES", 5)
    store = PosixStore(root, disk=Disk(), runner="r")
    for number in range(5):
        (root / f"catalog/{number}").touch()
    assert store.list_segments() == frozenset()
    (root / "catalog/5").touch()
    with pytest.raises(StoreUnavailable, match="File too large"):
        store.list_segments()
    with pytest.raises(StoreUnavailable, match="File too large"):
        list(store.upkeep.list_foreign())
