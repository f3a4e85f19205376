"""Catalogs of any shape, for tests of what reads or merges them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from hypothesis import strategies as st

from tests.support.memory_store import MemoryStore
from tests.support.records import digest_of, make_record, segment_id_of
from wheelferry.disk import Disk
from wheelferry.store.compaction import merge
from wheelferry.store.record import Record, SegmentId
from wheelferry.store.segment import decode_segment, encode_segment
from wheelferry.store.tombstones import Eviction, Tombstone
from wheelferry.store.view import View

Shown = dict[tuple[str, str, str], int]
"""What a view shows: identity, pack and needs, and how many small files there are."""

FILES: tuple[Mapping[str, bytes], ...] = (
    {},
    {"pointer": b"p"},
    {"pointer": b"other"},
    {"pointer": b"p", "metadata": b"m"},
)

few_records = st.builds(
    lambda name, pack, files, arch: make_record(
        name,
        pack=digest_of(pack),
        files=files,
        needs={"arch": arch} if arch else {},
    ),
    st.sampled_from(("attrs", "numpy")),
    st.sampled_from(("one", "two")),
    st.sampled_from(FILES),
    st.sampled_from(("", "", "x86_64")),
)
"""Records of which many are equal."""


few_evictions = st.builds(
    lambda name, at_s: Eviction(make_record(name).identity, at_s),
    st.sampled_from(("attrs", "numpy")),
    st.integers(0, 2),
)
"""Of long ago, for whoever looks at a clock."""


@st.composite
def catalogs(draw: st.DrawFn, *, max_segments: int = 6) -> dict[SegmentId, bytes]:
    """Draw segments of few records, with tombstones for records of those before."""
    made: dict[SegmentId, bytes] = {}
    for number in range(draw(st.integers(1, max_segments))):
        records = draw(st.lists(few_records, max_size=3))
        places = places_of(made)
        tombs = draw(st.lists(st.sampled_from(places), max_size=3)) if places else []
        data = encode_segment(
            records,
            runner="r1",
            created_s=number,
            tombstones=tombs,
            evicted=draw(st.lists(few_evictions, max_size=2)),
        )
        made[segment_id_of(data)] = data
    return made


def places_of(catalog: Mapping[SegmentId, bytes]) -> list[Tombstone]:
    """Return a tombstone for each record."""
    return [
        Tombstone(segment=segment, number=number)
        for segment, data in sorted(catalog.items())
        for number, _ in enumerate(decode_segment(data, segment=segment).records)
    ]


def dead_in(catalog: Mapping[SegmentId, bytes]) -> list[Tombstone]:
    """Return all tombstones."""
    return [
        tomb
        for segment, data in catalog.items()
        for tomb in decode_segment(data, segment=segment).footer.tombstones
    ]


def merged(
    catalog: Mapping[SegmentId, bytes], inputs: Iterable[SegmentId]
) -> dict[SegmentId, bytes]:
    """Return the segment that `inputs` are merged into, by its name."""
    data = merge(
        {segment: catalog[segment] for segment in inputs},
        dead=dead_in(catalog),
        standing=catalog.keys(),
    )
    return {segment_id_of(data): data}


def bury(*tombstones: Tombstone, number: int = 99) -> dict[SegmentId, bytes]:
    """Return a segment of tombstones, by its name."""
    data = encode_segment([], runner="r1", created_s=number, tombstones=tombstones)
    return {segment_id_of(data): data}


def living(catalog: Mapping[SegmentId, bytes]) -> Shown:
    """Return what a view has to show of a catalog, from what the format says."""
    dead = {(tomb.segment, tomb.number) for tomb in dead_in(catalog)}
    shown: Shown = {}
    for segment, data in catalog.items():
        for number, record in enumerate(decode_segment(data, segment=segment).records):
            if (segment, number) not in dead:
                key = key_of(record)
                shown[key] = max(len(record.files), shown.get(key, 0))
    return shown


def shown_in(view: View) -> Shown:
    """Return what a view shows."""
    found = [view.load(light.ref) for light in view.light_records()]
    records = [record for record in found if record is not None]
    shown = {key_of(record): len(record.files) for record in records}
    assert len(shown) == len(found), "each is shown once"
    return shown


def key_of(record: Record) -> tuple[str, str, str]:
    """Return what records have in common of which a view shows one."""
    return record.identity, record.pack, record.needs.get("arch", "")


def open_memory_view(folder: str | Path) -> View:
    """Open a view of a MemoryStore, in that folder."""
    path = Path(folder) / "view.sqlite"
    return View.open(path, store_id="a" * 32, disk=Disk())


def show(store: MemoryStore, view: View, catalog: Mapping[SegmentId, bytes]) -> Shown:
    """Make this the catalog, and return what a refreshed view shows."""
    store.segments = dict(catalog)
    assert view.refresh(store).bad == ()
    return shown_in(view)
