"""Compaction beside other hosts, killed, and in time: nothing is lost or comes back."""

import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.cachetree import few, make_cache, plan
from tests.support.catalogs import bury, living, open_memory_view, shown_in
from tests.support.disks import CountingDisk, Died
from tests.support.forge import add_segment
from tests.support.interleaving import Actor, Step, Stepped, all_orders, interleave
from tests.support.machines import MACHINE
from tests.support.memory_store import MemoryStore, MemoryUpkeep
from tests.support.records import make_record, segment_id_of
from tests.support.removing import DAY_S, age, trash
from tests.support.tiers import Ferry, make_store
from wheelferry.config.load import load_config
from wheelferry.errors import StoreReadOnly, StoreUnavailable
from wheelferry.events import Event, Level
from wheelferry.ops.bury import bury_copies
from wheelferry.ops.compact import GRACE_S, MAX_DELAY_S, compact, tend
from wheelferry.ops.gc import apply_gc, find_content, plan_gc
from wheelferry.ops.gc_plan import Budget
from wheelferry.ops.rm import remove
from wheelferry.ops.tiers import Tiers
from wheelferry.store.compaction import MAX_SMALL, SegmentFacts
from wheelferry.store.record import SegmentId
from wheelferry.store.segment import encode_segment
from wheelferry.store.tombstones import Ban, Tombstone

VICTIM = make_record("victim")
OTHERS = [make_record(name) for name in ("attrs", "numpy", "rich")]


def segment(*records, number: int = 0, **more) -> bytes:
    """Return a segment."""
    return encode_segment(records, runner="r1", created_s=number, **more)


@pytest.fixture
def store() -> MemoryStore:
    """Return a store of three segments; the victim is in two of them."""
    store = MemoryStore()
    for number, record in enumerate(OTHERS):
        extra = [VICTIM] if number < 2 else []
        store.commit_segment(segment(record, *extra, number=number))
    return store


def full_store() -> MemoryStore:
    """Return a store of three segments, with the victim in each."""
    store = MemoryStore()
    for number, record in enumerate(OTHERS):
        store.commit_segment(segment(record, VICTIM, number=number))
    return store


@contextmanager
def tiers_of(
    store: object, state: Path, emit: Callable[[Event], None] = lambda _: None
) -> Iterator[Tiers]:
    """Open a runner with a view of its own."""
    with open_memory_view(state) as view:
        yield Tiers(
            cache=state / "cache",
            state=state,
            store=store,  # type: ignore[arg-type]
            store_id="a" * 32,
            view=view,
            runner=state.name,
            machine=MACHINE,
            disk=CountingDisk(),
            emit=emit,
            now=lambda: 7.0,
        )


def all_free(catalog: Iterable[SegmentFacts]) -> list[SegmentId]:
    """Plan to merge whatever may be, if it is more than one."""
    free = [facts.segment for facts in catalog if facts.is_free]
    return free if len(free) > 1 else []


def compactor(store: MemoryStore, state: Path, *, dies_at: int = 0) -> Actor:
    """Return a host that compacts, and dies before a step if that is to be."""

    def act(step: Step) -> None:
        with tiers_of(Stepped(store, mortal(step, dies_at)), state) as tiers:
            compact(tiers, plan=all_free)

    return act


def remover(
    store: MemoryStore,
    state: Path,
    *,
    dies_at: int = 0,
    tell: Callable[[list[Tombstone]], None] = lambda _: None,
) -> Actor:
    """Return a host that removes the victim, as gc does, and tells of its tombstones."""

    def act(step: Step) -> None:
        with tiers_of(Stepped(store, mortal(step, dies_at)), state) as tiers:
            tiers.refresh()
            found = tiers.view.occurrences([VICTIM.pack])
            tombs = [item.tombstone for item in found]
            tell(tombs)
            data = segment(number=50, tombstones=tombs)
            tiers.view.add_own(tiers.store.commit_segment(data), data)
            tiers.refresh()
            bury_copies(tiers, tiers.store.commit_segment)

    return act


def promoter(store: MemoryStore, state: Path) -> Actor:
    """Return a host that promotes the victim again."""

    def act(step: Step) -> None:
        with tiers_of(Stepped(store, step), state) as tiers:
            tiers.store.commit_segment(segment(VICTIM, number=60))

    return act


def mortal(step: Step, dies_at: int) -> Step:
    """Return `step`, but for death before one of them, counted from 1."""
    count = 0

    def take(name: str) -> None:
        nonlocal count
        count += 1
        if count == dies_at:
            raise Died
        step(name)

    return take


