"""Runners that share a store, and all that can happen to them, in any order."""

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.state.events import (
    RUNNERS,
    AtOnce,
    Clean,
    Command,
    Edit,
    Event,
    Forget,
    InOrder,
    Jobs,
    Spoil,
    Tear,
    Wait,
    beginnings,
    events,
)
from tests.state.harm import spoil, tear
from tests.state.judge import judge
from tests.state.model import Model
from tests.state.shelf import Reader
from tests.state.tally import count
from tests.state.turn import Turn, read_caches
from tests.state.wares import LAST, TOTAL_BYTES, WARES, Ware
from tests.state.world import Run, World
from tests.support.soundness import damage, staged_in
from tests.support.tiers import Ferry, sweep_rest
from wheelferry.ops.gc_plan import Budget

BUDGET = Budget(max_bytes=TOTAL_BYTES * 6 // 10)

_EXCLUSIVE = frozenset({"pull", "trim"})
"""Of these one would wait for another in the same cache, for the end of its turn."""


class StoreLife(RuleBasedStateMachine):
    """One store, from its first promotion until all of it was cleaned up.

    With one rule: of several hypothesis switches off some in each life, and one without
    jobs, or without commands, is none.

    Args:
        scratch: Where it may be.
        tally: Counts what happened.
    """

    def __init__(self, scratch: Path, tally: Counter[str]) -> None:
        super().__init__()
        self.root = scratch / f"life-{tally['lives']}"
        self.root.mkdir()
        tally["lives"] += 1
        self.world = World(self.root, RUNNERS)
        self.model = Model()
        self.tally = tally
        self.reader = Reader(self.world.store)
        self.has_failed = False

    @initialize(wares=beginnings)
    def begin(self, wares: list[list[Ware]]) -> None:
        """Have jobs fill the caches."""
        for number, some in enumerate(wares):
            self._do_jobs(number, some)

    @rule(event=events)
    def happen(self, event: Event | InOrder) -> None:
        """Have something happen, and judge what came of it."""
        for one in event.events if isinstance(event, InOrder) else [event]:
            self._happen(one)

    def _happen(self, event: Event) -> None:
        match event:
            case Jobs(number, wares):
                self._do_jobs(number, wares)
            case Edit(number, which):
                self._edit(number, which)
            case Clean(number, ware):
                self.world.runners[number].clean(ware.name)
            case Wait(hours):
                self._wait(hours)
            case Spoil() | Tear():
                self._harm(event)
            case Forget(number):
                runner = self.world.runners[number]
                runner.forget_view()
                self.model.forget_view(runner)
            case AtOnce(commands, order, tick_s):
                self._take_turn(commands, order, tick_s)

    def teardown(self) -> None:
        """Clean up, and judge what is left."""
        try:
            if not self.has_failed:
                self._settle()
        finally:
            shutil.rmtree(self.root)

    def _wait(self, hours: int) -> None:
        self.world.clock.now_s += hours * 3600

    def _do_jobs(self, number: int, wares: Sequence[Ware]) -> None:
        runner = self.world.runners[number]
        for ware in wares:
            if not runner.download(ware) and ware in runner.downloads:
                runner.use(ware)

    def _edit(self, number: int, which: int) -> None:
        runner = self.world.runners[number]
        wares = sorted(runner.downloads, key=WARES.index)
        if wares:
            runner.edit(wares[which % len(wares)])

    def _harm(self, event: Spoil | Tear) -> None:
        before = self.reader.read()
        if isinstance(event, Spoil):
            self.model.spoiled |= spoil(self.world.store, before, event)
        else:
            tear(self.world.store, self.reader.find_simple(), event)
            self.model.lost |= before.living - self.reader.read().living

    def _take_turn(
        self, commands: Sequence[Command], order: bytes = b"", tick_s: int = 0
    ) -> None:
        runs = self._possible(commands)
        runners = {run.runner.name: run.runner for run in runs}.values()
        before, had = self.reader.read(), read_caches(runners)
        began, began_s = time.time(), self.world.clock.now_s
        self.has_failed = True
        if len(runs) == 1:
            self.world.run(runs[0])
        else:
            note("\n".join(self.world.run_at_once(runs, order, tick_s)))
        turn = Turn(
            runs=runs,
            began=began,
            began_s=began_s,
            ended_s=self.world.clock.now_s,
            before=before,
            after=self.reader.read(),
            had=had,
            has=read_caches(runners),
        )
        wrong = judge(self.model, turn)
        assert not wrong, f"after {'; '.join(map(str, runs))}: {wrong}"
        self.tally.update(count(self.model, turn))
        self.model.learn(turn)
        self.has_failed = False

    def _possible(self, commands: Sequence[Command]) -> list[Run]:
        busy = set[int]()
        found: list[Run] = []
        for command in commands:
            if command.verb in _EXCLUSIVE:
                if command.runner in busy:
                    continue
                busy.add(command.runner)
            found.append(command.make(self.world.runners[command.runner]))
        return found

    def _do(self, verb: str, number: int, argument: object) -> None:
        self._take_turn([Command(verb, number, argument)])

    def _settle(self) -> None:
        """Let all graces end, and expect a store that is as it should be."""
        self.tally = Counter[str]()  # what is done here is done in any case
        self._wait(48)
        for _ in range(2):  # what the first brings back from the trash may be damaged
            self._do("verify", 2, argument=True)
        self._do("gc", 1, BUDGET)
        self._do_jobs(0, WARES[:-2])
        for number, ware in enumerate(LAST):
            self._do_jobs(number, [ware])
            self._do("promote", number, False)
        self._do("gc", 1, BUDGET)
        self._wait(48)
        self._do("gc", 1, BUDGET)
        shelf = self.reader.read()
        assert shelf.trash == frozenset(), "the trash is empty"
        assert shelf.written_s.keys() <= shelf.named, "there are no orphans"
        assert staged_in(self.world.store) == [], "nothing is staged"
        for runner in self.world.runners:
            ferry = Ferry(cache=runner.cache, store=self.world.store)
            assert sweep_rest(ferry) == [], f"nothing is left by {runner.name}"

        for _ in range(8):
            shelf = self.reader.read()
            if len(shelf.segments) <= 1 + len(shelf.bans):  # one, and those of bans
                break
            self._do("compact", 0, 2)
            self._wait(2)
        else:
            pytest.fail(f"{len(shelf.segments)} segments do not become few")
        self.world.add_runner()
        self._do("pull", RUNNERS, False)
        self._do("verify", 1, argument=False)
        left = damage(self.world.store)
        assert left == [], f"not all is mended: {left}"
