"""What a pull puts into the cache, and what it does about damage."""

import sqlite3
from dataclasses import replace
from pathlib import Path, PurePath
from shutil import rmtree
from typing import BinaryIO

import pytest

from tests.support.cachetree import few, formats_of, make_cache, many, plan
from tests.support.forge import (
    add_segment,
    forge_segment,
    object_path,
    overwrite,
    read_only_segment,
    replace_records,
)
from tests.support.parts import Around
from tests.support.restoring import snapshot
from tests.support.soundness import CacheJudge, objects
from tests.support.tiers import Ferry, make_store
from wheelferry.disk import try_lock
from wheelferry.disk.clock import Deadline
from wheelferry.errors import CacheLocked, DeadlinePassed, StoreError, StoreUnavailable
from wheelferry.events import Event, Level
from wheelferry.ops.handover import new_name
from wheelferry.ops.pull import Limits, PullReport, apply_pull, plan_pull
from wheelferry.ops.rules import Rules
from wheelferry.ops.target import Target
from wheelferry.ops.tiers import VIEW
from wheelferry.project.interpreter import Interpreter
from wheelferry.project.need import ANY_INDEX, Demand, File, FileKind, Need
from wheelferry.store.base import Store
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.segment import encode_segment
from wheelferry.store.tombstones import Tombstone
from wheelferry.store.usage import Usage
from wheelferry.store.view import View
from wheelferry.uvcache.entry import Hash

ENTRIES = few()
FORMATS = formats_of(ENTRIES)
JUDGE = CacheJudge(ENTRIES)


@pytest.fixture
def events() -> list[Event]:
    """What the runner said."""
    return []


@pytest.fixture
def b(tmp_path: Path, events: list[Event]) -> Ferry:
    """A runner without a cache, and a store with two wheels."""
    store = make_store(tmp_path / "store")
    Ferry(cache=make_cache(tmp_path / "a", ENTRIES), store=store).promote()
    return Ferry(cache=tmp_path / "b", store=store, runner="r2", emit=events.append)


def pack_of(store: Path, name: str) -> Digest:
    """Return the pack of a package."""
    records = read_only_segment(store)[1].records
    return next(record.pack for record in records if record.name == name)


def names(report: PullReport) -> tuple[list[str], list[str]]:
    """Return what was restored, and the beginnings of what failed."""
    restored = sorted(record.name for record in report.restored)
    return restored, sorted(left.subject.partition(" ")[0] for left in report.failed)


def test_all_kinds_and_formats_are_restored_once(tmp_path: Path) -> None:
    """The cache has what the store has; the second pull reads no pack."""
    entries = many()
    store = make_store(tmp_path / "store")
    Ferry(cache=make_cache(tmp_path / "a", entries), store=store).promote()
    ferry = Ferry(cache=tmp_path / "b", store=store, runner="r2")
    with ferry.open() as tiers:
        planned = plan_pull(tiers, Rules(), formats_of(entries))
        assert (len(planned.wanted), len(planned.fetched), planned.held) == (7, 6, ())
        assert planned.fetch_bytes == sum(map(len, objects(store).values()))
        report = apply_pull(tiers, planned)
    assert report.bytes_read == planned.fetch_bytes
    assert report.tree_bytes == planned.tree_bytes
    assert (len(report.restored), report.failed) == (7, [])
    judge = CacheJudge(entries)
    assert (judge.wrong(ferry.cache), len(judge.usable(ferry.cache))) == ([], 7)
    assert len(list((ferry.cache / "archive-v0").iterdir())) == 6

    before = snapshot(ferry.cache)
    with ferry.open() as tiers:
        again = plan_pull(tiers, Rules(), formats_of(entries))
    assert (again.wanted, again.present) == ((), 7)
    assert ferry.pull(formats_of(entries)).bytes_read == 0
    assert snapshot(ferry.cache) == before


def test_plan_changes_nothing(b: Ferry) -> None:
    """Not even a directory is made for the cache."""
    with b.open() as tiers:
        assert len(plan_pull(tiers, Rules(), FORMATS).wanted) == 2
    assert not b.cache.exists()


