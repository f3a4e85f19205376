"""A runner's figures on its own disk: lines, rolled up; killed, damaged, at once."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.disks import CountingDisk, Died, Step
from wheelferry.disk import Disk, try_lock
from wheelferry.events import Event, Level
from wheelferry.ops import figures_file
from wheelferry.ops import ledger as ledger_module
from wheelferry.ops.figures import PackageSums, Sums, add_sums
from wheelferry.ops.figures_file import FILE, Ledger, read_ledger, roll
from wheelferry.ops.ledger import LOCK, LOG, Run, note_run

DAY_S = 24 * 3600


def ran(
    state: Path, pulled: int = 1, *, day: int = 5, disk: Disk | None = None
) -> None:
    packages = [{"name": "a", "pulled": pulled}] if pulled else []
    sums = {"pulls": 1, "pulled": pulled}
    note_run(
        state,
        Run(0.0),
        sums,
        packages,
        now_s=day * DAY_S + 7,
        disk=disk or CountingDisk(),
    )


def pulled(ledger: Ledger | None) -> int:
    assert ledger is not None
    return add_sums(day.sums for day in ledger.days).pulled


@pytest.fixture
def events() -> list[Event]:
    return []


def test_runs_are_summed_by_day(tmp_path: Path) -> None:
    """Before they are rolled up and after it."""
    ran(tmp_path, 1)
    ran(tmp_path, 2, day=6)
    assert roll(tmp_path, CountingDisk()) == read_ledger(tmp_path)
    ran(tmp_path, 4, day=6)
    ledger = read_ledger(tmp_path)

    assert [(day.day, day.sums.pulls, day.sums.pulled) for day in ledger.days] == [
        (5, 1, 1),
        (6, 2, 6),
    ]
    assert ledger.days[1].packages == (PackageSums(name="a", pulled=6),)
    assert ledger.unsent == ledger.days


def test_time_counts_for_who_waited(tmp_path: Path) -> None:
    """A job, or nobody."""
    for is_awaited in (True, False):
        note_run(
            tmp_path,
            Run(0.0, is_awaited=is_awaited),
            {},
            now_s=0.0,
            disk=CountingDisk(),
        )
    (day,) = read_ledger(tmp_path).days

    assert day.sums.waited_s > 0
    assert day.sums.background_s > 0


def test_run_without_a_state_directory_is_not_noted(tmp_path: Path) -> None:
    """None is made for it, and nothing fails."""
    ran(tmp_path / "none")

    assert not (tmp_path / "none").exists()
    assert read_ledger(tmp_path / "none") == Ledger()


class Killed(CountingDisk):
    """Dies before a step, or half way through it."""

    def __init__(self, at: int, *, halves: bool) -> None:
        super().__init__()
        self.at, self.halves = at, halves

    def half(self, step: Step) -> bool:
        del step
        return self.halves and self.steps == self.at

    def before(self, step: Step) -> None:
        if self.steps == self.at and not (self.halves and step.name == "write"):
            raise Died
        if self.steps > self.at:
            raise Died


@pytest.mark.parametrize("halves", [False, True], ids=["before", "half"])
def test_kill_at_any_step_of_a_roll_loses_and_doubles_nothing(
    tmp_path: Path, halves: bool
) -> None:
    """Who reads sees all of it, and who rolls up next does what is left."""
    deaths = 0
    for at in range(1, 50):
        state = tmp_path / str(at)
        state.mkdir()
        ran(state, 1)
        roll(state, CountingDisk())
        ran(state, 10)
        try:
            roll(state, Killed(at, halves=halves))
            is_over = True
        except Died:
            deaths, is_over = deaths + 1, False
        assert pulled(read_ledger(state)) == 11, at
        ran(state, 100)
        assert pulled(roll(state, CountingDisk())) == 111, at
        assert pulled(read_ledger(state)) == 111, at
        assert sorted(p.name for p in state.iterdir()) == [LOCK, FILE]
        if is_over:
            break
    assert deaths >= 6


@pytest.mark.parametrize("halves", [False, True], ids=["before", "half"])
def test_kill_at_any_step_of_a_line_loses_that_run_only(
    tmp_path: Path, halves: bool, events: list[Event]
) -> None:
    """Half a line does not spoil the next one."""
    deaths = 0
    for at in range(1, 10):
        state = tmp_path / str(at)
        state.mkdir()
        ran(state, 1)
        try:
            ran(state, 10, disk=Killed(at, halves=halves))
            break
        except Died:
            deaths += 1
        except IndexError:
            raise
        ran(state, 100)
        assert pulled(read_ledger(state, events.append)) == 101
    assert deaths >= 1


def test_disk_that_is_full_costs_that_run_only(tmp_path: Path) -> None:
    """A line of which a part was written is left out, with a warning."""

    class Full(CountingDisk):
        def half(self, step: Step) -> bool:
            return step.name == "write"

        def after(self, step: Step) -> None:
            if step.name == "write":
                raise OSError(28, "No space left on device")

    events: list[Event] = []
    ran(tmp_path, 10, disk=Full())
    ran(tmp_path, 1)

    assert pulled(read_ledger(tmp_path, events.append)) == 1
    assert [event.name for event in events] == ["figures.damaged"]


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-1], lambda data: data[:0], lambda data: data * 50_000],
    ids=["cut", "empty", "other"],
)
def test_sums_that_are_damaged_are_begun_anew(
    tmp_path: Path, damage: Callable[[bytes], bytes], events: list[Event]
) -> None:
    """With a warning, once; what comes then counts."""
    ran(tmp_path, 10)
    roll(tmp_path, CountingDisk())
    (tmp_path / FILE).write_bytes(damage((tmp_path / FILE).read_bytes()))
    ran(tmp_path, 1)

    assert pulled(roll(tmp_path, CountingDisk(), events.append)) == 1
    assert pulled(roll(tmp_path, CountingDisk(), events.append)) == 1
    assert [(e.name, e.level) for e in events] == [("figures.damaged", Level.WARNING)]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'{"day":5}',
        b'{"day":-1,"sums":{}}',
        b'{"day":5,"sums":{"pulled":-1}}',
        b'{"day":5,"sums":{"waited_s":NaN}}',
        b'{"day":5,"sums":{"unheard_of":1}}',
        b'{"day":5,"sums":{},"packages":[{"name":3}]}',
    ],
)
def test_line_that_is_damaged_is_left_out(
    tmp_path: Path, line: bytes, events: list[Event]
) -> None:
    """With a warning; the others count."""
    ran(tmp_path, 1)
    with (tmp_path / LOG).open("ab") as file:
        file.write(b"\n" + line)
    ran(tmp_path, 2)

    assert pulled(read_ledger(tmp_path, events.append)) == 3
    assert [event.name for event in events] == ["figures.damaged"]


def test_many_lines_are_rolled_up_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on the disk is bounded, also if no day ends."""
    monkeypatch.setattr(ledger_module, "MAX_LOG_BYTES", 1000)
    for _ in range(40):
        ran(tmp_path, 1)

    size_bytes = sum(path.stat().st_size for path in tmp_path.glob("fig*"))
    assert pulled(read_ledger(tmp_path)) == 40
    assert size_bytes < 2000


