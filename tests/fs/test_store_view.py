"""A runner's view: the union of the catalog, whatever the order in which it arrives."""

import random
import shutil
import sqlite3
import tempfile
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.memory_store import MemoryStore
from tests.support.records import digest_of, make_record, segment_id_of
from wheelferry.disk import Disk
from wheelferry.errors import (
    CacheError,
    DeadlinePassed,
    StoreError,
    StoreNotInitialised,
    StoreSilent,
    StoreUnavailable,
)
from wheelferry.store import view_refresh
from wheelferry.store.record import Record, SegmentId
from wheelferry.store.record_map import MAX_FILES_BYTES
from wheelferry.store.segment import decode_segment, encode_segment
from wheelferry.store.tombstones import Tombstone
from wheelferry.store.view import RecordRef, Refresh, View

ATTRS = make_record("attrs", "25.1")
NUMPY = make_record(
    "numpy",
    "2.1.0",
    format_id="sdists-v9/map5",
    needs={"arch": "x86_64", "libc": "glibc", "odd": "\u2028 \x85"},
)
NOTHING = Refresh()


@pytest.fixture
def store() -> MemoryStore:
    """Return an empty store."""
    return MemoryStore()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the view's file is to be; its directory is not there yet."""
    return tmp_path / "state" / "view.sqlite"


@pytest.fixture
def view(path: Path) -> Iterator[View]:
    """Return an empty view of the store."""
    with open_view(path) as opened:
        yield opened


def open_view(path: Path, store_id: str = "a" * 32, **more: Any) -> View:
    """Open the view in `path`."""
    return View.open(path, store_id=store_id, disk=Disk(), **more)


def commit(store: MemoryStore, *records: Record, **more: Any) -> SegmentId:
    """Commit a segment of `records`."""
    number = len(store.segments)
    data = encode_segment(records, runner="r1", created_s=number, **more)
    return store.commit_segment(data)


def kill(segment: SegmentId, number: int = 0) -> list[Tombstone]:
    """Return a tombstone, as `commit` takes it."""
    return [Tombstone(segment=segment, number=number)]


def wholes(view: View) -> list[Record]:
    """Return all records with their small files."""
    found = [view.load(light.ref) for light in view.light_records()]
    return [record for record in found if record is not None]


def overwrite_pages(path: Path) -> None:
    """Overwrite all pages of the view's file but the first two."""
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        for page in range(2, size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)


def names(view: View) -> list[str]:
    """Return the names of the records in the view."""
    return sorted(record.name for record in view.light_records())


def test_refresh_adds_what_is_new_once(store, view):
    """A segment is read once; with nothing new, nothing is read."""
    commit(store, ATTRS, NUMPY)
    assert view.refresh(store) == Refresh(added_segments=1, records=2)
    assert view.refresh(store) == NOTHING
    commit(store, make_record())
    assert view.refresh(store) == Refresh(added_segments=1, records=1)

    assert names(view) == ["attrs", "iniconfig", "numpy"]
    assert len(store.reads) == 2


def test_refresh_forgets_what_is_gone(store, view):
    """A segment that is not listed any more takes its records along."""
    gone = commit(store, ATTRS)
    commit(store, NUMPY)
    view.refresh(store)
    del store.segments[gone]

    assert view.refresh(store) == Refresh(forgotten_segments=1)
    assert names(view) == ["numpy"]


def test_view_survives_its_process(store, path):
    """The next process reads nothing again."""
    commit(store, ATTRS)
    with open_view(path) as view:
        view.refresh(store)
    with open_view(path) as view:
        assert view.refresh(store) == NOTHING
        assert names(view) == ["attrs"]


def test_whole_records_come_back_as_they_were(store, view):
    """With their small files and needs."""
    commit(store, ATTRS, NUMPY)
    view.refresh(store)

    assert wholes(view) == [ATTRS, NUMPY]
    assert view.load(RecordRef(12345)) is None


def test_light_records_have_all_but_the_small_files(store, view):
    """Field by field, and the identity."""
    commit(store, NUMPY)
    view.refresh(store)
    (light,) = view.light_records()

    for field in light._fields:
        if field not in ("ref", "joined_hashes", "joined_needs"):
            assert getattr(light, field) == getattr(NUMPY, field)
    assert light.hashes == NUMPY.hashes
    assert light.needs == NUMPY.needs