def test_rules_and_formats_are_obeyed(b: Ferry) -> None:
    """A rule is said; a format that no uv here reads is not worth a line."""
    with b.open() as tiers:
        planned = plan_pull(tiers, Rules(exclude=["built"]), FORMATS)
        assert [record.name for record in planned.wanted] == ["pure-wheel"]
        assert [left.subject for left in planned.left] == [
            "built 1.0 (registry-sdist, sdists-v11/array3)"
        ]
        only_wheels = plan_pull(tiers, Rules(), ["wheels-v8/array5"])
        assert [record.name for record in only_wheels.wanted] == ["pure-wheel"]
        assert only_wheels.left == ()


def truncate(path: Path) -> None:
    overwrite(path, path.read_bytes()[:-1])


def flip(path: Path) -> None:
    data = path.read_bytes()
    overwrite(path, data[:-1] + bytes([data[-1] ^ 1]))


def lengthen(path: Path) -> None:
    overwrite(path, path.read_bytes() + b"\0")


def remove(path: Path) -> None:
    path.unlink()


def become_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage", [truncate, flip, lengthen, remove, become_a_directory]
)
def test_damaged_pack_is_missing_and_never_wrong(
    b: Ferry, events: list[Event], damage
) -> None:
    """The entry is named with the reason, nothing of it is visible, the rest goes on."""
    damage(object_path(b.store, pack_of(b.store, "pure-wheel")))
    report = b.pull(FORMATS)
    assert names(report) == (["built"], ["pure-wheel"])
    assert report.stopped_by is None
    assert JUDGE.wrong(b.cache) == []
    assert not list(b.cache.glob("wheels-*/**/*.http"))
    assert list((b.state / "staging").iterdir()) == []
    (event,) = [e for e in events if e.level >= Level.WARNING]
    assert event.name == "entry.failed"
    assert "pure-wheel 1.0" in event.message


def test_pack_that_is_mended_is_pulled(b: Ferry) -> None:
    """A miss is no verdict: the next pull looks again."""
    path = object_path(b.store, pack_of(b.store, "pure-wheel"))
    path.rename(b.store / "staging/away")
    assert names(b.pull(FORMATS)) == (["built"], ["pure-wheel"])
    (b.store / "staging/away").rename(path)
    assert names(b.pull(FORMATS)) == (["pure-wheel"], [])


def test_another_pack_of_the_entry_is_used_after_a_miss(b: Ferry) -> None:
    """Two runners built one sdist; when a pull missed one's pack, it takes the other's."""
    segment = read_only_segment(b.store)[1]
    (record,) = [r for r in segment.records if r.name == "pure-wheel"]
    gone = Digest("00" * 32)
    lost = record._replace(pack=gone)
    add_segment(b.store, encode_segment([lost], runner="r3", created_s=0))
    assert names(b.pull(FORMATS)) == (["built"], ["pure-wheel"])
    assert names(b.pull(FORMATS)) == (["pure-wheel"], [])


def test_damaged_segment_hides_only_its_own_records(
    b: Ferry, events: list[Event]
) -> None:
    """It is named; what the other segments hold is pulled."""
    path, segment = read_only_segment(b.store)
    first, second = segment.records
    path.unlink()
    bad = add_segment(b.store, encode_segment([first], runner="r1", created_s=0))
    add_segment(b.store, encode_segment([second], runner="r1", created_s=0))
    truncate(b.store / bad)
    assert names(b.pull(FORMATS)) == ([second.name], [])
    (event,) = [e for e in events if e.name == "segment.refused"]
    assert event.level is Level.WARNING
    assert bad.removeprefix("catalog/")[:12] in event.message


def test_removed_record_is_not_pulled(b: Ferry) -> None:
    """A tombstone kills the record that it names."""
    path, segment = read_only_segment(b.store)
    number = [r.name for r in segment.records].index("pure-wheel")
    tomb = Tombstone(segment=path.stem, number=number)  # type: ignore[arg-type]
    data = encode_segment([], runner="r1", created_s=0, tombstones=[tomb])
    add_segment(b.store, data)
    assert names(b.pull(FORMATS)) == (["built"], [])