def survive(actor: Actor) -> Actor:
    """Return the actor, whose death is no failure."""

    def act(step: Step) -> None:
        with suppress(Died):
            actor(step)

    return act


def settle(store: MemoryStore, state: Path) -> None:
    """Let a day pass, with a compaction now and then."""
    with tiers_of(store, state) as tiers:
        for _ in range(8):
            store.server_s += 2 * GRACE_S
            compact(tiers, plan=all_free)


def names(store: MemoryStore) -> list[str]:
    """Return the packages that a new runner would see, by the format's rules."""
    known = {str(record.identity): record.name for record in (VICTIM, *OTHERS)}
    return sorted(known[identity] for identity, _, _ in living(store.segments))


def test_compaction_merges_and_removes_after_the_grace(store, tmp_path):
    """One segment for three; these stay for an hour of the server's clock."""
    with tiers_of(store, tmp_path) as tiers:
        before = set(store.segments)
        first = compact(tiers, plan=all_free)
        assert (first.merged, first.written, first.removed) == (3, 1, 0)
        assert before < set(store.segments)

        store.server_s += GRACE_S - 1
        assert compact(tiers, plan=all_free).removed == 0
        store.server_s += 1
        assert compact(tiers, plan=all_free).removed == 3

        assert not before & set(store.segments)
        assert names(store) == ["attrs", "numpy", "rich", "victim"]
        store.reads.clear()
        assert compact(tiers, plan=all_free).written == 0
        assert store.reads == []


@pytest.mark.parametrize("dies_at", range(5))
@pytest.mark.parametrize("remover_dies_at", [0, 3])
def test_removal_meets_compaction(tmp_path, dies_at, remover_dies_at):
    """In each order of their steps, and whichever is killed: what is removed stays so."""
    orders = list(all_orders(4, 4))
    is_undisturbed = dies_at == remover_dies_at == 0
    if not is_undisturbed:
        orders = random.Random(dies_at).sample(orders, 8)
    for number, order in enumerate(orders):
        store = full_store()
        folder = tmp_path / str(number)
        one = compactor(store, folder / "c", dies_at=dies_at)
        other = remover(store, folder / "r", dies_at=remover_dies_at)
        interleave([survive(one), survive(other)], order)

        if is_undisturbed:
            assert names(store) == ["attrs", "numpy", "rich"], order
        settle(store, folder / "later")
        assert names(store) == ["attrs", "numpy", "rich"], order
        assert len(store.segments) == 1, order


def test_rm_meets_compaction(tmp_path):
    """In each order of their steps: no copy stays, and the ban does."""
    for number, order in enumerate(all_orders(4, 4)):
        store = full_store()
        folder = tmp_path / str(number)

        def act(step: Step, store=store, state=folder / "r") -> None:
            with tiers_of(Stepped(store, step), state) as tiers:
                remove(tiers, Ban("victim", ""))

        interleave([compactor(store, folder / "c"), act], order)

        assert names(store) == ["attrs", "numpy", "rich"], order
        settle(store, folder / "later")
        assert names(store) == ["attrs", "numpy", "rich"], order
        assert len(store.segments) == 2, "one is the ban"


def test_two_compactions_at_once(tmp_path):
    """In each order of their steps: nothing is lost, and in the end there is one."""
    for number, order in enumerate(all_orders(3, 3)):
        store = MemoryStore()
        for count, record in enumerate(OTHERS):
            store.commit_segment(segment(record, number=count))
        folder = tmp_path / str(number)
        interleave(
            [compactor(store, folder / "a"), compactor(store, folder / "b")], order
        )

        assert names(store) == ["attrs", "numpy", "rich"], order
        assert len(store.segments) == 4, "both have written one and the same"
        settle(store, folder / "later")
        assert names(store) == ["attrs", "numpy", "rich"], order
        assert len(store.segments) == 1, order


def test_removals_compactions_and_promotions_at_once(tmp_path):
    """Four hosts in some orders: what was promoted after the removal lives, and only it."""
    choose = random.Random(1)
    again = segment_id_of(segment(VICTIM, number=60))
    outcomes = set()
    for number in range(25):
        store = full_store()
        folder = tmp_path / str(number)
        tombs: list[Tombstone] = []
        actors = [
            survive(compactor(store, folder / "a", dies_at=choose.randrange(6))),
            survive(compactor(store, folder / "b", dies_at=choose.randrange(6))),
            remover(store, folder / "r", tell=tombs.extend),
            promoter(store, folder / "p"),
        ]
        order = [0] * 5 + [1] * 5 + [2] * 4 + [3]
        choose.shuffle(order)
        interleave(actors, order)
        is_removed = again in {tombstone.segment for tombstone in tombs}
        settle(store, folder / "later")

        expected = ["attrs", "numpy", "rich", *([] if is_removed else ["victim"])]
        assert names(store) == expected, order
        assert len(store.segments) == 1, order
        outcomes.add(is_removed)
    assert outcomes == {True, False}


