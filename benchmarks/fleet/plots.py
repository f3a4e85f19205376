"""Plots of a run, as PNG and SVG; they need matplotlib (the extra `bench`).

The same samples give the same bytes.  Labels stand beside what they name, so that there
is no legend; in all plots ours are of one colour, and the others grey.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.fleet.group import Case, Jobs, Site, find_main
from benchmarks.fleet.names import OURS, Scenario, Way
from benchmarks.fleet.sample import Sample
from benchmarks.measure import MEGABYTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Blue and vermillion of Okabe and Ito, whose colours everybody can tell apart.
_OURS, _OURS_PALE = "#0072B2", "#8CC3E3"
_OTHERS, _OTHERS_PALE = "#6B6B6B", "#BDBDBD"
_FLOOR, _FLOOR_PALE = "#D55E00", "#F0B48A"

_STYLE = Path(__file__).with_suffix(".mplstyle")
_WIDTH, _ROW, _REST = 8.3, 0.27, 1.0  # inches
_BAR = 0.62  # of a row
_ROOM = 1.25  # of the longest bar, for the label behind it
_NONE_AT = 0.3  # on a logarithmic axis
_TICKS = {1: "1", 100: "100", 10_000: "10k", 1_000_000: "1M"}
_BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 1}


def draw(samples: Sequence[Sample], folder: Path) -> list[Path]:
    """Draw what was measured into a folder, made if need be; return the files.

    A plot for which nothing was measured is not drawn.

    Raises:
        ModuleNotFoundError: There is no matplotlib.
    """
    import matplotlib as mpl  # noqa: PLC0415 - only who draws needs it

    site = find_main(samples)
    if site is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    with mpl.rc_context(fname=_STYLE):
        for name, make in _PLOTS.items():
            figure = make(site)
            if figure is not None:
                files += _save(figure, folder / name)
    return files


def _save(figure: "Figure", stem: Path) -> list[Path]:
    png, svg = stem.with_suffix(".png"), stem.with_suffix(".svg")
    figure.savefig(png, metadata={"Software": None})
    figure.savefig(svg, metadata={"Date": None})
    return [png, svg]


class Bar(NamedTuple):
    """How long a way takes, as a multiple of another's time in the same round.

    Attributes:
        way: Whose.
        times: The median of the rounds.
        synced: Which part of it is `uv sync`, in the median job: 0 to 1.
        ready_s: The time of that job.
    """

    way: str
    times: float
    synced: float
    ready_s: float


def make_bars(case: Case) -> list[Bar]:
    """Return the ways with a round that the base has, too; the fastest first.

    Not their seconds: of ways that were measured in other rounds these do not compare.
    """
    bars = []
    for way, jobs in case.ways.items():
        times = jobs.times(case.way(case.base), lambda job: job.ready_s)
        if times:
            job = _median_job(jobs)
            synced = job.sync_s / (job.ready_s or 1)
            bars.append(Bar(way, statistics.median(times), synced, job.ready_s))
    return sorted(bars, key=lambda bar: bar.times)


def draw_new_runner(site: Site) -> "Figure | None":
    """Return how long a new runner takes, the fastest way first."""
    case = site.case(Scenario.JOINS)
    bars = make_bars(case)
    if not bars:
        return None
    ways = [bar.way for bar in bars]
    figure, [axes] = _new_figure(1, 1, ways)
    _entitle(figure, f"A new runner joins a warm fleet ({site})")
    axes.set_xlabel(
        f"times {case.base} of the same round: dark, before uv sync; pale, uv sync"
    )
    parts = [
        ([bar.times * (1 - bar.synced) for bar in bars], False),
        ([bar.times * bar.synced for bar in bars], True),
    ]
    _stack(
        axes, ways, parts, [f"{bar.times:.1f} ({bar.ready_s:.0f} s)" for bar in bars]
    )
    if Way.FLOOR in ways:
        axes.axvline(1, color=_FLOOR, linewidth=1, zorder=0.5)
    return figure


def _draw_operations(site: Site) -> "Figure | None":
    """Return how many RPCs each way takes, scenario by scenario."""
    cases = {
        scenario: {way: _rpcs(case.way(way)) for way in case.ways}
        for scenario, case in site.cases.items()
        if any(map(_rpcs, case.ways.values()))
    }
    ways = [way for way in site.ways if any(cases[name].get(way) for name in cases)]
    if not ways:
        return None
    figure, panels = _new_figure(-(-len(cases) // 3), min(3, len(cases)), ways)
    _entitle(figure, f"RPCs sent to the file server by all jobs of a round ({site})")
    figure.supxlabel("logarithmic: each line is a hundred times the one before")
    most = max(count or 0 for counts in cases.values() for count in counts.values())
    for axes, (scenario, counts) in zip(panels, cases.items(), strict=False):
        axes.set_title(scenario)
        axes.set_xscale("log")
        axes.set_xlim(_NONE_AT / 1.5, most * 100)
        axes.set_xticks(list(_TICKS), list(_TICKS.values()))
        axes.minorticks_off()
        for row, way in enumerate(ways):
            count = counts.get(way)
            if count is not None:
                _dot(axes, row, way, count)
    for axes in panels[len(cases) :]:
        axes.set_visible(False)
    return figure


def _draw_bytes(site: Site) -> "Figure | None":
    """Return what a fleet gets from the index, and what it moves by NFS."""
    case = next(
        (
            found
            for name in (Scenario.WARM, Scenario.COLD)
            if (found := site.case(name)).ways
        ),
        None,
    )
    if case is None:
        return None
    ways = [way for way in case.ways if case.way(way).good]
    figure, panels = _new_figure(1, 2 if site.is_nfs else 1, ways)
    runners = max(jobs.runners for jobs in case.ways.values())
    _entitle(
        figure, f"{case.scenario.capitalize()} of {runners} runners, all jobs ({site})"
    )
    index = [case.way(way).total(lambda job: job.index_bytes) or 0 for way in ways]
    panels[0].set_xlabel("MB from the index")
    _stack(panels[0], ways, [(_in_mb(index), False)], _say_mb(index))
    if site.is_nfs:
        read = [
            case.way(way).shared(lambda share: share.read_bytes) or 0 for way in ways
        ]
        written = [
            case.way(way).shared(lambda share: share.written_bytes) or 0 for way in ways
        ]
        both = [one + other for one, other in zip(read, written, strict=True)]
        panels[1].set_xlabel("MB by NFS: dark, read; pale, written")
        parts = [(_in_mb(read), False), (_in_mb(written), True)]
        _stack(panels[1], ways, parts, _say_mb(both))
    return figure


_PLOTS: Mapping[str, Callable[[Site], "Figure | None"]] = {
    "fleet-new-runner": draw_new_runner,
    "fleet-operations": _draw_operations,
    "fleet-bytes": _draw_bytes,
}


def _new_figure(
    rows: int, columns: int, ways: Sequence[str]
) -> "tuple[Figure, list[Axes]]":
    """Return a figure of panels in which each way has a row, the first one on top."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only who draws needs it

    height = rows * (_REST + _ROW * len(ways))
    figure = Figure(figsize=(_WIDTH, height))
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    panels = [axes for line in grid for axes in line]
    panels[0].set_yticks(range(len(ways)), ways)
    panels[0].set_ylim(len(ways) - 0.4, -0.6)
    return figure, panels