class Hiding:
    """A store with one segment that may not be read."""

    def __init__(self, inner: Store, hidden: str) -> None:
        self._inner = inner
        self._hidden = hidden

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def read_segment(self, segment: SegmentId) -> bytes | None:
        if segment == self._hidden:
            raise StoreUnavailable("cannot read it") from PermissionError()
        return self._inner.read_segment(segment)


def test_removal_counts_once_its_tombstone_is_read(
    b: Ferry, events: list[Event]
) -> None:
    """Until then the record lives, whole and checked as any; the pull says what it lacks."""
    path, _ = read_only_segment(b.store)
    tombs = [Tombstone(segment=SegmentId(path.stem), number=n) for n in range(2)]
    data = encode_segment([], runner="r1", created_s=0, tombstones=tombs)
    hidden = PurePath(add_segment(b.store, data)).stem
    early = replace(b, wrap=lambda store: Hiding(store, hidden))  # type: ignore[arg-type,return-value]
    assert names(early.pull(FORMATS)) == (["built", "pure-wheel"], [])
    assert [event.name for event in warnings(events)] == ["segment.refused"]
    assert (JUDGE.wrong(b.cache), len(JUDGE.usable(b.cache))) == ([], 2)

    late = replace(b, cache=b.cache.with_name("c"))
    assert names(late.pull(FORMATS)) == ([], [])
    rmtree(b.cache)
    assert names(b.pull(FORMATS)) == ([], [])


def test_pull_says_that_its_view_was_busy(b: Ferry, events: list[Event]) -> None:
    """What it then knows may be a part: of a first pull whose view another one fills, 0."""
    with b.open() as tiers:
        path = b.state / VIEW
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with View.open(
            path, store_id=tiers.store_id, disk=tiers.disk, busy_timeout_s=0.05
        ) as view:
            plan = plan_pull(tiers._replace(view=view), Rules(), FORMATS)
        other.execute("ROLLBACK")
        other.close()
    assert (plan.wanted, plan.refused_segments) == ((), 0)
    (event,) = events
    assert (event.name, event.level) == ("refresh.deferred", Level.INFO)
    assert "left for the next run" in event.message

    assert names(b.pull(FORMATS)) == (["built", "pure-wheel"], [])


def test_two_records_that_disagree_are_left(b: Ferry) -> None:
    """Nothing says which file is meant, so none is restored, and the pull says so."""
    other = plan("pure-wheel", version="1.0", files=ENTRIES[0].files)
    segment = read_only_segment(b.store)[1]
    (record,) = [r for r in segment.records if r.name == "pure-wheel"]
    liar = record._replace(hashes=("sha256:" + "0" * 64,))
    add_segment(b.store, encode_segment([liar], runner="r3", created_s=0))
    with b.open() as tiers:
        planned = plan_pull(tiers, Rules(), FORMATS)
    assert [record.name for record in planned.wanted] == ["built"]
    (left,) = planned.left
    assert left.reason.startswith("ambiguous")
    assert str(other.info.hashes[0]) in left.reason


def test_entry_that_the_cache_has_otherwise_is_left(b: Ferry) -> None:
    """The runner's own file under that name stays, and the pull says why."""
    mine = plan("pure-wheel")
    other = Hash(algorithm="sha256", value="0" * 64)
    make_cache(b.cache, [replace(mine, info=mine.info._replace(hashes=(other,)))])
    before = snapshot(b.cache / "wheels-v8")
    report = b.pull(FORMATS)
    assert names(report)[0] == ["built"]
    assert snapshot(b.cache / "wheels-v8") == before


FORGERIES: list[dict[str, object]] = [
    {"shard": "pypi/../../../etc"},
    {"shard": "/etc/passwd"},
    {"shard": "pypi/other-name"},
    {"stem": "../../evil"},
    {"settings": "../evil"},
    {"kind": "oci-wheel"},
    {"tree_files": 99},
    {"tree_bytes": 1},
    {"files": {"pointer": b"\x95"}},
    {"files": {}},
    {"name": "other"},
    {"tags": "py3-none-linux"},
]


