"""What a daemon says of itself: to `status`, to the service manager, to the log."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheelferry.cli.render_daemon import encode_daemon, render_daemon
from wheelferry.config.environment import find_service_manager
from wheelferry.daemon.account import (
    FILE,
    LOCK,
    Account,
    Carried,
    Removed,
    TaskAccount,
    read_account,
    take_daemon_lock,
    write_account,
)
from wheelferry.daemon.jobs import Result, Warned
from wheelferry.daemon.notify import MAX_STATUS, Notifier
from wheelferry.daemon.report import MAX_TOLD, STORE, Reporter
from wheelferry.daemon.schedule import Task, Turn
from wheelferry.disk import Disk
from wheelferry.disk.lock import try_lock
from wheelferry.errors import CacheError, DaemonRunning
from wheelferry.events import Event, Level
from wheelferry.ops.figures import Sums
from wheelferry.ops.metrics import Known

ACCOUNT = Account(
    pid=42,
    version="1.2.3",
    started_s=1_000_000.0,
    cache="/cache",
    store="/store",
    runner="r1",
    watching="inotify",
    watches=3,
    tasks={"promote": TaskAccount(last_s=1_000_100.0, last_did="promoted 1")},
    carried={"promote": Carried(entries=1, size_bytes=1000)},
    removed={"gc": Removed(number=2, size_bytes=3000, excess_bytes=0)},
    known=Known(packs=4, sums=Sums(pulls=5)),
)


def test_account_is_read_only_while_its_daemon_runs(tmp_path: Path) -> None:
    """The lock tells, not the file: a killed daemon leaves that behind."""
    write_account(tmp_path, ACCOUNT, Disk())
    assert read_account(tmp_path) is None
    with take_daemon_lock(tmp_path, Path("/cache")):
        assert read_account(tmp_path) == ACCOUNT
    assert read_account(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[", "[]", '{"tasks": 1}', '{"tasks": {}}'])
def test_unreadable_account_is_none(tmp_path: Path, text: str) -> None:
    """Whatever is in it, nobody fails for it."""
    (tmp_path / FILE).write_text(text)
    with take_daemon_lock(tmp_path, Path("/cache")):
        assert read_account(tmp_path) is None


def test_account_that_cannot_be_written_is_not(tmp_path: Path) -> None:
    """A full disk or a removed directory ends no daemon."""
    write_account(tmp_path / "absent", ACCOUNT, Disk())
    (tmp_path / FILE).mkdir()
    write_account(tmp_path, ACCOUNT, Disk())
    assert [path.name for path in tmp_path.glob("daemon*")] == [FILE]


def test_second_daemon_is_told_of_the_first(tmp_path: Path) -> None:
    """By its process, and with what to do."""
    with take_daemon_lock(tmp_path, Path("/cache")):
        write_account(tmp_path, ACCOUNT, Disk())
        code = (
            "import sys, pathlib; from wheelferry.daemon.account import *\n"
            "try: take_daemon_lock(pathlib.Path(sys.argv[1]), pathlib.Path('/cache'))\n"
            "except DaemonRunning as exc: print(exc.message); sys.exit(exc.exit_code)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == DaemonRunning.exit_code == 40, done.stderr
        assert done.stdout == "another daemon (process 42) serves the cache /cache\n"
    take_daemon_lock(tmp_path, Path("/cache")).close()


def test_status_that_looks_does_not_keep_a_daemon_out(tmp_path: Path) -> None:
    """It holds the lock for a moment, to see whether anybody else does."""
    look = try_lock(tmp_path / LOCK, shared=True)
    assert look is not None
    timer = threading.Timer(0.2, look.close)
    timer.start()
    take_daemon_lock(tmp_path, Path("/cache")).close()
    timer.join()


def test_lock_that_cannot_be_made_is_an_error_with_its_path(tmp_path: Path) -> None:
    """And no crash."""
    (tmp_path / LOCK).mkdir()
    with pytest.raises(CacheError, match=LOCK):
        take_daemon_lock(tmp_path, Path("/cache"))


def test_account_is_rendered_with_what_waits() -> None:
    """Since when, for how long, and what was done last."""
    waits = TaskAccount(failures=3, waits_since_s=1_000_300.0)
    account = ACCOUNT._replace(
        degraded="no share",
        degraded_since_s=1_000_290.0,
        last_error="odd",
        last_error_s=1_000_050.0,
        tasks={**ACCOUNT.tasks, "pull": waits},
    )
    text = render_daemon(account, 1_000_600.0)
    assert "process 42" in text
    assert "(10 min 00 s); watching by inotify, 3 watches" in text
    assert "degraded for 5 min 10 s: no share" in text
    assert "promote: nothing waits; last run" in text
    assert "last promoted 1" in text
    assert "pull: waits for 5 min 00 s (3 failures)" in text
    assert "last error, " in text
    assert text.endswith(": odd")


def test_no_daemon_is_said() -> None:
    """For people and for machines."""
    assert render_daemon(None, 0.0) == "daemon none runs for this cache"
    assert encode_daemon(None) is None
    encoded = encode_daemon(ACCOUNT)
    assert encoded is not None
    assert encoded["tasks"] == {
        "promote": {
            "last_s": 1_000_100.0,
            "last_did": "promoted 1",
            "failures": 0,
            "waits_since_s": None,
        }
    }


@pytest.mark.parametrize(
    ("environ", "address", "watchdog_s"),
    [
        ({}, "", None),
        ({"NOTIFY_SOCKET": "/run/s", "WATCHDOG_USEC": "60000000"}, "/run/s", 60.0),
        ({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}, "", None),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())}, "", 1.5),
        ({"WATCHDOG_USEC": "0"}, "", None),
        ({"WATCHDOG_USEC": "x"}, "", None),
    ],
)
def test_service_manager_is_found(environ, address, watchdog_s) -> None:
    """And a watchdog that is meant for another process is not ours."""
    assert find_service_manager(environ) == (address, watchdog_s)


Heard = Callable[[], list[str]]


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path: Path) -> Iterator[tuple[str, Heard]]:
    """A socket like systemd's: its address, and what came to it."""
    address = str(tmp_path / "notify")
    if request.param == "abstract":
        address = f"@wheelferry-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address.replace("@", "\0", 1))
        listener.setblocking(False)

        def heard() -> list[str]:
            found = []
            while True:
                try:
                    found.append(listener.recv(4096).decode())
                except BlockingIOError:
                    return found

        yield address, heard