@pytest.mark.parametrize("dies_at", range(1, 5))
def test_removal_of_inputs_killed_at_any_step(store, tmp_path, dies_at):
    """Some of them are gone then; the next compaction goes on."""
    with tiers_of(store, tmp_path / "a") as tiers:
        compact(tiers, plan=all_free)
    store.server_s += GRACE_S
    survive(compactor(store, tmp_path / "b", dies_at=dies_at))(lambda _: None)

    assert names(store) == ["attrs", "numpy", "rich", "victim"]
    assert len(store.segments) == max(1, 4 - max(0, dies_at - 2))
    settle(store, tmp_path / "later")
    assert names(store) == ["attrs", "numpy", "rich", "victim"]
    assert len(store.segments) == 1


def test_reader_whose_listing_is_of_before_reads_what_is_there_now(store, tmp_path):
    """Segments that went between its listing and its reads: it lists once more."""
    with tiers_of(store, tmp_path / "a") as tiers:
        compact(tiers, plan=all_free)
    store.server_s += GRACE_S

    def read(step: Step) -> None:
        with tiers_of(Stepped(store, step), tmp_path / "reader") as reader:
            stale = reader.store.list_segments()
            step("meanwhile")
            lister = iter([stale])
            reader.store.list_segments = lambda: next(  # type: ignore[method-assign]
                lister, frozenset(store.segments)
            )
            assert reader.tell(reader.view.refresh(reader.store)) == 0
            assert len(shown_in(reader.view)) == 4

    interleave([read, compactor(store, tmp_path / "b")], [0, 1, 1, 1, 1, 1, 0])
    assert len(store.segments) == 1


def test_inputs_stay_if_what_replaces_them_is_damaged(store, tmp_path):
    """Nothing is removed for a file that cannot be read."""
    with tiers_of(store, tmp_path) as tiers:
        before = set(store.segments)
        compact(tiers, plan=all_free)
        (new,) = set(store.segments) - before
        store.segments[new] += b"x"
        store.server_s += GRACE_S

        assert compact(tiers, plan=all_free).removed == 0
        assert before <= set(store.segments)


def test_nothing_is_merged_while_a_segment_cannot_be_read(store, tmp_path):
    """It might hold a tombstone."""
    bad = segment_id_of(b"not a segment")
    store.segments[bad] = b"not a segment"
    store.dates[bad] = 0
    with tiers_of(store, tmp_path) as tiers:
        assert compact(tiers, plan=all_free).written == 0


def test_slow_compaction_gives_up(store, tmp_path):
    """What it knows of the catalog is too old to be written down."""

    class Slow(MemoryStore):
        def read_segment(self, segment: SegmentId) -> bytes | None:
            self.server_s += MAX_DELAY_S
            return super().read_segment(segment)

    slow = Slow()
    slow.segments, slow.dates = store.segments, store.dates
    with tiers_of(store, tmp_path) as tiers:
        tiers.refresh()
        report = compact(tiers._replace(store=slow), plan=all_free)

    assert report.written == 0
    assert len(store.segments) == 3


def test_dead_segments_go_with_their_tombstones(store, tmp_path):
    """An hour after the tombstones; nothing has to be written for it."""
    last = store.commit_segment(segment(VICTIM, number=9))
    (data,) = bury(Tombstone(segment=last, number=0)).values()
    store.server_s = GRACE_S
    tombs = store.commit_segment(data)
    with tiers_of(store, tmp_path) as tiers:
        compact(tiers)
        assert {last, tombs} < set(store.segments)
        store.server_s += GRACE_S
        compact(tiers)
        compact(tiers)

    assert not {last, tombs} & set(store.segments)
    assert len(store.segments) == 3


def fill(store: MemoryStore) -> None:
    """Promote so often that there is something to merge."""
    for number in range(MAX_SMALL):
        record = make_record(f"n{number}")
        store.commit_segment(segment(record, number=100 + number))


