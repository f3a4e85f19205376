"""What every store must do, whatever it is made of; see `wheelferry.store.base.Store`.

A class derived from `StoreContract` gives the fixture `new_store`, which returns a new
handle on one and the same store each time, as another runner would have it.
"""

import io
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from tests.support.records import digest_of, make_record
from wheelferry.errors import ObjectCorrupt, RecordMalformed, StoreNotInitialised
from wheelferry.store.base import PutOutcome, Store
from wheelferry.store.layout import NEW_USAGE, OLD_USAGE, mark_usage, usage_mark
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.segment import decode_segment, encode_segment
from wheelferry.store.upkeep import Quarantined, Trashed
from wheelferry.store.usage import Usage

NewStore: TypeAlias = Callable[[str], Store]

DATA = bytes(range(256)) * 9000
DIGEST = digest_of(DATA)
NAME = f"r1.{'0' * 16}"


def chunks(data: bytes = DATA) -> Iterator[bytes]:
    """Yield `data` in pieces of odd sizes."""
    stream = io.BytesIO(data)
    while piece := stream.read(70_001):
        yield piece


class Untouchable:
    """Chunks that nobody may take."""

    def __iter__(self) -> Iterator[bytes]:
        """Fail."""
        raise AssertionError("the store has this object")


class StoreContract:
    """The tests; derive from it, and give `new_store`."""

    @pytest.fixture
    def new_store(self) -> NewStore:
        """Return a function from a runner's name to its store, opened."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, new_store: NewStore) -> Store:
        """Return the store of one runner."""
        return new_store("r1")

    def put(
        self, store: Store, data: bytes = DATA, *, is_suspect: bool = False
    ) -> PutOutcome:
        """Put an object that is made of `data`."""
        return store.put_object(
            chunks(data),
            digest=digest_of(data),
            size_bytes=len(data),
            is_suspect=is_suspect,
        )

    def damage(self, store: Store, digest: Digest, data: bytes) -> None:
        """Give an object of the store other bytes."""
        raise NotImplementedError

    def test_open_gives_one_id_to_everyone(self, new_store):
        """All runners see the same store."""
        ids = {new_store(name).open().id for name in ("r1", "r2")}

        assert len(ids) == 1
        assert new_store("r1").open(expected_id=ids.pop()).format_version == 1

    def test_open_refuses_another_id_and_names_both(self, store):
        """A share mounted in the wrong place is not taken for ours."""
        with pytest.raises(StoreNotInitialised) as caught:
            store.open(expected_id="f" * 32)
        assert "f" * 32 in caught.value.message
        assert store.open().id in caught.value.message

    def test_new_store_is_empty(self, store):
        """Nothing is there, and nothing foreign."""
        assert store.list_segments() == frozenset()
        assert list(store.upkeep.list_objects()) == []
        assert list(store.upkeep.list_foreign()) == []

    def test_put_object_is_seen_by_others(self, new_store):
        """What one runner commits, another reads, byte for byte."""
        outcome = self.put(new_store("r1"))
        other = new_store("r2")

        assert outcome is PutOutcome.COMMITTED
        assert other.object_size(DIGEST) == len(DATA)
        with other.open_object(DIGEST) as stream:
            assert stream.read(len(DATA) + 1) + stream.read(1) == DATA
        assert [item[:2] for item in other.upkeep.list_objects()] == [
            (DIGEST, len(DATA))
        ]
        assert list(other.upkeep.list_foreign()) == []

    @pytest.mark.parametrize("data", [b"", b"x", bytes(3 << 20)], ids=len)
    def test_put_object_takes_every_size(self, store, data):
        """Empty and large ones too."""
        assert self.put(store, data) is PutOutcome.COMMITTED
        with store.open_object(digest_of(data)) as stream:
            assert stream.read() == data

    def test_put_object_again_takes_no_bytes(self, new_store):
        """An object that is there is not read from the caller, nor written."""
        self.put(new_store("r1"))
        outcome = new_store("r2").put_object(
            Untouchable(), digest=DIGEST, size_bytes=len(DATA)
        )

        assert outcome is PutOutcome.ALREADY_PRESENT

    @pytest.mark.parametrize("wrong", [b"y" + DATA[1:], DATA[:-1], b""], ids=len)
    def test_put_object_heals_one_that_is_suspect(self, store, wrong):
        """Whatever its size, it is replaced by the right one."""
        self.put(store)
        self.damage(store, DIGEST, wrong)

        assert self.put(store, is_suspect=True) is PutOutcome.REPLACED
        with store.open_object(DIGEST) as stream:
            assert stream.read() == DATA

    def test_put_object_keeps_what_is_suspect_for_no_reason(self, store):
        """It is read, and found whole."""
        self.put(store)
        outcome = store.put_object(
            Untouchable(), digest=DIGEST, size_bytes=len(DATA), is_suspect=True
        )

        assert outcome is PutOutcome.ALREADY_PRESENT

    def test_put_object_commits_one_that_is_suspect_and_missing(self, store):
        """As any other."""
        assert self.put(store, is_suspect=True) is PutOutcome.COMMITTED

    @pytest.mark.parametrize("wrong", [DATA[:-1], DATA + b"x", b"y" + DATA[1:], b""])
    def test_put_object_refuses_bytes_that_are_not_the_digests(self, store, wrong):
        """A damaged spool never becomes an object."""
        with pytest.raises(ObjectCorrupt):
            store.put_object(chunks(wrong), digest=DIGEST, size_bytes=len(DATA))

        assert store.open_object(DIGEST) is None
        assert list(store.upkeep.list_objects()) == []

    def test_put_object_passes_on_the_errors_of_its_source(self, store):
        """A spool that cannot be read is not the store's fault."""

        def broken() -> Iterator[bytes]:
            yield DATA
            raise OSError(5, "spool")

        with pytest.raises(OSError, match="spool"):
            store.put_object(broken(), digest=DIGEST, size_bytes=len(DATA))
        assert store.object_size(DIGEST) is None

    def test_missing_object_is_none(self, store):
        """A miss is a value."""
        assert store.open_object(DIGEST) is None
        assert store.object_size(DIGEST) is None

    def test_missing_object_is_found_once_it_is_there(self, new_store):
        """A miss is not remembered."""
        early = new_store("r2")
        assert early.open_object(DIGEST) is None
        self.put(new_store("r1"))

        with early.open_object(DIGEST) as stream:
            assert stream.read(10) == DATA[:10]

    def test_object_can_be_read_from_the_middle(self, store):
        """Delta pulls fetch ranges."""
        self.put(store)
        with store.open_object(DIGEST) as stream:
            stream.seek(1_000_000)
            buffer = bytearray(100)

            assert stream.readinto(buffer) == 100
            assert bytes(buffer) == DATA[1_000_000:1_000_100]
            assert stream.tell() == 1_000_100

    def test_digest_from_elsewhere_cannot_lead_out(self, store):
        """Digests are checked, wherever they come from."""
        with pytest.raises(RecordMalformed):
            store.open_object(Digest("../wheelferry.json"))
        with pytest.raises(RecordMalformed):
            store.read_segment(SegmentId("../wheelferry.json"))

    def test_look_again_finds_what_is_missing(self, store):
        """In the order given."""
        self.put(store)
        absent = [digest_of("b"), digest_of("a")]

        assert store.look_again([absent[0], DIGEST, absent[1]]) == absent
        assert store.look_again([]) == []

    def test_segment_is_seen_by_others(self, new_store):
        """A committed segment is listed and read by everyone, as it was."""
        record = make_record()
        data = encode_segment([record], runner="r1", created_s=1)
        segment = new_store("r1").commit_segment(data)
        other = new_store("r2")

        assert other.list_segments() == {segment}
        found = other.read_segment(segment)
        assert found == data
        assert decode_segment(found, segment=segment).records == (record,)

    def test_segment_committed_twice_is_there_once(self, new_store):
        """Segments are named by their bytes."""
        data = encode_segment([make_record()], runner="r1", created_s=1)
        names = {new_store(name).commit_segment(data) for name in ("r1", "r2")}

        assert new_store("r3").list_segments() == names
        assert len(names) == 1

    def test_missing_segment_is_none(self, store):
        """A segment may be gone between the listing and the read."""
        assert store.read_segment(SegmentId(DIGEST)) is None

    def test_sweep_staging_keeps_what_is_committed(self, store):
        """Whatever the age, only temporary files are removed."""
        self.put(store)
        store.commit_segment(encode_segment([], runner="r1", created_s=1))
        store.sweep_staging(older_than_s=-1.0)

        assert store.look_again([DIGEST]) == []
        assert len(store.list_segments()) == 1

    def test_usage_is_seen_by_others_with_its_time(self, new_store):
        """What a runner says is read by all, as it was said."""
        packs = Digest("1" * 64), Digest("2" * 64)
        usage = Usage(
            held=packs, before=((7, (DIGEST,)),), figures=b"f", replaces=("r1.x",)
        )
        new_store("r1").usage.write(NAME, usage)
        (file,) = new_store("r2").usage.read_all()

        assert (file.name, file.usage) == (NAME, usage)
        assert 0 < file.written_s <= file.named_s

    def test_usage_is_written_once(self, new_store):
        """A runner that was killed writes it again, and nothing is changed."""
        store = new_store("r1")
        store.usage.write(NAME, Usage(held=(DIGEST,)))
        store.usage.write(NAME, Usage(held=()))

        (file,) = store.usage.read_all()
        assert file.usage.held == (DIGEST,)

    def test_usage_is_claimed_by_one_and_counts_until_it_is_removed(self, new_store):
        """The other finds it gone; its time stays what it was."""
        store, other = new_store("r1"), new_store("r2")
        store.usage.write(NAME, Usage(held=(DIGEST,)))
        (before,) = store.usage.read_all()
        claimed = store.usage.claim(NAME)

        assert claimed is not None
        assert (claimed.written_s, claimed.usage) == (before.written_s, before.usage)
        assert claimed.name.startswith("r1.")
        assert usage_mark(claimed.name) == OLD_USAGE
        assert other.usage.claim(NAME) is None
        assert list(other.usage.read_all()) == [claimed]
        assert other.usage.remove(claimed.name)
        assert not store.usage.remove(claimed.name)
        assert list(store.usage.read_all()) == []

    def test_usage_can_be_claimed_by_its_runners_name(self, new_store):
        """Of what stands under a name: that which nobody writes, or has claimed."""
        store, other = new_store("r1"), new_store("r2")
        new = mark_usage(NAME, NEW_USAGE)
        mine, theirs = (f"{runner}.{'1' * 16}" for runner in ("r1", "r1.b"))
        for name in (new, mine, theirs):
            store.usage.write(name, Usage(held=(DIGEST,)))
        assert other.usage.list_free("r1") == [mine]
        assert other.usage.list_free("r") == []

        (before,) = (file for file in store.usage.read_all() if file.name == new)
        assert store.usage.release(new)
        assert not store.usage.release(new)
        assert other.usage.list_free("r1") == [NAME, mine]
        (after,) = (file for file in store.usage.read_all() if file.name == NAME)
        assert (after.written_s, after.usage) == (before.written_s, before.usage)

        other.usage.claim(NAME)
        assert other.usage.list_free("r1") == [mine]

    def test_usage_that_is_renamed_while_all_is_read_is_read(self, new_store):
        """Claimed before its turn, it is read all the same; released after it, once."""
        store, other = new_store("r1"), new_store("r2")
        packs = [Digest(digit * 64) for digit in "123"]
        names = [f"r1.{digit * 16}" for digit in "123"]
        names[0] = mark_usage(names[0], NEW_USAGE)
        for name, pack in zip(names, packs, strict=True):
            store.usage.write(name, Usage(held=(pack,)))
        reading = store.usage.read_all()
        read = [next(reading)]
        other.usage.release(names[0])
        other.usage.claim(names[2])
        read += reading

        assert sorted(file.usage.held for file in read) == [(pack,) for pack in packs]

    def test_survey_looks_and_leaves_nothing(self, store: Store) -> None:
        """It tells of room, writes only if it is to, and no object or segment comes."""
        self.put(store)
        before = set(store.upkeep.list_objects()), store.list_segments()
        found = store.upkeep.survey(writes=True)
        only_looked = store.upkeep.survey(writes=False)

        assert (found.trouble, found.refused) == ("", ())
        assert found.written_s > 0
        assert only_looked.written_s == 0
        assert 0 < found.free_bytes <= found.size_bytes
        assert (set(store.upkeep.list_objects()), store.list_segments()) == before
        assert list(store.upkeep.list_foreign()) == []

    def test_discarded_object_is_missing_and_in_the_trash(self, new_store):
        """Everyone sees it go, and when that was; who has it open reads on."""
        store, other = new_store("r1"), new_store("r2")
        self.put(store)
        with other.open_object(DIGEST) as stream:
            assert store.upkeep.discard_object(DIGEST, at_s=1234)
            assert stream.read(len(DATA)) == DATA

        assert other.object_size(DIGEST) is None
        assert other.look_again([DIGEST]) == [DIGEST]
        assert other.upkeep.list_trash() == [Trashed(DIGEST, 1234, len(DATA))]
        assert list(other.upkeep.list_foreign()) == []

    def test_discard_again_says_that_another_was_faster(self, new_store):
        """Of two at once one has removed it."""
        self.put(new_store("r1"))

        assert new_store("r1").upkeep.discard_object(DIGEST, at_s=1)
        assert not new_store("r2").upkeep.discard_object(DIGEST, at_s=2)
        assert [item.since_s for item in new_store("r3").upkeep.list_trash()] == [1]

    def test_discarded_object_comes_back(self, new_store):
        """Byte for byte, once, whoever has removed it."""
        self.put(new_store("r1"))
        new_store("r1").upkeep.discard_object(DIGEST, at_s=5)
        store = new_store("r2")
        (trashed,) = store.upkeep.list_trash()

        assert store.upkeep.recover_object(trashed)
        assert not new_store("r1").upkeep.recover_object(trashed)
        assert store.upkeep.list_trash() == []
        with store.open_object(DIGEST) as stream:
            assert stream.read(len(DATA)) == DATA

    def test_recover_leaves_an_object_that_is_there_again(self, store):
        """It may be one that healed what was removed."""
        self.put(store)
        store.upkeep.discard_object(DIGEST, at_s=5)
        self.put(store)
        (trashed,) = store.upkeep.list_trash()

        assert not store.upkeep.recover_object(trashed)
        assert store.upkeep.list_trash() == [trashed]

    def test_one_object_is_in_the_trash_once_for_each_time(self, store):
        """The oldest first; each is purged by itself."""
        for at_s in (7, 3):
            self.put(store)
            store.upkeep.discard_object(DIGEST, at_s=at_s)
        first, second = store.upkeep.list_trash()

        assert (first.since_s, second.since_s) == (3, 7)
        assert store.upkeep.list_trash(only={DIGEST}) == [first, second]
        assert store.upkeep.list_trash(only={digest_of("other")}) == []
        assert store.upkeep.purge_object(first)
        assert not store.upkeep.purge_object(first)
        assert store.upkeep.list_trash() == [second]

    def test_purged_object_is_gone(self, store):
        """It cannot be had back."""
        self.put(store)
        store.upkeep.discard_object(DIGEST, at_s=5)
        (trashed,) = store.upkeep.list_trash()
        store.upkeep.purge_object(trashed)

        assert not store.upkeep.recover_object(trashed)
        assert store.object_size(DIGEST) is None

    def test_dates_are_of_the_stores_clock(self, store):
        """Of objects and segments, comparable with what the clock says."""
        before_s = store.upkeep.clock_s()
        self.put(store)
        segment = store.commit_segment(encode_segment([], runner="r1", created_s=1))
        after_s = store.upkeep.clock_s()
        ((digest, size_bytes, object_s),) = store.upkeep.list_objects()
        ((listed, segment_s),) = store.upkeep.segment_times().items()

        assert (digest, size_bytes, listed) == (DIGEST, len(DATA), segment)
        assert before_s <= object_s <= segment_s <= after_s
        assert store.upkeep.segment_times(only={segment}) == {segment: segment_s}
        assert store.upkeep.segment_times(only={SegmentId("0" * 64)}) == {}

    def test_removed_segment_is_gone(self, new_store):
        """Once; readers take it for a miss."""
        data = encode_segment([], runner="r1", created_s=1)
        segment = new_store("r1").commit_segment(data)

        assert new_store("r1").upkeep.remove_segment(segment)
        assert not new_store("r2").upkeep.remove_segment(segment)
        assert new_store("r2").list_segments() == frozenset()
        assert new_store("r2").read_segment(segment) is None

    def test_removal_takes_no_name_from_elsewhere(self, store):
        """Whatever a caller was told, nothing outside of the store is touched."""
        bad = Digest("../wheelferry.json")
        trashed = Trashed(bad, 1, 1)
        for call in (
            lambda: store.upkeep.discard_object(bad, at_s=1),
            lambda: store.upkeep.recover_object(trashed),
            lambda: store.upkeep.purge_object(trashed),
            lambda: store.upkeep.remove_segment(SegmentId(bad)),
        ):
            with pytest.raises(RecordMalformed):
                call()

    def test_quarantined_object_is_missing_and_can_be_put_again(self, new_store):
        """For everyone; what was moved aside is listed until it is purged."""
        store, other = new_store("r1"), new_store("r2")
        self.put(store)
        self.damage(store, DIGEST, b"damaged")

        assert store.upkeep.quarantine_object(DIGEST, at_s=5, reason="{}")
        assert not other.upkeep.quarantine_object(DIGEST, at_s=6, reason="{}")
        assert other.object_size(DIGEST) is None
        assert other.open_object(DIGEST) is None
        assert other.look_again([DIGEST]) == [DIGEST]
        (item,) = other.upkeep.list_quarantine()
        assert item == Quarantined(DIGEST, 5, len(b"damaged"), False)
        assert self.put(other) is PutOutcome.COMMITTED
        assert store.look_again([DIGEST]) == []
        assert list(store.upkeep.list_foreign()) == []
        assert store.upkeep.purge_quarantined(item)
        assert not other.upkeep.purge_quarantined(item)
        assert store.upkeep.list_quarantine() == []
        assert store.look_again([DIGEST]) == []

    def test_object_that_has_its_bytes_is_not_quarantined(self, store):
        """Whatever somebody has read a moment ago."""
        self.put(store)

        assert not store.upkeep.quarantine_object(DIGEST, at_s=5, reason="{}")
        assert store.upkeep.list_quarantine() == []
        with store.open_object(DIGEST) as stream:
            assert stream.read() == DATA

    def test_missing_object_is_not_quarantined(self, store):
        """Another host was faster."""
        assert not store.upkeep.quarantine_object(DIGEST, at_s=5, reason="{}")
        assert not store.upkeep.quarantine_segment(
            SegmentId(DIGEST), at_s=5, reason="{}"
        )
        assert store.upkeep.list_quarantine() == []

    def test_segment_that_can_be_read_is_not_quarantined(self, store):
        """It stays in the catalog."""
        segment = store.commit_segment(encode_segment([], runner="r1", created_s=1))

        assert not store.upkeep.quarantine_segment(segment, at_s=5, reason="{}")
        assert store.list_segments() == {segment}
        assert store.upkeep.list_quarantine() == []

    def test_nothing_is_left_over_by_whoever_finishes(self, store):
        """What was committed is no temporary file."""
        self.put(store)
        store.commit_segment(encode_segment([], runner="r1", created_s=1))

        assert list(store.upkeep.list_leftovers()) == []
        assert not store.upkeep.remove_leftover(f"staging/r1/{'ab' * 16}.tmp")

    @pytest.mark.parametrize(
        "name",
        ["wheelferry.json", f"staging/../{'ab' * 16}.tmp", f"staging/r1/{DIGEST}", ""],
    )
    def test_what_is_no_leftover_is_not_removed(self, store, name):
        """Whatever a caller was told."""
        with pytest.raises(RecordMalformed):
            store.upkeep.remove_leftover(name)

    def test_quarantine_takes_no_name_from_elsewhere(self, store):
        """As a removal."""
        bad = "../wheelferry.json"
        for call in (
            lambda: store.upkeep.quarantine_object(Digest(bad), at_s=1, reason=""),
            lambda: store.upkeep.quarantine_segment(SegmentId(bad), at_s=1, reason=""),
            lambda: store.upkeep.purge_quarantined(Quarantined(bad, 1, 1, False)),
        ):
            with pytest.raises(RecordMalformed):
                call()
