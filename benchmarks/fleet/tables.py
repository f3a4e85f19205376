"""Markdown tables of a run."""

import statistics
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from benchmarks.fleet import claims, losses
from benchmarks.fleet.group import NONE, Case, Jobs, Site, find_main, make_sites
from benchmarks.fleet.names import OURS, Scenario, Way
from benchmarks.fleet.sample import Sample
from benchmarks.measure import MEGABYTE, spread, table

_SHOWN_OPS = 3
_READY = """\
Time to ready (before `uv sync`, and that) as a multiple of another way's in the same
round; median and range over rounds, of which there was one where there is no range. A dash
stands for ways that had no round in common."""


def render(samples: Sequence[Sample]) -> str:
    """Return all of it: for each place the verdicts, an overview, and each scenario."""
    return "\n\n".join(map(_render_site, make_sites(samples)))


def summary(samples: Sequence[Sample]) -> str:
    """Return a few sentences with the figures that matter; empty if none is there."""
    site = find_main(samples)
    if site is None:
        return ""
    said = (_say_ready(site), _say_rpcs(site), _say_fleet(site))
    return "\n".join(filter(None, said))


def _render_site(site: Site) -> str:
    parts = [
        f"### {site}",
        claims.render(site),
        _READY,
        _overview(site),
        *filter(None, [losses.render(site)]),
    ]
    for case in site.cases.values():
        parts += [f"#### {site}: {case.scenario}", _describe(case), _costs(case, site)]
    return "\n\n".join(parts)


def _overview(site: Site) -> str:
    """Return the times of all ways in all scenarios."""
    cases = list(site.cases.values())
    columns = [f"{case.scenario}, times {case.base}" for case in cases]
    rows = [
        (way, *(_times(case, case.way(way)) for case in cases)) for way in site.ways
    ]
    return table(("way", *columns), rows)


def _times(case: Case, jobs: Jobs) -> str:
    times = jobs.times(case.way(case.base), lambda job: job.ready_s)
    if not times:
        return NONE
    return spread(times, 1 if statistics.median(times) >= 10 else 2)


def _describe(case: Case) -> str:
    ways = case.ways.values()
    rounds = [_rounds(jobs) for jobs in ways]
    jobs = {way: jobs.sizes for way, jobs in case.ways.items()}
    all_sizes = {size for sizes in jobs.values() for size in sizes}
    text = (
        f"{_range(rounds, 'round')} of {_range(all_sizes, 'job')} on "
        f"{_count(max(jobs.runners for jobs in ways), 'runner')}; counts are sums over"
        " the jobs of a round."
    )
    if len(all_sizes) > 1:
        each = ", ".join(
            f"{way} {' and '.join(map(str, sorted(sizes)))}"
            for way, sizes in jobs.items()
        )
        text += f" **Not all rounds have as many jobs**: {each}."
    copied = [
        way
        for way, jobs in case.ways.items()
        if any(job.has_copied for job in jobs.samples)
    ]
    if copied:
        text += f" uv could not make hardlinks, and copied: {', '.join(copied)}."
    failures = [
        f"{way} ({jobs.failed} of {len(jobs.samples)})"
        for way, jobs in case.ways.items()
        if jobs.failed
    ]
    if not failures:
        return f"{text} No job failed."
    return f"{text} **Jobs failed**: {', '.join(failures)}; their rounds are left out."


def _rounds(jobs: Jobs) -> int:
    return len({sample.round for sample in jobs.samples})


def _costs(case: Case, site: Site) -> str:
    """Return what each way cost, in one scenario."""
    columns = [*_COLUMNS, *(_NFS_COLUMNS if site.is_nfs else ())]
    rows = [
        (way, *(cell(jobs) for _, cell in columns)) for way, jobs in case.ways.items()
    ]
    return table(("way", *(name for name, _ in columns)), rows)


def _seconds(of: Callable[[Sample], float]) -> Callable[[Jobs], str]:
    def cell(jobs: Jobs) -> str:
        return spread(list(map(of, jobs.good))) if jobs.good else NONE

    return cell


def _sum(of: Callable[[Sample], float]) -> Callable[[Jobs], str]:
    def cell(jobs: Jobs) -> str:
        return _number(jobs.total(of))

    return cell


def _most(of: Callable[[Sample], int]) -> Callable[[Jobs], str]:
    def cell(jobs: Jobs) -> str:
        return _number(max(map(of, jobs.good)) if jobs.good else None, MEGABYTE)

    return cell


def _peak(jobs: Jobs) -> str:
    """Return the largest process of a way; of one that runs nothing, a dash."""
    most = max((job.peak_bytes for job in jobs.good), default=0)
    return _number(most, MEGABYTE) if most else NONE


def _index(jobs: Jobs) -> str:
    requests = jobs.total(lambda job: job.index_requests)
    if requests is None:
        return NONE
    size = _number(jobs.total(lambda job: job.index_bytes), MEGABYTE)
    return f"{size} ({requests:,.0f})"


