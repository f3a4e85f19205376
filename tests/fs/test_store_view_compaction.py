"""Merging segments changes nothing of what the catalog says, whenever it is looked at."""

import random
import tempfile
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.catalogs import (
    bury,
    catalogs,
    living,
    merged,
    open_memory_view,
    places_of,
    show,
    shown_in,
)
from tests.support.forge import forge_footer
from tests.support.memory_store import MemoryStore
from tests.support.records import make_record, segment_id_of
from wheelferry.store.compaction import SMALL_BYTES, TOLD_S, plan_merge
from wheelferry.store.record import SegmentId
from wheelferry.store.segment import encode_segment
from wheelferry.store.tombstones import Eviction, Tombstone
from wheelferry.store.view import View

Catalog = dict[SegmentId, bytes]
ATTRS, NUMPY = make_record("attrs"), make_record("numpy")
quick = settings(max_examples=40, deadline=None)


@pytest.fixture
def store() -> MemoryStore:
    """Return an empty store."""
    return MemoryStore()


@pytest.fixture
def view(tmp_path) -> Iterator[View]:
    """Return an empty view."""
    with open_memory_view(tmp_path) as opened:
        yield opened


def some_of(draw: st.DrawFn, catalog: Catalog, *, min_size: int = 0) -> set[SegmentId]:
    """Draw some segments."""
    return draw(st.sets(st.sampled_from(sorted(catalog)), min_size=min_size))


def segment(*records, number: int = 0, **more) -> Catalog:
    """Return a segment by its name."""
    data = encode_segment(records, runner="r1", created_s=number, **more)
    return {segment_id_of(data): data}


def without(catalog: Catalog, gone) -> Catalog:
    """Return a catalog without some segments."""
    return {name: data for name, data in catalog.items() if name not in gone}


@quick
@given(st.data())
def test_merged_catalog_shows_what_its_inputs_show(data):
    """With all inputs, some of them or none, in whatever order they arrive and go."""
    catalog = data.draw(catalogs())
    inputs = some_of(data.draw, catalog, min_size=1)
    gone = data.draw(st.sets(st.sampled_from(sorted(inputs))))
    both = catalog | merged(catalog, inputs)
    expected = living(catalog)
    order = data.draw(st.permutations(sorted(both)))
    store = MemoryStore()

    assert living(both) == living(without(both, gone)) == expected
    with tempfile.TemporaryDirectory() as folder, open_memory_view(folder) as view:
        for count in range(len(order) + 1):
            show(store, view, {name: both[name] for name in order[:count]})
        assert shown_in(view) == expected
        for name in data.draw(st.permutations(sorted(inputs))):
            both = without(both, {name})
            assert show(store, view, both) == expected


@quick
@given(st.data())
def test_merge_gives_the_same_bytes_to_everyone(data):
    """In whatever order the inputs are given: two hosts write one file."""
    catalog = data.draw(catalogs())
    inputs = sorted(some_of(data.draw, catalog, min_size=1))
    shuffled = data.draw(st.permutations(inputs))

    assert merged(catalog, inputs) == merged(catalog, shuffled)


@quick
@given(st.data())
def test_removed_while_merged_stays_removed(data):
    """Tombstones that the merge did not know are carried over to the copies."""
    catalog = data.draw(catalogs())
    inputs = some_of(data.draw, catalog, min_size=1)
    new = merged(catalog, inputs)
    places = places_of(catalog)
    tombs = data.draw(st.lists(st.sampled_from(places), max_size=4)) if places else []
    catalog |= bury(*tombs)
    both = catalog | new
    store = MemoryStore()

    with tempfile.TemporaryDirectory() as folder, open_memory_view(folder) as view:
        show(store, view, both)
        both |= bury(*view.stale_copies(), number=100)
        assert living(both).keys() == living(catalog).keys()
        show(store, view, both)
        assert view.stale_copies() == ()


@quick
@given(st.data())
def test_what_is_removable_can_go(data):
    """In any order, and while it goes: the view stays the same, and nothing is left over."""
    catalog = data.draw(catalogs())
    inputs = some_of(data.draw, catalog, min_size=1)
    both = catalog | merged(catalog, inputs)
    if data.draw(st.booleans()):
        both |= merged(both, some_of(data.draw, catalog, min_size=1))
    expected = living(both)
    store = MemoryStore()

    with tempfile.TemporaryDirectory() as folder, open_memory_view(folder) as view:
        assert show(store, view, both) == expected
        assert inputs <= set(view.removable())
        while found := view.removable():
            assert all(by <= both.keys() for by in found.values())
            both = without(both, {data.draw(st.sampled_from(sorted(found)))})
            assert show(store, view, both) == expected
        assert not inputs & both.keys()


def test_segment_with_a_record_that_its_heir_lacks_stays(store, view):
    """`replaces` is believed only as far as it is true."""
    old = segment(ATTRS, NUMPY)
    false = segment(ATTRS, number=1, replaces=old)
    show(store, view, old | false)

    assert view.removable() == {}


@pytest.mark.parametrize("files", [{}, {"pointer": b"p"}])
def test_segment_with_a_small_file_that_its_heir_lacks_stays(store, view, files):
    """A reader would get less than before."""
    old = segment(ATTRS)
    show(store, view, old | segment(ATTRS._replace(files=files), replaces=old))

    assert view.removable() == {}