def test_tend_asks_the_store_nothing_if_nothing_is_due(store, tmp_path):
    """The view knows."""
    with tiers_of(store, tmp_path) as tiers:
        tiers.refresh()
        tend(tiers._replace(store=None))  # type: ignore[arg-type]


def test_tend_compacts_and_says_so(store, tmp_path):
    """Once there are too many small segments."""
    events: list[Event] = []
    fill(store)
    with tiers_of(store, tmp_path, events.append) as tiers:
        tiers.refresh()
        tend(tiers)

    (event,) = events
    assert event.name == "catalog.compacted"
    assert event.fields["merged"] == MAX_SMALL + 3
    assert len(store.segments) == MAX_SMALL + 4


def test_tend_only_tells_of_a_failure(store, tmp_path):
    """A promotion that went well is none the worse for it."""

    class Failing(MemoryStore):
        def list_segments(self) -> frozenset[SegmentId]:
            raise StoreUnavailable("no answer")

    events: list[Event] = []
    fill(store)
    with tiers_of(store, tmp_path, events.append) as tiers:
        tiers.refresh()
        tend(tiers._replace(store=Failing()))

    (event,) = events
    assert (event.name, "no answer" in event.message) == ("compaction.failed", True)
    assert event.level is Level.WARNING


def test_tend_does_not_warn_where_it_may_not_write(store, tmp_path):
    """Each promotion of a runner that only pulls would; and others compact."""

    class Foreign(MemoryUpkeep):
        def clock_s(self) -> int:
            raise StoreReadOnly("cannot write")

    events: list[Event] = []
    fill(store)
    with tiers_of(store, tmp_path, events.append) as tiers:
        tiers.refresh()
        store.upkeep = Foreign(store)
        tend(tiers)

    (event,) = events
    assert (event.name, event.level) == ("compaction.failed", Level.DEBUG)


def test_gc_kills_what_was_copied_since_it_looked(tmp_path):
    """Its pack is in the trash, and stays there: a copy is no promotion."""
    cache = make_cache(tmp_path / "cache", [plan("old-wheel")])
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"))
    ferry.promote()
    age(ferry.store, 100)
    add_segment(ferry.store, segment(*OTHERS))
    other = Ferry(cache=tmp_path / "b", store=ferry.store, runner="r2")
    with ferry.open() as tiers, other.open() as theirs:
        planned = plan_gc(find_content(tiers), Budget(max_age_s=90 * DAY_S))
        assert compact(theirs, plan=all_free).written == 1
        report = apply_gc(tiers, planned)

        assert (report.discarded, report.recovered) == (1, 0)
        theirs.refresh()
        shown = {light.name for light in theirs.view.light_records()}
        assert shown == {record.name for record in OTHERS}
    assert len(trash(ferry.store)) == 1


def test_promotion_in_the_background_and_gc_compact_the_catalog(tmp_path):
    """As the daemon and `wheelferry gc` run them; a promotion before a job does not."""
    cache = make_cache(tmp_path / "cache", few())
    store = make_store(tmp_path / "store")
    for number in range(MAX_SMALL + 1):
        add_segment(store, segment(make_record(f"n{number}"), number=number))
    flags = ("--store", str(store), "--cache", str(cache))
    assert run_program("promote", *flags).returncode == 0
    assert len(segments_of(store)) == MAX_SMALL + 2

    done = run_program("gc", "-v", *flags)
    assert "compacted the catalog: 52 segments merged into 1" in done.stderr
    assert len(segments_of(store)) == MAX_SMALL + 3
    for path in segments_of(store):
        written_s = path.stat().st_mtime - GRACE_S
        os.utime(path, (written_s, written_s))
    assert background_promotion(store, cache, tmp_path / "state") == 0
    assert len(segments_of(store)) == 1


def segments_of(store: Path) -> list[Path]:
    """Return the files of the catalog."""
    return sorted(store.glob("catalog/*.seg"))


def run_program(*argv: str) -> "subprocess.CompletedProcess[str]":
    """Run Wheelferry."""
    return subprocess.run(
        [sys.executable, "-m", "wheelferry", *argv],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def background_promotion(store: Path, cache: Path, state: Path) -> int:
    """Promote as the daemon does; return the exit code."""
    flags = {"store.path": str(store), "cache.path": str(cache)}
    config = load_config({}, {**flags, "cache.state": str(state)}).config
    done = subprocess.run(
        [sys.executable, "-m", "wheelferry.cli.job", "promote"],
        input=pickle.dumps(config),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode
