"""What went on at once, and how store and caches were before and after it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tests.state.runner import Runner, read_cache
from tests.state.shelf import Shelf
from tests.state.wares import Ware
from tests.state.world import Run
from wheelferry.ops.gc_plan import Victim
from wheelferry.store.record import Digest

Caches: TypeAlias = Mapping[str, Mapping[Ware, str]]
"""Archives by ware, by runner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Commands that ran beside each other, or one by itself.

    Attributes:
        began: When, by this machine's clock.
        began_s, ended_s: When, by the server's.
        had, has: What the caches of these runners had before, and have now.
    """

    runs: Sequence[Run]
    began: float
    began_s: int
    ended_s: int
    before: Shelf
    after: Shelf
    had: Caches
    has: Caches

    def of(self, *verbs: str) -> Iterator[Run]:
        """Yield the runs of some commands."""
        yield from (run for run in self.runs if run.verb in verbs)

    @property
    def alone(self) -> Run | None:
        """The one command that ran, if nobody disturbed or killed it."""
        (first, *others) = self.runs
        return None if others or first.has_died else first

    @property
    def is_allowing(self) -> bool:
        """Whether a ban may have ended."""
        return any(self.of("allow"))

    def forbids(self, ware: Ware) -> bool:
        """Return whether nobody could promote or restore a ware, from the beginning."""
        return self.before.forbids(ware) and not self.is_allowing

    def takes(self, ware: Ware) -> bool:
        """Return whether an admin removed a ware for good."""
        info = ware.planned.info
        return any(
            run.argument.name == info.name
            and run.argument.version in ("", info.version)
            for run in self.of("rm")
        )

    @property
    def all_victims(self) -> list[Victim]:
        """What each removal may have taken."""
        plans = [run.plan for run in self.of("gc") if run.plan]
        return [victim for plan in plans for victim in plan.victims]

    @property
    def victims(self) -> frozenset[Digest]:
        """What any of them may have taken."""
        return frozenset(victim.digest for victim in self.all_victims)


def read_caches(runners: Iterable[Runner]) -> Caches:
    """Return what the caches have."""
    return {runner.name: read_cache(runner) for runner in runners}


def restored(turn: Turn, runner: Runner) -> set[Ware]:
    """Return what a runner has got from the store."""
    had, has = turn.had[runner.name], turn.has[runner.name]
    return {
        ware
        for ware, archive in has.items()
        if archive == ware.pack and ware not in had
    }