def test_service_manager_is_told(manager) -> None:
    """In its protocol: one status line, and only when it changes."""
    address, heard = manager
    notifier = Notifier(address)
    notifier.ready("all\nwell")
    notifier.say("all well")
    notifier.say("x" * 1000)
    notifier.is_alive()
    notifier.reloading()
    notifier.stopping()
    ready, status, alive, reloading, stopping = heard()
    assert ready == "READY=1\nSTATUS=all well"
    assert status == f"STATUS={'x' * MAX_STATUS}"
    assert alive == "WATCHDOG=1"
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert stopping == "STOPPING=1\nSTATUS=stopping"


@pytest.mark.parametrize("address", ["", "/nowhere", "@nobody"])
def test_nobody_to_tell_is_no_failure(address) -> None:
    """The daemon may be run by hand."""
    Notifier(address).ready("well")


class Talk:
    """A reporter, with what it says and a clock."""

    def __init__(self, state: Path, address: str = "") -> None:
        self.state = state
        self.events: list[Event] = []
        self.now = 100.0
        self.turns = {task: Turn() for task in Task}
        self.reporter = Reporter(
            ACCOUNT._replace(tasks={}),
            state=state,
            disk=Disk(),
            emit=self.events.append,
            notifier=Notifier(address),
            now_s=lambda: 1_000_000.0 + self.now,
            monotonic_s=lambda: self.now,
        )

    def update(self) -> Account:
        """Return what the file says then."""
        self.reporter.update(self.turns, watching="inotify", watches=3)
        with take_daemon_lock(self.state, Path("/cache")):
            account = read_account(self.state)
        assert account is not None
        return account

    def lines(self) -> list[tuple[str, str]]:
        """Return what was logged since: names and messages."""
        found = [(event.name, event.message) for event in self.events]
        self.events.clear()
        return found


@pytest.fixture
def talk(tmp_path: Path) -> Talk:
    """A reporter that nobody manages."""
    return Talk(tmp_path)


def test_work_is_logged_and_nothing_is_not(talk) -> None:
    """A run that changed nothing leaves what was done before."""
    talk.reporter.ended(Task.PROMOTE, Result(did="promoted 2"))
    talk.now = 200.0
    talk.reporter.ended(Task.PROMOTE, Result())
    assert talk.lines() == [("run.finished", "promoted 2")]
    assert talk.update().tasks["promote"] == TaskAccount(
        last_s=1_000_200.0, last_did="promoted 2"
    )


def test_what_runs_carried_adds_up(talk) -> None:
    """Also what a run carried before it failed, and what a job has asked for."""
    nothing = Carried()
    assert talk.update().carried == {"promote": nothing, "pull": nothing}
    talk.reporter.ended(Task.PROMOTE, Result(did="1", entries=1, size_bytes=10))
    talk.reporter.ended(Task.PROMOTE, Result(error="full", entries=2, size_bytes=20))
    talk.reporter.carried(Task.PULL, Result(text="1", entries=1, size_bytes=7))
    carried = talk.update().carried
    assert carried == {"promote": Carried(3, 30), "pull": Carried(1, 7)}
    assert talk.reporter.account.carried == carried


