"""In which order a pull reads packs, which go together, and which are left."""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from wheelferry.ops.order import find_beyond, in_batches, in_order, last_used_first
from wheelferry.store.record import Digest, Identity
from wheelferry.store.view import LightRecord, RecordRef

_refs = count()


def light(
    pack: str = "a", size: int = 1, kind: str = "registry-wheel", tree: int = 1
) -> LightRecord:
    """Return a record whose pack has that name and those sizes."""
    return LightRecord(
        ref=RecordRef(next(_refs)),
        identity=Identity(""),
        format_id="wheels-v6/map",
        kind=kind,
        shard="pypi/demo",
        settings="",
        stem="1.0-py3-none-any",
        name="demo",
        version="1.0",
        tags="py3-none-any",
        joined_hashes="",
        size_bytes=1,
        pack=Digest(pack),
        pack_bytes=size,
        tree_bytes=tree,
        tree_files=1,
    )


KINDS = st.sampled_from(["registry-wheel", "url-wheel", "registry-sdist", "git"])
SIZES = {"a": 5, "b": 3, "c": 3, "d": 900, "e": 1}
RECORDS = st.lists(
    st.builds(
        lambda pack, kind: light(pack, SIZES[pack], kind, SIZES[pack]),
        st.sampled_from(sorted(SIZES)),
        KINDS,
    ),
    max_size=9,
)
READ = st.sets(st.sampled_from(sorted(SIZES))).map(lambda s: {Digest(p) for p in s})


def packs(records: list[LightRecord]) -> list[str]:
    """Return the packs of records."""
    return [record.pack for record in records]


def test_order_is_free_then_built_then_small() -> None:
    """What costs nothing comes first, large built wheels before small downloaded ones."""
    records = [
        light("large", 90),
        light("small", 2),
        light("built", 50, "registry-sdist"),
        light("tiny-built", 3, "git"),
        light("free", 99),
        light("same-size", 2),
    ]

    order = in_order(records, {r.pack for r in records} - {Digest("free")})

    assert packs(order) == [
        "free",
        "tiny-built",
        "built",
        "small",
        "same-size",
        "large",
    ]


@given(RECORDS, READ)
def test_order_loses_nothing_and_keeps_packs_together(records, read) -> None:
    """All are there once, records of one pack follow each other as they came."""
    order = in_order(records, read)

    assert sorted(order) == sorted(records)
    for pack in SIZES:
        numbers = [n for n, record in enumerate(order) if record.pack == pack]
        assert numbers == list(
            range(numbers[0], numbers[0] + len(numbers)) if numbers else []
        )
        assert [r for r in order if r.pack == pack] == [
            r for r in records if r.pack == pack
        ]


def test_budget_leaves_what_does_not_fit_and_goes_on() -> None:
    """A smaller pack after one that does not fit is still taken."""
    beyond = find_beyond([light("a", 6), light("b", 5), light("c", 4)], 10)

    assert beyond == {
        "b": "beyond pull.max_bytes: its pack has 5 bytes, and 4 of 10 are left"
    }


@given(RECORDS, st.integers(0, 1000))
def test_budget_is_kept_and_used(records, max_bytes) -> None:
    """What is taken is within the budget, and nothing left would still fit."""
    fetched = {record.pack: record for record in records}.values()
    beyond = find_beyond(fetched, max_bytes)
    taken_bytes = sum(r.pack_bytes for r in fetched if r.pack not in beyond)

    assert taken_bytes <= max_bytes
    assert all(SIZES[pack] > max_bytes - taken_bytes for pack in beyond)


def test_batches_end_before_they_are_too_large() -> None:
    """A pack that is larger than a batch has one of its own."""
    records = [light(p, tree=t) for p, t in (("a", 4), ("b", 6), ("c", 1), ("d", 30))]

    batches = in_batches(records, {r.pack for r in records}, 10)

    assert list(map(packs, batches)) == [["a", "b"], ["c"], ["d"]]


def test_batches_count_a_pack_once_and_only_if_it_is_read() -> None:
    """Entries that share a pack stay together, and one that needs no pack weighs nothing."""
    records = [light(p, tree=6) for p in ("free", "a", "a", "a", "b")]

    batches = in_batches(records, {Digest("a"), Digest("b")}, 10)

    assert list(map(packs, batches)) == [["free", "a", "a", "a"], ["b"]]


def test_no_batch_of_nothing() -> None:
    """Nothing wanted makes no batch."""
    assert list(in_batches([], set(), 10)) == []


def test_last_used_comes_first() -> None:
    """What no runner has held yet is new; what is alike keeps its order."""
    records = [light(pack) for pack in "abcde"]
    used_s = {Digest("a"): 5, Digest("c"): 9, Digest("d"): 5}

    assert packs(last_used_first(records, used_s)) == ["b", "e", "c", "a", "d"]