def test_records_are_chosen_by_format(store, view):
    """A pull asks for the formats of its machine's uv only."""
    commit(store, ATTRS, NUMPY)
    view.refresh(store)

    assert [r.name for r in view.light_records(["sdists-v9/map5"])] == ["numpy"]
    assert [r.name for r in view.light_records({"sdists-v9/map5", "x"})] == ["numpy"]
    assert view.light_records([]) == []
    many = [f"other-{number}" for number in range(1200)]
    assert [r.name for r in view.light_records(None, [*many, "numpy"])] == ["numpy"]
    assert view.light_records(["sdists-v9/map5"], many) == []
    assert view.light_records(None, []) == []
    assert view.count_by_format() == {"sdists-v9/map5": 1, "wheels-v6/map5": 1}


def test_identity_is_found_with_all_its_packs(store, view):
    """Two runners built one sdist and got different trees: both are kept."""
    one = make_record(pack=digest_of("1"), pack_bytes=100)
    two = make_record(pack=digest_of("2"), pack_bytes=200)
    commit(store, one)
    commit(store, two)
    view.refresh(store)

    assert view.find_identity(ATTRS.identity) == ()
    found = view.find_identity(one.identity)
    assert [r.pack for r in found] == sorted([one.pack, two.pack])


def test_exact_duplicates_count_once(store, view):
    """Same identity and pack from two runners; the one with more files is shown."""
    commit(store, make_record(files={}))
    commit(store, make_record(files={"pointer": b"p", "metadata": b"m"}))
    commit(store, make_record(files={"pointer": b"q"}))
    view.refresh(store)
    (found,) = wholes(view)

    assert found.files == {"pointer": b"p", "metadata": b"m"}
    assert view.totals().records == 1


def test_duplicates_in_one_segment_count_once(store, view):
    """None of them was there before the others, and still only one is shown."""
    commit(
        store,
        make_record(files={}),
        make_record(files={"pointer": b"p", "metadata": b"m"}),
        make_record(files={"pointer": b"q"}),
    )
    view.refresh(store)
    (found,) = wholes(view)

    assert found.files == {"pointer": b"p", "metadata": b"m"}


def test_record_like_no_other_is_written_once(store, view):
    """Nothing has to be chosen: most of a runner's first refresh is such records."""
    few, many = 10, 300
    commit(store, *(make_record(f"few-{n}", files={}) for n in range(few)))
    before = view._access._db.total_changes
    view.refresh(store)
    for_few = view._access._db.total_changes - before
    commit(store, *(make_record(f"many-{n}", files={}) for n in range(many)))
    view.refresh(store)
    for_many = view._access._db.total_changes - before - for_few

    assert for_many - for_few == many - few


def test_totals_count_each_pack_once(store, view):
    """Two formats of one wheel share a pack."""
    commit(store, ATTRS, make_record("attrs", "25.1", format_id="wheels-v8/array5"))
    commit(store, NUMPY)
    view.refresh(store)
    totals = view.totals()

    assert (totals.segments, totals.records, totals.packs) == (2, 3, 2)
    assert (totals.pack_bytes, totals.tree_bytes) == (2 * 4096, 2 * 12345)


def test_totals_of_absurd_sizes_do_not_overflow(store, view):
    """A record may claim 16 TiB; a sum of many is still a number."""
    huge = (1 << 44) - 1
    commit(
        store,
        *(make_record(f"p{n}", pack_bytes=huge, tree_bytes=huge) for n in range(3000)),
    )
    view.refresh(store)

    assert view.totals().pack_bytes > huge


def test_tombstone_kills_one_occurrence(store, view):
    """What is promoted again later lives, although it is the same record."""
    first = commit(store, ATTRS)
    commit(store, tombstones=kill(first))
    view.refresh(store)
    assert names(view) == []
    commit(store, ATTRS)
    view.refresh(store)

    assert names(view) == ["attrs"]


def test_tombstone_may_arrive_before_its_segment(store, view):
    """Listings of a directory have no order."""
    first = commit(store, ATTRS, NUMPY)
    data = store.segments.pop(first)
    commit(store, tombstones=kill(first, 0))
    view.refresh(store)
    store.segments[first] = data
    view.refresh(store)

    assert names(view) == ["numpy"]


