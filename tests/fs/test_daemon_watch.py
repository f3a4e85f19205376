"""How the daemon hears of changes in a cache, with real inotify."""

import contextlib
import errno
import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.observers.inotify import InotifyObserver
from watchdog.observers.inotify_c import (
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    WatchDescriptor,
    inotify_rm_watch,
)

from tests.support.daemons import eventually
from wheelferry.daemon import ears
from wheelferry.daemon.ears import Ears, Observer
from wheelferry.daemon.watch import ABSENT_S, CHECK_S, POLL_S, RETRY_S, Signal, Watch

CHANGED, ENDED, LOST = Signal.CHANGED, Signal.ENDED, Signal.LOST
PROMPT_S = 5.0
"""Within that time, on a machine that has other things to do."""

RESTORED = "0123456789abcdef" * 4


class Listener:
    """A watch, and all that it said."""

    def __init__(
        self, cache: Path, make_observer: Callable[[], Observer] = Observer
    ) -> None:
        self.told: list[Signal] = []
        self.warned: list[str] = []
        self.later_s = 0.0
        self.ears: list[Ears] = []
        self.make_observer = make_observer
        self.watch = Watch(
            cache,
            tell=self.told.append,
            warn=self.warned.append,
            open_ears=self._open_ears,
            now_s=lambda: time.time() + self.later_s,
            monotonic_s=lambda: time.monotonic() + self.later_s,
        )

    def _open_ears(self, overhear: Callable[[str], None]) -> Ears:
        self.ears.append(Ears(overhear, make_observer=self.make_observer))
        return self.ears[-1]

    @property
    def observer(self) -> Observer:
        """What listens now."""
        return self.ears[-1]._observer

    @property
    def reader(self) -> InotifyFD:
        """Its thread that reads from the kernel."""
        return self.observer._inotify_fd

    def forget(self) -> None:
        """Forget what it told."""
        self.told.clear()

    def wait(self, signal: Signal) -> None:
        """Wait until it tells that, and forget what it told."""
        eventually(lambda: signal in self.told, within_s=PROMPT_S, what=self.told)
        self.told.clear()

    def check(self) -> float:
        """Check, and forget what it told."""
        pause_s = self.watch.check()
        self.told.clear()
        return pause_s


NewListener = Callable[..., Listener]


@pytest.fixture
def new_listener() -> Iterator[NewListener]:
    """Make listeners; they are closed at the end."""
    made: list[Listener] = []

    def make(*args: object, **kwargs: object) -> Listener:
        made.append(Listener(*args, **kwargs))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for listener in made:
        listener.watch.close()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with all three directories."""
    root = tmp_path / "cache"
    fill(root)
    return root


def fill(root: Path) -> None:
    """Make the directories of a cache."""
    for name in ("archive-v0", "builds-v0"):
        (root / name).mkdir(parents=True)


def close_lock(root: Path) -> None:
    """End a uv command."""
    (root / ".lock").open("a").close()


def count_watches() -> int:
    """Return how many inotify watches this process has."""
    found = 0
    for path in Path("/proc/self/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            found += len(re.findall("^inotify ", path.read_text(), re.MULTILINE))
    return found


def count_files() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@contextlib.contextmanager
def not_root() -> Iterator[None]:
    """Be a user who needs permissions."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that other users reach, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


# What is told of.


def test_new_archive_is_told(cache, new_listener) -> None:
    """One made there, and one moved there."""
    a = new_listener(cache)
    a.check()
    (cache / "archive-v0/NNIbZfQHyvFYlsJ3").mkdir()
    a.wait(CHANGED)
    (cache / ".tmpAbc").mkdir()
    (cache / ".tmpAbc").rename(cache / "archive-v0/pTstTcEW6P4okI-M")
    a.wait(CHANGED)


def test_restored_and_removed_archives_are_no_news(cache, new_listener) -> None:
    """Nor are files; of several names only that of a new archive is told, once."""
    archives = cache / "archive-v0"
    (archives / "old").mkdir()
    a = new_listener(cache)
    a.check()
    (archives / RESTORED).mkdir()
    (archives / "old").rmdir()
    (archives / "file").touch()
    (archives / "new").mkdir()
    a.wait(CHANGED)
    (archives / RESTORED).rmdir()
    (archives / "another").mkdir()
    eventually(lambda: a.told, within_s=PROMPT_S)
    assert a.told == [CHANGED]
    assert a.warned == []


