"""Trim on real files: what goes is whole, what stays is whole, and no uv is in the way."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.cachetree import few, formats_of, make_cache, make_files, many, plan
from tests.support.disks import CountingDisk, FailingDisk, Step
from tests.support.restoring import snapshot
from tests.support.soundness import CacheJudge
from tests.support.tiers import Ferry, make_store
from tests.support.trimming import (
    HOUR_S,
    archives,
    dangling,
    place_of,
    size_of,
    state_of,
    trim,
    use,
)
from wheelferry.disk import Disk, FileLock, try_lock
from wheelferry.errors import CacheError, CacheLocked
from wheelferry.ops.trim import apply_trim, read_plan
from wheelferry.ops.trim_plan import ENOUGH, Group, make_groups
from wheelferry.uvcache.entry import Kind
from wheelferry.uvcache.holdings import read_holdings
from wheelferry.uvcache.running import find_uv_process, may_be_unlocked
from wheelferry.uvcache.scan import scan_cache

BIG = (b"x" * 50_000, False)
ENTRIES = (
    plan("first", files=make_files("first", big=BIG)),
    plan("second", files=make_files("second", big=BIG)),
    plan("built", Kind.REGISTRY_SDIST, files=make_files("built", big=BIG)),
    plan("git-dep", Kind.GIT, files=make_files("git-dep", big=BIG)),
)
NAMES = [entry.info.name for entry in ENTRIES]
JUDGE = CacheJudge(ENTRIES)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with four wheels, used in the order of their names in `NAMES`."""
    cache = make_cache(tmp_path / "cache", ENTRIES)
    for number, path in enumerate(sorted((cache / "archive-v0").iterdir())):
        use(path, after_s=(number + 1) * HOUR_S)
    return cache


def of(groups: list[Group]) -> list[str]:
    """Return the packages in groups."""
    return [group.subjects[0].partition(" ")[0] for group in groups]


def there(cache: Path) -> list[str]:
    """Return the packages whose entries a cache has."""
    return sorted(entry.info.name for entry in scan_cache(cache).entries)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_least_recently_used_leave_and_the_rest_is_as_it_was(
    cache: Path, count: int
) -> None:
    """Pointer, link, metadata and archive of each, and no file of another."""
    before = snapshot(cache)
    sizes = size_of(cache)
    groups = sorted(make_groups(read_holdings(cache), {}), key=lambda g: g.used_s)
    left_bytes = sizes - sum(group.size_bytes for group in groups[:count])

    planned, report = trim(cache, int(left_bytes / ENOUGH) + 2)

    assert of(report.removed) == NAMES[:count]
    assert there(cache) == sorted(NAMES[count:])
    assert (JUDGE.wrong(cache), dangling(cache)) == ([], [])
    assert len(archives(cache)) == len(NAMES) - count
    after = snapshot(cache)
    assert (
        before.items()
        >= {k: v for k, v in after.items() if k not in (".lock", ".gitignore")}.items()
    )
    assert planned.cache_bytes == sizes
    assert abs(size_of(cache) - (sizes - report.freed_bytes)) <= 8192  # .lock and such
    for name in NAMES[:count]:
        left = [p for p in cache.rglob("*") if name in p.parts and not p.is_dir()]
        assert left == []
    assert list((state_of(cache) / "staging").iterdir()) == []


def test_cache_within_its_budget_is_not_touched(cache: Path) -> None:
    """Not even its lock is taken; what a killed trim left is removed all the same."""
    left = state_of(cache) / "staging/1-0123456789abcdef/archive-1"
    left.mkdir(parents=True)
    before = snapshot(cache)

    planned, report = trim(cache, 1 << 30)

    assert (planned.victims, report.removed, snapshot(cache)) == ((), [], before)
    assert not left.parent.exists()


def test_formats_of_all_uvs_can_be_trimmed(tmp_path: Path) -> None:
    """Down to nothing: no file that an entry had is left."""
    entries = many()
    cache = make_cache(tmp_path / "cache", entries)

    _, report = trim(cache, 1)

    assert sum(len(group.subjects) for group in report.removed) == len(entries)
    files = {p.name for p in cache.rglob("*") if not p.is_dir() or p.is_symlink()}
    assert files == {"CACHEDIR.TAG", ".gitignore", ".lock"}