@pytest.mark.parametrize("changes", FORGERIES, ids=str)
def test_forged_record_restores_nothing(
    b: Ferry, events: list[Event], changes: dict[str, object]
) -> None:
    """It is refused with a reason, nothing outside the cache is made, the rest goes on."""
    segment = read_only_segment(b.store)[1]
    by_name = {record.name: record for record in segment.records}
    replace_records(b.store, [by_name["built"]])
    add_segment(b.store, forge_segment(by_name["pure-wheel"], changes))
    outside = set(b.store.parent.iterdir())
    with b.open() as tiers:
        planned = plan_pull(tiers, Rules(), FORMATS)
        report = apply_pull(tiers, planned)
    said = [
        *planned.left,
        *report.failed,
        *(e for e in events if e.level >= Level.INFO),
    ]
    assert names(report)[0] == ["built"]
    assert said
    assert JUDGE.wrong(b.cache) == []
    made = set(b.store.parent.iterdir()) - outside
    assert made <= {b.cache, b.state}


def warnings(events: list[Event]) -> list[Event]:
    """Return what someone may want to act on."""
    return [event for event in events if event.level >= Level.WARNING]


class Failing:
    """A store whose second object cannot be read any more."""

    error: StoreError = StoreUnavailable("cannot open it", hint="check the mount")

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self._opened = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def open_object(self, digest: Digest) -> BinaryIO | None:
        self._opened += 1
        if self._opened > 1:
            raise self.error
        return self._inner.open_object(digest)


class Late(Failing):
    """One whose second object is not there when the deadline comes."""

    error = DeadlinePassed("it had not answered for 7 s when the deadline came")


def test_store_that_fails_half_way_stops_the_pull(
    b: Ferry, events: list[Event]
) -> None:
    """What was read until then is restored, and the report alone has the error."""
    failing = replace(b, wrap=Failing)  # type: ignore[arg-type]
    report = failing.pull(FORMATS)
    assert report.stopped_by is Failing.error
    assert (len(report.restored), len(report.failed)) == (1, 1)
    assert (report.late, warnings(events)) == (0, [])
    assert JUDGE.wrong(b.cache) == []
    assert len(b.pull(FORMATS).restored) == 1


def test_deadline_half_way_leaves_the_rest(b: Ferry, events: list[Event]) -> None:
    """What was read is restored; one error says how much is left, and no event warns."""
    size = b.store.joinpath(object_path(b.store, pack_of(b.store, "pure-wheel")))
    report = replace(b, wrap=Late).pull(FORMATS)  # type: ignore[arg-type]
    assert names(report) == (["built"], ["pure-wheel"])
    assert isinstance(report.stopped_by, DeadlinePassed)
    assert report.stopped_by.message.startswith("1 of 2 entries are left in the store")
    assert report.stopped_by.__cause__ is Late.error
    assert (report.late, report.late_bytes) == (1, size.stat().st_size)
    assert warnings(events) == []
    assert JUDGE.wrong(b.cache) == []
    assert names(b.pull(FORMATS)) == (["pure-wheel"], [])


def test_deadline_that_has_passed_leaves_everything(
    b: Ferry, events: list[Event]
) -> None:
    """Each entry is there with the reason, but there is one error for all."""
    report = replace(b, deadline=Deadline(0.0)).pull(FORMATS)
    assert names(report) == ([], ["built", "pure-wheel"])
    assert {left.reason for left in report.failed} == {"the deadline came first"}
    assert isinstance(report.stopped_by, DeadlinePassed)
    assert (report.late, warnings(events)) == (2, [])
    assert not list(b.store.glob("usage/*r2*"))


def lose_metadata(cache: Path) -> None:
    """Make the downloaded wheel one that can be mended without its pack."""
    (path,) = cache.glob("wheels-v8/**/*.http")
    path.unlink()