def _entitle(figure: "Figure", title: str) -> None:
    figure.suptitle(title, x=0.01, ha="left")


def _stack(
    axes: "Axes",
    ways: Sequence[str],
    parts: Sequence[tuple[Sequence[float], bool]],
    labels: Sequence[str],
) -> None:
    """Draw a bar per way, of parts that are dark or pale, with a label behind it."""
    ends = [0.0] * len(ways)
    for values, is_pale in parts:
        for row, (way, value) in enumerate(zip(ways, values, strict=True)):
            colour = _colours(way)[is_pale]
            axes.barh(row, value, _BAR, left=ends[row], color=colour)
            ends[row] += value
    most = max(ends) or 1
    for row, (end, label) in enumerate(zip(ends, labels, strict=True)):
        axes.text(end + most / 80, row, label, va="center", bbox=_BEHIND)
    axes.set_xlim(0, most * _ROOM)
    axes.locator_params(axis="x", nbins=5, integer=True)
    axes.xaxis.set_major_formatter("{x:,.0f}")


def _dot(axes: "Axes", row: int, way: str, count: float) -> None:
    """Draw a count on a logarithmic axis, on which a bar would have no beginning."""
    colour = _colours(way)[0]
    at = max(count, _NONE_AT)
    fill = "full" if count else "none"
    axes.plot([at], [row], "o", color=colour, fillstyle=fill, clip_on=False)
    axes.annotate(
        f"{count:,.0f}",
        (at, row),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        color=colour,
        bbox=_BEHIND,
    )


def _colours(way: str) -> tuple[str, str]:
    """Return a dark colour and a pale one."""
    if way == Way.FLOOR:
        return _FLOOR, _FLOOR_PALE
    return (_OURS, _OURS_PALE) if way in OURS else (_OTHERS, _OTHERS_PALE)


def _median_job(jobs: Jobs) -> Sample:
    """Return the job whose time is in the middle, the lower one of two."""
    ready_s = statistics.median_low(job.ready_s for job in jobs.good)
    return next(job for job in jobs.good if job.ready_s == ready_s)


def _rpcs(jobs: Jobs) -> float | None:
    return jobs.shared(lambda share: share.rpc_count)


def _in_mb(sizes_bytes: Sequence[float]) -> list[float]:
    return [size / MEGABYTE for size in sizes_bytes]


def _say_mb(sizes_bytes: Sequence[float]) -> list[str]:
    return [f"{size:,.0f}" for size in _in_mb(sizes_bytes)]
