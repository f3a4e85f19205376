"""Which of several records at one place of the cache is restored."""

from itertools import count, permutations

from hypothesis import given
from hypothesis import strategies as st

from wheelferry.ops.choose import choose, subject_of
from wheelferry.store.record import Digest, Identity
from wheelferry.store.view import LightRecord, RecordRef

NEW, OLD, OTHER = "wheels-v6/map", "wheels-v6/array4", "wheels-v8/array5"
FORMATS = (NEW, OLD, OTHER)
ONE, TWO = "sha256:" + "11" * 32, "sha256:" + "22" * 32
PACKS = tuple(Digest(f"{letter * 64}") for letter in "abcd")
_refs = count()


def light(
    *,
    format_id: str = NEW,
    hashes: str = ONE,
    pack: Digest = PACKS[0],
    stem: str = "1.0-py3-none-any",
    settings: str = "",
    needs: str = "",
) -> LightRecord:
    """Return a record of one wheel."""
    return LightRecord(
        ref=RecordRef(next(_refs)),
        identity=Identity(""),
        format_id=format_id,
        kind="registry-wheel",
        shard="pypi/demo",
        settings=settings,
        stem=stem,
        name="demo",
        version="1.0",
        tags="py3-none-any",
        joined_hashes=hashes,
        size_bytes=1,
        pack=pack,
        pack_bytes=1,
        tree_bytes=1,
        tree_files=1,
        joined_needs=needs,
    )


def fits_all(_: LightRecord) -> None:
    """Judge as a machine that has everything."""


RECORDS = st.lists(
    st.builds(
        light,
        format_id=st.sampled_from([*FORMATS, "wheels-v99/array9"]),
        hashes=st.sampled_from(["", ONE, TWO]),
        pack=st.sampled_from(PACKS),
        needs=st.sampled_from(["", "arch\tx86_64"]),
        stem=st.sampled_from(["1.0-py3-none-any", "1.1-py3-none-any"]),
    ),
    max_size=8,
)


def place_of(record: LightRecord) -> tuple[str, str]:
    """Return what two of these records have in common if they share a file name."""
    return record.format_id.partition("/")[0], record.stem


def essence(record: LightRecord) -> tuple[str, ...]:
    """Return what matters of a record that was chosen."""
    return (
        *place_of(record),
        record.format_id,
        record.joined_hashes,
        record.pack,
        record.joined_needs,
    )


def test_one_record_is_chosen() -> None:
    """Where there is no choice, there is no question."""
    record = light()
    assert choose([record], format_ids=FORMATS, missing=(), unfit=fits_all).records == (
        record,
    )


def test_other_formats_are_left_out_silently() -> None:
    """What no uv of this machine reads is not worth a line per job."""
    choice = choose(
        [light(format_id=OLD)], format_ids=[NEW], missing=(), unfit=fits_all
    )
    assert choice == ((), (), ())


def test_different_hashes_are_ambiguous() -> None:
    """Nothing says which file a job means: none is restored, and both are named."""
    choice = choose(
        [light(hashes=TWO), light(hashes=ONE)],
        format_ids=FORMATS,
        missing=(),
        unfit=fits_all,
    )
    assert choice.records == ()
    (left,) = choice.left
    assert left.subject == "demo 1.0 (registry-wheel, wheels-v6/map)"
    assert ONE in left.reason
    assert TWO in left.reason


def test_ambiguous_across_formats_of_one_bucket() -> None:
    """Two formats share the file name, so their records cannot both be restored."""
    records = [light(hashes=ONE), light(hashes=TWO, format_id=OLD)]
    assert choose(records, format_ids=FORMATS, missing=(), unfit=fits_all).records == ()


def test_buckets_are_places_of_their_own() -> None:
    """Another bucket, settings shard or file name is another place."""
    records = [
        light(),
        light(format_id=OTHER, hashes=TWO),
        light(settings="ab" * 8, hashes=TWO),
        light(stem="1.0-cp311-none-any", hashes=TWO),
    ]
    choice = choose(records, format_ids=FORMATS, missing=(), unfit=fits_all)
    assert set(choice.records) == set(records)


