"""A store shared by runners that promote, pull, remove, compact and die, for a while."""

import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import cast

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.state.machine import StoreLife

LIVES = 50

LEAST = {
    "turns": 600,
    "turns together": 300,
    "promote that died": 50,
    "pull that died": 30,
    "gc that died": 10,
    "compact that died": 4,
    "rm that died": 3,
    "promoted": 400,
    "restored": 100,
    "evicted": 250,
    "purged": 40,
    "recovered": 3,
    "removed for good": 5,
    "segments merged": 60,
    "segments removed": 100,
    "missed": 3,
    "healed": 2,
    "verify that died": 50,
    "packs set aside": 40,
    "segments set aside": 10,
    "records buried as lost": 50,
    "came back": 100,
    "trimmed": 40,
    "refused as evicted": 200,
    "refused as forbidden": 100,
}
"""What happens in so many lives at least: a machine that does nothing fails."""

QUICK = settings(
    max_examples=LIVES,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
THOROUGH = settings(
    QUICK, derandomize=False, phases=[Phase.generate, Phase.shrink], max_examples=200
)


def test_a_store_lives_on_whatever_happens(scratch: Path, soak_s: float) -> None:
    """Nothing wrong is restored, nothing needed is lost, nothing useless stays.

    The same lives each time; with `--soak SECONDS` others for so long, after which a
    failure is made as short as it can be.
    """
    tally = Counter[str]()
    factory = cast("type[StoreLife]", partial(StoreLife, scratch, tally))
    began_s = time.monotonic()
    run_state_machine_as_test(factory, settings=THOROUGH if soak_s else QUICK)
    too_few = {what: tally[what] for what in LEAST if tally[what] < LEAST[what]}
    while time.monotonic() - began_s < soak_s:
        run_state_machine_as_test(factory, settings=THOROUGH)
    for what, count in sorted(tally.items()):
        print(f"{count:8} {what}")
    assert too_few == {}, "the machine does what it should"