def test_segment_whose_heir_lost_a_record_stays(store, view):
    """A tombstone for the copy alone leaves the other one alive."""
    old = segment(ATTRS)
    new = merged(old, old)
    tombs = bury(*places_of(new))
    show(store, view, old | new | tombs)

    assert view.removable() == {}
    assert [light.name for light in view.light_records()] == ["attrs"]


def test_copy_of_what_lives_elsewhere_is_not_stale(store, view):
    """Of two equal inputs one was removed, and the other was promoted again since."""
    old, again = segment(ATTRS), segment(ATTRS, number=1)
    both = old | again
    show(store, view, both | merged(both, both) | bury(*places_of(old)))

    assert view.stale_copies() == ()


def test_tombstones_stay_as_long_as_what_they_name(store, view):
    """Then they are removable by themselves, and what is all dead with its tombstones."""
    old = segment(ATTRS)
    tombs = bury(*places_of(old))
    show(store, view, old | tombs)
    assert view.removable() == {min(old): {min(old), min(tombs)}}

    show(store, view, tombs)
    assert view.removable() == {min(tombs): {min(tombs)}}


def test_segment_with_a_tombstone_that_its_heir_lacks_stays(store, view):
    """A removal is not forgotten with the segment that says so."""
    old = segment(ATTRS)
    tombs = segment(NUMPY, number=1, tombstones=[Tombstone(segment=min(old), number=0)])
    false = segment(NUMPY, number=2, replaces=tombs)
    show(store, view, old | tombs | false)

    assert view.removable() == {min(old): {min(old), min(tombs)}}


def test_what_was_removed_is_told_for_a_while(store, view):
    """Also when nothing else is left that a segment says."""
    now_s = int(time.time())
    young = segment(evicted=[Eviction(ATTRS.identity, now_s - TOLD_S + 99)])
    old = segment(evicted=[Eviction(ATTRS.identity, now_s - TOLD_S - 99)])
    show(store, view, young | old)

    assert view.removable() == {min(old): {min(old)}}


def test_segment_with_a_removal_that_its_heir_lacks_stays(store, view):
    """Unless it was long ago, as the heir has it, or the heir tells of a later one."""
    now_s = int(time.time())
    evicted = [Eviction(ATTRS.identity, now_s)]
    old = segment(NUMPY, evicted=evicted)
    heirs: tuple[tuple[int, list[Eviction], bool], ...] = (
        (0, [], False),
        (0, [Eviction(ATTRS.identity, now_s - 1)], False),
        (0, [Eviction(ATTRS.identity, now_s + 1)], True),
        (now_s + TOLD_S, [], False),
        (now_s + TOLD_S + 1, [], True),
    )
    for number, said, is_covered in heirs:
        heir = segment(NUMPY, number=number, replaces=old, evicted=said)
        show(store, view, old | heir)
        assert (min(old) in view.removable()) is is_covered, (number, said)


def test_segment_that_says_more_than_is_known_is_neither_merged_nor_removed(
    store, view
):
    """What a later version wrote into a footer would be lost."""
    more = forge_footer({"later": [["attrs", ""]]})
    name = segment_id_of(more)
    show(store, view, {name: more})

    assert view.removable() == {}
    (facts,) = view.segment_facts()
    assert not facts.is_free


def test_facts_tell_what_is_dead(store, view):
    """Counted once, however many tombstones there are, and only where there is a record."""
    old = segment(ATTRS, NUMPY)
    tombs = [Tombstone(segment=min(old), number=number) for number in (0, 7)]
    show(store, view, old | bury(*tombs, number=1) | bury(tombs[0], number=2))
    facts = {found.segment: found for found in view.segment_facts()}

    assert (facts[min(old)].records, facts[min(old)].dead) == (2, 1)
    assert sorted(found.tombstones for found in facts.values()) == [0, 1, 2]
    assert all(found.is_free for found in facts.values())


def test_inputs_and_heir_are_left_alone_while_both_stand(store, view):
    """What was merged is not merged again at once."""
    old = segment(ATTRS) | segment(NUMPY, number=1)
    other = segment(make_record(), number=2)
    both = old | other | merged(old, old)
    show(store, view, both)
    free = {facts.segment for facts in view.segment_facts() if facts.is_free}
    assert free == other.keys()

    show(store, view, old | other)
    assert sum(facts.is_free for facts in view.segment_facts()) == 3

    show(store, view, without(both, old))
    assert sum(facts.is_free for facts in view.segment_facts()) == 2


def test_catalog_of_years_is_few_segments(store, view):
    """Merged as planned, 300 promotions stand in a small part of as many segments."""
    choose = random.Random(7)
    catalog: Catalog = {}
    names = set()
    for number in range(300):
        name = f"package-{choose.randrange(10_000)}"
        names.add(name)
        pointer = choose.randbytes(SMALL_BYTES // 100)
        catalog |= segment(make_record(name, files={"pointer": pointer}), number=number)
        show(store, view, catalog)
        while inputs := plan_merge(view.segment_facts()):
            catalog |= merged(catalog, inputs)
            show(store, view, catalog)
            while gone := view.removable():
                catalog = without(catalog, gone)
                show(store, view, catalog)

    assert {light.name for light in view.light_records()} == names
    assert len(catalog) <= 50 + 8