def _moved(jobs: Jobs) -> str:
    read = jobs.shared(lambda share: share.read_bytes)
    written = jobs.shared(lambda share: share.written_bytes)
    if read is None:
        return NONE
    return f"{_number(read, MEGABYTE)} / {_number(written, MEGABYTE)}"


def _rpcs(jobs: Jobs) -> str:
    """Return all RPCs, and what occurred most, such as `102: 90 OPEN, 12 READ`."""
    count = jobs.shared(lambda share: share.rpc_count)
    if not count:
        return _number(count)
    ops = Counter(
        {op: _count_op(jobs, op) for share in jobs.shares for op in share.rpcs}
    )
    most = [f"{n:,.0f} {op}" for op, n in ops.most_common(_SHOWN_OPS) if n]
    return f"{_number(count)}: {', '.join(most)}"


def _count_op(jobs: Jobs, op: str) -> int:
    """Return how often it occurs in a round, the median of rounds as of all RPCs."""
    return round(jobs.shared(lambda share: share.rpcs.get(op, 0)) or 0)


def _locks(jobs: Jobs) -> str:
    return _number(jobs.shared(lambda share: share.rpcs.get("LOCK", 0)))


_COLUMNS: Sequence[tuple[str, Callable[[Jobs], str]]] = (
    ("ready, s", _seconds(lambda job: job.ready_s)),
    ("after, s", _seconds(lambda job: job.after_s)),
    ("index, MB (requests)", _index),
    ("builds", _sum(lambda job: job.builds)),
    ("lock waits", _sum(lambda job: job.lock_waits)),
    ("peak memory, MB", _peak),
    ("share holds, MB", _most(lambda job: job.share_bytes)),
)
_NFS_COLUMNS: Sequence[tuple[str, Callable[[Jobs], str]]] = (
    ("NFS read / written, MB", _moved),
    ("RPCs", _rpcs),
    ("`LOCK` RPCs", _locks),
)


def _number(value: float | None, unit: float = 1) -> str:
    """Return a figure in some unit: whole, or with a digit where it is small."""
    if value is None:
        return NONE
    scaled = value / unit
    return (
        f"{scaled:,.0f}"
        if scaled >= 100 or scaled == round(scaled)
        else f"{scaled:.1f}"
    )


def _range(numbers: Collection[int], noun: str) -> str:
    few, many = min(numbers), max(numbers)
    return _count(many, noun) if few == many else f"{few} to {many} {noun}s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _say_ready(site: Site) -> str:
    case = site.case(Scenario.JOINS)
    ours = _ours(case)
    if ours is None:
        return ""
    ways = {ours: case.way(ours)} | {
        way: case.way(way) for way in (Way.TAR, Way.SHARED_CACHE, Way.RSYNC)
    }
    times = {
        way: statistics.median(found)
        for way, jobs in ways.items()
        if (found := jobs.times(case.way(Way.FLOOR), lambda job: job.ready_s))
    }
    if ours not in times:
        return ""
    others = [f"{way} {times[way]:.1f} times" for way in times if way != ours]
    beside = f" The others: {', '.join(others)}." if others else ""
    return (
        f"A runner that joins a warm fleet ({site}) can start its job after "
        f"{times[ours]:.1f} times the floor, which is to read the same bytes from one "
        f"file, write the same files and `uv sync`.{beside}"
    )


def _say_rpcs(site: Site) -> str:
    case = site.case(Scenario.JOINS)
    ours = _ours(case)
    few = ours and case.way(ours).shared(lambda share: share.rpc_count)
    if not few:
        return ""
    others = [
        f"{way} {many:,.0f}"
        for way in (Way.TAR, Way.SHARED_CACHE, Way.RSYNC)
        if (many := case.way(way).shared(lambda share: share.rpc_count)) is not None
    ]
    beside = f" ({', '.join(others)})" if others else ""
    return f"It sends {few:,.0f} RPCs to the file server{beside}."


def _say_fleet(site: Site) -> str:
    case = site.case(Scenario.WARM)
    ours = _ours(case)
    if ours is None:
        return ""
    some, none = case.way(ours), case.way(Way.NO_SHARING)
    if len({*some.fleets, *none.fleets}) > 1:
        return ""
    got = _number(some.total(lambda job: job.index_bytes), MEGABYTE)
    built = _number(some.total(lambda job: job.builds))
    text = (
        f"A warm fleet of {_count(some.runners, 'runner')} gets {got} MB from the index "
        f"and builds {_count_text(built, 'wheel')}"
    )
    if none.rounds:
        got = _number(none.total(lambda job: job.index_bytes), MEGABYTE)
        built = _number(none.total(lambda job: job.builds))
        text += f"; without sharing, {got} MB and {_count_text(built, 'build')}"
    return f"{text}."


def _count_text(number: str, noun: str) -> str:
    return f"{number} {noun}{'' if number == '1' else 's'}"


def _ours(case: Case) -> Way | None:
    """Return the way of Wheelferry to speak of: with the lock, if it was measured."""
    order = (Way.LOCK, *OURS)
    return next((way for way in order if case.way(way).rounds), None)