def test_deadline_keeps_nothing_back_that_needs_no_pack(b: Ferry) -> None:
    """What the store has already told is put in place."""
    b.pull(FORMATS)
    lose_metadata(b.cache)
    report = replace(b, deadline=Deadline(0.0)).pull(FORMATS)
    assert (names(report), report.stopped_by) == ((["pure-wheel"], []), None)


def test_entry_that_uv_builds_just_now_is_worth_another_look(b: Ferry) -> None:
    """Its sdist is locked, which is over soon; the other entry is restored."""
    assert len(b.pull(FORMATS).restored) == 2
    (link,) = b.cache.glob("sdists-*/**/built-1.0-*x86_64")
    link.unlink()
    (path,) = b.cache.glob("sdists-*/**/.lock")
    lock = try_lock(path, shared=False)
    assert lock is not None
    with lock:
        report = b.pull(FORMATS)
    assert [left.is_unsettled for left in report.failed] == [True]
    assert len(b.pull(FORMATS).restored) == 1


def test_locked_cache_is_not_waited_for_beyond_the_deadline(b: Ferry) -> None:
    """`uv cache prune` holds it for longer than there is time."""
    b.pull(FORMATS)
    lose_metadata(b.cache)
    lock = try_lock(b.cache / ".lock", shared=False, mode=0o666)
    assert lock is not None
    with lock:
        report = replace(b, deadline=Deadline(0.0)).pull(FORMATS)
    assert isinstance(report.stopped_by, CacheLocked)
    assert report.stopped_by.message == f"{b.cache} stayed locked until the deadline"


def test_built_wheels_come_first(tmp_path: Path) -> None:
    """And then small packs before large ones, in what is wanted and what is read."""
    entries = many()
    store = make_store(tmp_path / "store")
    Ferry(cache=make_cache(tmp_path / "a", entries), store=store).promote()
    with Ferry(cache=tmp_path / "b", store=store, runner="r2").open() as tiers:
        planned = plan_pull(tiers, Rules(), formats_of(entries))
    for records in (planned.wanted, planned.fetched):
        keys = [(r.kind.endswith("wheel"), r.pack_bytes) for r in records]
        assert keys == sorted(keys)
    assert planned.wanted[0].kind != "registry-wheel"


def test_budget_leaves_what_is_beyond_it(b: Ferry, events: list[Event]) -> None:
    """The plan says so, with the setting's name, and it is no fault."""
    sizes = {
        name: object_path(b.store, pack_of(b.store, name)).stat().st_size
        for name in ("built", "pure-wheel")
    }
    limits = Limits(max_bytes=sum(sizes.values()) - 1)
    with b.open() as tiers:
        planned = plan_pull(tiers, Rules(), FORMATS, limits)
    assert [record.name for record in planned.wanted] == ["built"]
    assert planned.fetch_bytes == sizes["built"]
    (left,) = planned.left
    assert (planned.over_budget, planned.faults) == (1, ())
    assert left.reason == (
        f"beyond pull.max_bytes: its pack has {sizes['pure-wheel']} bytes,"
        f" and {sizes['pure-wheel'] - 1} of {limits.max_bytes} are left"
    )
    report = b.pull(FORMATS, limits=limits)
    assert (names(report), report.stopped_by) == ((["built"], []), None)
    assert (report.bytes_read, warnings(events)) == (sizes["built"], [])
    exact = limits._replace(max_bytes=sum(sizes.values()))
    assert names(b.pull(FORMATS, limits=exact)) == (["pure-wheel"], [])


def test_budget_counts_a_shared_pack_once_and_a_mended_entry_not(
    tmp_path: Path,
) -> None:
    """Two entries of one pack are within the size of it; what needs no pack, within 0."""
    entries = many()[:2]
    formats = formats_of(entries)
    store = make_store(tmp_path / "store")
    Ferry(cache=make_cache(tmp_path / "a", entries), store=store).promote()
    b = Ferry(cache=tmp_path / "b", store=store, runner="r2")
    (data,) = objects(store).values()
    for max_bytes, restored, beyond in ((len(data) - 1, 0, 2), (len(data), 2, 0)):
        limits = Limits(max_bytes=max_bytes)
        with b.open() as tiers:
            assert plan_pull(tiers, Rules(), formats, limits).over_budget == beyond
        assert len(b.pull(formats, limits=limits).restored) == restored
    lose_metadata(b.cache)
    assert len(b.pull(formats, limits=Limits(max_bytes=0)).restored) == 1