def test_archive_that_two_formats_share_goes_with_both(tmp_path: Path) -> None:
    """A pull gives entries with one pack one archive: no name of it may stay."""
    shared = make_files("pure-wheel", big=BIG)
    entries = (
        plan("pure-wheel", files=shared),
        plan("pure-wheel", files=shared, format_id="wheels-v7/array5"),
        plan("other", files=make_files("other", big=BIG)),
    )
    store = make_store(tmp_path / "store")
    Ferry(cache=make_cache(tmp_path / "a", entries), store=store).promote()
    b = Ferry(cache=tmp_path / "b", store=store, runner="r2")
    b.pull(formats_of(entries))
    assert len(archives(b.cache)) == 2
    (other,) = (p for p in (b.cache / "archive-v0").iterdir() if (p / "other").exists())
    use(other, after_s=HOUR_S)

    _, report = trim(b.cache, size_of(b.cache) - 1)

    (group,) = report.removed
    assert (len(group.holders), len(group.archives)) == (2, 1)
    assert there(b.cache) == ["other"]
    assert CacheJudge(entries).wrong(b.cache) == []


def test_archive_without_a_name_goes_first(cache: Path) -> None:
    """Such as a killed trim, or a killed uv, leaves."""
    shutil.copytree(cache / "archive-v0/archive000000000", cache / "archive-v0/orphan")

    _, report = trim(cache, size_of(cache) - 1)

    assert [group.subjects for group in report.removed] == [("archive-v0/orphan",)]
    assert there(cache) == sorted(NAMES)


def test_archive_without_files_goes(cache: Path) -> None:
    """A power loss empties some; to look into it is not to use it."""
    empty = cache / "archive-v0/empty"
    empty.mkdir()
    os.utime(empty, ns=(1 << 62, 1 << 62))
    (cache / "archive-v0/record/x.dist-info").mkdir(parents=True)
    (cache / "archive-v0/record/x.dist-info/RECORD").write_text("x")

    _, report = trim(cache, 1)

    assert report.changed == []
    assert archives(cache) == set()


def test_archive_that_only_a_pointer_names_has_a_name(cache: Path) -> None:
    """uv finds it without its link; and goes on finding it until it is its turn."""
    (link,) = cache.glob("wheels-*/index/*/second/1.0-py3-none-any")
    link.unlink()

    _, report = trim(cache, size_of(cache) - 1)
    assert of(report.removed) == ["first"]
    _, report = trim(cache, size_of(cache) - 1)
    assert of(report.removed) == ["second"]
    assert JUDGE.wrong(cache) == []


@pytest.mark.parametrize(
    "place", ["environments-v2/ab/cd", "wheels-v99/pypi/first/x", "wheels-v8/new/x"]
)
def test_archive_that_something_unknown_names_stays(cache: Path, place: str) -> None:
    """uv makes environments of archives too; and a newer uv may do what it likes."""
    link = cache / place
    link.parent.mkdir(parents=True)
    link.symlink_to(cache / "archive-v0/archive000000000")

    _, report = trim(cache, 1)

    assert of(report.removed) == NAMES[1:]
    assert link.exists()
    assert "first" in there(cache)


def test_what_is_no_wheel_is_named_and_stays(cache: Path) -> None:
    """Pages, interpreters, sources without a wheel: uv has its own command for them."""
    pages = cache / "simple-v28/pypi/numpy.rkyv"
    source = cache / "sdists-v11/pypi/broken/1.0/revision01234567/src/setup.py"
    metadata = cache / "wheels-v8/pypi/resolved/1.0-py3-none-any.msgpack"
    for path in (pages, source, metadata):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 20_000)

    planned, report = trim(cache, 1)

    assert len(report.removed) == len(NAMES)
    others = dict(planned.others)
    assert {"simple-v28", "sdists-v11", "wheels-v8"} <= others.keys()
    assert all(others[name] >= 20_000 for name in ("simple-v28", "sdists-v11"))
    assert all(path.exists() for path in (pages, source, metadata))


def test_what_is_used_after_the_look_stays(cache: Path) -> None:
    """uv's hardlink changes a file's change time: that is seen under the lock."""
    (file,) = (cache / "archive-v0/archive000000000").glob("first/__init__.py")
    holdings = read_holdings(cache)
    witness = holdings.archives["archive000000000"].witness

    def sync() -> None:
        os.utime(
            cache / "archive-v0/archive000000000" / witness,
            ns=((1 << 62), file.stat().st_mtime_ns),
        )

    _, report = trim(cache, size_of(cache) - 1, meanwhile=sync)

    assert (of(report.changed), report.removed) == (["first"], [])
    assert there(cache) == sorted(NAMES)


