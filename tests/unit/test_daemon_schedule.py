"""When which task runs: the time is an argument, and chance too."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.daemon.schedule import (
    COMEBACK_S,
    END_S,
    FIRST_LOOK_AGAIN_S,
    FIRST_PAUSE_S,
    MAX_LOOK_AGAIN_S,
    MAX_PAUSE_S,
    MAX_REST_S,
    MAX_SETTLE_S,
    SETTLE_S,
    SPREAD_S,
    TRIM_S,
    Schedule,
    Task,
)

RESCAN_S = 600.0
STORE_TASKS = (Task.PROMOTE, Task.PULL)


def make(*tasks: Task, random: float = 1.0) -> Schedule:
    """Return a schedule whose first round, at 0, is over."""
    schedule = Schedule(tasks or STORE_TASKS, rescan_s=RESCAN_S, random=lambda: random)
    for task in schedule.take_due(0.0):
        schedule.succeeded(task, 0.0, is_unsettled=False)
    return schedule


def due_at(schedule: Schedule, start_s: float, until_s: float) -> list[float]:
    """Return when tasks begin, asked every 10 ms; each ends at once and well."""
    found, now = [], start_s
    while now <= until_s:
        for task in schedule.take_due(now):
            found.append(round(now, 2))
            schedule.succeeded(task, now, is_unsettled=False)
        now += 0.01
    return found


def test_all_tasks_run_at_the_start_and_from_time_to_time() -> None:
    """Nothing has to be heard of for that."""
    schedule = Schedule(STORE_TASKS, rescan_s=RESCAN_S, random=lambda: 0.5)

    assert schedule.take_due(0.0) == [Task.PROMOTE, Task.PULL]
    for task in STORE_TASKS:
        schedule.succeeded(task, 1.0, is_unsettled=False)
    assert schedule.take_due(RESCAN_S - 1) == []
    assert schedule.next_s() == RESCAN_S
    assert schedule.take_due(RESCAN_S) == [Task.PROMOTE, Task.PULL]


@pytest.mark.parametrize("random", [0.0, 1.0])
def test_rescans_of_a_fleet_drift_apart(random) -> None:
    """By a tenth each way."""
    schedule = make(random=random)

    assert schedule.next_s() == pytest.approx(RESCAN_S * (0.9 + 0.2 * random))


def test_tasks_that_are_not_wanted_never_run() -> None:
    """Whatever is heard."""
    schedule = make(Task.PULL)
    schedule.changed(1.0)
    schedule.lost_track(1.0)

    assert due_at(schedule, 1.0, 5.0) == []


def test_change_is_looked_at_when_it_has_settled() -> None:
    """Once, for all that happened in one go."""
    schedule = make()
    for now in (1.0, 1.1, 1.2):
        schedule.changed(now)

    assert due_at(schedule, 1.2, 9.0) == [pytest.approx(1.2 + SETTLE_S, abs=0.02)]


def test_endless_change_is_looked_at_all_the_same() -> None:
    """Every second, so that a wheel is in the store within two."""
    schedule = make()
    begun = []
    for step in range(400):
        now = 1.0 + step / 100
        schedule.changed(now)
        for task in schedule.take_due(now):
            begun.append(now)
            schedule.succeeded(task, now, is_unsettled=False)

    gaps = [b - a for a, b in zip([1.0, *begun], begun, strict=False)]
    assert len(begun) >= 3
    assert max(gaps) <= MAX_SETTLE_S + 0.02


def test_end_of_a_command_does_not_wait() -> None:
    """All that it changed is complete."""
    schedule = make()
    schedule.changed(1.0)
    schedule.command_ended(1.1)

    assert due_at(schedule, 1.1, 9.0) == [pytest.approx(1.1 + END_S, abs=0.02)]


def test_end_of_a_command_that_changed_nothing_is_no_news() -> None:
    """`uv run` a thousand times costs nothing."""
    schedule = make()
    schedule.command_ended(1.0)

    assert due_at(schedule, 1.0, 9.0) == []


def test_change_is_looked_at_again_when_its_command_ends() -> None:
    """What was promoted meanwhile may have had more to come."""
    schedule = make()
    schedule.changed(1.0)
    assert len(due_at(schedule, 1.0, 5.0)) == 1
    schedule.command_ended(5.0)
    assert len(due_at(schedule, 5.0, 9.0)) == 1
    schedule.command_ended(9.0)
    assert due_at(schedule, 9.0, 12.0) == []


def test_lost_track_is_acted_on_at_once() -> None:
    """It may be old already."""
    schedule = make()
    schedule.lost_track(1.0)

    assert schedule.next_s() == 1.0
    assert schedule.take_due(1.0) == [Task.PROMOTE]


@pytest.mark.parametrize("random", [0.0, 0.5, 1.0])
def test_runners_pull_what_is_new_one_after_another(random) -> None:
    """Within two seconds."""
    schedule = make(random=random)
    schedule.store_changed(1.0)

    assert due_at(schedule, 1.0, 9.0) == [
        pytest.approx(1.0 + SPREAD_S * random, abs=0.02)
    ]


def test_what_comes_during_a_run_is_seen_to_after_it() -> None:
    """It may have been too late for that run; a long one is followed by a rest."""
    schedule = make()
    schedule.lost_track(1.0)
    assert schedule.take_due(1.0) == [Task.PROMOTE]
    schedule.changed(2.0)
    assert schedule.take_due(3.0) == []
    schedule.succeeded(Task.PROMOTE, 4.0, is_unsettled=False)

    assert due_at(schedule, 4.0, 9.0) == [pytest.approx(4.0 + MAX_REST_S, abs=0.02)]


def test_what_is_not_complete_is_looked_at_again_less_and_less_often() -> None:
    """A build may hold an entry for long."""
    schedule = make()
    schedule.lost_track(0.0)
    pauses, now = [], 0.0
    for _ in range(8):
        assert schedule.take_due(now) == [Task.PROMOTE]
        schedule.succeeded(Task.PROMOTE, now, is_unsettled=True)
        pauses.append(schedule.next_s() - now)
        now = schedule.next_s()
    assert pauses[:3] == [FIRST_LOOK_AGAIN_S * 2**n for n in range(3)]
    assert pauses[-1] == MAX_LOOK_AGAIN_S

    schedule.take_due(now)
    schedule.succeeded(Task.PROMOTE, now, is_unsettled=False)
    assert schedule.turns[Task.PROMOTE].waits_since_s is None


def fail(schedule: Schedule, now: float) -> float:
    """Have a pull fail at `now`; return the pause."""
    assert Task.PULL in schedule.take_due(now)
    schedule.failed(Task.PULL, now)
    return schedule.turns[Task.PULL].due_s - now


def test_pauses_grow_after_failures_and_end_with_success() -> None:
    """From seconds to minutes."""
    schedule = make(random=1.0)
    schedule.store_changed(1.0)
    now, pauses = 3.0, []
    for _ in range(9):
        pauses.append(fail(schedule, now))
        now += pauses[-1]
    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert pauses[-1] == MAX_PAUSE_S

    schedule.take_due(now)
    schedule.succeeded(Task.PULL, now, is_unsettled=False)
    schedule.store_changed(now)
    assert fail(schedule, now + SPREAD_S) == FIRST_PAUSE_S


@given(st.floats(0, 1), st.integers(0, 12))
def test_pause_is_never_less_than_half_of_what_it_is_at_most(random, failures) -> None:
    """Jitter spreads a fleet, and never makes one of it ask without a pause."""
    schedule = make(random=random)
    schedule.lost_track(1.0)
    now = 1.0
    for _ in range(failures + 1):
        now = max(now, schedule.turns[Task.PROMOTE].due_s)
        assert Task.PROMOTE in schedule.take_due(now)
        schedule.failed(Task.PROMOTE, now)

    pause_s = schedule.turns[Task.PROMOTE].due_s - now
    full_s = min(FIRST_PAUSE_S * 2**failures, MAX_PAUSE_S)
    assert pause_s == pytest.approx(full_s * (0.5 + random / 2))


def test_pause_is_kept_whatever_is_heard() -> None:
    """Changes in the cache say nothing of the store."""
    schedule = make(random=1.0)
    schedule.lost_track(1.0)
    schedule.take_due(1.0)
    schedule.failed(Task.PROMOTE, 1.0)
    schedule.changed(2.0)
    schedule.lost_track(2.5)

    assert due_at(schedule, 2.5, 20.0) == [pytest.approx(1.0 + FIRST_PAUSE_S, abs=0.02)]


def test_nothing_is_tried_while_the_store_is_away() -> None:
    """What came meanwhile is seen to when it answers; by a fleet not all at once."""
    schedule = make(random=0.5)
    schedule.store_went()
    schedule.changed(1.0)
    assert due_at(schedule, 1.0, 60.0) == []
    assert schedule.turns[Task.PROMOTE].waits_since_s == 1.0

    schedule.store_answered(60.0)
    assert due_at(schedule, 60.0, 70.0) == [
        pytest.approx(60 + COMEBACK_S / 2, abs=0.02)
    ]


def test_answer_of_the_store_ends_a_pause() -> None:
    """Of those that wait, and begins nothing for those that do not."""
    schedule = make(random=0.5)
    schedule.lost_track(1.0)
    schedule.take_due(1.0)
    for _ in range(6):
        schedule.failed(Task.PROMOTE, 1.0)
    schedule.store_went()
    schedule.store_answered(10.0)

    assert schedule.next_s() == 10.0 + COMEBACK_S / 2
    assert schedule.turns[Task.PULL].due_s == math.inf


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["change", "end", "store", "lost", "went", "came", "well", "ill"]
            ),
            st.floats(0, 30),
        ),
        max_size=60,
    )
)
def test_nothing_that_was_heard_is_forgotten(steps) -> None:
    """Whatever happens, once the store is there all that waits runs in the end."""
    schedule = make(random=0.5)
    now = 1.0
    running: set[Task] = set()
    hear = {
        "change": lambda: schedule.changed(now),
        "end": lambda: schedule.command_ended(now),
        "store": lambda: schedule.store_changed(now),
        "lost": lambda: schedule.lost_track(now),
        "went": schedule.store_went,
        "came": lambda: schedule.store_answered(now),
    }
    for step, wait_s in steps:
        now += wait_s
        if step in hear:
            hear[step]()
        elif running:
            task = running.pop()
            if step == "well":
                schedule.succeeded(task, now, is_unsettled=False)
            else:
                schedule.failed(task, now)
        begun = schedule.take_due(now)
        assert not running & set(begun)
        running |= set(begun)
    schedule.store_answered(now)
    for _ in range(6):
        for task in running:
            schedule.succeeded(task, now, is_unsettled=False)
        running = set()
        waiting = [
            turn for turn in schedule.turns.values() if turn.waits_since_s is not None
        ]
        if not waiting:
            break
        now = schedule.next_s()
        running = set(schedule.take_due(now))
        assert running

    assert all(turn.waits_since_s is None for turn in schedule.turns.values())


@pytest.mark.parametrize(("random", "first_s"), [(0.0, 0.0), (0.5, 50.0), (1.0, 100.0)])
def test_removal_comes_from_time_to_time_and_not_for_all_at_once(
    random: float, first_s: float
) -> None:
    """A fleet that starts at one moment spreads over the interval, and drifts apart."""
    schedule = Schedule([Task.GC], rescan_s=1e9, random=lambda: random, gc_s=100.0)
    found, now = [], 0.0
    while now <= 1000.0:
        for task in schedule.take_due(now):
            assert task is Task.GC
            found.append(now)
            schedule.succeeded(task, now, is_unsettled=False)
        now = max(now + 0.5, min(schedule.next_s(), now + 10.0))

    assert found[0] == first_s
    gaps = [second - first for first, second in pairwise(found)]
    assert all(abs(gap - 100.0 * (0.5 + random)) < 1.0 for gap in gaps)


def test_removal_is_no_part_of_a_rescan() -> None:
    """And comes never without an interval."""
    schedule = make(Task.PROMOTE, Task.PULL, Task.GC)

    assert Task.GC not in schedule.take_due(RESCAN_S * 1.2)
    assert schedule.turns[Task.GC].due_s == math.inf


def test_removal_waits_for_a_store_that_is_away() -> None:
    """And is done soon after it is back."""
    schedule = Schedule([Task.GC], rescan_s=1e9, random=lambda: 0.5, gc_s=100.0)
    schedule.take_due(0.0)
    schedule.store_went()
    assert schedule.take_due(60.0) == []
    schedule.store_answered(70.0)

    assert schedule.take_due(70.0 + COMEBACK_S) == [Task.GC]


def test_trim_comes_when_the_others_had_their_turn() -> None:
    """After each look at everything, and whatever the store does."""
    schedule = Schedule((Task.TRIM,), rescan_s=RESCAN_S, random=lambda: 0.5)
    schedule.store_went()

    assert due_at(schedule, 0.0, 100.0) == [TRIM_S]
    assert schedule.next_s() == RESCAN_S


def test_trim_of_a_cache_in_use_is_tried_again_soon() -> None:
    """And then less and less often, as any run that found something unsettled."""
    schedule = Schedule((Task.TRIM,), rescan_s=RESCAN_S, random=lambda: 0.5)
    schedule.take_due(0.0)
    assert schedule.take_due(TRIM_S) == [Task.TRIM]
    schedule.succeeded(Task.TRIM, TRIM_S, is_unsettled=True)

    assert due_at(schedule, TRIM_S, 100.0) == [
        pytest.approx(TRIM_S + FIRST_LOOK_AGAIN_S, abs=0.02)
    ]


def test_rescans_that_come_soon_do_not_put_a_trim_off_for_ever():
    """Each of them asks for it anew, before it is due."""
    schedule = Schedule((Task.TRIM,), rescan_s=TRIM_S / 2, random=lambda: 0.5)

    assert due_at(schedule, 0.0, 100.0)[0] == pytest.approx(TRIM_S, abs=0.02)
