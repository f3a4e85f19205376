"""Where another way to share, or not to, is ready before Wheelferry.

Pure.  The floor is no way to share, and is left out.
"""

import statistics

from benchmarks.fleet.group import Case, Jobs, Site
from benchmarks.fleet.names import OURS, Way
from benchmarks.measure import spread


def render(site: Site) -> str:
    """Return Markdown: who was ahead of which of ours, by how much; "" if none compares."""
    pairs = [
        (case, ours, other)
        for case in site.cases.values()
        for ours in OURS
        for other in case.ways
        if other not in {*OURS, Way.FLOOR} and _times(case, ours, other)
    ]
    if not pairs:
        return ""
    lost: dict[tuple[str, str], list[str]] = {}
    for case, ours, other in pairs:
        times = _times(case, ours, other)
        if statistics.median(times) < 1:
            said = lost.setdefault((case.scenario, ours), [])
            said.append(f"{other} {spread(times)}")
    if not lost:
        return "Nobody was ready before Wheelferry in a scenario that both were measured in."
    lines = [
        f"* {scenario}: {', '.join(others)} of the time of {ours}."
        for (scenario, ours), others in lost.items()
    ]
    return "\n".join(["Ready before Wheelferry:", "", *lines])


def _times(case: Case, ours: str, other: str) -> list[float]:
    """Return the other's time as a multiple of ours, for each common round."""
    theirs: Jobs = case.way(other)
    return list(theirs.times(case.way(ours), lambda job: job.ready_s))