def test_hardlink_counts_as_use(cache: Path, tmp_path: Path) -> None:
    """The change time tells, though nobody read the file."""
    archive = cache / "archive-v0/archive000000000"
    for path in archive.rglob("*"):
        os.utime(path, (0, 0))
    before = read_holdings(cache).archives[archive.name]
    file = archive / "first/__init__.py"

    (tmp_path / "linked").hardlink_to(file)

    after = read_holdings(cache).archives[archive.name]
    assert (after.used_s, after.witness) == (file.stat().st_ctime, "first/__init__.py")
    assert after.used_s > before.used_s
    assert (before.shared_bytes, after.shared_bytes) == (
        0,
        file.stat().st_blocks * 512,
    )


def replace_pointer(cache: Path) -> None:
    """Replace a pointer as a uv does that asked the index again."""
    (pointer,) = cache.glob("wheels-*/index/*/first/*.http")
    data = pointer.read_bytes()
    pointer.unlink()
    pointer.write_bytes(data)


def add_name(cache: Path) -> None:
    """Give the archive another name, as a pull for another format does."""
    link = cache / "wheels-v7/pypi/first/1.0-py3-none-any"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../../archive-v0/archive000000000")


def remove_package(cache: Path) -> None:
    """Remove the package, as `uv cache clean first` does."""
    (path,) = cache.glob("wheels-*/index/*/first")
    shutil.rmtree(path)
    shutil.rmtree(cache / "archive-v0/archive000000000")


@pytest.mark.parametrize("change", [replace_pointer, add_name, remove_package])
def test_what_changes_after_the_look_stays(
    cache: Path, change: Callable[[Path], None]
) -> None:
    """Nothing is removed by what was known before: each name is looked at again."""
    _, report = trim(cache, size_of(cache) - 1, meanwhile=lambda: change(cache))

    assert (of(report.changed), report.removed) == (["first"], [])
    assert dangling(cache) == []
    others = sorted(NAMES[1:])
    assert there(cache) in (others, sorted(NAMES))


