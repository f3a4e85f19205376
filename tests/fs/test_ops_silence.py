"""The memory of a store that did not answer."""

from pathlib import Path

import pytest

from tests.support.disks import CountingDisk
from wheelferry.disk import Disk
from wheelferry.errors import (
    CacheError,
    DeadlinePassed,
    StoreFull,
    StoreNotInitialised,
    StoreSilent,
    StoreUnavailable,
    WheelferryError,
)
from wheelferry.ops.silence import (
    FILE,
    FIRST_WAIT_S,
    MAX_WAIT_S,
    Silence,
    forget,
    is_silence,
    note,
    recall,
)

STORE = "/mnt/wheels"
NOW = 1_800_000_000.0


def note_at(state: Path, now_s: float, store: str = STORE) -> Silence:
    """Note a silence with a real disk."""
    return note(state, store, disk=Disk(), now_s=now_s)


def test_wait_doubles_while_it_stays_silent(tmp_path: Path) -> None:
    """One minute, two, four, and then five: each time that it was asked in vain."""
    now_s, waits = NOW, []
    for _ in range(5):
        silence = note_at(tmp_path, now_s)
        assert recall(tmp_path, STORE, now_s=now_s) == silence
        assert silence.is_active(silence.until_s - 0.1)
        assert not silence.is_active(silence.until_s)
        waits.append(silence.wait_s)
        now_s = silence.until_s + 1
    assert waits == [60, 120, 240, 300, 300]
    assert (waits[0], waits[-1]) == (FIRST_WAIT_S, MAX_WAIT_S)


def test_processes_that_find_out_at_once_count_as_one(tmp_path: Path) -> None:
    """What eight jobs see in the same minute does not make it five minutes."""
    found = {note_at(tmp_path, NOW + second).wait_s for second in range(8)}
    assert found == {FIRST_WAIT_S}
    known = recall(tmp_path, STORE, now_s=NOW + 8)
    assert known == Silence(NOW + 7, FIRST_WAIT_S)


def test_answer_is_the_end_of_it(tmp_path: Path) -> None:
    """A store that answered is forgotten, and begins with one minute again."""
    silence = note_at(tmp_path, note_at(tmp_path, NOW).until_s)
    assert silence.wait_s == 2 * FIRST_WAIT_S
    now_s = silence.until_s
    assert forget(tmp_path, STORE, disk=Disk(), now_s=now_s)
    assert recall(tmp_path, STORE, now_s=now_s) is None
    assert not list(tmp_path.glob("silent*"))
    assert not forget(tmp_path, STORE, disk=Disk(), now_s=now_s)
    assert note_at(tmp_path, now_s).wait_s == FIRST_WAIT_S


def test_stores_are_told_apart(tmp_path: Path) -> None:
    """Each store has its own line, whatever its name is; only the newest are kept."""
    names = [STORE, "/mnt/a b", "/mnt/ä\udcff", "/mnt/x\n/mnt/y", "\\n"]
    for number, name in enumerate(names):
        note_at(tmp_path, NOW + number, name)
    for number, name in enumerate(names):
        found = recall(tmp_path, name, now_s=NOW + 9)
        assert found == Silence(NOW + number, FIRST_WAIT_S)
    assert recall(tmp_path, "/mnt/y", now_s=NOW + 9) is None
    forget(tmp_path, STORE, disk=Disk(), now_s=NOW + 9)
    assert recall(tmp_path, STORE, now_s=NOW + 9) is None
    assert recall(tmp_path, names[1], now_s=NOW + 9) is not None

    for number in range(100):
        note_at(tmp_path, NOW + 10 + number, f"/mnt/{number}")
    assert len((tmp_path / FILE).read_text().splitlines()) == 16
    assert recall(tmp_path, "/mnt/99", now_s=NOW + 200) is not None


def test_time_in_the_future_is_not_believed(tmp_path: Path) -> None:
    """A clock that was set back must not make jobs do without the store for a year."""
    note_at(tmp_path, NOW)
    assert recall(tmp_path, STORE, now_s=NOW - 1) is None
    assert note_at(tmp_path, NOW - 3600) == Silence(NOW - 3600, FIRST_WAIT_S)
    assert recall(tmp_path, STORE, now_s=NOW + 48 * 3600) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff" * 50_000,
        b"x\n1\n\n" + b" " * 10,
        b"nan 60 /mnt/wheels\n",
        b"inf 60 /mnt/wheels\n",
        b"1800000000.0 1000000 /mnt/wheels\n",
        b"1800000000.0 -60 /mnt/wheels\n",
        b"1800000000.0 60 /mnt/whe",
    ],
)
def test_damage_is_as_if_nothing_was_said(tmp_path: Path, data: bytes) -> None:
    """A damaged file neither fails nor stops anybody, and is written anew."""
    (tmp_path / FILE).write_bytes(data)
    assert recall(tmp_path, STORE, now_s=NOW) is None
    assert not forget(tmp_path, STORE, disk=Disk(), now_s=NOW)
    assert note_at(tmp_path, NOW).wait_s == FIRST_WAIT_S
    assert recall(tmp_path, STORE, now_s=NOW) is not None


def test_damaged_line_spares_the_others(tmp_path: Path) -> None:
    """A line that cannot be read takes no other store's with it."""
    note_at(tmp_path, NOW)
    file = tmp_path / FILE
    file.write_bytes(b"\xff\xff /x\n" + file.read_bytes() + b"half a li")
    assert recall(tmp_path, STORE, now_s=NOW) == Silence(NOW, FIRST_WAIT_S)


@pytest.mark.parametrize("step", ["open_new", "write", "rename"])
def test_disk_that_takes_nothing_is_no_error(tmp_path: Path, step: str) -> None:
    """Where nothing can be written, nothing is remembered, and nothing is left over."""

    class Broken(CountingDisk):
        def before(self, step_taken: object) -> None:
            if getattr(step_taken, "name", "") == step:
                raise OSError(28, "No space left on device")

    silence = note(tmp_path, STORE, disk=Broken(), now_s=NOW)
    assert silence == Silence(NOW, FIRST_WAIT_S)
    assert recall(tmp_path, STORE, now_s=NOW) is None
    assert not list(tmp_path.glob("silent*"))


def test_missing_directory_is_no_error(tmp_path: Path) -> None:
    """A state directory that is not there is not made for this."""
    state = tmp_path / "state"
    assert recall(state, STORE, now_s=NOW) is None
    assert note_at(state, NOW).wait_s == FIRST_WAIT_S
    assert not state.exists()


@pytest.mark.parametrize(
    ("error", "longest_wait_s", "expected"),
    [
        (StoreSilent("x"), 0.0, True),
        (DeadlinePassed("x"), 4.9, False),
        (DeadlinePassed("x"), 5.0, True),
        (StoreUnavailable("x"), 4.9, False),
        (StoreUnavailable("x"), 5.0, True),
        (StoreNotInitialised("x"), 60.0, False),
        (StoreFull("x"), 60.0, False),
        (None, 4.9, False),
        (None, 5.0, True),
        (CacheError("x"), 5.0, True),
    ],
)
def test_silence_is_an_error_after_a_long_wait(
    error: WheelferryError | None, longest_wait_s: float, *, expected: bool
) -> None:
    """A quick error is an answer; one after five seconds would cost the next job, too.

    So would one that the run got over.
    """
    assert is_silence(error, longest_wait_s) is expected