def test_end_of_a_build_is_told(cache, new_listener) -> None:
    """Its beginning is no news."""
    a = new_listener(cache)
    a.check()
    for name in (".tmp1", ".tmp2"):
        (cache / "builds-v0" / name).mkdir()
    (cache / "builds-v0/.tmp1").rmdir()
    eventually(lambda: a.told, within_s=PROMPT_S)
    assert a.told == [CHANGED]


def test_end_of_a_command_is_told(cache, new_listener) -> None:
    """Reading the lock file, or locking it without writing, is no end of a command."""
    (cache / ".lock").touch()
    a = new_listener(cache)
    a.check()
    (cache / ".lock").open("rb").close()
    close_lock(cache)
    a.wait(ENDED)
    (cache / ".lock").open("rb").close()
    (cache / "CACHEDIR.TAG").write_text("")
    close_lock(cache)
    eventually(lambda: a.told, within_s=PROMPT_S)
    assert a.told == [ENDED]


def test_temporary_directories_do_not_hold_up_the_end(cache, new_listener) -> None:
    """uv moves them out of the root; watchdog would wait there for where they went."""
    a = new_listener(cache)
    a.check()
    began_s = time.monotonic()
    for number in range(5):
        temporary = cache / f".tmp{number}"
        temporary.mkdir()
        temporary.rename(cache / f"archive-v0/{number}")
    close_lock(cache)
    eventually(lambda: ENDED in a.told, within_s=PROMPT_S)
    assert time.monotonic() - began_s < 0.4 or os.getloadavg()[0] > 4


def test_first_check_tells_of_what_is_there(cache, new_listener) -> None:
    """It may have come while nobody watched; no second check tells of it again."""
    a = new_listener(cache)
    assert a.watch.check() == CHECK_S
    assert a.told == [CHANGED]
    assert (a.watch.mode, a.watch.watches, a.watch.is_absent) == ("inotify", 3, False)
    assert a.watch.check() == CHECK_S
    assert (a.told, a.warned) == ([CHANGED], [])


# Caches that come and go.


def test_absent_cache_is_waited_for(tmp_path, new_listener) -> None:
    """It is looked for twice a second, without threads, and told of when it is there."""
    cache = tmp_path / "below" / "cache"
    a = new_listener(cache)
    threads = threading.active_count()
    assert a.watch.check() == ABSENT_S
    assert (a.watch.is_absent, a.watch.watches) == (True, 0)
    assert threading.active_count() == threads
    fill(cache)
    assert a.watch.check() == CHECK_S
    assert (a.told, a.watch.is_absent) == ([CHANGED], False)
    a.forget()
    (cache / "archive-v0/new").mkdir()
    a.wait(CHANGED)
    assert a.warned == []


def test_cache_removed_and_made_again_is_watched(cache, new_listener) -> None:
    """Whether or not somebody looked meanwhile, and whatever number it has now."""
    a = new_listener(cache)
    a.check()
    for number in range(20):
        for name in ("archive-v0", "builds-v0", "."):
            remove(cache / name)
        if number % 2:
            assert a.watch.check() == ABSENT_S
            assert a.watch.watches == 0
        fill(cache)
        a.wait(CHANGED)
        a.check()
        # What was removed may be heard of after the check, which then was too early.
        eventually(lambda: a.watch.check() == CHECK_S, within_s=PROMPT_S)
        eventually(lambda: is_heard(a, cache), within_s=PROMPT_S)
        assert count_watches() == 3
    assert (a.warned, LOST in a.told) == ([], False)


def remove(path: Path) -> None:
    """Remove a directory and what is in it."""
    if path.name:
        for child in path.iterdir():
            child.rmdir() if child.is_dir() else child.unlink()
    path.rmdir()


def is_heard(a: Listener, cache: Path) -> bool:
    """Return whether all three directories are heard of now; check if not."""
    a.forget()
    (cache / "archive-v0/probe").mkdir()
    (cache / "archive-v0/probe").rmdir()
    close_lock(cache)
    with contextlib.suppress(AssertionError):
        eventually(lambda: {CHANGED, ENDED} <= set(a.told), within_s=0.2)
        a.forget()
        (cache / "builds-v0/probe").mkdir()
        (cache / "builds-v0/probe").rmdir()
        eventually(lambda: CHANGED in a.told, within_s=0.2)
        return True
    a.watch.check()
    return False