def test_rate_is_kept(b: Ferry) -> None:
    """At a byte a second the second byte would be late, and nobody waits for it."""
    hurried = replace(b, deadline=Deadline.after(0.5))
    report = hurried.pull(FORMATS, limits=Limits(rate_bytes_s=1))
    assert (report.restored, report.late) == ([], 2)


def test_runner_that_may_not_write_to_the_store_pulls(
    b: Ferry, events: list[Event]
) -> None:
    """To note its usage is a convenience; nobody is warned of it."""
    (b.store / "staging").rename(b.store / "staging-away")
    (b.store / "usage").rename(b.store / "usage-away")
    assert len(b.pull(FORMATS).restored) == 2
    assert [e for e in events if e.level >= Level.WARNING] == []


@pytest.fixture
def two_at_once(b: Ferry) -> Ferry:
    """The same runner, whose other job has just noted its usage too."""
    return Ferry(
        cache=b.cache,
        store=b.store,
        runner="r2",
        wrap=lambda inner: Around(inner, usage=Noted(inner.usage, state=b.state)),
    )


class Noted(Around):
    """Usage files that another process of the runner writes to first."""

    def write(self, name: str, usage: object) -> None:
        del name, usage
        (self.state / "usage-written").touch()


def test_two_pulls_that_note_their_usage_at_once(two_at_once: Ferry) -> None:
    """1. Both see no marker. 2. The other makes it. 3. Ours finds it: that is fine."""
    assert len(two_at_once.pull(FORMATS).restored) == 2


def test_pull_for_a_job_notes_all_that_the_cache_holds(b: Ferry) -> None:
    """Its project needs one of two; a pack in use by others must not look given up."""
    b.pull(FORMATS)
    (b.state / "usage-written").unlink()
    need = Need("pure-wheel", "1.0", ANY_INDEX, File(FileKind.ANY), (0,))
    python = Interpreter({}, {"py3-none-any": 0})
    with b.open() as tiers:
        planned = plan_pull(
            tiers, Rules(), FORMATS, target=Target((python,), Demand((need,)))
        )
        assert [record.name for record in planned.held] == ["pure-wheel"]
        apply_pull(tiers, planned)
        (file,) = tiers.store.usage.read_all()
    assert (len(file.usage.held), file.usage.before) == (2, ())


def test_budget_goes_to_what_was_used_last(b: Ferry) -> None:
    """Where nothing says what is needed; what a project needs keeps the usual order."""
    other = Ferry(cache=b.cache.with_name("other"), store=b.store, runner="r3")
    with other.open() as tiers:
        used = Usage(held=(pack_of(b.store, "built"),))
        tiers.store.usage.write(new_name("r3"), used)
    limits = Limits(max_bytes=max(map(len, objects(b.store).values())))
    with b.open() as tiers:
        planned = plan_pull(tiers, Rules(), FORMATS, limits)
    assert [record.name for record in planned.fetched] == ["pure-wheel"]
    assert planned.over_budget == 1


def test_wheel_for_another_python_is_left(b: Ferry) -> None:
    """It is no fault; what is there already counts as present all the same."""
    python = Interpreter({}, {"py3-none-any": 0})
    target = Target((python,))
    with b.open() as tiers:
        planned = plan_pull(tiers, Rules(), FORMATS, target=target)
    assert [record.name for record in planned.wanted] == ["pure-wheel"]
    (left,) = planned.left
    assert (left.subject.partition(" ")[0], left.is_fault) == ("built", False)
    assert "no Python here" in left.reason
    b.pull(FORMATS)
    with b.open() as tiers:
        planned = plan_pull(tiers, Rules(), FORMATS, target=target)
    assert (planned.present, planned.left) == (2, ())
