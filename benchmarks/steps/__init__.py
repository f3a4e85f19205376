"""Steps that `benchmarks.micro` measures one by one, each in a process that does no other.

A step runs as `python -m benchmarks.steps NAME FOLDER --repeat 20` too, for any profiler,
on inputs that `python -m benchmarks.micro NAME --keep DIR` has left in a folder.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, TypeAlias

Way: TypeAlias = Callable[[Path], Callable[[], object]]
"""Makes all ready in the folder of the inputs, and returns the call that is measured."""

OURS: Final = "ours"

MODULES: Final[Mapping[str, str]] = {
    "pack": "trees",
    "restore": "trees",
    "scan": "cache",
    "compare": "cache",
    "refresh": "catalog",
    "refresh-merged": "catalog",
    "refresh-named": "catalog",
    "refresh-warm": "catalog",
    "start": "start",
}
"""Where each step is.  Only that module is loaded to run one: `start` needs it so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Steps that share their inputs.

    Attributes:
        unit: What the sizes count.
        sizes: Those that are measured.
        prepare: Makes inputs of a size in an empty folder, of wheels in another.
        describe: Says what they are, after all ways have run at least once.
        steps: By name, the ways to do each: OURS, and what compares with it.
    """

    unit: str
    sizes: Sequence[int]
    prepare: Callable[[Path, int, Path], object]
    describe: Callable[[Path], str]
    steps: Mapping[str, Mapping[str, Way]]


def find_group(step: str) -> Group:
    """Return the group of a step."""
    group = import_module(f"benchmarks.steps.{MODULES[step]}").GROUP
    assert isinstance(group, Group)
    return group
