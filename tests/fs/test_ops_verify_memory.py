"""A verification that was cut off is gone on with, whatever became of its memory."""

import os
from itertools import count
from pathlib import Path

import pytest

from tests.support.cachetree import make_cache, plan
from tests.support.forge import object_path, overwrite
from tests.support.records import digest_of
from tests.support.soundness import objects
from tests.support.tiers import Ferry, make_store
from wheelferry.disk import Disk
from wheelferry.events import Event
from wheelferry.ops.verify import EVERYTHING, VerifyReport, verify_store
from wheelferry.ops.verify_memory import Memory
from wheelferry.ops.verify_scope import Scope
from wheelferry.store.posix import PosixStore

STORE = "a" * 32
TICKS = count(1000)
NAMES = [digest_of(str(number)) for number in range(300)]


def open_memory(path: Path, now_s: float = 1000.0, store_id: str = STORE) -> Memory:
    """Open a memory, at that time."""
    return Memory(path, store_id=store_id, now=lambda: now_s)


def test_memory_knows_what_was_read(tmp_path: Path) -> None:
    """And when."""
    path = tmp_path / "memory"
    with open_memory(path, 5.0) as memory:
        memory.note(NAMES[0])
    with open_memory(path, 6.0) as memory:
        memory.note(NAMES[1])
        memory.note(NAMES[2])
    with open_memory(path) as memory:
        assert memory.read_times() == {NAMES[0]: 5.0, NAMES[1]: 6.0, NAMES[2]: 6.0}
        memory.forget_all_but([NAMES[1]])
        assert memory.read_times() == {NAMES[1]: 6.0}


def test_memory_survives_a_kill_but_for_the_last(tmp_path: Path) -> None:
    """Without a close."""
    path = tmp_path / "memory"
    pid = os.fork()
    if not pid:
        memory = open_memory(path)
        memory.begin(is_anew=False)
        for name in NAMES:
            memory.note(name)
        memory.note(digest_of("one more"))
        os._exit(0)
    os.waitpid(pid, 0)
    with open_memory(path, 2000.0) as memory:
        assert memory.read_times().keys() == {*NAMES}
        assert memory.begin(is_anew=False) == 1000.0


def test_run_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    """Until it is finished, begun anew, or nobody has gone on with it for weeks."""
    path = tmp_path / "memory"
    with open_memory(path, 1000.0) as memory:
        assert memory.begin(is_anew=False) == 1000.0
    with open_memory(path, 2000.0) as memory:
        assert memory.begin(is_anew=False) == 1000.0
        assert memory.begin(is_anew=True) == 2000.0
        memory.finish()
    with open_memory(path, 3000.0) as memory:
        assert memory.begin(is_anew=False) == 3000.0
    with open_memory(path, 3000.0 + 15 * 24 * 3600) as memory:
        assert memory.begin(is_anew=False) > 3000.0
    with open_memory(path, 10.0) as memory:  # the clock was set back
        assert memory.begin(is_anew=False) == 10.0


def test_memory_is_of_one_store(tmp_path: Path) -> None:
    """What another store has is another matter."""
    path = tmp_path / "memory"
    with open_memory(path) as memory:
        memory.note(NAMES[0])
    with open_memory(path, store_id="b" * 32) as memory:
        assert memory.read_times() == {}


@pytest.mark.parametrize("content", [b"", b"no database", bytes(8192)])
def test_damaged_memory_costs_reads_only(tmp_path: Path, content: bytes) -> None:
    """It is made anew, or done without."""
    path = tmp_path / "memory"
    path.write_bytes(content)
    with open_memory(path) as memory:
        memory.begin(is_anew=False)
        memory.note(NAMES[0])
    with open_memory(path) as memory:
        assert memory.read_times().keys() <= {NAMES[0]}


def test_memory_that_cannot_be_written_costs_reads_only(tmp_path: Path) -> None:
    """A directory in its place, for one."""
    (tmp_path / "memory").mkdir()
    with open_memory(tmp_path / "memory") as memory:
        assert memory.begin(is_anew=False) == 1000.0
        memory.note(NAMES[0])
        memory.finish()


class CutOff(Exception):
    """Stands for a kill."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store with eight packs."""
    cache = make_cache(tmp_path / "cache", [plan(f"wheel-{n}") for n in range(8)])
    root = make_store(tmp_path / "store")
    Ferry(cache=cache, store=root).promote()
    assert len(objects(root)) == 8
    return root


class Counting(PosixStore):
    """Counts the objects that are opened."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, disk=Disk(), runner="admin")
        self.opened: list[str] = []

    def open_object(self, digest):
        self.opened.append(digest)
        return super().open_object(digest)


def verify(
    root: Path,
    path: Path,
    *,
    cut_after: int = 99,
    scope: Scope = EVERYTHING,
    **more: bool,
) -> tuple[list[str], VerifyReport | None]:
    """Verify with a memory; cut off after so many packs.  Return what was opened."""
    counting = Counting(root)

    def emit(event: Event) -> None:
        if event.name == "work.progressed" and event.fields["done"] == cut_after:
            raise CutOff

    with Memory(path, store_id=STORE, now=lambda: float(next(TICKS))) as memory:
        try:
            report = verify_store(counting, emit, scope=scope, memory=memory, **more)
        except CutOff:
            return counting.opened, None
    return counting.opened, report


def test_verification_goes_on_where_it_was_cut_off(store: Path, tmp_path: Path) -> None:
    """What it has found sound is not read again, and what it has found damaged is."""
    memory = tmp_path / "memory"
    bad = min(objects(store))
    overwrite(object_path(store, bad), object_path(store, bad).read_bytes()[::-1])
    _, report = verify(store, memory, cut_after=4)
    assert report is None

    opened, report = verify(store, memory)
    assert report is not None
    assert report.resumed == 3
    assert report.read == 5
    assert bad in opened
    assert [finding.subject for finding in report.findings] == [bad]


def test_verification_that_was_finished_begins_anew(
    store: Path, tmp_path: Path
) -> None:
    """So does one that is told to."""
    memory = tmp_path / "memory"
    assert len(verify(store, memory)[0]) == 8
    assert len(verify(store, memory, cut_after=4)[0]) >= 4
    opened, report = verify(store, memory, is_anew=True)
    assert (len(opened), report and report.resumed) == (8, 0)


def test_samples_have_read_everything_after_a_while(
    store: Path, tmp_path: Path
) -> None:
    """Each what was read the longest ago, also if one of them was cut off."""
    memory = tmp_path / "memory"
    read: list[str] = []
    for _ in range(4):
        opened, report = verify(store, memory, scope=Scope(share=0.25))
        assert report is not None
        assert report.is_clean
        read += opened
    assert {*read} == {*objects(store)}


def test_object_of_another_size_is_read_in_any_sample(
    store: Path, tmp_path: Path
) -> None:
    """Its size is looked at anyway."""
    for digest in objects(store):
        overwrite(object_path(store, digest), b"short")
    _, report = verify(store, tmp_path / "memory", scope=Scope(share=0.01))
    assert report is not None
    assert len(report.findings) == 8