def test_forgotten_tombstone_kills_no_more(store, view):
    """The state is that of the segments that are there now."""
    first = commit(store, ATTRS)
    removal = commit(store, tombstones=kill(first))
    view.refresh(store)
    del store.segments[removal]
    view.refresh(store)

    assert names(view) == ["attrs"]


POOL = [
    make_record(files={}),
    make_record(files={"pointer": b"p"}),
    make_record(files={"pointer": b"q"}),
    make_record(pack=digest_of("other")),
    ATTRS,
    NUMPY,
]
segment_specs = st.lists(
    st.tuples(
        st.lists(st.sampled_from(POOL), max_size=3),
        st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), max_size=3),
    ),
    min_size=1,
    max_size=7,
)


def expected(segments: dict[SegmentId, bytes]) -> list[Record]:
    """Say which records live, by the definition: no tables and no order."""
    decoded = {name: decode_segment(d, segment=name) for name, d in segments.items()}
    dead = {tomb for seg in decoded.values() for tomb in seg.footer.tombstones}
    best: dict[tuple[str, str], tuple[int, SegmentId, int]] = {}
    for name, segment in decoded.items():
        for number, record in enumerate(segment.records):
            if Tombstone(segment=name, number=number) not in dead:
                rank = (-len(record.files), name, number)
                place = (record.identity, record.pack)
                best[place] = min(best.get(place, rank), rank)
    found = [decoded[name].records[number] for _, name, number in best.values()]
    return sorted(found, key=str)


@settings(max_examples=60)
@given(segment_specs, st.data())
def test_view_is_the_union_of_the_catalog_in_any_order(specs, data):
    """After any history of segments coming and going, the view is what a new one is."""
    all_segments: dict[SegmentId, bytes] = {}
    for number, (records, tombs) in enumerate(specs):
        earlier = list(all_segments)
        encoded = encode_segment(
            records,
            runner="r1",
            created_s=number,
            tombstones=[
                Tombstone(segment=earlier[n % len(earlier)], number=which)
                for n, which in tombs
                if earlier
            ],
        )
        all_segments[segment_id_of(encoded)] = encoded
    store = MemoryStore()
    directory = Path(tempfile.mkdtemp())
    try:
        with open_view(directory / "view.sqlite") as view:
            for _ in range(data.draw(st.integers(1, 4))):
                visible = data.draw(st.sets(st.sampled_from(sorted(all_segments))))
                store.segments = {name: all_segments[name] for name in visible}
                view.refresh(store)

                found = sorted(wholes(view), key=str)
                assert found == expected(store.segments)
                assert view.totals().records == len(found)
                assert view.totals().segments == len(visible)
    finally:
        shutil.rmtree(directory)


