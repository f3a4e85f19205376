"""What a promotion puts into the store, and what it keeps out of it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cachetree import few, formats_of, make_cache, many, plan
from tests.support.forge import add_object, object_path, overwrite
from tests.support.parts import Around
from tests.support.restoring import snapshot
from tests.support.soundness import CacheJudge, catalog, findings, objects
from tests.support.tiers import Ferry, make_store
from wheelferry.disk import clock
from wheelferry.disk.clock import Deadline
from wheelferry.errors import DeadlinePassed
from wheelferry.ops.promote import apply_promote, plan_promote
from wheelferry.ops.promote_batch import BATCH_ENTRIES
from wheelferry.ops.rules import Rules
from wheelferry.store.base import Store
from wheelferry.store.record import Digest, SegmentId


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    """A runner whose cache has a downloaded and a built wheel, and an empty store."""
    cache = make_cache(tmp_path / "cache", few())
    return Ferry(cache=cache, store=make_store(tmp_path / "store"))


def test_all_kinds_and_formats_are_promoted_once(tmp_path: Path) -> None:
    """One record per entry, one pack per tree; the second promotion does nothing."""
    entries = many()
    ferry = Ferry(
        cache=make_cache(tmp_path / "cache", entries),
        store=make_store(tmp_path / "store"),
    )
    report = ferry.promote()
    assert (len(report.promoted), report.rejected, report.segments) == (7, [], 1)
    packs = objects(ferry.store)
    assert len(packs) == 6, "two uv versions with one wheel share its pack"
    assert report.bytes_written == sum(map(len, packs.values()))
    assert report.packs_shared == 0
    assert {r.format_id for r in report.promoted} == set(formats_of(entries))

    with ferry.open() as tiers:
        again = plan_promote(tiers, Rules())
    assert (again.candidates, again.in_store) == ((), 7)
    assert ferry.promote().segments == 0


def test_second_runner_shares_what_is_there(ferry: Ferry, tmp_path: Path) -> None:
    """With the same cache it has nothing to add, not even a record."""
    ferry.promote()
    before = snapshot(ferry.store)
    other = Ferry(
        cache=make_cache(tmp_path / "other", few()), store=ferry.store, runner="r2"
    )
    assert other.promote().promoted == []
    assert snapshot(ferry.store) == before


def test_many_entries_make_several_segments(tmp_path: Path) -> None:
    """A batch is committed as soon as it is full: a kill loses no more than that."""
    entries = [plan(f"package-{number}") for number in range(BATCH_ENTRIES + 6)]
    ferry = Ferry(
        cache=make_cache(tmp_path / "cache", entries),
        store=make_store(tmp_path / "store"),
    )
    report = ferry.promote()
    assert report.segments == len(list(ferry.store.glob("catalog/*.seg"))) == 2
    assert len(report.promoted) == len(catalog(ferry.store)) == len(entries)
    assert len(objects(ferry.store)) == len(entries)
    assert findings(ferry.store) == []


def test_deadline_leaves_the_rest_for_the_next_promotion(ferry: Ferry) -> None:
    """What is in the store by then is named there; what is not is no loss."""
    until = Deadline.after(0.3)

    class Slow(Around):
        def put_object(self, *args: object, **kwargs: object) -> object:
            clock.pause(until.remaining_s())
            return self._inner.put_object(*args, **kwargs)

    slow = replace(ferry, wrap=Slow)  # type: ignore[arg-type]
    with slow.open() as tiers:
        report = apply_promote(tiers, plan_promote(tiers, Rules()), until=until)
    assert (len(report.promoted), report.late, report.segments) == (1, 1, 1)
    assert isinstance(report.stopped_by, DeadlinePassed)
    assert report.stopped_by.message.startswith("1 of 2 entries are left in the cache")
    assert findings(ferry.store) == []

    after = ferry.promote()
    assert (len(after.promoted), after.late, after.stopped_by) == (1, 0, None)


def test_deadline_that_has_passed_leaves_everything(ferry: Ferry) -> None:
    """Nothing is begun, and nothing is left behind."""
    with ferry.open() as tiers:
        found = plan_promote(tiers, Rules())
        report = apply_promote(tiers, found, until=Deadline.after(0.0))
    assert (report.promoted, report.late) == ([], 2)
    assert objects(ferry.store) == {}
    assert len(ferry.promote().promoted) == 2


class Collected(Around):
    """A store whose gc removes a pack just before the segment that names it appears.

    1. We commit the pack. 2. gc finds it without a name. 3. We commit the segment.
    4. gc removes the pack.
    """

    def __init__(self, inner: Store, root: Path, removed: list[str]) -> None:
        super().__init__(inner)
        self._root = root
        self._removed = removed

    def commit_segment(self, data: bytes) -> SegmentId:
        segment: SegmentId = self._inner.commit_segment(data)
        digest = min(objects(self._root))
        object_path(self._root, digest).unlink()
        self._removed.append(digest)
        return segment


def test_pack_that_gc_took_meanwhile_is_put_back(tmp_path: Path) -> None:
    """Looking again after the segment finds it missing."""
    removed: list[str] = []
    store = make_store(tmp_path / "store")
    ferry = Ferry(
        cache=make_cache(tmp_path / "cache", few()),
        store=store,
        wrap=lambda inner: Collected(inner, store, removed),
    )
    report = ferry.promote()
    assert len(removed) == 1
    assert removed[0] in objects(store)
    assert findings(store) == []
    twice = len(objects(store)[removed[0]])
    total = sum(map(len, objects(store).values()))
    assert report.bytes_written == total + twice


def test_pack_that_a_pull_missed_is_promoted_again(tmp_path: Path) -> None:
    """1. gc takes a pack. 2. A pull misses it. 3. The job fetches it. 4. We promote."""
    store = make_store(tmp_path / "store")
    Ferry(cache=make_cache(tmp_path / "a", few()), store=store).promote()
    lost = min(objects(store))
    object_path(store, lost).unlink()
    b = Ferry(cache=tmp_path / "b", store=store, runner="r2")

    missed = b.pull(formats_of(few()))
    assert [left.reason for left in missed.failed] == [
        "its pack is missing from the store"
    ]
    make_cache(tmp_path / "b", few())  # as uv does, beside what was restored
    report = b.promote()

    assert [record.pack for record in report.promoted] == [lost]
    assert findings(store) == []
    c = Ferry(cache=tmp_path / "c", store=store, runner="r3")
    assert len(c.pull(formats_of(few())).restored) == 2


def test_pack_of_a_wrong_size_is_replaced(ferry: Ferry, tmp_path: Path) -> None:
    """It is damaged for certain, and readers of it have found that out."""
    model = Ferry(cache=ferry.cache, store=make_store(tmp_path / "model"))
    model.promote()
    (digest, data), *_ = sorted(objects(model.store).items())
    add_object(ferry.store, data[:-1], digest)
    (model.state / "view.sqlite").unlink()
    report = ferry.promote()
    assert objects(ferry.store) == objects(model.store)
    assert report.bytes_written == sum(map(len, objects(ferry.store).values()))


def test_pack_of_the_right_size_is_never_rewritten(
    ferry: Ferry, tmp_path: Path
) -> None:
    """Not even a damaged one: its readers keep their file, and `verify` has to tell."""
    model = Ferry(cache=ferry.cache, store=make_store(tmp_path / "model"))
    model.promote()
    (digest, data), *_ = sorted(objects(model.store).items())
    add_object(ferry.store, data[:-1] + b"!", digest)
    path = object_path(ferry.store, digest)
    before = path.stat()
    (model.state / "view.sqlite").unlink()
    report = ferry.promote()
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert (report.packs_shared, len(report.promoted)) == (1, 2)
    assert [f.reference for f in findings(ferry.store)] == ["object-corrupt"]


def edit(tree: Path) -> str:
    overwrite(tree / "pure_wheel/__init__.py", b"name = 'edited!!!'\n")
    return "pure_wheel/__init__.py"


def empty(tree: Path) -> str:
    overwrite(tree / "pure_wheel/__init__.py", b"")
    return "pure_wheel/__init__.py"


def remove(tree: Path) -> str:
    (tree / "pure_wheel/__init__.py").unlink()
    return "pure_wheel/__init__.py"


def add(tree: Path) -> str:
    (tree / "pure_wheel/backdoor.py").write_text("import os\n")
    return "pure_wheel/backdoor.py"


def link(tree: Path) -> str:
    (tree / "pure_wheel/hosts").symlink_to("/etc/hosts")
    return "pure_wheel/hosts"


def lose_record(tree: Path) -> str:
    (tree / "pure_wheel-1.0.dist-info/RECORD").unlink()
    return "RECORD"


@pytest.mark.parametrize("change", [edit, empty, remove, add, link, lose_record])
def test_archive_that_a_job_changed_is_not_promoted(tmp_path: Path, change) -> None:
    """Through the hardlink a venv's edit is the cache's; it is named, the rest goes on."""
    ferry = Ferry(
        cache=make_cache(tmp_path / "cache", few()),
        store=make_store(tmp_path / "store"),
    )
    path = change(ferry.cache / "archive-v0/archive000000000")

    report = ferry.promote()

    assert [record.name for record in report.promoted] == ["built"]
    assert len(objects(ferry.store)) == 1
    with ferry.open() as tiers:
        reasons = [left.reason for left in plan_promote(tiers, Rules()).left]
    reasons += [left.reason for left in report.rejected]
    assert any(path in reason for reason in reasons), reasons


def test_what_was_restored_is_not_promoted(ferry: Ferry, tmp_path: Path) -> None:
    """It came from the store: promoting it again would undo every removal there."""
    ferry.promote()
    b = Ferry(cache=tmp_path / "b", store=ferry.store, runner="r2")
    b.pull(formats_of(few()))
    other = make_store(tmp_path / "other")
    c = Ferry(cache=b.cache, store=other, runner="r2")
    with c.open() as tiers:
        planned = plan_promote(tiers, Rules())
    assert (planned.candidates, planned.restored) == ((), 2)


def test_dry_run_changes_nothing(ferry: Ferry) -> None:
    """A plan only reads; it says how much there is to do."""
    before = snapshot(ferry.store), snapshot(ferry.cache)
    with ferry.open() as tiers:
        planned = plan_promote(tiers, Rules())
    assert len(planned.candidates) == 2
    expected = sum(len(data) for e in few() for data, _ in e.files.values())
    assert planned.tree_bytes == expected
    assert (snapshot(ferry.store), snapshot(ferry.cache)) == before


def test_rules_are_obeyed_and_said(ferry: Ferry) -> None:
    """What they keep here is not even looked at, and is listed with the reason."""
    with ferry.open() as tiers:
        planned = plan_promote(tiers, Rules(exclude=["built"]))
    assert [c.entry.info.name for c in planned.candidates] == ["pure-wheel"]
    (left,) = planned.left
    assert left.subject.startswith("built 1.0 ")
    assert left.reason == "its name matches an exclude pattern"


class Replaced(Around):
    """A store at whose first pack uv replaces the pointer of the entry that follows."""

    def __init__(self, inner: Store, pointer: Path) -> None:
        super().__init__(inner)
        self._pointer = pointer

    def put_object(
        self,
        chunks: Iterable[bytes],
        *,
        digest: Digest,
        size_bytes: int,
        is_suspect: bool = False,
    ) -> object:
        data = self._pointer.read_bytes()
        self._pointer.unlink()
        self._pointer.write_bytes(data)
        return self._inner.put_object(
            chunks, digest=digest, size_bytes=size_bytes, is_suspect=is_suspect
        )


def test_entry_that_uv_replaced_since_the_scan_is_not_promoted(tmp_path: Path) -> None:
    """Its record would have the old pointer's digests with the new archive's pack."""
    cache = make_cache(tmp_path / "cache", few())
    (pointer,) = cache.glob("wheels-*/**/*.http")
    (other,) = cache.glob("sdists-*/**/revision.http")
    with Ferry(cache=cache, store=make_store(tmp_path / "x")).open() as tiers:
        first, second = plan_promote(tiers, Rules()).candidates
    by_name = {"pure-wheel": pointer, "built": other}
    ferry = Ferry(
        cache=cache,
        store=make_store(tmp_path / "store"),
        runner="r2",
        wrap=lambda s: Replaced(s, by_name[second.entry.info.name]),  # type: ignore[arg-type, return-value]
    )
    (ferry.state / "view.sqlite").unlink()
    report = ferry.promote()
    assert [record.name for record in report.promoted] == [first.entry.info.name]
    (left,) = report.rejected
    assert left.reason == "was replaced while it was packed"
    assert left.is_unsettled


def test_only_built_wheel_is_restored_with_an_archive(tmp_path: Path) -> None:
    """uv resolved with it and never installed it: its tree is that of its `.whl`."""
    entries = [entry for entry in many() if not entry.is_unpacked]
    store = make_store(tmp_path / "store")
    Ferry(cache=make_cache(tmp_path / "a", entries), store=store).promote()
    b = Ferry(cache=tmp_path / "b", store=store, runner="r2")
    assert len(b.pull(formats_of(entries)).restored) == 1
    judge = CacheJudge(entries)
    assert (judge.wrong(b.cache), len(judge.usable(b.cache))) == ([], 1)
