"""Eight runners at once that are killed at random, and a server that is restarted."""

import json
import random
import sys
import time
from collections import Counter

import pytest

from tests.nfs.conftest import NewFleet
from tests.nfs.faults import objects, size
from tests.nfs.fleet import FerryRunner, NfsFleet
from tests.nfs.hammer import BUDGET_BYTES, planned
from tests.nfs.rig import Running
from tests.support.cachetree import make_files, plan

RUNNERS = 8
SECONDS = 60
SUCCESSES = 200
EVICTIONS = 50
LONGEST_S = 300
"""The guest has one slow CPU: it may take longer than SECONDS to SUCCESSES."""

STOP = "/run/out/stop"


def _start(runner: FerryRunner, seed: int) -> Running:
    env = runner.environment
    root = env["PYTHONPATH"].removesuffix("/src")
    return runner.machine.start(
        *(sys.executable, "-m", "tests.nfs.hammer", str(seed), STOP),
        env={
            **env,
            "PYTHONPATH": f"{root}:{env['PYTHONPATH']}",
            "WHEELFERRY_RUNNER_NAME": runner.machine.name,
            "WHEELFERRY_GC_MAX_SIZE": str(BUDGET_BYTES),
        },
        cwd=runner.home,
    )


def _count(started: list[Running]) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for running in started:
        if lines := running.stdout.splitlines():
            outcomes.update(json.loads(lines[-1]))
    return outcomes


def _is_enough(outcomes: Counter[str]) -> bool:
    return (
        min(outcomes["promote done"], outcomes["pull done"]) >= SUCCESSES
        and outcomes["evicted"] >= EVICTIONS
        and outcomes["gc killed"] > 0
    )


def _hammer(fleet: NfsFleet) -> tuple[Counter[str], int]:
    """Hammer, with two restarts; return the outcomes, and RPCs for locks."""
    started_s = time.monotonic()
    started = [_start(runner, n) for n, runner in enumerate(fleet.runners)]
    for share in (1, 2):
        time.sleep(max(0.0, started_s + share * SECONDS / 3 - time.monotonic()))
        fleet.site.server.restart_nfsd()
    while (took_s := time.monotonic() - started_s) < LONGEST_S:
        if took_s > SECONDS and _is_enough(_count(started)):
            break
        time.sleep(1)
    (fleet.site.guest.out / "stop").touch()
    ended = [running.wait(60) for running in started]
    failed = [ran for ran in ended if ran.returncode]
    assert not failed, failed[0].stderr
    return _count(started), sum(ran.traffic.locks for ran in ended)


def _staged(fleet: NfsFleet) -> list[str]:
    listed = fleet.site.server.shell(f"cd {fleet.export.path}; ls staging/*/* || true")
    return listed.split()


@pytest.mark.timeout(400)
def test_hammer_leaves_nothing_wrong(new_fleet: NewFleet) -> None:
    """Killed at random under two server restarts, eight runners leave a sound store.

    Every record's pack verifies, what is restored equals its source, the store is within
    its budget and no emptier than it has to be, and no lock was ever asked for.
    """
    fleet = new_fleet(runners=RUNNERS)
    outcomes, locks = _hammer(fleet)
    print(outcomes)

    failures = {what: n for what, n in outcomes.items() if ": " in what}
    assert not failures
    assert outcomes["promote done"] >= SUCCESSES, outcomes
    assert outcomes["pull done"] >= SUCCESSES, outcomes
    assert outcomes["promote killed"], outcomes
    assert outcomes["pull killed"], outcomes
    assert outcomes["gc done"], outcomes
    assert outcomes["gc killed"], outcomes
    assert outcomes["evicted"] >= EVICTIONS, outcomes
    assert outcomes["merged"], outcomes
    assert locks == 0

    last = fleet.runners[-1]
    for _ in range(2):  # the first may bring back what a killed one had taken away
        removed = last.ferry("gc", "--max-size", str(BUDGET_BYTES))
        assert removed.returncode == 0, removed
    assert 0.8 * BUDGET_BYTES < size(fleet) <= BUDGET_BYTES
    assert fleet.damage() == []
    last.empty()
    pulled = last.ferry("pull", "--deadline", "3m", timeout_s=200)
    assert pulled.returncode == 0, pulled
    assert not pulled.warnings, pulled
    assert pulled.traffic.locks == 0
    names = sorted(
        line["name"] for line in pulled.lines if line["type"] == "entry.restored"
    )
    # What a gc or a promotion was killed with is young, and stays for its grace.
    assert len(names) == len(objects(fleet).keys() - fleet.orphans())
    assert last.usable([planned(name) for name in names]) == len(names)


def test_sweep_takes_the_abandoned_and_leaves_the_slow(fleet: NfsFleet) -> None:
    """A promotion removes what a killed one left two days ago, not what one writes now.

    Both are of one runner's name: two machines have it, as clones do.
    """
    slow, quick = fleet.runners
    quick.settings["WHEELFERRY_RUNNER_NAME"] = slow.machine.name
    noise = random.Random(1).randbytes(1_500_000)
    slow.fill(plan("slow", files=make_files("slow", data=(noise, False))))
    quick.fill(plan("quick"))
    slow.machine.shape(rate="1mbit")
    promoting = slow.start("promote")
    _wait_until_staged(fleet)
    (live,) = _staged(fleet)
    abandoned = live.replace(live.rpartition("/")[2][:8], "0" * 8)
    fleet.site.server.shell(
        f"cd {fleet.export.path}; echo half >{abandoned};"
        f" touch -d '2 days ago' {abandoned}"
    )

    promoted = quick.ferry("promote")

    assert promoted.summary["promoted"] == 1, promoted
    assert _staged(fleet) == [live]
    assert promoting.wait().summary["promoted"] == 1
    assert _staged(fleet) == []
    assert fleet.damage() == []


def _wait_until_staged(fleet: NfsFleet) -> None:
    deadline_s = time.monotonic() + 30
    while not _staged(fleet):
        assert time.monotonic() < deadline_s, "nothing was staged"
        time.sleep(0.05)
