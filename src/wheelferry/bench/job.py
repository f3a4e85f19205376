"""What one job needs: the lock, for one interpreter of this machine.

Pure.
"""

from collections.abc import Collection

from wheelferry.bench.facts import LockFacts
from wheelferry.ops.target import Target
from wheelferry.project.need import Demand


def narrow_to_one(target: Target) -> Target:
    """Return the target for the interpreter that needs most; a job uses one.

    Of several that need the same, the first.
    """
    demand = target.demand
    if demand is None or not target.pythons:
        return target
    counts = [
        sum(number in need.pythons for need in demand.needs)
        for number in range(len(target.pythons))
    ]
    best = counts.index(max(counts))
    needs = tuple(
        need._replace(pythons=(0,)) for need in demand.needs if best in need.pythons
    )
    return Target((target.pythons[best],), demand._replace(needs=needs))


def weigh(demand: Demand, names: Collection[str] | None = None) -> LockFacts:
    """Return what the lock says of a job's files, or of those of some packages."""
    needs = [n for n in demand.needs if names is None or n.name in names]
    sizes = [need.size_bytes for need in needs if need.size_bytes is not None]
    return LockFacts(packages=len(needs), sized=len(sizes), index_bytes=sum(sizes))
