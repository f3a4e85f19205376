"""Samples of a run, sorted into what tables, verdicts and plots compare.

Ways are compared round by round: a machine's speed drifts, and within a round the ways
took turns on the same one.  Counts are summed over all jobs of a round; a round in which
a job failed has neither a time nor a sum, and the failures are told.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.fleet.names import OURS, Scenario, Way
from benchmarks.fleet.network import Network
from benchmarks.fleet.sample import Sample, Share

NONE = "–"  # noqa: RUF001 - the dash of a table's cell without a figure


@dataclass(frozen=True, slots=True)
class Jobs:
    """All jobs of one way in one scenario."""

    samples: Sequence[Sample]

    @property
    def failed(self) -> int:
        """How many jobs failed."""
        return sum(sample.has_failed for sample in self.samples)

    @property
    def runners(self) -> int:
        """How many runners had a job."""
        return len({sample.runner for sample in self.samples})

    @property
    def sizes(self) -> Collection[int]:
        """How many jobs a round has: several numbers, where runs were joined."""
        return set(Counter(sample.round for sample in self.samples).values())

    @property
    def fleets(self) -> Collection[int]:
        """How many runners have a job in a round: likewise."""
        pairs = {(sample.round, sample.runner) for sample in self.samples}
        return set(Counter(number for number, _ in pairs).values())

    @property
    def rounds(self) -> Mapping[int, Sequence[Sample]]:
        """The jobs of each round in which none failed."""
        rounds: dict[int, list[Sample]] = {}
        for sample in self.samples:
            rounds.setdefault(sample.round, []).append(sample)
        return {
            number: jobs
            for number, jobs in rounds.items()
            if not any(job.has_failed for job in jobs)
        }

    @property
    def good(self) -> Sequence[Sample]:
        """The jobs of these rounds."""
        return [job for jobs in self.rounds.values() for job in jobs]

    @property
    def shares(self) -> Sequence[Share]:
        """What they asked of the share, each; nothing where no kernel counts."""
        return [job.share for job in self.good if job.share is not None]

    def total(self, of: Callable[[Sample], float]) -> float | None:
        """Return the sum over a round's jobs, median of the rounds; None without any."""
        sums = [sum(map(of, jobs)) for jobs in self.rounds.values()]
        return statistics.median(sums) if sums else None

    def shared(self, of: Callable[[Share], float]) -> float | None:
        """Return the same of what the share was asked; None where nobody counts."""
        if not self.shares:
            return None
        return self.total(lambda job: of(job.share) if job.share else 0)

    def seconds(self, of: Callable[[Sample], float]) -> Mapping[int, float]:
        """Return a time of the median job of each round."""
        return {
            number: statistics.median(map(of, jobs))
            for number, jobs in self.rounds.items()
        }

    def times(self, other: "Jobs", of: Callable[[Sample], float]) -> Sequence[float]:
        """Return this way's time as a multiple of another's, for each common round."""
        ours, theirs = self.seconds(of), other.seconds(of)
        return [
            seconds / theirs[number]
            for number, seconds in ours.items()
            if theirs.get(number)
        ]


NOBODY = Jobs(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One scenario in one place, with all ways that were measured there."""

    scenario: str
    ways: Mapping[str, Jobs]

    def way(self, name: str) -> Jobs:
        """Return the jobs of a way: none if it was not measured."""
        return self.ways.get(name, NOBODY)

    @property
    def base(self) -> str:
        """The way that times are a multiple of: the floor, where there is one.

        Without it, that of ours with rounds in common with the most others.
        """
        for some in ((Way.FLOOR,), OURS, Way):
            if measured := [way for way in some if self.way(way).rounds]:
                return max(measured, key=self._count_comparable)
        return next(iter(self.ways))

    def _count_comparable(self, way: Way) -> int:
        rounds = self.way(way).rounds.keys()
        return sum(not rounds.isdisjoint(jobs.rounds) for jobs in self.ways.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place of a run, with one network, and its scenarios."""

    place: str
    network: Network | None
    cases: Mapping[str, Case]

    def __str__(self) -> str:
        """For titles."""
        return self.place if self.network is None else f"{self.place}, {self.network}"

    @property
    def is_nfs(self) -> bool:
        """Whether a kernel counted what the share was asked."""
        jobs = [jobs for case in self.cases.values() for jobs in case.ways.values()]
        return any(job.share is not None for each in jobs for job in each.samples)

    def case(self, scenario: str) -> Case:
        """Return a scenario: without ways if it was not measured."""
        return self.cases.get(scenario) or Case(scenario=scenario, ways={})

    @property
    def ways(self) -> Sequence[str]:
        """All ways that were measured here."""
        names = {way: None for case in self.cases.values() for way in case.ways}
        return _in_order(names, Way)


def make_sites(samples: Sequence[Sample]) -> list[Site]:
    """Return the places of a run, each with the scenarios and ways measured there."""
    found: dict[tuple[str, Network | None], dict[str, dict[str, list[Sample]]]] = {}
    for sample in samples:
        cases = found.setdefault((sample.place, sample.network), {})
        ways = cases.setdefault(sample.scenario, {})
        ways.setdefault(sample.way, []).append(sample)
    return [
        Site(
            place=place,
            network=network,
            cases={
                scenario: Case(
                    scenario=scenario,
                    ways={
                        way: Jobs(cases[scenario][way])
                        for way in _in_order(cases[scenario], Way)
                    },
                )
                for scenario in _in_order(cases, Scenario)
            },
        )
        for (place, network), cases in found.items()
    ]


def find_main(samples: Sequence[Sample]) -> Site | None:
    """Return the place that pictures and a summary are of: with NFS, if there is one."""
    sites = make_sites(samples)
    return next((site for site in sites if site.is_nfs), sites[0] if sites else None)


def _in_order(found: Mapping[str, object], order: type[StrEnum]) -> list[str]:
    """Return names in the order of an enumeration, others after it as they came."""
    known = [name.value for name in order if name.value in found]
    return [*known, *(name for name in found if name not in known)]
