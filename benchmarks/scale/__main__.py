"""A store of 100,000 packs: what it takes to look at all of it, and how that grows."""

import argparse
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise

from benchmarks.measure import (
    MEGABYTE,
    Part,
    Report,
    add_folder,
    spread,
    table,
    warn,
)
from benchmarks.scale.places import PLACES, Place, Sample, open_place
from benchmarks.scale.work import OPERATIONS, OURS
from tests.nfs.rig import HOW_TO, find_missing

FLOOR = "floor"
SIZES = (1_000, 10_000, 100_000)
LINEAR = 1.3
"""So many times the growth of the store is taken for linear: what is larger fits less well
into the processor's caches, and its trees are deeper."""

_SHOWN_OPS = 3

Samples = Mapping[tuple[str, int, str], Sequence[Sample]]
"""By operation, packs and way."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--place", nargs="+", choices=PLACES, default=["local"])
    parser.add_argument("--sizes", type=int, nargs="+", metavar="N", default=SIZES)
    parser.add_argument(
        "--rounds", type=int, default=3, help="of nfs there is one: counts are firm"
    )
    add_folder(parser)


def measure(args: argparse.Namespace) -> Report:
    if "nfs" in args.place and find_missing():
        raise SystemExit(HOW_TO)
    samples: list[Sample] = []
    texts = []
    for name in args.place:
        with open_place(name, args.folder) as place:
            here, facts = _measure_place(place, args)
        samples += here
        texts.append(render(here, facts))
    return Report(
        text="\n\n".join(texts), results={"samples": [asdict(s) for s in samples]}
    )


def _measure_place(
    place: Place, args: argparse.Namespace
) -> tuple[list[Sample], list[str]]:
    samples: list[Sample] = []
    facts: list[str] = []
    for packs in args.sizes:
        warn(f"{place.name}: making a store of {packs:,} packs")
        facts.append(place.prepare(packs).strip())
        rounds = 1 if place.counts_rpcs else args.rounds
        samples += [
            place.work(operation, way, packs)
            for _ in range(rounds)
            for operation in OPERATIONS
            for way in (OURS, FLOOR)
        ]
    return samples, facts


def render(samples: Sequence[Sample], facts: Sequence[str]) -> str:
    """Return what one place has to say."""
    found: dict[tuple[str, int, str], list[Sample]] = {}
    for sample in samples:
        key = (sample.operation, sample.packs, sample.way)
        found.setdefault(key, []).append(sample)
    has_rpcs = any(sample.rpcs is not None for sample in samples)
    make = _render_counts if has_rpcs else _render_times
    return "\n\n".join(
        [
            f"### {samples[0].place[0].upper()}{samples[0].place[1:]}",
            "\n".join(f"* {fact}." for fact in facts),
            make(found),
        ]
    )


def _render_times(samples: Samples) -> str:
    columns = (
        *("operation", "packs", "ms", "CPU ms", "growth", "times its floor"),
        *("peak, MB", "steps on the store"),
    )
    rounds = max(map(len, samples.values()))
    rows = [
        (
            *_name(operation, packs, is_first=number == 0),
            _milliseconds([one.elapsed_s for one in ours]),
            _milliseconds([_cpu_s(ours)]),
            _say_growth(samples, operation, packs),
            f"{_cpu_s(ours) / _cpu_s(samples[operation, packs, FLOOR]):.1f}",
            f"{max(one.peak_bytes for one in ours) / MEGABYTE:.0f}",
            f"{sum(ours[0].steps.values()):,}",
        )
        for operation in OPERATIONS
        for number, (packs, ours) in enumerate(_by_size(samples, operation))
    ]
    return (
        f"{rounds} round{'s' if rounds > 1 else ''}, median (range). Growth, beside that"
        " of the store, and times the floor are of CPU time."
        f"\n\n{table(columns, rows)}\n\n{_judge(samples)}"
        f"\n\nThe floors:\n\n{_list_floors()}"
    )


def _milliseconds(samples: Sequence[float]) -> str:
    shown = [1000 * one for one in samples]
    digits = 1 if max(shown) < 10 else 0
    return spread(shown, digits) if len(shown) > 1 else f"{shown[0]:,.{digits}f}"


def _list_floors() -> str:
    floors: dict[str, list[str]] = {}
    for operation in OPERATIONS.values():
        floors.setdefault(operation.floor, []).append(operation.title)
    return "\n".join(f"* {floor}: {'; '.join(of)}." for floor, of in floors.items())


def _render_counts(samples: Samples) -> str:
    columns = ("operation", "packs", "RPCs", "its floor's", "MB read", "peak, MB")
    rows = []
    for operation in OPERATIONS:
        for number, (packs, [ours, *_]) in enumerate(_by_size(samples, operation)):
            floor = samples[operation, packs, FLOOR][0]
            rows.append(
                (
                    *_name(operation, packs, is_first=number == 0),
                    _say_rpcs(ours.rpcs or {}),
                    f"{sum((floor.rpcs or {}).values()):,}",
                    f"{ours.read_bytes / MEGABYTE:.1f}",
                    f"{ours.peak_bytes / MEGABYTE:.0f}",
                )
            )
    return (
        "Mounted anew before each operation; no round trip is saved by what the client"
        f" has seen before.\n\n{table(columns, rows)}"
    )


def _by_size(
    samples: Samples, operation: str
) -> Iterator[tuple[int, Sequence[Sample]]]:
    for (name, packs, way), some in sorted(samples.items()):
        if (name, way) == (operation, OURS):
            yield packs, some


def _name(operation: str, packs: int, *, is_first: bool) -> tuple[str, str]:
    return OPERATIONS[operation].title if is_first else "", f"{packs:,}"


def _cpu_s(samples: Sequence[Sample]) -> float:
    return statistics.median(one.cpu_s for one in samples)


def _find_growth(samples: Samples, operation: str) -> Iterator[tuple[int, int, float]]:
    """Yield from which size to which, and how many times the CPU time is then."""
    sizes = list(_by_size(samples, operation))
    for (small, before), (large, after) in pairwise(sizes):
        yield small, large, _cpu_s(after) / _cpu_s(before)


def _say_growth(samples: Samples, operation: str, packs: int) -> str:
    for small, large, times in _find_growth(samples, operation):
        if large == packs:
            return f"{times:.1f} for {large / small:.0f}"
    return ""


def _judge(samples: Samples) -> str:
    """Say whether all growth is linear or better, at the largest size."""
    worst = {
        operation: (large / small, times)
        for operation in OPERATIONS
        for small, large, times in _find_growth(samples, operation)
    }
    if not worst:
        return "Growth was not measured: there is one size."
    over = [
        f"{OPERATIONS[operation].title} ({times:.1f} times for {size:.0f} times the packs)"
        for operation, (size, times) in worst.items()
        if times > LINEAR * size
    ]
    if not over:
        return "Growth to the largest size is linear or better: met by all."
    return f"Growth to the largest size is linear or better: **MISSED** by {'; '.join(over)}."


def _say_rpcs(rpcs: Mapping[str, int]) -> str:
    most = sorted(rpcs.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN_OPS]
    said = ", ".join(f"{count:,} {name}" for name, count in most)
    return f"{sum(rpcs.values()):,}: {said}"


PART = Part(
    name="scale",
    summary="a store of 100,000 packs: gc, refresh, status, verify, compaction",
    add_options=add_options,
    run=measure,
    quick=("--sizes", "1000", "4000", "--rounds=1"),
    full=("--place", *PLACES),
)

if __name__ == "__main__":
    PART.main()
