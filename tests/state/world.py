"""A store, the runners that share it, and what they do there, at once or one by one."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from tests.state.mortal import Clock, Dates, Life, Mortal, MortalDisk, go_on
from tests.state.runner import Runner
from tests.support.cachetree import make_cache
from tests.support.courses import Course, Gate
from tests.support.disks import CountingDisk, Died
from tests.support.machines import MACHINE
from tests.support.tiers import make_store
from wheelferry.disk.clock import Deadline
from wheelferry.events import discard
from wheelferry.ops.tiers import VIEW, Tiers
from wheelferry.store.posix import PosixStore
from wheelferry.store.view import View

SHARED = frozenset(
    {
        "clock_s",
        "commit_segment",
        "discard_object",
        "list_objects",
        "list_segments",
        "list_trash",
        "look_again",
        "open_object",
        "purge_object",
        "purge_quarantined",
        "put_object",
        "quarantine_object",
        "quarantine_segment",
        "read_segment",
        "read_all",
        "recover_object",
        "remove_segment",
        "segment_times",
        "write",
    }
)
"""Calls of a store and its parts before which others may come."""


@dataclass(slots=True, eq=False)
class Run:
    """A command of one runner.

    Attributes:
        verb: Which.
        act: Does it; is given this too, to leave in `plan` and `report` what it made.
        argument: What it was told, for a check.
        steps: After how many it is killed; None for never.
        loses_power: Whether its machine loses power then.
        has_died: Whether it came to that.
    """

    verb: str
    runner: Runner
    act: Callable[[Tiers, "Run"], None]
    argument: Any = None
    steps: int | None = None
    loses_power: bool = False
    plan: Any = None
    report: Any = None
    has_died: bool = False

    def __str__(self) -> str:
        end = " and died" if self.has_died else ""
        end += f" (of {self.steps} steps)" if self.steps else ""
        return f"{self.runner.name} {self.verb} {self.argument or ''}{end}"


class World:
    """All of it, below `root`."""

    def __init__(self, root: Path, runners: int) -> None:
        self.root = root
        self.clock = Clock()
        self.store = make_store(root / "store")
        self.runners: list[Runner] = []
        for _ in range(runners):
            self.add_runner()

    def add_runner(self) -> None:
        """Add one with an empty cache, and a clock that is wrong."""
        name, skew_s = f"r{len(self.runners)}", (len(self.runners) - 1) * 5000
        runner = Runner(name=name, cache=self.root / name, skew_s=skew_s)
        runner.cache.mkdir()
        make_cache(runner.cache, [])
        self.runners.append(runner)

    @contextmanager
    def open(
        self, runner: Runner, life: Life, pause: Callable[[str], None] = go_on
    ) -> Iterator[tuple[Tiers, MortalDisk]]:
        """Open a runner's tiers for one life."""
        dates = Dates(self.store, self.clock, runner.skew_s)
        disk = MortalDisk(life, dates)
        posix = PosixStore(self.store, disk=disk, runner=runner.name)
        info = posix.open()
        # Not a step: SQLite looks after itself.
        path = runner.state / VIEW
        with View.open(path, store_id=info.id, disk=CountingDisk()) as view:
            tiers = Tiers(
                cache=runner.cache,
                state=runner.state,
                store=cast("Any", Mortal(posix, life, pause)),
                store_id=info.id,
                view=cast("View", Mortal(view, life)),
                runner=runner.name,
                machine=MACHINE,
                disk=disk,
                emit=discard,
                now=lambda: float(self.clock.now_s + runner.skew_s),
                deadline=Deadline.never(),
            )
            yield tiers, disk

    def run(self, run: Run, gate: Gate | None = None) -> None:
        """Have a command run to its end, whichever that is."""
        one_by_one = threading.Lock()

        def pause(call: str) -> None:
            if gate is not None and call in SHARED:
                with one_by_one:  # two threads of a pull
                    gate.step(call)

        with self.open(run.runner, Life(run.steps), pause) as (tiers, disk):
            try:
                run.act(tiers, run)
            except Died:
                run.has_died = True
                if run.loses_power:
                    disk.lose_unsynced()

    def run_at_once(self, runs: Sequence[Run], order: bytes, ticks_s: int) -> list[str]:
        """Have commands run beside each other, and return the course they took.

        Args:
            runs: The commands.
            order: Who moves, step by step: a low byte has the last one go on.
            ticks_s: How much time passes in each of some steps.
        """
        course = Course(_chooser(order))
        actors = {
            f"{number}-{run.runner.name}-{run.verb}": partial(self.run, run)
            for number, run in enumerate(runs)
        }
        if ticks_s:
            actors["time"] = partial(self._let_pass, ticks_s)
        course.run(actors)
        return course.log

    def _let_pass(self, ticks_s: int, gate: Gate) -> None:
        for _ in range(6):
            gate.step("goes on")
            self.clock.now_s += ticks_s


_STAY: Final = (100, 180, 235)
"""Bytes that are lower have the same actor move again: one of these, for a course."""


def _chooser(order: bytes) -> Callable[[int], int]:
    stay = _STAY[sum(order) % len(_STAY)]
    rest = list(reversed(order))
    last = 0

    def choose(waiting: int) -> int:
        nonlocal last
        drawn = rest.pop() if rest else 0
        last = drawn if drawn >= stay else last
        last %= waiting
        return last

    return choose
