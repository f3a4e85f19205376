"""A plan as those see it who wrote the lock: by package.  Pure."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from wheelferry.ops.pull_plan import PullPlan
from wheelferry.ops.serve import Served
from wheelferry.project.interpreter import Interpreter

_AMBIGUOUS = "the store has several with different hashes, and the lock has none"


class State(StrEnum):
    """What a pull does about a package."""

    PRESENT = "present"
    FETCH = "fetch"
    NOT_IN_STORE = "not-in-store"
    NOT_HERE = "not-for-this-machine"
    LEFT = "left"


class Package(NamedTuple):
    """One package of a lock.

    Attributes:
        fetch_bytes: Of the packs to be read for it.
        reason: Why nothing is done about it; "" if something is, or need not be, or if
            the store just lacks it.
        pythons: The interpreters that it is about, if not all of `find_pythons`.
    """

    name: str
    version: str
    state: State
    fetch_bytes: int = 0
    reason: str = ""
    pythons: tuple[str, ...] = ()


def find_pythons(plan: PullPlan) -> tuple[Interpreter, ...]:
    """Return the interpreters that need anything of what a job needs; if none, all.

    Of those on a runner, a lock's `requires-python` leaves out some.
    """
    asking = {number for served in plan.served or () for number in served.need.pythons}
    here = plan.target.pythons
    return tuple(here[number] for number in sorted(asking or range(len(here))))


def by_package(plan: PullPlan) -> tuple[Package, ...]:
    """Return what a plan does about each package that a job needs, sorted by name."""
    return tuple(sorted(_packages(plan)))


def _packages(plan: PullPlan) -> Iterator[Package]:
    held = {record.ref for record in plan.held}
    wanted = {record.ref for record in plan.wanted}
    to_read = {record.pack: record.pack_bytes for record in plan.fetched}
    here, most = plan.target.pythons, len(find_pythons(plan))
    for served in plan.served or ():
        refs = {record.ref for record in (*served.records, *served.unfit)}
        numbers = served.need.pythons
        package = Package(
            served.need.name,
            served.need.version or _version(served),
            State.NOT_HERE if served.is_elsewhere else State.NOT_IN_STORE,
            reason=served.reason,
            pythons=tuple(str(here[n]) for n in numbers if len(numbers) < most),
        )
        if refs & wanted:
            packs = {r.pack for r in served.records if r.ref in wanted}
            fetch_bytes = sum(to_read.get(pack, 0) for pack in packs)
            package = package._replace(state=State.FETCH, fetch_bytes=fetch_bytes)
        elif refs & held:
            package = package._replace(state=State.PRESENT, reason="")
        elif served.records:
            found = (plan.reasons.get(record.ref) for record in served.records)
            reason = next(filter(None, found), _AMBIGUOUS)
            package = package._replace(state=State.LEFT, reason=reason)
        yield package
    demand = plan.target.demand
    for omitted in () if demand is None else demand.omitted:
        state = State.NOT_HERE if omitted.is_elsewhere else State.NOT_IN_STORE
        yield Package(omitted.name, omitted.version, state, reason=omitted.reason)


def _version(served: Served) -> str:
    return served.records[0].version if served.records else ""
