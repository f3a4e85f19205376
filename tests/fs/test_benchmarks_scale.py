"""`benchmarks.scale`: what it measures works, and grows no faster than the store.

The bounds are of counts, which are the same in each run: steps on the store, steps of SQLite's
machine, and calls of functions.
"""

import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.scale.__main__ import FLOOR, render
from benchmarks.scale.places import Folder, Sample
from benchmarks.scale.shelf import LOOSE, STORE, make_shelf
from benchmarks.scale.work import OPERATIONS, OURS, Shelf, work

SMALL, LARGE = 600, 2400
_LINEAR = 1.15
"""So many times linear growth is allowed: an index of more rows is deeper."""
_EVERY = 100


class Cost(NamedTuple):
    """What an operation took.

    Attributes:
        steps: On the store.
        queries: Hundreds of steps of SQLite's machine.
        calls: Of functions, those of C included.
    """

    steps: int
    queries: int
    calls: int


Costs = dict[str, dict[int, Cost]]


class Bound(NamedTuple):
    """How many steps on the store an operation may take for each pack and segment more."""

    pack: int = 0
    segment: int = 0


BOUNDS = {
    "refresh": Bound(segment=2),
    "refresh-warm": Bound(),
    "status": Bound(),
    "stats": Bound(),
    "gc": Bound(pack=1, segment=1),
    "gc-due": Bound(),
    "verify": Bound(pack=1, segment=2),
    "refresh-loose": Bound(segment=2),
    "compact": Bound(segment=2),
}


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Shelf]:
    """Two stores of other sizes, and a runner of each."""
    made = {}
    for packs in (SMALL, LARGE):
        folder = tmp_path_factory.mktemp(f"packs-{packs}")
        make_shelf(folder, packs)
        made[packs] = Shelf(shelf=folder, local=folder / "local")
    return made


@pytest.fixture(scope="module")
def costs(shelves: dict[int, Shelf]) -> Costs:
    """What each operation costs on each of them."""
    queries: Counter[str] = Counter()

    class Counting(sqlite3.Connection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.set_progress_handler(lambda: queries.update(["step"]), _EVERY)

    found: Costs = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Counting))
        for name in OPERATIONS:
            for packs, shelf in shelves.items():
                calls, call = _count_calls()
                queries.clear()
                steps = work(name, OURS, shelf, call)["steps"]
                cost = Cost(sum(steps.values()), queries["step"], calls["call"])
                found.setdefault(name, {})[packs] = cost
    return found


def _count_calls() -> tuple[Counter[str], Callable[[Callable[[], object]], object]]:
    calls: Counter[str] = Counter()

    def note(_frame: object, event: str, _argument: object) -> None:
        calls["call"] += event in ("call", "c_call")

    def call(operation: Callable[[], object]) -> object:
        before = sys.getprofile()
        sys.setprofile(note)
        try:
            return operation()
        finally:
            sys.setprofile(before)

    return calls, call


@pytest.mark.parametrize("name", OPERATIONS)
def test_steps_on_the_store_grow_with_what_has_to_be_read(
    name: str, costs: Costs, shelves: dict[int, Shelf]
) -> None:
    """Each pack is looked at once, each segment opened and read once, or not at all."""
    more = costs[name][LARGE].steps - costs[name][SMALL].steps
    of = OPERATIONS[name].of
    segments = [
        len(list((shelves[packs].shelf / of / "catalog").iterdir()))
        for packs in (SMALL, LARGE)
    ]
    bound = BOUNDS[name]
    most = bound.pack * (LARGE - SMALL) + bound.segment * (segments[1] - segments[0])

    assert more <= max(most, 0), costs[name]


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("what", ["queries", "calls"])
def test_work_grows_no_faster_than_the_store(
    what: str, name: str, costs: Costs
) -> None:
    """Four times the packs take four times the work, or less."""
    small, large = (getattr(costs[name][packs], what) for packs in (SMALL, LARGE))

    assert large <= _LINEAR * (LARGE / SMALL) * small, costs[name]


def test_catalog_was_compacted_as_it_grew(shelves: dict[int, Shelf]) -> None:
    """One store has what promotions wrote, the other what compaction left of it."""
    loose, store = (
        len(list((shelves[LARGE].shelf / name / "catalog").iterdir()))
        for name in (LOOSE, STORE)
    )

    assert loose > LARGE // 10
    assert store <= 51


def test_operation_has_a_process_of_its_own(tmp_path: Path) -> None:
    """What a process took is its sample, in a folder that is made for it."""
    place = Folder(tmp_path)

    said = place.prepare(20)
    sample = place.work("refresh", OURS, 20)

    assert said.startswith("20 packs: a catalog of 2 segments, ")
    assert (sample.operation, sample.packs, sample.way) == ("refresh", 20, OURS)
    assert sample.steps == {"list_names": 1, "open_file": 2, "read_into": 2}
    assert sample.peak_bytes > 1 << 20


def test_growth_is_told_beside_that_of_the_store_and_judged() -> None:
    """What grows faster than the store is named as missed."""
    samples = [
        _sample(name, packs, way, cpu_s=packs**2 / 1e6 if name == "gc" else packs / 1e4)
        for name in OPERATIONS
        for packs in (100, 1000)
        for way in (OURS, FLOOR)
    ]

    text = render(samples, ["100 packs", "1,000 packs"])

    assert "* 100 packs.\n* 1,000 packs." in text
    assert "| `gc --dry-run` | 100 | 10 | 10 |  | 1.0 | 5 | 7 |" in text
    assert "|  | 1,000 | 1,000 | 1,000 | 100.0 for 10 | 1.0 | 5 | 7 |" in text
    assert "**MISSED** by `gc --dry-run` (100.0 times for 10 times the packs)." in text


def test_rpcs_are_told_where_a_kernel_counts_them() -> None:
    """Those that occur most are named."""
    samples = [
        _sample(
            "gc", 100, way, rpcs={"READ": 1, "GETATTR": 1200, "OPEN": 3, "CLOSE": 3}
        )
        for way in (OURS, FLOOR)
    ]

    text = render([replace(one, place="NFS in a guest") for one in samples], [])

    assert text.startswith("### NFS in a guest\n")
    row = "| `gc --dry-run` | 100 | 1,207: 1,200 GETATTR, 3 CLOSE, 3 OPEN | 1,207 | 0.0 | 5 |"
    assert row in text


def _sample(
    operation: str,
    packs: int,
    way: str,
    *,
    cpu_s: float = 1.0,
    rpcs: dict[str, int] | None = None,
) -> Sample:
    return Sample(
        place="a folder",
        operation=operation,
        packs=packs,
        way=way,
        elapsed_s=cpu_s,
        cpu_s=cpu_s,
        peak_bytes=5_000_000,
        steps={"list_names": 3, "file_facts": 4},
        rpcs=rpcs,
    )