def test_cache_in_use_is_left_alone(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every uv command, and every pull, holds the lock shared."""
    monkeypatch.setattr("wheelferry.ops.trim.LOCK_WAIT_S", 0.1)
    before = snapshot(cache)
    lock = try_lock(cache / ".lock", shared=True)
    assert lock is not None

    with lock, pytest.raises(CacheLocked, match="is in use"):
        trim(cache, 1)
    (cache / ".lock").unlink()
    shutil.rmtree(state_of(cache))
    (cache / ".gitignore").unlink()
    assert snapshot(cache) == before


class LockTrier(CountingDisk):
    """A disk that tries the root lock, as uv does, at each step in the cache."""

    def __init__(self, cache: Path) -> None:
        super().__init__()
        self._cache = cache
        self.held: list[str] = []
        self.free: list[str] = []

    def before(self, step: Step) -> None:
        if step.name in ("unlink", "rename", "remove_tree"):
            lock = try_lock(self._cache / ".lock", shared=True)
            (self.held if lock is None else self.free).append(step.name)
            if lock is not None:
                lock.close()


def test_uv_waits_for_renames_and_not_for_deletions(cache: Path) -> None:
    """Names go under the lock; files, of which there are thousands, after it."""
    disk = LockTrier(cache)

    trim(cache, 1, disk)

    assert set(disk.held) == {"unlink", "rename"}
    assert set(disk.free) == {"remove_tree"}


def test_long_trim_lets_go_in_between(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slices of a time, each with what goes deleted before the next."""
    monkeypatch.setattr("wheelferry.ops.trim.SLICE_S", 0.0)
    disk = LockTrier(cache)

    _, report = trim(cache, 1, disk)

    assert of(report.removed) == NAMES
    assert len(disk.free) == len(NAMES)
    assert there(cache) == []


def test_uv_that_comes_between_slices_ends_it(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is gone is gone whole, the rest stays, and the report says so."""
    monkeypatch.setattr("wheelferry.ops.trim.SLICE_S", 0.0)
    monkeypatch.setattr("wheelferry.ops.trim.LOCK_WAIT_S", 0.1)
    locks: list[FileLock | None] = []

    class Uv(CountingDisk):
        def before(self, step: Step) -> None:
            if step.name == "remove_tree" and not locks:
                locks.append(try_lock(cache / ".lock", shared=True))

    _, report = trim(cache, 1, Uv())

    assert of(report.removed) == NAMES[:1]
    assert isinstance(report.stopped_by, CacheLocked)
    assert there(cache) == sorted(NAMES[1:])
    assert JUDGE.wrong(cache) == []
    (lock,) = locks
    assert lock is not None
    lock.close()


def old_cache(tmp_path: Path) -> Path:
    """Return a cache of a uv that knows no root lock."""
    cache = make_cache(tmp_path / "cache", [plan("old", format_id="wheels-v3/array2")])
    assert may_be_unlocked(cache)
    return cache


def test_running_uv_without_a_lock_is_respected(tmp_path: Path) -> None:
    """It is found among the processes, and named."""
    cache = old_cache(tmp_path)
    before = snapshot(cache)

    with pytest.raises(CacheLocked, match="uv runs as process 4711, and uv before"):
        trim(cache, 1, find_uv=lambda: 4711)

    assert before.items() <= snapshot(cache).items()


def test_uv_without_a_lock_that_starts_meanwhile_keeps_its_archives(
    tmp_path: Path,
) -> None:
    """It may have read the names already: archives stay, for the next trim."""
    cache = old_cache(tmp_path)
    seen = iter([None, 4711])

    with pytest.raises(CacheLocked):
        trim(cache, 1, find_uv=lambda: next(seen))
    assert (there(cache), len(archives(cache))) == ([], 1)

    trim(cache, 1)
    assert archives(cache) == set()


def test_uv_with_a_lock_need_not_be_looked_for(cache: Path) -> None:
    """A `uv run` that goes on for hours does not stop a trim."""
    assert not may_be_unlocked(cache)

    _, report = trim(cache, 1, find_uv=lambda: 4711)

    assert len(report.removed) == len(NAMES)


def test_uv_is_known_by_its_program(tmp_path: Path) -> None:
    """Also one that was upgraded since; what only has uv in its name is none."""
    for pid, program in enumerate(["/usr/bin/uv-build", "/opt/uv/python3"], start=1):
        process = tmp_path / str(pid)
        process.mkdir()
        (process / "exe").symlink_to(program)
    (tmp_path / "3").mkdir()  # a thread of the kernel
    assert find_uv_process(str(tmp_path)) is None
    assert find_uv_process(str(tmp_path / "absent")) is None

    for program in ("/usr/bin/uv", "/opt/uv/bin/uvx (deleted)"):
        (tmp_path / "1/exe").unlink()
        (tmp_path / "1/exe").symlink_to(program)
        assert find_uv_process(str(tmp_path)) == 1


def test_disk_that_refuses_is_named(cache: Path) -> None:
    """And what it leaves is whole."""
    with pytest.raises(CacheError, match="cannot work in"):
        trim(cache, 1, FailingDisk("unlink", 13))
    assert JUDGE.wrong(cache) == []


def test_staging_must_be_on_the_filesystem_of_the_cache(
    cache: Path, tmp_path: Path
) -> None:
    """A copy would take time and space, with uv waiting."""
    elsewhere = Path("/dev/shm")
    if (
        not os.access(elsewhere, os.W_OK)
        or elsewhere.stat().st_dev == tmp_path.stat().st_dev
    ):
        elsewhere = Path("/proc/self")
    with place_of(cache) as place:
        planned = read_plan(place, max_bytes=1)
        with pytest.raises(CacheError):
            apply_trim(place._replace(state=elsewhere / "no-such-place"), planned)
    shutil.rmtree(elsewhere / "no-such-place", ignore_errors=True)
    assert there(cache) == sorted(NAMES)


def test_reading_for_the_store_is_no_use(tmp_path: Path) -> None:
    """A promotion reads every file, and leaves their access times as they are."""
    cache = make_cache(tmp_path / "cache", few())
    for path in (cache / "archive-v0").rglob("*"):
        os.utime(path, (0, 0))
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))

    assert len(ferry.promote(Disk()).promoted) == 2

    files = [p for p in (cache / "archive-v0").rglob("*") if p.is_file()]
    assert {path.stat().st_atime for path in files} == {0}


@pytest.mark.parametrize("names", ["archive-v*", "wheels-v*", "sdists-v*"])
def test_nothing_is_taken_out_of_what_a_link_leads_to(
    cache: Path, tmp_path: Path, names: str
) -> None:
    """A job in a container may put one there, to a place of the host's.

    The symptom was that each directory there was an archive that nothing names, and went.
    """
    elsewhere = tmp_path / "elsewhere"
    (place,) = cache.glob(names)
    place.rename(elsewhere)
    (elsewhere / "home").mkdir()
    (elsewhere / "home/file").write_bytes(b"x" * 5000)
    place.symlink_to(elsewhere)
    before = snapshot(elsewhere)

    with suppress(CacheError):
        trim(cache, 1)
    assert snapshot(elsewhere) == before
