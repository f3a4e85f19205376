"""What must come out of a run, and whether it did.

Each claim is about one of Wheelferry's ways in one scenario of one place.  It is missed
if a job of that way failed; it is not measured if what it is compared with is not there.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.fleet.group import Case, Jobs, Site
from benchmarks.fleet.names import OURS, Scenario, Way
from benchmarks.fleet.sample import Sample
from benchmarks.measure import MEGABYTE, spread, table

MAX_FLOOR = 1.5
MIN_FEWER_RPCS = 50
MAX_IDLE_RPCS = 10
MAX_IDLE_TIME = 1 / 20
MAX_WHEEL = 1.5
WHEEL_MARGIN_BYTES = 64 << 10  # catalog segments and the like, of however small a wheel
FLEET_MARGIN = 0.01


class Outcome(StrEnum):
    """Of a claim, as printed."""

    MET = "met"
    MISSED = "MISSED"
    TOLD = "no goal"
    NOT_MEASURED = "not measured in this run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One claim about one way; `figures` say what it rests on, or what is missing."""

    claim: str
    way: str
    outcome: Outcome
    figures: str


class Missing(Exception):
    """What a claim rests on was not measured; the message says what."""


Finding = tuple[Outcome, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What must come out.

    Attributes:
        text: For people.
        scenario: Where to look.
        needs_nfs: Whether it is about real NFS only.
        judge: Returns the outcome for one way, and its figures; raises Missing.
    """

    text: str
    scenario: Scenario
    needs_nfs: bool
    judge: Callable[[Case, Jobs], Finding]

    def about(self, site: Site, way: str) -> Verdict:
        """Return the verdict on one way."""
        outcome, figures = self._find(site, way)
        return Verdict(claim=self.text, way=way, outcome=outcome, figures=figures)

    def _find(self, site: Site, way: str) -> Finding:
        case = site.case(self.scenario)
        ours = case.way(way)
        if self.needs_nfs and not site.is_nfs:
            return Outcome.NOT_MEASURED, "no NFS"
        if not ours.samples:
            return Outcome.NOT_MEASURED, ""
        if ours.failed:
            return Outcome.MISSED, f"{ours.failed} of {len(ours.samples)} jobs failed"
        try:
            return self.judge(case, ours)
        except Missing as missing:
            return Outcome.NOT_MEASURED, str(missing)


def _need(case: Case, way: Way) -> Jobs:
    """Return the jobs of a way to compare with; raises Missing."""
    jobs = case.way(way)
    if not jobs.samples:
        raise Missing(f"no {way}")
    if not jobs.rounds:
        raise Missing(f"jobs failed in each round of {way}")
    return jobs


def _is(value: bool) -> Outcome:  # noqa: FBT001 - of a comparison
    return Outcome.MET if value else Outcome.MISSED


def _ready(job: Sample) -> float:
    return job.ready_s


def _near_floor(case: Case, ours: Jobs) -> Finding:
    times = ours.times(_need(case, Way.FLOOR), _ready)
    if not times:
        raise Missing("no round in common with the floor")
    return _is(statistics.median(times) <= MAX_FLOOR), f"{spread(times)} times"


def _ahead_of(rival: Way) -> Callable[[Case, Jobs], Finding]:
    def judge(case: Case, ours: Jobs) -> Finding:
        times = _need(case, rival).times(ours, _ready)
        if not times:
            raise Missing(f"no round in common with {rival}")
        ahead = statistics.median(times) > 1
        return _is(ahead), f"{rival} takes {spread(times)} times as long"

    return judge


def _fewer_rpcs(case: Case, ours: Jobs) -> Finding:
    few = ours.shared(lambda share: share.rpc_count)
    many = _need(case, Way.RSYNC).shared(lambda share: share.rpc_count)
    if few is None or many is None:
        raise Missing("no RPCs counted")
    times = many / few if few else float("inf")
    figures = f"{few:,.0f}, rsync {many:,.0f}: {times:,.0f} times fewer"
    return _is(times >= MIN_FEWER_RPCS), figures


def _fewer_bytes(case: Case, ours: Jobs) -> Finding:
    moved = ours.shared(lambda share: share.moved_bytes)
    index = _need(case, Way.NO_SHARING).total(lambda job: job.index_bytes)
    if moved is None or index is None:
        raise Missing("no bytes counted")
    return _is(moved < index), f"{_mb(moved)} of NFS for {_mb(index)} of the index"


def _idle_rpcs(case: Case, ours: Jobs) -> Finding:
    if not ours.shares:
        raise Missing("no RPCs counted")
    most = max(share.rpc_count for share in ours.shares)
    rsync = case.way(Way.RSYNC).shares
    beside = f", rsync {max(s.rpc_count for s in rsync):,}" if rsync else ""
    return _is(most <= MAX_IDLE_RPCS), f"{most:,} at most in one job{beside}"


def _idle_time(case: Case, ours: Jobs) -> Finding:
    times = ours.times(_need(case, Way.RSYNC), lambda job: job.before_s)
    if not times:
        raise Missing("no round in common with rsync")
    figures = f"{spread(times, 3)} of rsync's"
    return _is(statistics.median(times) <= MAX_IDLE_TIME), figures


def _one_wheel(case: Case, ours: Jobs) -> Finding:
    none = _need(case, Way.NO_SHARING)
    wheel = max(job.index_bytes for job in none.good)
    if not ours.shares:
        raise Missing("no bytes counted")
    if not wheel:
        raise Missing("nobody got a wheel from the index")
    most = max(share.moved_bytes for share in ours.shares)
    tar = case.way(Way.TAR).shares
    beside = f"; tar.zst {_mb(max(s.moved_bytes for s in tar))}" if tar else ""
    return (
        _is(most <= MAX_WHEEL * wheel + WHEEL_MARGIN_BYTES),
        f"{_mb(most)} at most in one job, for a wheel of {_mb(wheel)}{beside}",
    )


def _one_of_fleet(
    what: Callable[[Sample], int], show: Callable[[float], str]
) -> Callable[[Case, Jobs], Finding]:
    def judge(case: Case, ours: Jobs) -> Finding:
        some = ours.total(what)
        none = _need(case, Way.NO_SHARING)
        if len(fleets := {*ours.fleets, *none.fleets}) > 1:
            mixed = " and of ".join(map(str, sorted(fleets)))
            raise Missing(f"rounds of {mixed} runners")
        most = none.total(what)
        if some is None or not most:
            raise Missing("nothing to save here")
        met = some * ours.runners <= most * (1 + FLEET_MARGIN)
        return _is(met), f"{show(some)} of {show(most)}, {ours.runners} runners"

    return judge


def _built_again(case: Case, ours: Jobs) -> Finding:
    none = _need(case, Way.NO_SHARING)
    wheels = max(job.builds for job in none.good)
    built = ours.total(lambda job: job.builds)
    if built is None or not wheels:
        raise Missing("nothing to build here")
    return (
        Outcome.TOLD,
        f"{built:.0f} builds of {wheels} wheels: {built - wheels:.0f} more than needed",
    )


def _mb(size_bytes: float) -> str:
    return f"{size_bytes / MEGABYTE:,.1f} MB"


CLAIMS = (
    Claim(
        text=f"New runner joins: ready within {MAX_FLOOR} times the floor",
        scenario=Scenario.JOINS,
        needs_nfs=True,
        judge=_near_floor,
    ),
    *(
        Claim(
            text=f"New runner joins: ready before {rival}",
            scenario=Scenario.JOINS,
            needs_nfs=True,
            judge=_ahead_of(rival),
        )
        for rival in (Way.RSYNC, Way.SHARED_CACHE, Way.TAR)
    ),
    Claim(
        text=f"New runner joins: RPCs at least {MIN_FEWER_RPCS} times fewer than rsync's",
        scenario=Scenario.JOINS,
        needs_nfs=True,
        judge=_fewer_rpcs,
    ),
    Claim(
        text="New runner joins: fewer NFS bytes than the index bytes that they replace",
        scenario=Scenario.JOINS,
        needs_nfs=True,
        judge=_fewer_bytes,
    ),
    Claim(
        text=f"Nothing new: at most {MAX_IDLE_RPCS} RPCs",
        scenario=Scenario.NOTHING,
        needs_nfs=True,
        judge=_idle_rpcs,
    ),
    Claim(
        text="Nothing new: before `uv sync`, at most 1/20 of rsync's time",
        scenario=Scenario.NOTHING,
        needs_nfs=True,
        judge=_idle_time,
    ),
    Claim(
        text=f"One wheel added: each job moves at most {MAX_WHEEL} times that wheel, and 64 KiB",
        scenario=Scenario.ADDED,
        needs_nfs=True,
        judge=_one_wheel,
    ),
    Claim(
        text="Warm fleet of N: 1/N of the index bytes of no sharing",
        scenario=Scenario.WARM,
        needs_nfs=False,
        judge=_one_of_fleet(lambda job: job.index_bytes, _mb),
    ),
    Claim(
        text="Warm fleet of N: 1/N of the builds of no sharing",
        scenario=Scenario.WARM,
        needs_nfs=False,
        judge=_one_of_fleet(lambda job: job.builds, lambda count: f"{count:.0f}"),
    ),
    Claim(
        text="Cold fleet: wheels built more than once",
        scenario=Scenario.COLD,
        needs_nfs=False,
        judge=_built_again,
    ),
)


def judge_site(site: Site) -> list[Verdict]:
    """Return all verdicts on one place, claim by claim."""
    ways = [way for way in OURS if way in site.ways] or [Way.WHOLE]
    return [claim.about(site, way) for claim in CLAIMS for way in ways]


def render(site: Site) -> str:
    """Return a Markdown table: claims, and what came out for each way."""
    claims = [claim for claim in CLAIMS if site.is_nfs or not claim.needs_nfs]
    verdicts = judge_site(site)
    ways = list(dict.fromkeys(verdict.way for verdict in verdicts))
    rows = [
        (claim.text, *(_say(one) for one in verdicts if one.claim == claim.text))
        for claim in claims
    ]
    text = table(("what must come out", *ways), rows)
    left = [claim.text for claim in CLAIMS if claim not in claims]
    if not left:
        return text
    return f"{text}\n\n{Outcome.NOT_MEASURED.capitalize()}, for want of NFS: {'; '.join(left)}."


def _say(verdict: Verdict) -> str:
    if verdict.outcome is Outcome.TOLD:
        return verdict.figures
    bold = "**" if verdict.outcome is Outcome.MISSED else ""
    outcome = f"{bold}{verdict.outcome}{bold}"
    return ": ".join(filter(None, (outcome, verdict.figures)))
