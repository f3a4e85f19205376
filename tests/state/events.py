"""What can happen to runners that share a store, drawn by hypothesis."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from hypothesis import strategies as st

from tests.state import verbs
from tests.state.model import DAY_S
from tests.state.runner import Runner
from tests.state.wares import BANS, DRAWN, TOTAL_BYTES, TWINS, Ware
from tests.state.world import Run
from wheelferry.ops.gc_plan import Budget

RUNNERS = 3


class Jobs(NamedTuple):
    """Jobs of a runner install wares: those of its cache, or of the index."""

    runner: int
    wares: list[Ware]


class Edit(NamedTuple):
    """A job changes a file of what it has installed; `which` counts round."""

    runner: int
    which: int


class Clean(NamedTuple):
    """Somebody removes a package from a cache."""

    runner: int
    ware: Ware


class Wait(NamedTuple):
    """Time passes."""

    hours: int


class Spoil(NamedTuple):
    """The server loses an object, or a part of it, or has other bytes in it.

    Attributes:
        which: Counts round.
        how: Whether it is lost, or in which way it is damaged.
        among: One of the packs of these, if the store has any.
    """

    which: int
    how: str
    among: Sequence[Ware] = ()


class Tear(NamedTuple):
    """The server loses a part of a segment, or has other bytes in it."""

    which: int
    how: str


class Forget(NamedTuple):
    """A runner loses its view."""

    runner: int


class Command(NamedTuple):
    """What a runner is told; it dies after so many steps, or not.

    Attributes:
        verb: One of `MAKE`.
        runner: The number of the runner.
        argument: As that takes it.
        steps: After how many it is killed; None for never.
        loses_power: Whether its machine loses power then.
    """

    verb: str
    runner: int
    argument: Any
    steps: int | None = None
    loses_power: bool = False

    def make(self, runner: Runner) -> Run:
        """Return it for that runner."""
        run = verbs.MAKE[self.verb](runner, self.argument)
        run.steps, run.loses_power = self.steps, self.loses_power
        return run


class AtOnce(NamedTuple):
    """Commands run beside each other.

    Attributes:
        commands: One, or some.
        order: Who moves, step by step: a low byte has the last one go on.
        tick_s: How much time passes now and then.
    """

    commands: list[Command]
    order: bytes = b""
    tick_s: int = 0


Event: TypeAlias = Jobs | Edit | Clean | Wait | Spoil | Tear | Forget | AtOnce


class InOrder(NamedTuple):
    """What happens right after each other, and might not soon by chance."""

    events: list[Event]


_runners = st.integers(0, RUNNERS - 1)
_numbers = st.integers(0, 15)
_wares = st.sampled_from(DRAWN)

_ARGUMENTS: dict[str, st.SearchStrategy[object]] = {
    "promote": st.booleans(),
    "pull": st.booleans(),
    "gc": st.builds(
        Budget,
        max_bytes=st.sampled_from([None, TOTAL_BYTES // 4, TOTAL_BYTES // 2]),
        max_age_s=st.sampled_from([None, 7 * DAY_S, 40 * DAY_S]),
    ),
    "compact": st.integers(1, 4),
    "rm": st.sampled_from(BANS),
    "allow": st.sampled_from(BANS),
    "trim": st.sampled_from([0.3, 0.7]),
    "verify": st.booleans(),
}

_VERBS = [
    *["promote"] * 5,
    *["pull"] * 7,
    *["gc"] * 4,
    *["compact"] * 3,
    *["rm", "rm", "allow", "trim", "verify"],
]


@st.composite
def _commands(draw: st.DrawFn) -> Command:
    verb = draw(st.sampled_from(_VERBS))
    return draw(_mortal(Command(verb, draw(_runners), draw(_ARGUMENTS[verb]))))


@st.composite
def _mortal(draw: st.DrawFn, command: Command) -> Command:
    """Draw whether, and when, a command dies."""
    if not draw(st.booleans()):
        return command
    steps = draw(st.integers(1, draw(st.sampled_from([20, 50, 100]))))
    return command._replace(steps=steps, loses_power=draw(st.booleans()))


_jobs = st.builds(Jobs, _runners, st.lists(_wares, min_size=1, max_size=5))
_orders = st.binary(min_size=48, max_size=48)
_ticks = st.sampled_from([0, 0, 200, 1200])
_alone = _commands().map(lambda command: AtOnce([command]))
_together = st.builds(
    AtOnce, st.lists(_commands(), min_size=2, max_size=3), _orders, _ticks
)
_spoils = st.builds(
    Spoil,
    _numbers,
    st.sampled_from(["forged", "flipped", "short", "lost"]),
    among=st.just(()),
)
_tears = st.builds(Tear, _numbers, st.sampled_from(["flipped", "short"]))


@st.composite
def _promotions(draw: st.DrawFn) -> InOrder:
    """Draw a promotion that has something to promote."""
    jobs = draw(_jobs)
    promotion = Command("promote", jobs.runner, draw(st.booleans()))
    return InOrder([jobs, AtOnce([draw(_mortal(promotion))])])


TIGHT = [
    Budget(max_bytes=TOTAL_BYTES // 4),
    Budget(max_bytes=TOTAL_BYTES // 8),
    Budget(max_age_s=7 * DAY_S),
]


@st.composite
def _meetings(draw: st.DrawFn) -> InOrder:
    """Draw a removal beside the promotion of what may have the same packs.

    Now and then it dies of it, and the store is mended before anyone else comes.
    """
    if draw(st.integers(0, 3)):
        removal = Command("gc", draw(_runners), draw(st.sampled_from(TIGHT)))
        wares = TWINS
    else:
        removal = Command("rm", draw(_runners), draw(_ARGUMENTS["rm"]))
        wares = [ware for ware in DRAWN if ware.name == removal.argument.name]
    some = draw(st.lists(st.sampled_from(wares), min_size=1, max_size=4))
    promotion = Command("promote", draw(_runners), draw(st.booleans()))
    mending: list[Event] = []
    if not draw(st.integers(0, 2)):
        removal = draw(_mortal(removal))
        mending = [AtOnce([Command("verify", draw(_runners), argument=True)])]
    meeting = draw(_with_others([promotion, removal]))
    return InOrder([Jobs(promotion.runner, some), meeting, *mending])


@st.composite
def _mendings(draw: st.DrawFn) -> InOrder:
    """Draw a mending of fresh damage, alone or beside a promotion of what is damaged.

    Now and then of one that has missed it, and so puts another in its place.
    """
    some = draw(st.lists(st.sampled_from(TWINS), min_size=1, max_size=4))
    runner = draw(_runners)
    events: list[Event] = [draw(_spoils)._replace(among=some)]
    if not draw(st.integers(0, 3)):
        events.append(draw(_tears))
    if draw(st.booleans()):
        events += [Clean(runner, ware) for ware in some]
        events.append(AtOnce([Command("pull", runner, argument=False)]))
    commands = [draw(_mortal(Command("verify", draw(_runners), argument=True)))]
    if draw(st.integers(0, 2)):
        events.append(Jobs(runner, some))
        commands.insert(0, Command("promote", runner, draw(st.booleans())))
    elif draw(st.booleans()):
        commands.append(Command("compact", draw(_runners), 1))
    meeting = AtOnce(commands, draw(_orders), draw(_ticks))
    if not draw(st.integers(0, 3)):
        meeting = draw(_with_others(commands))
    return InOrder([*events, meeting])


@st.composite
def _losses(draw: st.DrawFn) -> InOrder:
    """Draw a merge of which the outcome is damaged, before or after its inputs go."""
    merge = AtOnce([Command("compact", draw(_runners), 1)])
    again = AtOnce([Command("compact", draw(_runners), 2)])
    return InOrder([merge, Wait(draw(st.integers(0, 2))), draw(_tears), again])


@st.composite
def _with_others(draw: st.DrawFn, commands: list[Command]) -> AtOnce:
    """Draw what runs beside these, and who moves when."""
    others = [draw(_commands())] if draw(st.booleans()) else []
    return AtOnce([*commands, *others], draw(_orders), draw(_ticks))


_waits = st.builds(Wait, st.sampled_from([1, 2, 12, 30, 30, 8 * 24, 35 * 24]))
_accidents = st.one_of(
    _spoils,
    _spoils,
    st.builds(Forget, _runners),
    st.builds(Edit, _runners, _numbers),
    st.builds(Clean, _runners, _wares),
)

events: st.SearchStrategy[Event | InOrder] = st.sampled_from(
    [_jobs] * 2
    + [_alone] * 6
    + [_promotions()] * 3
    + [_together] * 4
    + [_meetings()] * 5
    + [_mendings()] * 5
    + [_losses()]
    + [_waits] * 3
    + [_accidents] * 4
).flatmap(lambda some: some)

beginnings = st.lists(st.lists(_wares, max_size=6), min_size=RUNNERS, max_size=RUNNERS)
