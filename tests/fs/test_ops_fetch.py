"""Packs that are read out of a store in memory into directories."""

import io
import random
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.support.memory_store import MemoryStore
from tests.support.packing import Tree, pack_tree, read_tree
from tests.support.records import digest_of
from wheelferry.disk import Disk
from wheelferry.disk.clock import Deadline
from wheelferry.errors import DeadlinePassed, StoreUnavailable
from wheelferry.ops.fetch import FETCHERS, Fetcher, Unread
from wheelferry.ops.intake import Intake
from wheelferry.pack.pool import Pool
from wheelferry.pack.reader import Extracted
from wheelferry.store.record import Digest, Identity
from wheelferry.store.view import LightRecord, RecordRef

END_S = 50.0


class Shelf(MemoryStore):
    """A store of packs, and a clock that some of them move.

    Attributes:
        now_s: The time.
        opening_s: How long it takes to open a pack, by digest.
        reading_s: How long it takes to read one that is open.
        errors: What opening a pack raises, by digest.
        opened: Digests, in order.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.now_s = 0.0
        self.opening_s: dict[Digest, float] = {}
        self.reading_s: dict[Digest, float] = {}
        self.errors: dict[Digest, Exception] = {}
        self.opened: list[Digest] = []
        self._root = root
        self._numbers = count()

    def add(self, content: bytes) -> tuple[LightRecord, Path]:
        """Add a pack of one file; return its record and a directory for it."""
        tree: Tree = {"file": (content, False)}
        spool = self._root / "spool"
        spool.mkdir(exist_ok=True)
        with Pool() as pool:
            data = pack_tree(tree, spool, pool)
        digest = self._put(data)
        number = next(self._numbers)
        target = self._root / f"target-{number}"
        target.mkdir()
        record = LightRecord(
            ref=RecordRef(number),
            identity=Identity(""),
            format_id="",
            kind="registry-wheel",
            shard="",
            settings="",
            stem="",
            name="",
            version="",
            tags="",
            joined_hashes="",
            size_bytes=None,
            pack=digest,
            pack_bytes=len(data),
            tree_bytes=len(content),
            tree_files=1,
        )
        return record, target

    def open_object(self, digest: Digest) -> BinaryIO | None:
        self.opened.append(digest)
        self.now_s += self.opening_s.get(digest, 0.0)
        if error := self.errors.get(digest):
            raise error
        data = self.objects.get(digest)
        return None if data is None else _Slow(data, self, digest)

    def _put(self, data: bytes) -> Digest:
        digest = digest_of(data)
        self.put_object([data], digest=digest, size_bytes=len(data))
        return digest


class _Slow(io.BytesIO):
    """A pack that is open: its first read takes all the time."""

    def __init__(self, data: bytes, shelf: Shelf, digest: Digest) -> None:
        super().__init__(data)
        self._shelf = shelf
        self._digest = digest

    def read(self, size: int | None = -1, /) -> bytes:
        if not self.tell():
            self._shelf.now_s += self._shelf.reading_s.get(self._digest, 0.0)
        return super().read(size)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Return an empty store."""
    return Shelf(tmp_path)


@pytest.fixture
def fetcher(shelf: Shelf) -> Iterator[Fetcher]:
    """Read from it, until its clock says 50 s."""
    intake = Intake(Deadline(END_S), None, at_once=FETCHERS, clock=lambda: shelf.now_s)
    with Fetcher(shelf, Disk(), intake) as fetcher:
        yield fetcher


def read(
    fetcher: Fetcher, *targets: tuple[LightRecord, Path]
) -> list[Extracted | Unread]:
    """Read packs one after the other, and return what became of each."""
    return [fetcher.begin([target])[0].job.result() for target in targets]


def kinds(outcome: Extracted | Unread) -> set[str]:
    """Return what became of a pack, in words."""
    if isinstance(outcome, Extracted):
        return {"read"}
    flags = {
        "own": outcome.is_own,
        "lost": outcome.is_lost,
        "late": outcome.is_late,
    }
    return {name for name, is_set in flags.items() if is_set}


def test_packs_are_read_into_their_directories(shelf, fetcher) -> None:
    """Each has its tree there."""
    targets = [shelf.add(b"one"), shelf.add(b"two")]
    outcomes = [pack.job.result() for pack in fetcher.begin(targets)]

    assert outcomes == [Extracted(tree_bytes=3, tree_files=1)] * 2
    assert [read_tree(target) for _, target in targets] == [
        {"file": (b"one", False)},
        {"file": (b"two", False)},
    ]