def test_directory_made_again_at_once_is_watched(cache, new_listener) -> None:
    """The new one may have the number of the old one; that it went is heard of."""
    a = new_listener(cache)
    a.check()
    archives = cache / "archive-v0"
    numbers = set()
    for _ in range(20):
        archives.rmdir()
        archives.mkdir()
        numbers.add(archives.stat().st_ino)
        a.wait(CHANGED)
        a.check()
        eventually(lambda: is_heard(a, cache), within_s=PROMPT_S)
    assert a.warned == []


def test_missing_directories_are_watched_soon(tmp_path, new_listener) -> None:
    """A new cache has neither; they are looked for each second, and told of."""
    cache = tmp_path / "cache"
    cache.mkdir()
    a = new_listener(cache)
    assert a.watch.check() == POLL_S
    assert a.watch.watches == 1
    for number, name in enumerate(("archive-v0", "builds-v0")):
        a.forget()
        (cache / name / "there-before").mkdir(parents=True)
        assert a.watch.check() == (CHECK_S if number else POLL_S)
        assert (a.told, a.watch.watches) == ([CHANGED], 2 + number)
    a.forget()
    (cache / "archive-v0/new").mkdir()
    a.wait(CHANGED)
    (cache / "builds-v0/there-before").rmdir()
    a.wait(CHANGED)


def test_other_directory_in_its_place_is_watched(cache, tmp_path, new_listener) -> None:
    """The one before is heard of no more."""
    a = new_listener(cache)
    a.check()
    old = cache.rename(tmp_path / "old")
    fill(cache)
    a.watch.check()
    assert a.told == [CHANGED]
    a.forget()
    close_lock(old)
    (old / "archive-v0/other").mkdir()
    (cache / "archive-v0/new").mkdir()
    a.wait(CHANGED)
    close_lock(cache)
    a.wait(ENDED)
    assert count_watches() == a.watch.watches == 3


def test_cache_behind_a_link_is_watched(tmp_path, new_listener) -> None:
    """Its target, also when the link leads elsewhere, or nowhere for a time."""
    one, other, link = tmp_path / "one", tmp_path / "other", tmp_path / "cache"
    fill(one)
    fill(other)
    a = new_listener(link)
    link.symlink_to(one)
    a.check()
    (one / "archive-v0/new").mkdir()
    a.wait(CHANGED)
    close_lock(one)
    a.wait(ENDED)
    link.unlink()
    link.symlink_to("nowhere")
    assert a.watch.check() == ABSENT_S
    link.unlink()
    link.symlink_to(other)
    a.watch.check()
    assert a.told == [CHANGED]
    a.forget()
    (other / "archive-v0/new").mkdir()
    a.wait(CHANGED)
    assert a.warned == []


def test_file_in_its_place_is_warned_of_once(cache, tmp_path, new_listener) -> None:
    """And looked at slowly, until there is a directory."""
    cache.rename(tmp_path / "away")
    cache.write_text("")
    a = new_listener(cache)
    for _ in range(3):
        assert a.watch.check() == CHECK_S
    assert a.watch.is_absent
    (warning,) = a.warned
    assert f"{cache} is no directory" in warning
    cache.unlink()
    fill(cache)
    a.watch.check()
    assert (a.told, len(a.warned)) == ([CHANGED], 1)
    (cache / "builds-v0").rmdir()
    (cache / "builds-v0").write_text("")
    for _ in range(3):
        assert a.watch.check() == POLL_S
    assert len(a.warned) == 2


def test_place_that_cannot_be_looked_at_is_warned_of_once(
    open_place, new_listener
) -> None:
    """Such as a home that is closed to this user; told when it opens."""
    home = open_place / "home"
    fill(home / "cache")
    a = new_listener(home / "cache")
    home.chmod(0o700 if os.geteuid() == 0 else 0)
    with not_root():
        for _ in range(3):
            assert a.watch.check() == CHECK_S
    (warning,) = a.warned
    assert f"cannot look at {home / 'cache'}: Permission denied" in warning
    home.chmod(0o755)
    with not_root():
        assert a.watch.check() == CHECK_S
    assert (a.told, a.watch.watches, len(a.warned)) == ([CHANGED], 3, 1)


