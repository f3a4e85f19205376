"""A store that another process works on: silence, deadlines, deaths, and what it holds."""

import errno
import io
import os
import resource
import select
import signal
import threading
import tracemalloc
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

import pytest

from tests.support.forge import add_object
from tests.support.records import digest_of
from wheelferry.disk import Disk, clock
from wheelferry.disk.clock import Deadline
from wheelferry.disk.durable import Buffer, StrPath
from wheelferry.errors import (
    DeadlinePassed,
    StoreError,
    StoreFull,
    StoreNotInitialised,
    StoreSilent,
    StoreUnavailable,
)
from wheelferry.store.base import PutOutcome, Store
from wheelferry.store.create import create_store
from wheelferry.store.isolated import IsolatedStore
from wheelferry.store.isolated.child import run
from wheelferry.store.isolated.process import LANES
from wheelferry.store.isolated.wire import StoreProcessFailed
from wheelferry.store.posix import PosixStore
from wheelferry.store.reading import Entry, FileFacts, Reads
from wheelferry.store.record import Digest

DATA = bytes(range(256)) * 12_000
"""Three blocks."""

DIGEST = digest_of(DATA)
OTHER = DATA[::-1]
SHORT_S = 0.3
PATIENT_S = 60.0
TOLERANCE_S = 3.0
"""What a busy machine may take longer; far less than `PATIENT_S`."""


NEVER = Deadline.never()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the root of a store that has one object."""
    root = tmp_path / "store"
    create_store(root, disk=Disk(), now_s=0.0)
    add_object(root, DATA)
    return root


def isolate(
    root: Path,
    *,
    reads: Reads | None = None,
    disk: Disk | None = None,
    timeout_s: float = PATIENT_S,
    deadline: Deadline = NEVER,
) -> IsolatedStore:
    """Return a runner's handle on the store, with its process."""
    return IsolatedStore(
        lambda: PosixStore(root, disk=disk or Disk(), runner="r1", reads=reads),
        location=str(root),
        timeout_s=timeout_s,
        deadline=deadline,
    )


def hang() -> NoReturn:
    """Wait for what never comes, as in a share whose server is gone."""
    threading.Event().wait()
    raise AssertionError("it came")


class HangingReads(Reads):
    """Reads one of which never returns.

    Args:
        name: That of the method.
        number: Which of its calls.
    """

    def __init__(self, name: str, number: int = 1) -> None:
        self._name = name
        self._left = number

    def _step(self, name: str) -> None:
        if name == self._name:
            self._left -= 1
            if not self._left:
                hang()

    def open_file(self, path: Path) -> int:
        self._step("open_file")
        return super().open_file(path)

    def list_names(self, directory: Path) -> list[str]:
        self._step("list_names")
        return super().list_names(directory)

    def list_entries(self, directory: Path) -> list[Entry]:
        self._step("list_entries")
        return super().list_entries(directory)

    def read_into(self, fd: int, buffer: memoryview) -> int:
        self._step("read_into")
        return super().read_into(fd, buffer)


class HangingDisk(Disk):
    """A disk one method of which never returns."""

    def __init__(self, name: str) -> None:
        self._name = name

    def write(self, fd: int, data: bytes | bytearray | memoryview) -> None:
        if self._name == "write":
            hang()
        super().write(fd, data)

    def sync_file(self, fd: int) -> None:
        if self._name == "sync_file":
            hang()
        super().sync_file(fd)


def open_there(store: Store, digest: Digest = DIGEST) -> BinaryIO:
    """Open an object that is there."""
    stream = store.open_object(digest)
    assert stream is not None
    return stream


def read(store: Store, digest: Digest = DIGEST) -> bytes:
    """Return an object's bytes, read in blocks."""
    blocks = []
    with open_there(store, digest) as stream:
        while block := stream.read(1 << 20):
            blocks.append(block)
    return b"".join(blocks)


def put(store: Store, data: bytes = OTHER) -> PutOutcome:
    """Put an object."""
    return store.put_object([data], digest=digest_of(data), size_bytes=len(data))