def test_faults_of_a_pack_are_its_own(shelf, fetcher) -> None:
    """A missing pack and a damaged one are named, and the others are read."""
    gone, damaged, sound = shelf.add(b"1"), shelf.add(b"2"), shelf.add(b"3")
    del shelf.objects[gone[0].pack]
    shelf.objects[damaged[0].pack] = shelf.objects[damaged[0].pack][:-1] + b"\0"
    outcomes = read(fetcher, gone, damaged, sound)

    assert list(map(kinds, outcomes)) == [{"own", "lost"}, {"own", "lost"}, {"read"}]
    assert fetcher.stopped_by is None


def test_error_of_the_store_stops_all_that_is_not_begun(shelf, fetcher) -> None:
    """It is kept, and no other pack is opened; none of them is to blame."""
    bad, other = shelf.add(b"1"), shelf.add(b"2")
    shelf.errors[bad[0].pack] = error = StoreUnavailable("no answer")
    outcomes = read(fetcher, bad, other)

    assert outcomes == [Unread("no answer"), Unread("it was not read any more")]
    assert fetcher.stopped_by is error
    assert shelf.opened == [bad[0].pack]


def test_deadline_is_no_error_of_the_store(shelf, fetcher) -> None:
    """What the store says of it is kept beside; the packs say that they are late."""
    bad = shelf.add(b"1")
    shelf.errors[bad[0].pack] = error = DeadlinePassed("no answer by the deadline")

    assert read(fetcher, bad) == [Unread("no answer by the deadline", is_late=True)]
    assert (fetcher.stopped_by, fetcher.late_by) == (None, error)


def test_read_ends_at_the_deadline_and_nothing_is_begun_after(shelf, fetcher) -> None:
    """1. A pack is opened. 2. The deadline comes. 3. It is left, and others not opened."""
    slow, other = shelf.add(b"1"), shelf.add(b"2")
    shelf.opening_s[slow[0].pack] = END_S
    outcomes = read(fetcher, slow, other)

    assert list(map(kinds, outcomes)) == [{"late"}, {"late"}]
    assert shelf.opened == [slow[0].pack]


def test_pack_that_would_be_late_is_passed_over(shelf, fetcher) -> None:
    """A smaller one after it is read."""
    first = shelf.add(random.Random(1).randbytes(1000))
    large = shelf.add(random.Random(2).randbytes(4000))
    small = shelf.add(random.Random(3).randbytes(500))
    shelf.reading_s[first[0].pack] = 20.0  # of 50: so the large one would take 60 more
    outcomes = read(fetcher, first, large, small)

    assert list(map(kinds, outcomes)) == [{"read"}, {"late"}, {"read"}]
    assert shelf.opened == [first[0].pack, small[0].pack]


def test_error_of_the_local_disk_is_raised_and_stops_all(shelf, fetcher) -> None:
    """Nothing is begun any more on a disk that takes nothing."""
    (first, target), other = shelf.add(b"1"), shelf.add(b"2")
    (target / "in-the-way").touch()
    (pack,) = fetcher.begin([(first, target)])
    with pytest.raises(FileExistsError):
        pack.job.result()

    assert read(fetcher, other) == [Unread("it was not read any more")]


def test_end_of_the_block_ends_what_is_read(shelf: Shelf) -> None:
    """1. A pack is opened. 2. The block ends. 3. The pack is not read to its end."""
    opened, ended = threading.Event(), threading.Event()
    record, target = shelf.add(b"1")
    inner = shelf.open_object

    def open_and_wait(digest: Digest) -> BinaryIO | None:
        opened.set()
        assert ended.wait(30)
        return inner(digest)

    class Ending(Intake):
        def close(self) -> None:
            super().close()
            ended.set()

    shelf.open_object = open_and_wait  # type: ignore[method-assign]
    intake = Ending(Deadline.never(), None, at_once=FETCHERS)
    with Fetcher(shelf, Disk(), intake) as fetcher:
        (pack,) = fetcher.begin([(record, target)])
        assert opened.wait(30)

    assert isinstance(pack.job.result(), Unread)
    assert read_tree(target) == {}