def test_directory_that_may_not_be_read_is_polled(open_place, new_listener) -> None:
    """watchdog takes it, and hears nothing; warned of once, watched when it may be."""
    cache = open_place / "cache"
    fill(cache)
    archives = cache / "archive-v0"
    archives.chmod(0o711 if os.geteuid() == 0 else 0o311)
    a = new_listener(cache)
    with not_root():
        for _ in range(3):
            assert a.watch.check() == POLL_S
        assert a.watch.mode == "polling"
        (warning,) = a.warned
        assert f"{archives} cannot be watched: Permission denied" in warning
        a.forget()
    (archives / "new").mkdir()
    with not_root():
        a.watch.check()
        assert CHANGED in a.told
        a.later_s = RETRY_S + 1
        archives_mode(archives)
        assert a.watch.check() == CHECK_S
        assert a.watch.mode == "inotify"


def archives_mode(path: Path) -> None:
    """Let everybody read it, as the user whose it is."""
    user = os.geteuid()
    if os.getuid() == 0:
        os.seteuid(0)
    path.chmod(0o755)
    os.seteuid(user)


# Limits.


def refuse(number: int) -> Callable[[], Observer]:
    """Make a factory that fails, as where there are too many instances."""

    def make() -> Observer:
        raise OSError(number, "inotify instance limit reached")

    return make


class NoWatches(Observer):
    """There can be only one watch."""

    def schedule(self, handler, path, **options):  # type: ignore[override]
        if Path(path).name == "builds-v0":
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        return super().schedule(handler, path, **options)


class NoThreads(Observer):
    """There can be no more threads."""

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


@pytest.mark.parametrize(
    ("make_observer", "said"),
    [
        (refuse(errno.EMFILE), "max_user_instances"),
        (NoWatches, "max_user_watches"),
        (NoThreads, "can't start new thread"),
        (refuse(errno.ENOSYS), "inotify cannot be used"),
    ],
)
def test_limit_makes_it_poll(cache, new_listener, make_observer, said) -> None:
    """It says so once, with the limit and how to raise it, and tells of every change."""
    a = new_listener(cache, make_observer)
    threads, files = threading.active_count(), count_files()
    assert a.watch.check() == POLL_S
    assert a.told == [CHANGED]
    assert (a.watch.mode, a.watch.watches) == ("polling", 0)
    (warning,) = a.warned
    assert said in warning
    if said.startswith("max"):
        value = Path("/proc/sys/fs/inotify", said).read_text().strip()
        assert f"({value})" in warning
        assert f"sysctl fs.inotify.{said}=" in warning
    assert "polled" in warning
    assert (threading.active_count(), count_files()) == (threads, files)

    still(cache)
    a.check()
    a.watch.check()
    assert a.told == []
    (cache / "archive-v0/new").mkdir()
    a.watch.check()
    (cache / "builds-v0/.tmp").mkdir()
    a.watch.check()
    (cache / "builds-v0/.tmp").rmdir()
    a.watch.check()
    assert a.told.count(CHANGED) >= 3
    assert len(a.warned) == 1


def test_limit_is_named_where_its_value_is_hidden(
    cache, new_listener, monkeypatch, tmp_path
) -> None:
    """As by a service's sandbox, which shows nothing of /proc but processes."""
    monkeypatch.setattr(ears, "_PROC", tmp_path / "hidden")
    a = new_listener(cache, NoWatches)
    a.watch.check()
    (warning,) = a.warned
    assert "fs.inotify.max_user_watches allows; raise it" in warning


def still(cache: Path) -> None:
    """Set back the times of the directories, as though nothing happened for long."""
    for name in ("archive-v0", "builds-v0"):
        os.utime(cache / name, (1, 1))


def test_polling_does_not_miss_the_second_of_two_changes(cache, new_listener) -> None:
    """Both may have one time, and the first was seen: so it looks a second time."""
    a = new_listener(cache, refuse(errno.EMFILE))
    still(cache)
    a.check()
    now_ns = time.time_ns()
    os.utime(cache / "archive-v0", ns=(now_ns, now_ns))
    a.check()
    (cache / "archive-v0/new").mkdir()
    os.utime(cache / "archive-v0", ns=(now_ns, now_ns))
    a.watch.check()
    assert a.told == [CHANGED]
    a.later_s = 1
    a.check()
    a.watch.check()
    assert a.told == []


def test_polling_is_not_moved_by_the_root(cache, new_listener) -> None:
    """uv makes temporary directories there all the time."""
    a = new_listener(cache, refuse(errno.EMFILE))
    still(cache)
    a.check()
    (cache / ".tmp").mkdir()
    a.watch.check()
    assert a.told == []


