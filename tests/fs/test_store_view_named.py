"""A view of a few packages, for a runner that keeps none: it shows of them what a whole one does."""

import random
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fs.test_cli_deadline import Machine, machine
from tests.support.catalogs import (
    bury,
    catalogs,
    key_of,
    merged,
    open_memory_view,
    shown_in,
)
from tests.support.memory_store import MemoryStore
from tests.support.records import make_record, segment_id_of
from wheelferry.errors import RecordMalformed
from wheelferry.store.record import SegmentId
from wheelferry.store.segment import encode_segment, iter_spanning, read_footer
from wheelferry.store.tombstones import Tombstone
from wheelferry.store.view import View

__all__ = ["machine"]

MANY = [make_record(f"package-{number:04}", files={}) for number in range(2000)]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_view_of_names_shows_what_the_whole_one_shows_of_them(data):
    """Tombstones, copies and merged segments count as ever."""
    store = MemoryStore()
    store.segments = data.draw(catalogs())
    inputs = data.draw(st.sets(st.sampled_from(sorted(store.segments))))
    if inputs:
        store.segments |= merged(store.segments, inputs)
    with tempfile.TemporaryDirectory() as folder:
        with open_memory_view(Path(folder, "whole")) as whole:
            whole.refresh(store)
            expected = shown_of(whole, "attrs")
        with open_memory_view(Path(folder, "some")) as some:
            assert some.refresh(store, ["attrs", "gone"]).bad == ()
            assert shown_in(some) == expected


def shown_of(view: View, name: str) -> dict[tuple[str, str, str], int]:
    """Return what a view shows of one package."""
    found = [view.load(light.ref) for light in view.light_records(names=[name])]
    return {key_of(record): len(record.files) for record in found if record}


def test_only_the_first_view_of_a_runner_is_of_names(tmp_path):
    """One that finds a file there keeps state, and reads all into it once."""
    store = MemoryStore()
    store.commit_segment(encode_segment(MANY[:9], runner="r1", created_s=0))
    for expected in (1, 9, 9):
        with open_memory_view(tmp_path) as view:
            view.refresh(store, [MANY[0].name])
            assert len(view.light_records()) == expected
            view.refresh(store, [MANY[0].name])
            assert len(view.light_records()) == expected
    assert len(store.reads) == 2


def test_blocks_of_other_names_are_not_looked_at():
    """All records of the names are found; damage is, where they are."""
    choose = random.Random(5)
    data = encode_segment(MANY, runner="r1", created_s=0)
    footer = read_footer(data, segment=segment_id_of(data))
    names = {record.name for record in choose.sample(MANY, 5)} | {"a", "zzz"}
    spans = list(iter_spanning(data, footer, names, segment=SegmentId("x")))
    found = [
        (first + number, record.name)
        for first, records in spans
        for number, record in enumerate(records)
        if record.name in names
    ]

    assert len(footer.blocks) > 15
    assert len(spans) <= 5
    assert found == [(n, r.name) for n, r in enumerate(MANY) if r.name in names]
    spanned = {first for first, _ in spans}
    for block in footer.blocks:
        at = block.offset + block.comp_bytes // 2
        harmed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        if block.first_number in spanned:
            with pytest.raises(RecordMalformed):
                list(iter_spanning(harmed, footer, names, segment=SegmentId("x")))
        else:
            list(iter_spanning(harmed, footer, names, segment=SegmentId("x")))


def test_first_pull_of_a_job_reads_what_it_needs(
    machine: Machine, tmp_path: Path
) -> None:
    """Its runner may be gone after it; the second one puts all into a file."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("pure-wheel==1.0\n")
    argv = ("pull", "--strict", "--python=3.12", "-r", str(requirements))
    view = machine.memory.parent / "view.sqlite"
    view.unlink(missing_ok=True)
    assert machine.run(*argv).code == 0
    assert len(machine.restored) == 1
    assert count_segments(view) == 0

    assert machine.run(*argv).code == 0
    assert count_segments(view) > 0


def count_segments(path: Path) -> int:
    """Return how many segments a view's file has."""
    db = sqlite3.connect(path)
    try:
        (count,) = db.execute("SELECT count(*) FROM segments").fetchone()
    finally:
        db.close()
    return int(count)


def test_tombstones_name_records_of_any_block(tmp_path):
    """Numbers count over blocks that were not looked at, too."""
    store = MemoryStore()
    name = store.commit_segment(encode_segment(MANY, runner="r1", created_s=0))
    tombs = [Tombstone(segment=name, number=number) for number in (1000, 1999)]
    (data,) = bury(*tombs).values()
    store.commit_segment(data)
    wanted = [MANY[number].name for number in (999, 1000, 1998, 1999)]
    with open_memory_view(tmp_path) as view:
        view.refresh(store, wanted)
        assert [light.name for light in view.light_records()] == wanted[::2]


def test_damaged_view_in_memory_leaves_a_whole_one(tmp_path: Path) -> None:
    """Made anew it is a file, which others use: names must not narrow what it learns."""
    store = MemoryStore()
    for name in ("attrs", "numpy"):
        data = encode_segment([make_record(name)], runner="r1", created_s=1)
        store.commit_segment(data)
    with open_memory_view(tmp_path) as view:
        view.refresh(store, {"attrs"})
        view._access._db.execute("DROP TABLE missing")
        assert view.missing_packs() == frozenset()
        data = encode_segment([make_record("rich")], runner="r1", created_s=1)
        store.commit_segment(data)
        view.refresh(store, {"attrs"})
    with open_memory_view(tmp_path) as view:
        view.refresh(store)
        names = {light.name for light in view.light_records()}
    assert names == {"attrs", "numpy", "rich"}