def test_what_runs_removed_adds_up_and_the_excess_is_the_last(talk) -> None:
    """A run that failed does not know what is left."""
    assert talk.update().removed == {"gc": Removed(), "trim": Removed()}
    talk.reporter.ended(
        Task.GC, Result(did="1", entries=1, size_bytes=10, excess_bytes=5)
    )
    talk.reporter.ended(Task.GC, Result(error="full", entries=2, size_bytes=20))
    talk.reporter.ended(Task.TRIM, Result(text="nothing"))
    removed = {"gc": Removed(3, 30, 5), "trim": Removed(0, 0, 0)}
    assert talk.update().removed == removed
    encoded = encode_daemon(talk.reporter.account)
    assert encoded is not None
    assert encoded["removed"] == {
        "gc": {"number": 3, "size_bytes": 30, "excess_bytes": 5},
        "trim": {"number": 0, "size_bytes": 0, "excess_bytes": 0},
    }


def test_what_a_run_knows_is_kept_until_another_knows_better(talk) -> None:
    """One that failed before it could look says nothing."""
    talk.reporter.ended(Task.PULL, Result(known=Known(packs=7)))
    talk.reporter.ended(Task.PROMOTE, Result(error="away"))
    assert talk.update().known == Known(packs=7)


def test_failure_is_logged_once_and_its_end_too(talk) -> None:
    """With what to do, and how long it took."""
    failed = Result(error="no share", hint="mount it")
    talk.reporter.ended(Task.PULL, failed)
    talk.now += 50
    talk.reporter.ended(Task.PULL, failed)
    assert talk.lines() == [
        (
            "daemon.degraded",
            "degraded: no share; mount it; it is tried again, and nothing is lost",
        )
    ]
    account = talk.update()
    assert account.degraded == account.last_error == "no share"
    assert account.degraded_since_s == 1_000_100.0
    assert account.last_error_s == 1_000_150.0

    talk.reporter.ended(Task.PULL, Result())
    assert talk.lines() == [("daemon.recovered", "all is well again after 50 s")]
    account = talk.update()
    assert (account.degraded, account.last_error) == ("", "no share")

    talk.reporter.ended(Task.PULL, failed)
    assert len(talk.lines()) == 1  # another failure, though the same


def test_all_is_well_only_when_nothing_lacks(talk) -> None:
    """The store may answer, and a task fail all the same."""
    talk.reporter.lacks(STORE, "away")
    talk.reporter.ended(Task.PULL, Result(error="full"))
    talk.reporter.has(STORE)
    assert [name for name, _ in talk.lines()] == ["daemon.degraded"] * 2
    assert talk.reporter.degraded == "full"
    talk.reporter.ended(Task.PULL, Result())
    assert [name for name, _ in talk.lines()] == ["daemon.recovered"]


def test_warning_of_each_run_is_logged_once(talk) -> None:
    """Of the many that come, the newest are known."""
    for _ in range(2):
        for number in range(MAX_TOLD):
            talk.reporter.warned(Task.PULL, Warned(Level.WARNING, f"odd {number}"))
    assert len(talk.lines()) == MAX_TOLD
    talk.reporter.warned(Task.PULL, Warned(Level.WARNING, "one more"))
    talk.reporter.warned(Task.PULL, Warned(Level.WARNING, "odd 0"))
    assert len(talk.lines()) == 2


def test_account_says_what_waits_and_since_when(talk) -> None:
    """In this host's time, whatever its clock does later."""
    talk.turns[Task.PROMOTE].ask(talk.now, after_s=5.0)
    assert talk.update().tasks["promote"].waits_since_s == 1_000_100.0
    talk.now += 60
    assert talk.update().tasks["promote"].waits_since_s == 1_000_100.0


def test_account_is_written_only_when_it_changes(talk) -> None:
    """An idle daemon writes nothing."""
    talk.update()
    before = (talk.state / FILE).stat()
    for _ in range(10):
        talk.now += 10
        talk.update()
    assert (talk.state / FILE).stat().st_ino == before.st_ino


def test_status_line_says_what_goes_on(tmp_path, manager) -> None:
    """Idle, at work, degraded; nothing before it is ready."""
    address, heard = manager
    talk = Talk(tmp_path, address)
    talk.update()
    assert heard() == []
    talk.reporter.ready()
    assert heard() == ["READY=1\nSTATUS=watching /cache"]
    talk.turns[Task.PROMOTE].begin(talk.now)
    talk.update()
    assert heard() == ["STATUS=promoting"]
    talk.turns[Task.PULL].begin(talk.now)
    talk.update()
    assert heard() == ["STATUS=promoting and pulling"]
    for task in Task:
        talk.turns[task].succeed(talk.now, is_unsettled=False)
    talk.reporter.ended(Task.PROMOTE, Result(did="promoted 2"))
    talk.update()
    (status,) = heard()
    assert status.startswith("STATUS=watching /cache; ")
    assert status.endswith("promoted 2")
    talk.reporter.lacks(STORE, "the store is away")
    talk.update()
    assert heard() == ["STATUS=degraded: the store is away"]