def test_inotify_is_used_again_when_it_can_be(cache, new_listener) -> None:
    """It is tried each minute; what came meanwhile is told."""
    a = new_listener(cache, refuse(errno.EMFILE))
    a.check()
    a.make_observer = Observer
    a.check()
    assert a.watch.mode == "polling"
    a.later_s = RETRY_S + 1
    assert a.watch.check() == CHECK_S
    assert CHANGED in a.told
    assert (a.watch.mode, a.watch.watches) == ("inotify", 3)
    assert len(a.warned) == 2
    assert "can be used again" in a.warned[1]
    a.forget()
    (cache / "archive-v0/new").mkdir()
    a.wait(CHANGED)
    a.make_observer = refuse(errno.EMFILE)
    a.watch.close()
    a.later_s *= 2
    a.check()
    assert len(a.warned) == 3


# What may be missed.


def test_overflow_is_loss(cache, new_listener) -> None:
    """The kernel's queue is let run full; one warning, and all is heard again."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 50_000:
        pytest.skip("the kernel's queue is too long here")
    a = new_listener(cache)
    a.check()
    archives = cache / "archive-v0"
    with a.reader._lock:
        for number in range(limit // 2 + 2000):
            path = archives / str(number)
            path.mkdir()
            path.rmdir()
    a.wait(LOST)
    (warning,) = a.warned
    assert "Inotify queue overflowed" in warning
    eventually(lambda: is_heard(a, cache), what=a.told)
    assert a.watch.check() == CHECK_S
    assert count_watches() == 3


def overflow(a: Listener) -> None:
    """Have an event that says that others were lost."""
    mask = InotifyConstants.IN_Q_OVERFLOW
    a.reader.handle_event(InotifyEvent(WatchDescriptor(-1), mask, 0, b""))


def test_repeated_overflow_is_warned_of_once_a_minute(cache, new_listener) -> None:
    """Each is told of."""
    a = new_listener(cache)
    a.check()
    for _ in range(5):
        overflow(a)
    assert (a.told, len(a.warned)) == ([LOST] * 5, 1)
    a.later_s = RETRY_S + 1
    overflow(a)
    assert len(a.warned) == 2


def test_what_watchdog_warns_of_is_passed_on(cache, new_listener, caplog) -> None:
    """And goes nowhere else; nothing of that is left after the end."""
    log = logging.getLogger("watchdog")
    a = new_listener(cache)
    a.check()
    logging.getLogger("watchdog.observers.inotify").warning("it is %s", "odd")
    logging.getLogger("watchdog.observers.inotify").info("no matter")
    assert a.told == [LOST]
    assert a.warned == ["watchdog: it is odd; the whole cache is scanned"]
    assert caplog.records == []
    a.watch.close()
    assert log.handlers == []


def test_change_that_is_not_heard_of_is_loss(cache, new_listener) -> None:
    """Found at the second look; what listens is made anew, and hears."""
    a = new_listener(cache)
    a.check()
    for descriptor in list(a.reader._watch_for_wd):
        assert inotify_rm_watch(a.reader._inotify_fd, descriptor) == 0
    os.utime(cache / "builds-v0", (1, 1))
    time_s = time.time() + 10
    os.utime(cache / "archive-v0", (time_s, time_s))
    assert a.watch.check() == CHECK_S
    a.later_s = 20
    assert a.watch.check() == POLL_S
    assert (a.told, a.warned) == ([], [])
    a.watch.check()
    assert a.told == [LOST]
    (warning,) = a.warned
    assert str(cache / "archive-v0") in warning
    a.forget()
    assert a.watch.check() == CHECK_S
    assert a.told == [CHANGED]
    a.forget()
    (cache / "archive-v0/new").mkdir()
    a.wait(CHANGED)
    assert len(a.warned) == 1


def test_change_that_is_heard_of_late_is_no_loss(cache, new_listener) -> None:
    """As on a machine with much to do: it may come between the two looks."""
    a = new_listener(cache)
    a.check()
    archives = cache / "archive-v0"
    with a.reader._lock:
        (archives / "new").mkdir()
        os.utime(archives, (time.time() + 10,) * 2)
        a.later_s = 20
        assert a.watch.check() == POLL_S
    a.wait(CHANGED)
    assert a.watch.check() == CHECK_S
    assert (a.told, a.warned) == ([], [])


@pytest.mark.parametrize("name", ["archive-v0", "builds-v0"])
def test_what_is_no_news_is_heard_all_the_same(cache, new_listener, name) -> None:
    """Restored, removed, moved, files: no change of a directory is taken for missed."""
    folder = cache / name
    for old in ("gone", "out"):
        (folder / old).mkdir()
    a = new_listener(cache)
    a.check()

    def moved(change: Callable[[], object]) -> None:
        """Change something, at a time that is long after all before."""
        a.later_s += 100
        change()
        eventually(lambda: heard_s(a, name) >= time.time() + a.later_s - 50)
        when_s = time.time() + a.later_s
        os.utime(folder, (when_s, when_s))
        a.later_s += 10
        for _ in range(2):
            assert a.watch.check() == CHECK_S, change

    moved((folder / RESTORED).mkdir)
    moved((folder / "gone").rmdir)
    moved((folder / "file").touch)
    moved(lambda: (folder / "file").rename(folder / "file2"))
    moved(lambda: (folder / RESTORED).rename(folder / RESTORED[::-1]))
    moved((folder / "file2").unlink)
    moved(lambda: (folder / "out").rename(cache / "out"))
    moved(lambda: (cache / "out").rename(folder / f"{'0' * 64}"))
    assert a.warned == []
    assert LOST not in a.told


def heard_s(a: Listener, name: str) -> float:
    """Return when that directory was heard of."""
    (place,) = [place for place in a.watch._places if place.path.name == name]
    return place.heard_s


def stop_reader(a: Listener) -> None:
    """End the thread that reads from the kernel."""
    a.reader.stop()
    a.reader.join()


def stop_observer(a: Listener) -> None:
    """End the thread that hands events over."""
    a.observer._stopped_event.set()
    a.observer.event_queue.put(InotifyObserver.stop_event)
    a.observer.join()


def stop_emitter(a: Listener) -> None:
    """End the thread of one directory."""
    (emitter,) = [e for e in a.observer.emitters if "archive" in str(e.watch.path)]
    emitter.should_keep_running = lambda: False  # type: ignore[method-assign]
    (Path(emitter.watch.path) / RESTORED).mkdir()
    emitter.join()


@pytest.mark.parametrize("stop", [stop_reader, stop_observer, stop_emitter])
def test_thread_that_ended_is_replaced(cache, new_listener, stop) -> None:
    """That is loss, with one warning."""
    a = new_listener(cache)
    a.check()
    threads = threading.active_count()
    stop(a)
    (cache / "archive-v0/missed").mkdir()
    assert a.watch.check() == CHECK_S
    assert a.told == [LOST, CHANGED]
    assert len(a.warned) == 1
    a.check()
    assert is_heard(a, cache)
    assert threading.active_count() == threads
    assert count_watches() == 3


# Bounds.


def test_watches_do_not_grow_with_the_cache(cache, new_listener) -> None:
    """Three, whatever there is and comes below the three directories."""
    a = new_listener(cache)
    a.check()
    for number in range(300):
        (cache / f"archive-v0/{number}/package/module").mkdir(parents=True)
        (cache / f"builds-v0/.tmp/{number}/lib").mkdir(parents=True)
        (cache / f"sdists-v9/index/0/big/1.0/0/src/{number}/a/b").mkdir(parents=True)
    a.wait(CHANGED)
    assert count_watches() == 3
    other = new_listener(cache)
    other.check()
    assert (other.watch.watches, count_watches()) == (3, 6)


def test_watching_again_and_again_leaves_nothing_behind(cache, new_listener) -> None:
    """A thousand times: no thread, open file, watch or handler more than at first."""
    a = new_listener(cache)
    a.check()
    before = (threading.active_count(), count_files(), count_watches())
    other = cache.with_name("other")
    fill(other)
    link = cache.with_name("link")
    b = new_listener(link)
    link.symlink_to(cache)
    b.check()
    with_b = (threading.active_count(), count_files(), count_watches())
    for number in range(334):
        link.unlink()
        link.symlink_to(cache if number % 2 else other)
        b.check()
    assert (threading.active_count(), count_files(), count_watches()) == with_b
    assert len(b.observer._handlers) == len(b.observer._watches) == 3
    assert len(b.reader._watch_for_wd) == 3
    for _ in range(100):
        b.watch.close()
        b.check()
    assert (threading.active_count(), count_files(), count_watches()) == with_b
    b.watch.close()
    assert (threading.active_count(), count_files(), count_watches()) == before
    assert (a.warned, b.warned) == ([], [])