def test_many_bytes_are_added_in_several_transactions(store, view):
    """All of them arrive, and what is gone is forgotten with the last."""
    gone = commit(store, make_record("gone"))
    view.refresh(store)
    del store.segments[gone]
    wanted = []
    for number in range(5):
        blob = random.Random(number).randbytes(view_refresh.BATCH_BYTES // 2)
        wanted.append(f"p{number}")
        commit(store, make_record(f"p{number}", files={"metadata": blob}))

    assert view.refresh(store) == Refresh(
        added_segments=5, forgotten_segments=1, records=5
    )
    assert names(view) == wanted


class Vanishing(MemoryStore):
    """A store whose compactor replaces a segment after it was listed."""

    def __init__(self) -> None:
        super().__init__()
        self.listings = 0
        self.merge: tuple[list[SegmentId], bytes] | None = None

    def list_segments(self) -> frozenset[SegmentId]:
        self.listings += 1
        listed = super().list_segments()
        if self.merge:
            inputs, merged = self.merge
            self.merge = None
            for name in inputs:
                del self.segments[name]
            self.commit_segment(merged)
        return listed


def test_segment_that_vanishes_means_list_again(view):
    """What it held is found where it went."""
    store = Vanishing()
    inputs = [commit(store, ATTRS), commit(store, NUMPY)]
    merged = encode_segment([ATTRS, NUMPY], runner="r2", created_s=9, replaces=inputs)
    store.merge = (inputs, merged)
    result = view.refresh(store)

    assert (result.added_segments, result.bad) == (1, ())
    assert names(view) == ["attrs", "numpy"]
    assert store.listings == 2


def test_segment_that_is_listed_and_never_there_does_not_loop(store, view):
    """A listing that lies is asked three times, then the rest counts."""
    commit(store, ATTRS)
    ghost = segment_id_of(b"ghost")
    store.list_segments = lambda: frozenset([*store.segments, ghost])

    assert view.refresh(store).added_segments == 1
    assert store.reads.count(ghost) == 3
    assert names(view) == ["attrs"]


BAD = {
    "corrupt": (segment_id_of(b"right"), b"wrong"),
    "malformed": (segment_id_of(b"no segment" * 9), b"no segment" * 9),
}
_newer = bytearray(encode_segment([ATTRS], runner="r", created_s=1))
_newer[8] = 7
BAD["newer"] = (segment_id_of(bytes(_newer)), bytes(_newer))


@pytest.mark.parametrize("kind", BAD)
def test_bad_segment_is_reported_and_the_rest_goes_on(store, view, kind):
    """Each time, by name, until it is gone."""
    name, data = BAD[kind]
    commit(store, ATTRS)
    store.segments[name] = data
    for _ in range(5):
        ((segment, message),) = view.refresh(store).bad
        assert segment == name
        assert name in message
        assert names(view) == ["attrs"]
    del store.segments[name]

    assert view.refresh(store) == NOTHING


def test_bad_segment_is_read_again_ever_more_rarely(store, view):
    """A passing fault heals at the next refresh; a lasting one does not cost each job."""
    name, data = BAD["corrupt"]
    store.segments[name] = data
    reads = []
    for _ in range(20):
        view.refresh(store)
        reads.append(store.reads.count(name))

    assert reads[:8] == [1, 2, 2, 3, 3, 3, 3, 4]
    assert reads[-1] == 5


def test_segment_that_was_bad_by_accident_is_added(store, view):
    """The next refresh takes it, and reports it no more."""
    segment = commit(store, ATTRS)
    good = store.segments[segment]
    store.segments[segment] = good[:-1]
    assert view.refresh(store).bad
    store.segments[segment] = good

    assert view.refresh(store) == Refresh(added_segments=1, records=1)
    assert view.refresh(store) == NOTHING


def test_refresh_with_nothing_new_writes_nothing(store, path):
    """So it waits for nobody, not even where a segment was bad once, or is gone."""
    segment, gone = commit(store, ATTRS), commit(store, NUMPY)
    good = store.segments[segment]
    with open_view(path, busy_timeout_s=0.05) as view:
        store.segments |= {segment: good[:-1], gone: b""}
        view.refresh(store)
        store.segments[segment] = good
        del store.segments[gone]
        view.refresh(store)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        assert view.refresh(store) == NOTHING
        other.close()


def test_upgraded_wheelferry_reads_refused_segments_at_once(store, path):
    """What the version before could not read is not waited for."""
    name, data = BAD["newer"]
    store.segments[name] = data
    with open_view(path) as view:
        for _ in range(5):
            view.refresh(store)
        before = len(store.reads)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = '0.0' WHERE key = 'writer'")
    db.close()
    with open_view(path) as view:
        view.refresh(store)

    assert len(store.reads) == before + 1


def test_malformed_segment_leaves_nothing_behind(store, view):
    """A record that is bad at the end undoes the whole segment."""
    noise = random.Random(3)
    some = [
        make_record(f"p{n:03}", files={"pointer": noise.randbytes(3000)})
        for n in range(300)
    ]
    data = bytearray(encode_segment(some, runner="r", created_s=1))
    data[len(data) * 2 // 3] ^= 1  # in a later block; footer and head are intact
    name = segment_id_of(bytes(data))
    store.segments[name] = bytes(data)

    assert [segment for segment, _ in view.refresh(store).bad] == [name]
    assert names(view) == []
    assert view.totals().segments == 0


class Troubled(MemoryStore):
    """A store that cannot deliver some segments."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble: dict[SegmentId, type[OSError]] = {}

    def read_segment(self, segment: SegmentId) -> bytes | None:
        data = super().read_segment(segment)
        if cause := self.trouble.get(segment):
            raise StoreUnavailable(f"cannot read {segment}") from cause()
        return data


def test_unreadable_segment_is_tried_on_each_refresh(view):
    """The store's trouble passes; the segment is not the one to blame."""
    store = Troubled()
    store.trouble = {commit(store, ATTRS): TimeoutError}
    for _ in range(5):
        assert len(view.refresh(store).bad) == 1
    store.trouble = {}

    assert view.refresh(store) == Refresh(added_segments=1, records=1)
    assert view.refresh(store) == NOTHING
    assert len(store.reads) == 6


class Ending(MemoryStore):
    """A store that is at its end after one segment."""

    def __init__(self, error: StoreError) -> None:
        super().__init__()
        self.error: StoreError | None = error

    def read_segment(self, segment: SegmentId) -> bytes | None:
        if self.reads and self.error:
            raise self.error
        return super().read_segment(segment)


@pytest.mark.parametrize(
    "error", [StoreSilent("silent", hint="look"), DeadlinePassed("late", hint="wait")]
)
def test_refresh_that_is_cut_short_keeps_what_it_has(view, error):
    """The end of all work with the store is no segment's fault, and is passed on."""
    store = Ending(error)
    for name in ("a", "b", "c"):
        commit(store, make_record(name))
    with pytest.raises(type(error), match="catalog's 3 segments 1 have") as caught:
        view.refresh(store)
    assert caught.value.message.startswith(f"{error.message}; ")
    assert caught.value.hint == error.hint
    assert len(view.light_records()) == 1

    store.error = None
    assert view.refresh(store) == Refresh(added_segments=2, records=2)


def test_refresh_ends_at_the_first_segment_that_the_store_cannot_deliver(view):
    """A soft mount takes its time for each: one time-out a job is enough."""
    store = Troubled()
    segments = [commit(store, make_record(f"p{n}")) for n in range(9)]
    store.trouble = dict.fromkeys(segments, TimeoutError)
    ((segment, message),) = view.refresh(store).bad

    assert store.reads == [segment]
    assert segment in message
    assert "8 more" in message


def test_segment_that_is_never_delivered_keeps_no_other_back(view):
    """It is tried last; of two such ones, each has its turn."""
    store = Troubled()
    segments = sorted(commit(store, make_record(f"p{n}")) for n in range(9))
    store.trouble = {segments[0]: OSError, segments[1]: OSError}
    seen = set()
    for _ in range(4):
        ((segment, _),) = view.refresh(store).bad
        seen.add(segment)

    assert seen == set(segments[:2])
    assert len(names(view)) == 7


def test_segment_that_may_not_be_read_stops_nothing(view):
    """A wrong mode is answered at once, and is of that file only."""
    store = Troubled()
    segments = [commit(store, make_record(f"p{n}")) for n in range(5)]
    store.trouble = dict.fromkeys(segments[:2], PermissionError)

    assert [s for s, _ in view.refresh(store).bad] == sorted(segments[:2])
    assert len(names(view)) == 3


def test_store_that_is_away_empties_no_view(store, view):
    """The listing fails, and all that was known stays."""
    commit(store, ATTRS)
    view.refresh(store)

    def away() -> frozenset[SegmentId]:
        raise StoreNotInitialised("away")

    store.list_segments = away
    with pytest.raises(StoreNotInitialised):
        view.refresh(store)
    assert names(view) == ["attrs"]


def test_view_of_another_store_is_made_anew(store, path):
    """Records of one store are never shown for another."""
    commit(store, ATTRS)
    with open_view(path) as view:
        view.refresh(store)
        view.note_missing(ATTRS.pack)
    with open_view(path, store_id="b" * 32) as view:
        assert names(view) == []
        assert view.missing_packs() == frozenset()


@pytest.mark.parametrize("version", [0, 99])
def test_view_of_another_version_is_made_anew(store, path, version):
    """Whatever tables it has."""
    commit(store, ATTRS)
    open_view(path).close()
    db = sqlite3.connect(path)
    db.executescript(f"DROP TABLE records; PRAGMA user_version = {version}")
    db.close()
    with open_view(path) as view:
        view.refresh(store)
        assert names(view) == ["attrs"]


def test_file_that_is_no_database_is_made_anew(store, path):
    """An index is worth nothing that the store does not have."""
    path.parent.mkdir()
    path.write_bytes(b"not a database, and long enough to tell" * 100)
    commit(store, ATTRS)
    with open_view(path) as view:
        view.refresh(store)
        assert names(view) == ["attrs"]


def test_file_damaged_inside_is_made_anew_on_refresh(store, path):
    """Damage that SQLite meets only when it reads the page."""
    for number in range(30):
        commit(store, *(make_record(f"p{number}-{n}") for n in range(30)))
    with open_view(path) as view:
        view.refresh(store)
    overwrite_pages(path)
    commit(store, make_record("new"))
    with open_view(path) as view:
        view.refresh(store)

        assert len(names(view)) == 901


QUERIES: dict[str, Callable[[View], object]] = {
    "light_records": lambda view: view.light_records(),
    "find_identity": lambda view: view.find_identity(ATTRS.identity),
    "load": lambda view: view.load(RecordRef(1)),
    "totals": lambda view: view.totals(),
    "count_by_format": lambda view: view.count_by_format(),
    "missing_packs": lambda view: view.missing_packs(),
    "note_missing": lambda view: view.note_missing(ATTRS.pack),
    "add_own": lambda view: view.add_own(BAD["corrupt"][0], BAD["corrupt"][1]),
}


@pytest.mark.parametrize("query", QUERIES)
def test_damage_that_a_query_meets_is_mended_under_it(store, path, query):
    """The file is replaced and read again, and the answer is the right one."""
    commit(store, ATTRS, *(make_record(f"p{n}") for n in range(2000)))
    with open_view(path) as view:
        view.refresh(store)
    with open_view(path) as view:
        view.refresh(store)
        overwrite_pages(path)
        QUERIES[query](view)

        assert len(names(view)) == 2001
        assert [r.name for r in view.find_identity(ATTRS.identity)] == ["attrs"]
    with open_view(path) as view:
        assert view.refresh(store) == NOTHING


def test_damaged_small_files_are_never_given_out(store, path):
    """SQLite does not look into large values; the pull goes on without the record."""
    blob = random.Random(1).randbytes(1 << 20)
    commit(store, make_record(files={"metadata": blob}))
    with open_view(path) as view:
        view.refresh(store)
    with open_view(path) as view:
        (light,) = view.light_records()
        data = bytearray(path.read_bytes())
        data[data.index(blob[500_000:500_100])] ^= 1
        path.write_bytes(data)
        view.refresh(store)

        assert view.load(light.ref) is None
        assert [record.files["metadata"] for record in wholes(view)] == [blob]


def test_damaged_view_of_a_store_that_is_away_is_an_error(store, path):
    """An empty answer would say that the store holds nothing."""
    commit(store, *(make_record(f"p{n}") for n in range(2000)))
    with open_view(path) as view:
        view.refresh(store)
    with open_view(path) as view:
        view.refresh(store)
        overwrite_pages(path)

        def away() -> frozenset[SegmentId]:
            raise StoreNotInitialised("away")

        store.list_segments = away
        with pytest.raises(StoreNotInitialised):
            view.light_records()


def test_hostile_segment_is_added_with_little_memory(store, view):
    """120 kB that unpack to 60 MiB go into the view block by block."""
    zeros = bytes(MAX_FILES_BYTES)
    commit(store, *(make_record(f"p{n}", files={"metadata": zeros}) for n in range(12)))
    tracemalloc.start()
    try:
        result = view.refresh(store)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert result.records == 12
    assert peak_bytes < 40 << 20


def test_unusable_path_is_an_error_that_names_it(tmp_path):
    """Such as a state directory that is a file."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "view.sqlite").mkdir()
    with pytest.raises(CacheError, match=r"view\.sqlite") as caught:
        open_view(tmp_path / "state" / "view.sqlite")
    assert caught.value.hint


def test_busy_view_is_used_as_it_is(store, path):
    """A pull does not fail because another process writes; it reads what there is."""
    commit(store, ATTRS)
    with open_view(path) as view:
        view.refresh(store)
    commit(store, NUMPY)
    with open_view(path, busy_timeout_s=0.05) as view:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert view.refresh(store) == Refresh(deferred=True)
        assert names(view) == ["attrs"]
        view.note_missing(ATTRS.pack)
        other.execute("ROLLBACK")
        other.close()

        assert view.refresh(store).added_segments == 1


def test_processes_that_refresh_at_once_agree(store, path):
    """Each segment is added once, whoever was faster."""
    for number in range(20):
        commit(store, *(make_record(f"p{number}-{n}") for n in range(20)))
    results: list[Refresh] = []
    seen: list[list[str]] = []
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        with open_view(path) as view:
            results.append(view.refresh(store))
            seen.append(names(view))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(result.added_segments for result in results) == 20
    assert [len(found) for found in seen] == [400] * 4


class Slow(MemoryStore):
    """A store whose listing takes so long that another process commits meanwhile."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    def list_segments(self) -> frozenset[SegmentId]:
        listed = super().list_segments()
        self.meanwhile()
        return listed


def test_listing_does_not_forget_what_came_after_it(view, path):
    """Steps: A lists; B commits and adds; A compares."""
    with open_view(path) as other:

        def promote() -> None:
            segment = commit(slow, NUMPY)
            other.add_own(segment, slow.segments[segment])

        slow = Slow(promote)

        assert view.refresh(slow) == NOTHING
    assert names(view) == ["numpy"]


def test_own_segment_is_added_without_reading_it(store, view):
    """Who has committed it has its bytes, and its packs are in the store."""
    view.note_missing(ATTRS.pack)
    segment = commit(store, ATTRS)
    view.add_own(segment, store.segments[segment])

    assert wholes(view) == [ATTRS]
    assert view.missing_packs() == frozenset()
    assert view.refresh(store) == NOTHING
    assert store.reads == []


def test_own_segment_waits_for_nobody(store, path):
    """A busy view is refreshed later; the promotion is done."""
    segment = commit(store, ATTRS)
    with open_view(path, busy_timeout_s=0.05) as view:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        view.add_own(segment, store.segments[segment])
        other.close()

        assert names(view) == []
        assert view.refresh(store).added_segments == 1


class Overtaken(MemoryStore):
    """A store that lets another process refresh while a segment is read."""

    def __init__(self, other: View) -> None:
        super().__init__()
        self.other: View | None = other
        self.result: Refresh | None = None

    def read_segment(self, segment: SegmentId) -> bytes | None:
        data = super().read_segment(segment)
        if other := self.other:
            self.other = None
            self.result = other.refresh(self)
        return data


def test_process_that_was_overtaken_adds_nothing_twice(view, path):
    """Steps: A lists; A reads; B lists, reads and adds; A adds."""
    with open_view(path) as other:
        store = Overtaken(other)
        commit(store, ATTRS)
        commit(store, NUMPY)

        assert view.refresh(store) == NOTHING
        assert store.result == Refresh(added_segments=2, records=2)
    assert names(view) == ["attrs", "numpy"]


def test_missing_packs_are_remembered_until_they_are_promoted(store, view, path):
    """What a pull could not get is worth promoting again."""
    commit(store, ATTRS, NUMPY)
    view.refresh(store)
    view.note_missing(ATTRS.pack)
    view.note_missing(ATTRS.pack)
    view.note_missing(NUMPY.pack)
    with open_view(path) as other:
        assert other.missing_packs() == {ATTRS.pack, NUMPY.pack}
    view.forget_missing(NUMPY.pack)
    assert not view.is_missing(NUMPY.pack)
    assert view.is_missing(ATTRS.pack)
    commit(store, ATTRS)
    view.refresh(store)

    assert view.missing_packs() == frozenset()


def test_missing_packs_are_tried_ever_more_rarely(store, view):
    """A lost pack does not cost each job; the second try is at the next one."""
    attempts = []
    for number in range(80):
        view.refresh(store)
        if ATTRS.pack not in view.avoided_packs():
            attempts.append(number)
            view.note_missing(ATTRS.pack)
            assert view.avoided_packs() == {ATTRS.pack}

    assert attempts == [0, 1, 3, 7, 15, 31, 63]
    assert view.missing_packs() == {ATTRS.pack}
    view.forget_missing(ATTRS.pack)
    view.note_missing(ATTRS.pack)
    view.refresh(store)
    assert view.avoided_packs() == frozenset()


def test_segment_that_was_deleted_is_promoted_again(store, view):
    """What an admin does about one that was damaged after this view had read it."""
    segment = commit(store, ATTRS)
    view.refresh(store)
    store.segments[segment] = store.segments[segment][:-1]
    view.refresh(store)
    assert view.find_identity(ATTRS.identity)
    del store.segments[segment]
    view.refresh(store)

    assert view.find_identity(ATTRS.identity) == ()


def test_reference_is_never_used_for_another_record(store, view):
    """A pull that loads late gets its record or nothing."""
    segment = commit(store, ATTRS)
    view.refresh(store)
    (old,) = view.light_records()
    del store.segments[segment]
    commit(store, NUMPY)
    view.refresh(store)

    assert view.load(old.ref) is None
    assert [r.ref > old.ref for r in view.light_records()] == [True]
