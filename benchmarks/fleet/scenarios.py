"""What happens to a fleet: which runners have jobs, in which order, with which lock.  Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from benchmarks.fleet.inputs import Lock
from benchmarks.fleet.names import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Jobs that begin at one moment.

    Attributes:
        scenario: What they are samples of.
        runners: Whose jobs, by number.
        lock: What they install.
        has_new_disks: Whether these runners are new: nothing on their disks, and
            nothing cached of the share.
        is_measured: Or it only makes ready what comes after it.
    """

    scenario: Scenario
    runners: Sequence[int]
    lock: Lock = Lock.BASE
    has_new_disks: bool = False
    is_measured: bool = True


def plan(wanted: Collection[Scenario], *, runners: int, jobs: int) -> list[list[Step]]:
    """Return the steps of some scenarios, a list for each empty share.

    Cold fleet: all runners at once, and nothing anywhere.

    Warm fleet: one runner first, then all others at once.  What follows builds on that:
    more jobs of the first runner, with nothing new; a new runner in place of the
    last; a version bump, and a wheel added, each on the first runner and then on the last.
    """
    first, last = 0, runners - 1
    shares = []
    if Scenario.COLD in wanted:
        everyone = range(runners)
        shares.append([Step(scenario=Scenario.COLD, runners=everyone)])
    is_warm = Scenario.WARM in wanted
    changes = {Scenario.BUMP: Lock.BUMPED, Scenario.ADDED: Lock.ADDED}
    steps = [Step(scenario=Scenario.WARM, runners=[first], is_measured=is_warm)]
    if is_warm:
        steps.append(Step(scenario=Scenario.WARM, runners=range(1, runners)))
    if Scenario.NOTHING in wanted:
        steps += [Step(scenario=Scenario.NOTHING, runners=[first])] * jobs
    if Scenario.JOINS in wanted or (
        not is_warm and any(each in wanted for each in changes)
    ):
        steps.append(
            Step(
                scenario=Scenario.JOINS,
                runners=[last],
                has_new_disks=True,
                is_measured=Scenario.JOINS in wanted,
            )
        )
    for scenario, lock in changes.items():
        if scenario in wanted:
            steps += [
                Step(scenario=scenario, runners=[runner], lock=lock)
                for runner in (first, last)
            ]
    if any(step.is_measured for step in steps):
        shares.append(steps)
    return shares