# Shared by tests, but what is counted in them is counted in a child.
HANGS = [
    pytest.param(HangingReads("open_file"), None, read, id="open"),
    pytest.param(HangingReads("read_into", 2), None, read, id="read-half-way"),
    pytest.param(
        HangingReads("list_names"),
        None,
        lambda store: store.list_segments(),
        id="list-segments",
    ),
    pytest.param(
        HangingReads("list_entries", 2),
        None,
        lambda store: list(store.upkeep.list_objects()),
        id="list-objects",
    ),
    pytest.param(None, HangingDisk("write"), put, id="write"),
    pytest.param(None, HangingDisk("sync_file"), put, id="sync"),
]


def is_there(pid: int) -> bool:
    """Return whether there is such a process, even one that is dead and not reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def lasting(at_least_s: float) -> Iterator[None]:
    """Fail if the block takes less time than this, or much more."""
    began_s = clock.monotonic_s()
    yield
    assert at_least_s * 0.95 <= clock.monotonic_s() - began_s
    assert clock.monotonic_s() - began_s < at_least_s + TOLERANCE_S


@pytest.mark.parametrize(("reads", "disk", "act"), HANGS)
def test_call_that_hangs_ends_with_silence(root, reads, disk, act):
    """It ends after the timeout, and with it the process; later calls end at once."""
    with isolate(root, reads=reads, disk=disk, timeout_s=SHORT_S) as store:
        with lasting(SHORT_S), pytest.raises(StoreSilent) as caught:
            act(store)

        assert f"{root} has not answered for 0.3 s" in caught.value.message
        assert not is_there(store.pid)
        assert store.longest_wait_s == pytest.approx(SHORT_S, abs=0.1)
        with lasting(0), pytest.raises(StoreSilent) as again:
            store.list_segments()
        assert again.value.message == caught.value.message


@pytest.mark.parametrize(("reads", "disk", "act"), HANGS)
def test_call_that_hangs_ends_at_the_deadline(root, reads, disk, act):
    """However patient the caller is otherwise; and so do all later calls."""
    with isolate(root, reads=reads, disk=disk, deadline=Deadline.after(0.4)) as store:
        with lasting(0.2), pytest.raises(DeadlinePassed):
            act(store)

        assert not is_there(store.pid)
        assert 0 < store.longest_wait_s < 1
        with lasting(0), pytest.raises(DeadlinePassed):
            put(store)


def read_forever(stream: BinaryIO) -> NoReturn:
    """Read the same bytes again and again."""
    while True:
        stream.seek(0)
        stream.read()


def test_deadline_comes_while_things_go_on(root):
    """A call that never has to wait ends too."""
    with isolate(root, deadline=Deadline.after(0.4)) as store:
        stream = open_there(store)
        with lasting(0.2), pytest.raises(DeadlinePassed):
            read_forever(stream)
        stream.close()


STEP_S = 0.15
SLOW_S = 4 * STEP_S
LARGE = DATA * 3
"""So many blocks that to read them takes far longer than that."""


class SlowReads(Reads):
    """Reads that take a while each, and say that they go on."""

    def read_into(self, fd: int, buffer: memoryview) -> int:
        clock.pause(STEP_S)
        return super().read_into(fd, buffer)

    def file_facts(self, path: Path) -> FileFacts | None:
        clock.pause(STEP_S)
        return super().file_facts(path)


class SlowMuteReads(Reads):
    """The same, but what one call does meanwhile is not heard."""

    def read_into(self, fd: int, buffer: memoryview) -> int:
        clock.pause(STEP_S)
        return os.readv(fd, [buffer])

    def file_facts(self, path: Path) -> FileFacts | None:
        clock.pause(STEP_S)
        status = path.lstat()
        return FileFacts(status.st_size, status.st_mtime)


def put_suspect(store: Store) -> PutOutcome:
    """Put an object that is there: one call, in which all of it is read."""
    return store.put_object(
        [LARGE], digest=digest_of(LARGE), size_bytes=len(LARGE), is_suspect=True
    )


def test_slow_store_that_gets_on_is_not_silent(root):
    """One call may take many times the timeout, as long as its steps do not."""
    add_object(root, LARGE)
    with isolate(root, reads=SlowReads(), timeout_s=SLOW_S) as store:
        with lasting(2 * SLOW_S):
            assert put_suspect(store) is PutOutcome.ALREADY_PRESENT
        assert store.longest_wait_s == 0

    with (
        isolate(root, reads=SlowMuteReads(), timeout_s=SLOW_S) as store,
        pytest.raises(StoreSilent),
    ):
        put_suspect(store)


class SlowDisk(Disk):
    """A disk each of whose steps takes half of the time that a call may be silent."""

    def write(self, fd: int, data: Buffer) -> None:
        clock.pause(SLOW_S / 2)
        super().write(fd, data)

    def sync_file(self, fd: int) -> None:
        clock.pause(SLOW_S / 2)
        super().sync_file(fd)

    def rename(self, source: StrPath, target: StrPath) -> None:
        clock.pause(SLOW_S / 2)
        super().rename(source, target)

    def unlink(self, path: StrPath) -> bool:
        clock.pause(SLOW_S / 2)
        return super().unlink(path)


def test_slow_writing_that_gets_on_is_not_silent(root):
    """An object is written in several steps, each of which is a sign of life."""
    data = b"slowly"

    with (
        isolate(root, disk=SlowDisk(), timeout_s=SLOW_S) as store,
        lasting(1.5 * SLOW_S),
    ):
        outcome = store.put_object([data], digest=digest_of(data), size_bytes=len(data))

    assert outcome is PutOutcome.COMMITTED


def test_slow_sweeping_that_gets_on_is_not_silent(root):
    """So is each abandoned file that is looked at."""
    home = root / "staging" / "r1"
    home.mkdir()
    for number in range(4):
        (home / f"{number:032x}.tmp").write_bytes(b"half")

    with (
        isolate(root, disk=SlowDisk(), timeout_s=SLOW_S) as store,
        lasting(2 * SLOW_S),
    ):
        swept = store.sweep_staging(older_than_s=-1.0)

    assert swept == 4


def test_slow_call_that_gets_on_ends_at_the_deadline(root):
    """Signs of life do not put it off."""
    add_object(root, LARGE)
    with (
        isolate(root, reads=SlowReads(), deadline=Deadline.after(0.4)) as store,
        lasting(0.2),
        pytest.raises(DeadlinePassed),
    ):
        put_suspect(store)


def test_slow_listing_is_heard_of_in_parts(root):
    """It is not collected first."""
    for number in range(7):
        add_object(root, b"%d" % number)

    with isolate(root, reads=SlowMuteReads(), timeout_s=1.5 * SLOW_S) as store:
        assert len(list(store.upkeep.list_objects())) == 8


class FailingReads(Reads):
    """Reads whose `open_file` raises something, after a while."""

    def __init__(self, error: BaseException, after_s: float = 0.0) -> None:
        self._error = error
        self._after_s = after_s

    def open_file(self, path: Path) -> int:
        del path
        clock.pause(self._after_s)
        raise self._error


def test_time_that_a_failure_took_is_told(root):
    """A soft mount fails after a while: that store is as good as silent."""
    reads = FailingReads(OSError(errno.EIO, "soft"), after_s=SHORT_S)
    with isolate(root, reads=reads) as store:
        store.list_segments()
        assert store.longest_wait_s == 0
        with pytest.raises(StoreUnavailable):
            store.open_object(DIGEST)
        store.list_segments()
        assert store.longest_wait_s == pytest.approx(SHORT_S, abs=0.1)


def test_outstanding_call_is_told_of(root):
    """Whoever looks from another thread sees how long it waits."""
    reads = HangingReads("open_file")
    with isolate(root, reads=reads, timeout_s=SHORT_S) as store, threads() as pool:
        job = pool.submit(read, store)
        while not store.longest_wait_s:
            clock.pause(0.01)
        assert isinstance(job.exception(timeout=PATIENT_S), StoreSilent)


@contextmanager
def threads(count: int = 8) -> Iterator[ThreadPoolExecutor]:
    """Give a pool; made after the store, since that forks."""
    with ThreadPoolExecutor(count) as pool:
        yield pool


class MeetingReads(Reads):
    """Reads that go on when two threads are in one."""

    def __init__(self) -> None:
        self._both = threading.Barrier(2)

    def read_into(self, fd: int, buffer: memoryview) -> int:
        self._both.wait(PATIENT_S)
        return super().read_into(fd, buffer)


def test_two_threads_read_two_objects_at_once(root):
    """Neither waits for the other."""
    other = add_object(root, OTHER)
    with isolate(root, reads=MeetingReads()) as store, threads() as pool:
        jobs = [pool.submit(read, store, digest) for digest in (DIGEST, other)]
        assert [job.result() for job in jobs] == [DATA, OTHER]


def test_any_number_of_threads_may_call(root):
    """Those that find no lane wait until there is one."""
    with isolate(root) as store, threads(4 * LANES) as pool:
        jobs = [pool.submit(read, store) for _ in range(8 * LANES)]
        assert {job.result() for job in jobs} == {DATA}


def test_all_calls_end_when_one_is_silent(root):
    """Those that wait, and those that wait for a lane."""
    reads = HangingReads("list_names", 1 << 30)
    reads.open_file = hang_on  # type: ignore[method-assign]
    count = 3 * LANES
    with isolate(root, reads=reads, timeout_s=SHORT_S) as store, threads(count) as pool:
        with lasting(SHORT_S):
            jobs = [pool.submit(read, store) for _ in range(count)]
            errors = [job.exception() for job in jobs]
        assert {type(error) for error in errors} == {StoreSilent}
        assert len(set(map(id, errors))) == count


def hang_on(path: Path) -> NoReturn:
    """Hang in each call."""
    del path
    hang()


def test_close_ends_the_calls_of_other_threads(root):
    """They fail at once."""
    reads = HangingReads("open_file")
    with isolate(root, reads=reads, timeout_s=2.0) as store, threads() as pool:
        job = pool.submit(read, store)
        while not store.longest_wait_s:
            clock.pause(0.01)
        store.close()
        with pytest.raises(StoreUnavailable, match="was closed"):
            job.result(timeout=TOLERANCE_S)


def open_files(pid: int | str) -> list[str]:
    """Return what the descriptors of a process lead to."""
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(path.readlink()))
        except FileNotFoundError:  # that of the listing
            continue
    return sorted(found)


def test_child_holds_nothing_of_the_parent(root, tmp_path):
    """Neither its files nor its standard streams: only the lanes."""
    with (tmp_path / "mine").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        with isolate(root) as store:
            store.list_segments()
            pipes = [n for n in open_files(store.pid) if n.startswith("pipe:")]

            assert len(pipes) == len(set(pipes)) == 2 * LANES + 1
            assert len(open_files(store.pid)) == 3 + len(pipes)
            for fd in (0, 1, 2):
                where = Path(f"/proc/{store.pid}/fd/{fd}").readlink()
                assert where == Path("/dev/null")


def test_close_leaves_nothing(root):
    """No process, not even a dead one, and no descriptor; also when done twice."""
    before = open_files("self")
    with isolate(root) as store:
        store.list_segments()
        assert is_there(store.pid)
        assert len(open_files("self")) > len(before)
    store.close()

    assert not is_there(store.pid)
    assert open_files("self") == before
    with pytest.raises(StoreUnavailable, match="was closed"):
        store.list_segments()


def test_silence_leaves_nothing_once_closed(root):
    """As after success."""
    before = open_files("self")
    with isolate(root, reads=HangingReads("open_file"), timeout_s=SHORT_S) as store:
        stream = None
        with pytest.raises(StoreSilent):
            stream = store.open_object(DIGEST)
    assert stream is None
    assert open_files("self") == before


def test_no_descriptors_left_is_said(root):
    """What there was of pipes is closed again."""
    before = open_files("self")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 5, hard))
    try:
        with pytest.raises(StoreUnavailable, match="cannot start a process") as caught:
            isolate(root)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert isinstance(caught.value.__cause__, OSError)
    assert open_files("self") == before


@pytest.mark.parametrize("hangs", [False, True])
def test_child_ends_when_its_parent_is_killed(root, hangs):
    """At once: idle, or with each of its threads in a call that never returns."""
    read_fd, write_fd = os.pipe()
    parent = os.fork()
    if not parent:
        try:
            reads = HangingReads("list_names", 1 << 30)
            reads.open_file = hang_on  # type: ignore[method-assign]
            store = isolate(root, reads=reads)
            os.write(write_fd, b"%d " % store.pid)
            if not hangs:
                store.list_segments()
                os.write(write_fd, b"ready")
                hang()
            with threads(LANES) as pool:
                jobs = [pool.submit(read, store) for _ in range(LANES)]
                while not store.longest_wait_s:
                    clock.pause(0.01)
                os.write(write_fd, b"ready")
                print([job.result() for job in jobs])
        finally:
            os._exit(1)
    os.close(write_fd)
    said = b""
    while not said.endswith(b"ready"):
        said += os.read(read_fd, 100)
    os.close(read_fd)
    child_fd = os.pidfd_open(int(said.split()[0]))
    child = select.poll()
    child.register(child_fd, select.POLLIN)
    try:
        assert not child.poll(0)
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
        assert child.poll(TOLERANCE_S * 1000)
    finally:
        os.close(child_fd)


def test_child_ends_when_its_parent_was_gone_before():
    """Killed before the child could ask to be told of it."""
    life_fd, parent_fd = os.pipe()
    os.close(parent_fd)
    child = os.fork()
    if not child:
        run([], life_fd, hang, beat_s=1.0)
    os.close(life_fd)
    child_fd = os.pidfd_open(child)
    try:
        assert select.select([child_fd], [], [], TOLERANCE_S)[0]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(child_fd)


def test_child_survives_an_interruption(root):
    """Ctrl-C is for the parent, which decides what is still to be done."""
    with isolate(root) as store:
        store.list_segments()
        os.kill(store.pid, signal.SIGINT)
        assert read(store) == DATA


def test_death_of_the_child_is_no_silence(root):
    """It is told at once, with the signal, and what to look for."""
    with isolate(root) as store:
        stream = open_there(store)
        os.kill(store.pid, signal.SIGKILL)
        with lasting(0), pytest.raises(StoreUnavailable, match="SIGKILL") as caught:
            stream.read()
        assert not isinstance(caught.value, StoreSilent)
        assert "memory" in str(caught.value.hint)
        with pytest.raises(StoreUnavailable, match="SIGKILL"):
            store.list_segments()
        stream.close()
        assert not is_there(store.pid)


def test_job_that_was_frozen_has_not_waited(root, tmp_path):
    """Time in which neither side ran does not count as silence."""
    os.mkfifo(tmp_path / "go")

    class WaitingReads(Reads):
        def open_file(self, path: Path) -> int:
            with (tmp_path / "go").open():
                return super().open_file(path)

    read_fd, write_fd = os.pipe()
    parent = os.fork()
    if not parent:
        code = 1
        try:
            with isolate(root, reads=WaitingReads(), timeout_s=4 * SHORT_S) as store:
                os.write(write_fd, b"%d" % store.pid)
                code = 0 if read(store) == DATA else 1
        finally:
            os._exit(code)
    os.close(write_fd)
    child = int(os.read(read_fd, 100))
    os.close(read_fd)
    for pid in (parent, child):
        os.kill(pid, signal.SIGSTOP)
    clock.pause(4 * SHORT_S)
    for pid in (child, parent):
        os.kill(pid, signal.SIGCONT)
    (tmp_path / "go").open("w").close()

    assert os.waitpid(parent, 0)[1] == 0


def test_errors_keep_what_they_are(root):
    """Class, message, hint, and the errno of the cause, by which others decide."""
    path = root / "objects" / DIGEST[:2] / DIGEST
    reads = FailingReads(PermissionError(errno.EACCES, "no", str(path)))
    direct = PosixStore(root, disk=Disk(), runner="r1", reads=reads)
    with pytest.raises(StoreUnavailable) as expected:
        direct.open_object(DIGEST)
    with isolate(root, reads=reads) as store, pytest.raises(StoreError) as caught:
        store.open_object(DIGEST)

    error, cause = caught.value, caught.value.__cause__
    assert type(error) is StoreUnavailable
    assert (error.message, error.hint) == (expected.value.message, expected.value.hint)
    assert isinstance(cause, PermissionError)
    assert (cause.errno, cause.filename) == (errno.EACCES, str(path))


def test_full_store_is_told_in_the_middle_of_an_object(root):
    """The rest of it is not asked for, and the next call works."""
    taken = []

    def chunks() -> Iterator[bytes]:
        for _ in range(50):
            taken.append(1)
            yield bytes(1 << 20)

    class SmallDisk(Disk):
        def write(self, fd: int, data: bytes | bytearray | memoryview) -> None:
            if os.lseek(fd, 0, os.SEEK_CUR) > 2 << 20:
                raise OSError(errno.ENOSPC, "full")
            super().write(fd, data)

    with isolate(root, disk=SmallDisk()) as store:
        with pytest.raises(StoreFull):
            store.put_object(chunks(), digest=digest_of("x"), size_bytes=50 << 20)
        assert len(taken) < 10
        assert read(store) == DATA


def test_fault_shows_where_it_was(root):
    """An exception that nobody expected brings the traceback of the other process."""
    with isolate(root, reads=FailingReads(ZeroDivisionError("by what"))) as store:
        with pytest.raises(StoreProcessFailed, match="ZeroDivisionError: by what") as e:
            store.open_object(DIGEST)
        (note,) = e.value.__notes__
        assert "in open_file" in note
        assert store.list_segments() == frozenset()


def test_store_that_cannot_be_made_is_told_by_each_call(root):
    """The first one does not differ."""

    def make() -> Store:
        raise StoreNotInitialised("nothing there", hint="make it")

    with IsolatedStore(make, location=str(root), timeout_s=PATIENT_S) as store:
        for _ in range(2):
            with pytest.raises(StoreNotInitialised, match="nothing there"):
                store.open()


def test_listing_fails_where_it_fails(root):
    """What came before that is told first."""
    for number in range(20):
        add_object(root, b"%d" % number)
    prefixes = [path.name for path in (root / "objects").iterdir()]
    seen = [name for name in prefixes if name <= DIGEST[:2]]
    found = sum(len(list((root / "objects" / name).iterdir())) for name in seen)

    class HalfReads(Reads):
        def list_entries(self, directory: Path) -> list[Entry]:
            if directory.name > DIGEST[:2]:
                raise OSError(errno.EIO, "bad")
            return super().list_entries(directory)

    with isolate(root, reads=HalfReads()) as store:
        listing = store.upkeep.list_objects()
        listed = [next(listing)[0] for _ in range(found)]
        assert DIGEST in listed
        with pytest.raises(StoreUnavailable):
            list(listing)


def test_what_is_left_half_way_disturbs_nothing(root):
    """A listing and a stream that nobody goes on with are closed with the next call."""
    with isolate(root) as store:
        store.list_segments()
        before = open_files(store.pid)
        listing = cast("Generator[object]", store.upkeep.list_objects())
        next(listing)
        stream = open_there(store)
        assert stream.read(10) == DATA[:10]
        assert open_files(store.pid) != before
        del stream
        listing.close()

        assert read(store) == DATA
        store.list_segments()
        assert open_files(store.pid) == before


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(lambda store: store.upkeep.list_objects(), id="list_objects"),
        pytest.param(lambda store: store.upkeep.list_foreign(), id="list_foreign"),
        pytest.param(lambda store: store.upkeep.list_leftovers(), id="list_leftovers"),
        pytest.param(lambda store: store.usage.read_all(), id="read_all"),
    ],
)
def test_listing_asks_for_nothing_before_its_first_item(root, begin):
    """So the child has nothing to forget of one that nobody begins."""
    store = isolate(root)
    store.close()

    listing = begin(store)

    with pytest.raises(StoreUnavailable, match="was closed"):
        next(listing)


def test_streams_can_be_closed_when_the_store_is_gone(root):
    """Closing asks for nothing."""
    with isolate(root) as store:
        stream = open_there(store)
    stream.close()

    with pytest.raises(ValueError, match="closed"):
        stream.read()


def test_stream_is_a_file(root):
    """It reads, seeks and tells as one that is opened without a buffer."""
    with isolate(root) as store, open_there(store) as stream:
        real = io.BytesIO(DATA)
        for action in (
            lambda f: f.read(5),
            lambda f: f.seek(-7, os.SEEK_END),
            lambda f: f.read(100),
            lambda f: f.read(100),
            lambda f: f.seek(1000),
            lambda f: f.seek(24, os.SEEK_CUR),
            lambda f: f.readinto(bytearray(2_500_000)),
            lambda f: f.tell(),
            lambda f: f.read(),
            lambda f: f.read(0),
            lambda f: f.seek(len(DATA) + 5),
            lambda f: f.read(1),
        ):
            assert action(stream) == action(real)
        assert stream.readable()
        assert stream.seekable()
        with pytest.raises(ValueError, match="negative"):
            stream.seek(-1)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "spool"), ValueError("spool")])
def test_what_the_chunks_raise_arrives_as_it_is(root, error):
    """The very same, with nothing committed, nothing left, and the store in order."""

    def chunks() -> Iterator[bytes]:
        yield OTHER
        raise error

    with isolate(root) as store:
        with pytest.raises(type(error)) as caught:
            store.put_object(chunks(), digest=digest_of(OTHER), size_bytes=len(OTHER))

        assert caught.value is error
        assert store.object_size(digest_of(OTHER)) is None
        assert not [p for p in root.glob("staging/**/*") if p.is_file()]
        assert put(store) is PutOutcome.COMMITTED


def test_what_the_chunks_raise_comes_before_the_death_of_the_store(root):
    """Its cause is here; that of the store is told by the next call."""

    def chunks() -> Iterator[bytes]:
        yield bytes(1 << 20)
        os.kill(store.pid, signal.SIGKILL)
        raise OSError(errno.EIO, "spool")

    with isolate(root) as store:
        with pytest.raises(OSError, match="spool"):
            store.put_object(chunks(), digest=digest_of("x"), size_bytes=1 << 20)
        with pytest.raises(StoreUnavailable, match="SIGKILL"):
            store.list_segments()


def test_interrupted_call_costs_a_lane(root):
    """Others still work; and when none is left, that is said."""

    def interrupted() -> Iterator[bytes]:
        yield bytes(1 << 20)
        raise KeyboardInterrupt

    with isolate(root) as store:
        for left in reversed(range(LANES)):
            with pytest.raises(KeyboardInterrupt):
                store.put_object(interrupted(), digest=digest_of("x"), size_bytes=1)
            if left:
                assert read(store) == DATA
        with pytest.raises(StoreUnavailable, match="interrupted"):
            store.list_segments()


def test_call_that_cannot_be_sent_costs_nothing(root):
    """No lane, and what the child was to close with it is closed with the next one."""
    with isolate(root) as store:
        store.list_segments()
        before = open_files(store.pid)
        open_there(store).close()
        for _ in range(LANES + 1):
            with pytest.raises(ValueError, match="unmarshallable"):
                store.ask("location", object())

        assert open_files(store.pid) != before
        store.list_segments()
        assert open_files(store.pid) == before


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process had at one time."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


@pytest.mark.parametrize("chunk_bytes", [100_000, 48 << 20])
def test_memory_does_not_grow_with_the_object(root, chunk_bytes):
    """Neither process holds more than a few blocks, whatever the size of a chunk."""
    size_bytes = 96 << 20
    chunk = bytes(chunk_bytes)
    digest = digest_of(bytes(size_bytes))

    def chunks() -> Iterator[bytes]:
        whole, rest = divmod(size_bytes, chunk_bytes)
        yield from [chunk] * whole
        yield chunk[:rest]

    with isolate(root) as store:
        put(store)
        before_bytes = peak_bytes(store.pid)
        tracemalloc.start()
        try:
            store.put_object(chunks(), digest=digest, size_bytes=size_bytes)
            with open_there(store, digest) as stream:
                while stream.read(1 << 20):
                    pass
            _, ours_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert ours_bytes < 4 << 20
        assert peak_bytes(store.pid) - before_bytes < 16 << 20
