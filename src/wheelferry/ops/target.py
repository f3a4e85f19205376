"""For whom a pull is: the interpreters of this machine, and what a job needs for them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wheelferry.events import Event, Level
from wheelferry.ops.tiers import PYTHONS, Tiers
from wheelferry.project.interpreter import (
    Interpreter,
    Request,
    narrow,
    parse_request,
)
from wheelferry.project.pythons import assume_python, find_pythons, read_pythons

if TYPE_CHECKING:  # with a project only
    from wheelferry.project.inputs import Inputs
    from wheelferry.project.need import Demand

_UNKNOWN = Event(
    name="python.unknown",
    level=Level.WARNING,
    message="no Python is known that a job here may use, so nothing is pulled for it:"
    " set python.versions (--python), or python.paths",
)


class Target(NamedTuple):
    """For whom a pull is.

    Attributes:
        pythons: Interpreters that wheels have to fit; if there are none, any fits.
        demand: What a job needs; None for all that fits.
    """

    pythons: Sequence[Interpreter] = ()
    demand: "Demand | None" = None

    def is_fit(self, tags: str) -> bool:
        """Return whether one of the interpreters can use a wheel with these tags."""
        pythons = self.pythons
        return not pythons or any(p.rank(tags) is not None for p in pythons)


ANYONE = Target()


def find_target(
    tiers: Tiers,
    *,
    paths: Sequence[Path],
    versions: Sequence[str],
    inputs: "Inputs | None" = None,
) -> Target:
    """Return for whom a pull on this machine is.

    Args:
        tiers: For the memory of what interpreters said.
        paths: Directories to look for interpreters in.
        versions: If any, the versions of Python that count, in place of all found.
        inputs: What says what a job needs, if anything does.

    Raises ProjectError, ProjectRefused: it cannot be read, or may not.
    """
    requests = tuple(filter(None, map(parse_request, versions)))
    if inputs is not None and not requests:
        from wheelferry.project.load import find_requests  # noqa: PLC0415

        requests = find_requests(inputs.projects, inputs.within)
    pythons = read_pythons(
        find_pythons(paths, avoid=inputs.projects if inputs else ()),
        memory=tiers.state / PYTHONS,
        disk=tiers.disk,
        now_s=tiers.now(),
    )
    chosen = _choose(pythons, requests)
    if inputs is None:
        return Target(chosen)
    from wheelferry.project.load import load_demand  # noqa: PLC0415

    demand = load_demand(inputs, chosen)
    if not chosen and not demand.lockless:
        tiers.emit(_UNKNOWN)
    return Target(chosen, demand)


def _choose(
    pythons: Sequence[Interpreter], requests: Sequence[Request]
) -> tuple[Interpreter, ...]:
    """Return the interpreters that count; of those not here, what they would be."""
    chosen = narrow(pythons, requests)
    for request in requests:
        if not any(map(request.accepts, chosen)):
            assumed = assume_python(request)
            chosen += [assumed] if assumed else []
    return tuple(chosen)