def test_record_with_hashes_wins() -> None:
    """Without digests an entry is of no use to `uv sync --locked`."""
    without, with_hashes = light(hashes="", pack=PACKS[0]), light(pack=PACKS[1])
    for records in permutations([without, with_hashes]):
        choice = choose(records, format_ids=FORMATS, missing=(), unfit=fits_all)
        assert choice.records == (with_hashes,)


def test_preferred_format_wins() -> None:
    """Of two formats that share the file name, the one that most uvs here read."""
    old, new = light(format_id=OLD, pack=PACKS[0]), light(pack=PACKS[1])
    for records in permutations([old, new]):
        assert choose(
            records, format_ids=FORMATS, missing=(), unfit=fits_all
        ).records == (new,)


def test_pack_that_is_there_wins_over_the_preferred_format() -> None:
    """A record whose pack was missed is the last resort."""
    missed, other = (
        light(format_id=NEW, pack=PACKS[0]),
        light(format_id=OLD, pack=PACKS[1]),
    )
    for records in permutations([missed, other]):
        choice = choose(records, format_ids=FORMATS, missing={PACKS[0]}, unfit=fits_all)
        assert choice.records == (other,)
        assert choose(
            records, format_ids=FORMATS, missing=(), unfit=fits_all
        ).records == (missed,)


def test_missing_pack_is_tried_again_if_there_is_no_other() -> None:
    """It may be back: nothing else would find that out."""
    record = light()
    choice = choose([record], format_ids=FORMATS, missing={record.pack}, unfit=fits_all)
    assert choice.records == (record,)


@given(RECORDS, st.sets(st.sampled_from(PACKS)))
def test_choice_does_not_depend_on_order(
    records: list[LightRecord], missing: set[Digest]
) -> None:
    """The catalog is a set: however it was read, all runners choose alike."""
    there = choose(records, format_ids=FORMATS, missing=missing, unfit=fits_all)
    back = choose(records[::-1], format_ids=FORMATS, missing=missing, unfit=fits_all)
    assert sorted(map(essence, there.records)) == sorted(map(essence, back.records))
    assert len(there.left) == len(back.left)


@given(RECORDS, st.sets(st.sampled_from(PACKS)))
def test_each_place_is_chosen_once_or_left_once(
    records: list[LightRecord], missing: set[Digest]
) -> None:
    """No two chosen records write one file, and no place is forgotten."""
    known = [record for record in records if record.format_id in FORMATS]
    choice = choose(records, format_ids=FORMATS, missing=missing, unfit=fits_all)
    places = [place_of(record) for record in choice.records]
    assert len(places) == len(set(places))
    assert len(places) + len(choice.left) == len({place_of(r) for r in known})
    for record in choice.records:
        rivals = {r.hashes for r in known if place_of(r) == place_of(record)}
        assert rivals <= {record.hashes, ()}


def test_subject_says_what_people_call_it() -> None:
    """Name, version, kind and format."""
    assert subject_of(light()) == "demo 1.0 (registry-wheel, wheels-v6/map)"


def test_unfit_record_yields_to_one_that_fits() -> None:
    """Two runners built one sdist: an older one takes what it can run."""
    new, old = light(pack=PACKS[0], needs="new"), light(pack=PACKS[1], needs="old")
    for records in permutations([new, old]):
        choice = choose(
            records,
            format_ids=FORMATS,
            missing=(),
            unfit=lambda r: "too old a machine" if r.joined_needs == "new" else None,
        )
        assert choice == ((old,), (), ())


def test_place_that_has_unfit_records_alone_is_told() -> None:
    """By the one that would have been chosen; nothing is wrong with it."""
    records = [light(pack=PACKS[1], needs="old"), light(pack=PACKS[0], needs="new")]
    choice = choose(
        records,
        format_ids=FORMATS,
        missing=(),
        unfit=lambda r: f"lacks what {r.joined_needs} needs",
    )
    assert choice == ((), (), (records[1],))