def test_runs_that_end_while_others_are_rolled_up_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, whoever comes first."""
    monkeypatch.setattr(ledger_module, "WAIT_S", 20.0)  # the rolls leave no pause
    is_over = threading.Event()

    def keep_rolling() -> None:
        while not is_over.is_set():
            roll(tmp_path, CountingDisk())

    roller = threading.Thread(target=keep_rolling)
    roller.start()

    def keep_running() -> None:
        for _ in range(40):
            ran(tmp_path)

    runs = [threading.Thread(target=keep_running) for _ in range(3)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    is_over.set()
    roller.join()

    assert pulled(read_ledger(tmp_path)) == 120


def test_roll_waits_for_a_line_that_is_being_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1. A run opens the log. 2. A roll takes it away and reads it. 3. The run writes."""
    monkeypatch.setattr(figures_file, "_WAIT_S", 0.05)

    class Rolled(CountingDisk):
        def after(self, step: Step) -> None:
            if step.name == "open_append":
                assert roll(tmp_path, CountingDisk()) is None

    ran(tmp_path, 1)
    ran(tmp_path, 2, disk=Rolled())

    assert pulled(roll(tmp_path, CountingDisk())) == 3


def test_line_waits_for_a_roll_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1. A roll begins. 2. A run wants to add a line. 3. The roll reads, and ends."""
    monkeypatch.setattr(ledger_module, "WAIT_S", 20.0)
    opened, is_over = threading.Event(), threading.Event()

    class Late(CountingDisk):
        def after(self, step: Step) -> None:
            if step.name == "open_append":
                opened.set()
                is_over.wait(20)

    run = threading.Thread(target=lambda: ran(tmp_path, 2, disk=Late()))

    class Rolling(CountingDisk):
        def before(self, step: Step) -> None:
            if step.name == "rename" and step.paths[0].endswith(LOG):
                run.start()
                opened.wait(0.1)  # it is not to happen

    ran(tmp_path, 1)
    assert pulled(roll(tmp_path, Rolling())) == 1
    is_over.set()
    run.join()

    assert pulled(roll(tmp_path, CountingDisk())) == 3


def test_run_does_not_wait_for_long(tmp_path: Path) -> None:
    """Who keeps the lock, for whatever reason, does not keep a job."""
    lock = try_lock(tmp_path / LOCK, shared=False)
    assert lock is not None
    with lock:
        ran(tmp_path, 3)
        assert roll(tmp_path, CountingDisk()) is None

    assert pulled(read_ledger(tmp_path)) == 3


def test_sums_are_named_as_they_are_written(tmp_path: Path) -> None:
    """A name that is wrong would make the line unreadable."""
    ran(tmp_path)
    (day,) = read_ledger(tmp_path).days

    assert day.sums == Sums(pulls=1, pulled=1, waited_s=day.sums.waited_s)
