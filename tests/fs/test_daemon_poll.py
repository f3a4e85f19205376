"""The process that looks at the store, and the daemon's side of it."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheelferry.daemon import look
from wheelferry.daemon.poll import FIRST_PAUSE_S, MAX_PAUSE_S, Poller, Sight

LONG_S = 20.0
POLL_S = 0.05


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """An empty catalog."""
    path = tmp_path / "store" / "catalog"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def new_poller(catalog: Path) -> Iterator[Callable[..., Poller]]:
    """Make a poller of it; it is closed at the end."""
    made: list[Poller] = []

    def make(timeout_s: float = LONG_S) -> Poller:
        poller = Poller(
            catalog,
            location=str(catalog.parent),
            interval_s=POLL_S,
            timeout_s=timeout_s,
            track=lambda _: None,
        )
        made.append(poller)
        return poller

    yield make
    for poller in made:
        poller.close()


def wait_for(
    poller: Poller, now: float, wanted: Callable[[Sight], bool] = bool
) -> Sight:
    """Return the first sight that is wanted."""
    give_up_s = time.monotonic() + LONG_S
    while time.monotonic() < give_up_s:
        for sight in (*poller.check(now), *poller.read(now)):
            if wanted(sight):
                return sight
        time.sleep(0.01)
    raise AssertionError("it was never seen")


def is_gone(pid: int) -> bool:
    """Return whether there is no such process, not even a dead one."""
    return not Path(f"/proc/{pid}").exists()


def test_change_of_the_catalog_is_seen(new_poller, catalog) -> None:
    """A name that comes, and one that goes; nothing else is new."""
    poller = new_poller()
    assert wait_for(poller, 0.0) == Sight(is_new=True)
    assert wait_for(poller, 0.0) == Sight()
    (catalog / "a.seg").touch()
    wait_for(poller, 0.0, lambda s: s.is_new)
    assert wait_for(poller, 0.0) == Sight()
    (catalog / "a.seg").unlink()
    wait_for(poller, 0.0, lambda s: s.is_new)


def test_share_that_is_not_mounted_is_away_and_comes(new_poller, catalog) -> None:
    """With its cause; what it has then counts as new only if it was not seen before."""
    poller = new_poller()
    wait_for(poller, 0.0, lambda s: s.is_new)
    catalog.rename(catalog.with_name("elsewhere"))
    sight = wait_for(poller, 0.0, lambda s: bool(s.away))
    assert str(catalog.parent) in sight.away
    assert "No such file or directory" in sight.away
    assert "mounted" in sight.hint
    catalog.with_name("elsewhere").rename(catalog)
    assert wait_for(poller, 0.0, lambda s: not s.away) == Sight()


def test_silence_is_noticed_and_the_process_replaced(new_poller) -> None:
    """One that is stuck is killed; the next one is started after a pause that grows."""
    poller = new_poller(timeout_s=5.0)
    wait_for(poller, 0.0, lambda s: s.is_new)
    now, pauses, pids = 0.0, [], []
    for _ in range(6):
        pid = poller.pid
        assert pid is not None
        pids.append(pid)
        os.kill(pid, signal.SIGSTOP)  # as good as stuck
        poller.read(now)
        now += 5.0
        assert poller.check(now) == []
        now += 2 * POLL_S
        (sight,) = poller.check(now)
        assert "has not answered for 5 s" in sight.away
        assert poller.pid is None
        pauses.append(poller.next_s() - now)
        assert poller.check(poller.next_s() - 0.1) == []
        now = poller.next_s()
        assert poller.check(now) == []  # started
    assert pauses[:3] == pytest.approx([FIRST_PAUSE_S * 2**n for n in range(3)])
    assert pauses[-1] == pytest.approx(MAX_PAUSE_S)
    wait_for(poller, now, lambda s: not s.away)
    poller.close()
    assert all(map(is_gone, pids))


def test_answer_after_silence_makes_pauses_short_again(new_poller) -> None:
    """The next silence is another one."""
    poller = new_poller(timeout_s=1.0)
    for start_s in (0.0, 1000.0):
        wait_for(poller, start_s, lambda s: not s.away)
        os.kill(poller.pid, signal.SIGSTOP)
        poller.read(start_s)
        assert poller.check(start_s + 2.0)
        assert poller.next_s() - (start_s + 2.0) == FIRST_PAUSE_S


def test_end_of_the_process_is_told(new_poller) -> None:
    """Whoever killed it."""
    poller = new_poller()
    wait_for(poller, 0.0, lambda s: s.is_new)
    os.kill(poller.pid, signal.SIGKILL)
    assert "has ended" in wait_for(poller, 0.0, lambda s: bool(s.away)).away
    assert poller.next_s() == FIRST_PAUSE_S


def test_close_leaves_nothing(new_poller) -> None:
    """No process and no descriptor."""
    before = set(Path("/proc/self/fd").iterdir())
    poller = new_poller()
    wait_for(poller, 0.0, lambda s: s.is_new)
    pid = poller.pid
    poller.close()
    assert is_gone(pid)
    assert set(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize("is_late", [False, True])
def test_process_ends_with_the_daemon(catalog, is_late) -> None:
    """Also if the daemon was gone before the process could ask to be told."""
    read_fd, write_fd = os.pipe()
    if is_late:
        os.close(write_fd)
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", look.__file__, str(catalog), "1000"],
        stdin=read_fd,
        stdout=subprocess.PIPE,
    )
    os.close(read_fd)
    try:
        if not is_late:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], LONG_S)[0]
            os.close(write_fd)
        process.wait(LONG_S)
    finally:
        process.kill()
        process.communicate()


def test_looking_needs_nothing_installed() -> None:
    """It loads what the interpreter has loaded anyway, and a few modules in C."""
    code = f"import runpy, sys; runpy.run_path({look.__file__!r}); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.split()
    assert not {"wheelferry", "subprocess", "logging", "json"} & set(loaded)


def test_catalog_with_too_many_names_is_away(catalog, monkeypatch) -> None:
    """A process that runs for ever takes no more memory than so many need."""
    monkeypatch.setattr(look, "MAX_NAMES", 2)
    for number in range(3):
        assert look.look(str(catalog)).startswith(f"seen {number} ")
        (catalog / str(number)).touch()
    assert look.look(str(catalog)) == "away it has more than 2 names"
