"""One runner that promotes, pulls, removes and is killed at random; runs in the guest.

`python -m tests.nfs.hammer SEED STOP`, with the environment of a job; it ends when there
is a file STOP.  One of four keeps the store within BUDGET_BYTES, and its catalog compact.
Forking costs the guest more than the work does, so only what is to be killed is a child,
which runs the program's own command line; the rest calls the operations.  What came of
them is said on stdout in one line of JSON a second, each the whole count.
"""

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NoReturn

from tests.support.cachetree import Planned, formats_of, make_cache, make_files, plan
from tests.support.tiers import Ferry
from wheelferry.cli import app
from wheelferry.cli.commands import gc, promote, pull
from wheelferry.config import environment
from wheelferry.disk import Disk
from wheelferry.errors import WheelferryError
from wheelferry.ops import packing, restoration
from wheelferry.ops.compact import compact
from wheelferry.ops.gc import Budget, apply_gc, find_content, plan_gc
from wheelferry.store import isolated, staging

KILLED = 0.25
"""Share of the operations that are killed."""

BUDGET_BYTES = 20_000_000
"""Of the store: about a hundred entries."""

GC_SHARE = 0.1
"""Share of the operations of one who removes; each looks at the whole store."""

_LOADED = (gc, promote, pull, packing, restoration, isolated, staging)
"""What a child would load late, each time."""


def planned(name: str) -> Planned:
    """Return the entry of that name: a few files, the same in each call."""
    chance = random.Random(name)
    data = chance.randbytes(chance.randrange(1_000, 200_000))
    more = {f"part{number}": (data[::number], False) for number in (2, 3, 5)}
    return plan(name, files=make_files(name, "1.0", data=(data, False), **more))


class Hammer:
    """The runner."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._removes = seed % 4 == 0
        self._ferry = Ferry(
            cache=Path(os.environ["UV_CACHE_DIR"]),
            store=Path(os.environ["WHEELFERRY_STORE_PATH"]),
            runner=os.environ["WHEELFERRY_RUNNER_NAME"],
        )
        self._ferry.state.mkdir(parents=True)
        self._ferry.cache.mkdir()
        self._formats = formats_of([plan("any")])
        self._made = 0
        self.outcomes: Counter[str] = Counter()

    def step(self) -> None:
        """Promote a new entry, pull, or remove; live through it or not."""
        verb = self._chance.choice(["promote", "pull"])
        if self._removes and self._chance.random() < GC_SHARE:
            verb = "gc"
        if verb == "promote":
            entry = planned(f"{self._ferry.runner}-{self._made}")
            make_cache(self._ferry.cache, [entry], first=self._made)
            self._made += 1
        if self._chance.random() < KILLED:
            self._kill(verb)
            return
        try:
            number, stopped_by = self._work(verb)
        except WheelferryError as exc:
            number, stopped_by = 0, exc
        if stopped_by is not None:
            self.outcomes[f"{verb} failed: {stopped_by.message}"] += 1
        else:
            self.outcomes[f"{verb} {'done' if number else 'nothing to do'}"] += 1

    def _work(self, verb: str) -> tuple[int, WheelferryError | None]:
        if verb == "gc":
            return self._remove()
        if verb == "promote":
            promotion = self._ferry.promote(Disk())
            return len(promotion.promoted), promotion.stopped_by
        pulled = self._ferry.pull(self._formats, Disk())
        return len(pulled.restored), pulled.stopped_by

    def _remove(self) -> tuple[int, WheelferryError | None]:
        with self._ferry.open(Disk()) as tiers:
            plan = plan_gc(find_content(tiers), Budget(max_bytes=BUDGET_BYTES))
            report = apply_gc(tiers, plan)
            self.outcomes["evicted"] += report.discarded
            self.outcomes["merged"] += compact(tiers).merged
            return report.discarded, report.stopped_by

    def _kill(self, verb: str) -> None:
        pid = os.fork()
        if pid == 0:
            _become(verb)
        os.setpgid(pid, pid)
        time.sleep(self._chance.uniform(0.1, 1.5))
        # All of its processes, as when a container is removed.
        os.killpg(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        is_killed = os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        self.outcomes[f"{verb} {'killed' if is_killed else 'was faster'}"] += 1


def _become(verb: str) -> NoReturn:
    """Be the program, in a child."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = app.run([verb, "--json"], environment.read_environ())
    finally:
        os._exit(code)


def main() -> None:
    """Hammer until told to stop, and say what came of it."""
    hammer = Hammer(int(sys.argv[1]))
    stop = Path(sys.argv[2])
    told_s = time.monotonic()
    while not stop.exists():
        hammer.step()
        if time.monotonic() - told_s > 1:
            told_s = time.monotonic()
            print(json.dumps(hammer.outcomes), flush=True)
    print(json.dumps(hammer.outcomes))


if __name__ == "__main__":
    main()
