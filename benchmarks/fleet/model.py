"""How long the same jobs would take on another network.

The model knows two things of a network, and of a job what its kernel counted::

    T' = T + serial RPCs x (RTT' - RTT) + bytes x (8 / bandwidth' - 8 / bandwidth)

An RPC delays a job only if the job waits for it.  The kernel says for how long all RPCs
together were under way, W.  In a job of T seconds with W > T, W / T of them were under way
at once on average, so T / W of them count as serial.  With W <= T all count.  Where a
job is busy with something else for a part of T, its RPCs overlap more than that says,
so a prediction for a longer RTT is high rather than low.

T is the time of a whole job, since RPCs are counted for all of it.  What comes from the index
is taken to come as fast as before, and each runner to have the network for itself.
"""

import argparse
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.fleet.group import NONE, Jobs, Site, make_sites
from benchmarks.fleet.network import Network
from benchmarks.fleet.sample import Sample, Share
from benchmarks.measure import table

_ABOUT_CHECKS = (
    "Whole jobs, in seconds; the error is relative to what was measured. For how long RPCs"
    " were under way, added up, is the network's part of it."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the network that the model shall speak of."""
    parser.add_argument(
        "--rtt-ms", type=float, metavar="MS", help="model a network: round trip time"
    )
    parser.add_argument(
        "--mbit", type=float, metavar="N", help="model a network: 10^6 bits a second"
    )


def find_network(args: argparse.Namespace, measured: Network | None) -> Network | None:
    """Return the network that was asked for: what was not said is as measured.

    None if none was asked for, or if nothing was measured on a network.
    """
    if measured is None or (args.rtt_ms is None and args.mbit is None):
        return None
    return Network(
        rtt_ms=measured.rtt_ms if args.rtt_ms is None else args.rtt_ms,
        mbit=measured.mbit if args.mbit is None else args.mbit,
    )


def serial_share(share: Share, whole_s: float) -> float:
    """Return which part of its RPCs a job waited for one after the other: 0 to 1."""
    if share.waited_s <= whole_s:
        return 1.0
    return whole_s / share.waited_s


def predict_job(job: Sample, old: Network, new: Network) -> float:
    """Return how many seconds a job would take on another network.

    Raises:
        ValueError: No kernel counted what it asked of the share.
    """
    if job.share is None:
        raise ValueError(f"no RPCs of {job.way} were counted")
    serial = job.share.rpc_count * serial_share(job.share, job.whole_s)
    return max(0.0, job.whole_s + _added_s(job.share, serial, old, new))


def predict_waited(job: Sample, old: Network, new: Network) -> float:
    """Return for how many seconds a job's RPCs would be under way, added up.

    Whether the job waits for them or not, and whatever else keeps it busy: this can be
    held against a measured run where times of whole jobs are those of a busy machine.

    Raises:
        ValueError: No kernel counted what it asked of the share.
    """
    if job.share is None:
        raise ValueError(f"no RPCs of {job.way} were counted")
    added_s = _added_s(job.share, job.share.rpc_count, old, new)
    return max(0.0, job.share.waited_s + added_s)


def _added_s(share: Share, rpcs: float, old: Network, new: Network) -> float:
    """Return what so many RPCs, and all bytes, cost more than before."""
    trips_s = rpcs * (new.rtt_ms - old.rtt_ms) / 1000
    return trips_s + share.moved_bytes * (new.s_per_byte - old.s_per_byte)


def predict(jobs: Sequence[Sample], old: Network, new: Network) -> float:
    """Return the seconds that the median of some jobs would take on another network."""
    return statistics.median(predict_job(job, old, new) for job in jobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Predictions beside what was then measured: medians, in seconds.

    Attributes:
        scenario, way: Of which jobs.
        old_s: What whole jobs took on the network that the prediction is from.
        predicted_s, measured_s: What they take on the other.
        predicted_waited_s, measured_waited_s: For how long their RPCs are under way there.
    """

    scenario: str
    way: str
    old_s: float
    predicted_s: float
    measured_s: float
    predicted_waited_s: float
    measured_waited_s: float

    @property
    def error(self) -> float:
        """Relative to what was measured: 0.1 is a tenth too long."""
        return self.predicted_s / self.measured_s - 1


def check(old: Site, new: Site) -> list[Check]:
    """Predict each way's time from one network for another, on which it was measured.

    Ways and scenarios that only one of them has are left out.
    """
    if old.network is None or new.network is None:
        return []
    return [
        Check(
            scenario=scenario,
            way=way,
            old_s=_whole_s(jobs),
            predicted_s=predict(jobs.good, old.network, new.network),
            measured_s=_whole_s(new.case(scenario).way(way)),
            predicted_waited_s=statistics.median(
                predict_waited(job, old.network, new.network) for job in jobs.good
            ),
            measured_waited_s=_waited_s(new.case(scenario).way(way)),
        )
        for scenario, case in old.cases.items()
        for way, jobs in case.ways.items()
        if jobs.shares and new.case(scenario).way(way).good
    ]


def render_checks(samples: Sequence[Sample]) -> str:
    """Return Markdown: predictions from each network of a run for those after it.

    "" if no place has several.
    """
    parts = []
    for old, new in itertools.combinations(make_sites(samples), 2):
        if old.place == new.place:
            parts += [
                f"### {old}: the model, checked against {new.network}",
                _ABOUT_CHECKS,
                _render_checks(check(old, new)),
            ]
    return "\n\n".join(parts)


def _render_checks(checks: Sequence[Check]) -> str:
    return table(
        (
            *("scenario", "way", "from", "predicted", "measured", "error"),
            *("RPCs under way: predicted, s", "measured, s"),
        ),
        [
            (
                one.scenario,
                one.way,
                f"{one.old_s:.2f}",
                f"{one.predicted_s:.2f}",
                f"{one.measured_s:.2f}",
                f"{one.error:+.0%}",
                f"{one.predicted_waited_s:.2f}",
                f"{one.measured_waited_s:.2f}",
            )
            for one in checks
        ],
    )


def render(site: Site, new: Network) -> str:
    """Return a Markdown table: whole jobs as measured, and as the model has them."""
    old = site.network
    if old is None:
        raise ValueError(f"{site.place} has no network")
    cases = list(site.cases.values())
    rows = [
        (
            way,
            _serial([case.way(way) for case in cases]),
            *(_cell(case.way(way), old, new) for case in cases),
        )
        for way in site.ways
    ]
    return table(("way", "serial RPCs", *(case.scenario for case in cases)), rows)


def _cell(jobs: Jobs, old: Network, new: Network) -> str:
    if not jobs.shares:
        return NONE
    return f"{_whole_s(jobs):.1f} → {predict(jobs.good, old, new):.1f}"


def _serial(ways: Sequence[Jobs]) -> str:
    """Return the serial share of a way's RPCs in its median job."""
    shares = [
        serial_share(job.share, job.whole_s)
        for jobs in ways
        for job in jobs.good
        if job.share and job.share.rpcs
    ]
    return f"{statistics.median(shares):.0%}" if shares else NONE


def _whole_s(jobs: Jobs) -> float:
    return statistics.median(job.whole_s for job in jobs.good)


def _waited_s(jobs: Jobs) -> float:
    return statistics.median(share.waited_s for share in jobs.shares)
