"""What must come out of a run: met, missed, or not measured."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.fleet import claims
from benchmarks.fleet.claims import CLAIMS, Outcome, Verdict
from benchmarks.fleet.group import make_sites
from benchmarks.fleet.names import Scenario, Way
from benchmarks.fleet.sample import Sample
from tests.support.jobs import BLANK, MB, in_folder, make_run, make_share

MET, MISSED, NOT_MEASURED = Outcome.MET, Outcome.MISSED, Outcome.NOT_MEASURED
FLOOR = "ready within 1.5 times the floor"
RSYNC, SHARED, TAR = "before rsync", "before uv's cache", "before tar.zst"
RPCS, BYTES = "RPCs at least 50 times fewer", "fewer NFS bytes"
IDLE_RPCS, IDLE_TIME = "at most 10 RPCs", "1/20 of rsync's time"
WHEEL, INDEX, BUILDS = "1.5 times that wheel", "of the index bytes", "1/N of the builds"
AGAIN = "built more than once"


def job(way: str, scenario: str = Scenario.JOINS, **changes: Any) -> Sample:
    """Return a made-up job: 2 s until it is ready, 100 RPCs."""
    return replace(BLANK, way=way, scenario=scenario, **changes)


def fleet(
    way: Way, scenario: Scenario, of_each: Sequence[Mapping[str, Any]]
) -> list[Sample]:
    """Return one job on each of some runners."""
    return [
        job(way, scenario, runner=f"r{number}", **changes)
        for number, changes in enumerate(of_each)
    ]


def judge(samples: Sequence[Sample], words: str) -> Verdict:
    """Return the verdict of the one claim with these words in it."""
    [site] = make_sites(samples)
    [verdict] = [one for one in claims.judge_site(site) if words in one.claim]
    return verdict


def takes(seconds: float) -> dict[str, Any]:
    """Return the times of a job that is ready after some seconds."""
    return {"before_s": seconds - 1, "sync_s": 1.0}


def asks(rpcs: int, **share: Any) -> dict[str, Any]:
    """Return what a job asked of the share."""
    return {"share": make_share(rpcs, **share)}


@pytest.mark.parametrize(
    ("ours_s", "outcome", "figures"),
    [(3.0, MET, "1.50"), (3.1, MISSED, "1.55")],
)
def test_new_runner_is_near_the_floor(
    ours_s: float, outcome: Outcome, figures: str
) -> None:
    """At most 1.5 times the floor of the same round."""
    samples = [job(Way.WHOLE, **takes(ours_s)), job(Way.FLOOR, **takes(2.0))]

    verdict = judge(samples, FLOOR)

    assert (verdict.outcome, verdict.figures) == (outcome, f"{figures} times")


@pytest.mark.parametrize(
    ("rival", "words"),
    [(Way.RSYNC, RSYNC), (Way.SHARED_CACHE, SHARED), (Way.TAR, TAR)],
)
def test_new_runner_is_ahead_of_the_others(rival: Way, words: str) -> None:
    """Each is told with its ratio, also where it was quicker."""
    behind = judge([job(Way.WHOLE), job(rival, **takes(5.0))], words)
    ahead = judge([job(Way.WHOLE), job(rival, **takes(1.5))], words)
    level = judge([job(Way.WHOLE), job(rival)], words)

    assert (behind.outcome, ahead.outcome, level.outcome) == (MET, MISSED, MISSED)
    assert behind.figures == f"{rival} takes 2.50 times as long"
    assert ahead.figures == f"{rival} takes 0.75 times as long"


def test_times_are_compared_within_a_round() -> None:
    """A machine that became slower does not make a way slower than another."""
    samples = [
        job(way, round=number, **takes(seconds * slower))
        for number, slower in enumerate((1.0, 10.0, 100.0))
        for way, seconds in ((Way.WHOLE, 3.0), (Way.FLOOR, 2.5))
    ]
    # Neither has a round that the other lacks to be compared in.
    del samples[0], samples[-1]

    verdict = judge(samples, FLOOR)

    assert (verdict.outcome, verdict.figures[:4]) == (MET, "1.20")


@pytest.mark.parametrize(("ours", "outcome"), [(100, MET), (101, MISSED)])
def test_new_runner_sends_few_rpcs(ours: int, outcome: Outcome) -> None:
    """At least 50 times fewer than rsync."""
    samples = [job(Way.WHOLE, **asks(ours)), job(Way.RSYNC, **asks(5000))]

    verdict = judge(samples, RPCS)

    assert verdict.outcome is outcome
    assert verdict.figures == f"{ours}, rsync 5,000: 50 times fewer"


@pytest.mark.parametrize(("read_mb", "outcome"), [(8, MET), (9, MISSED)])
def test_new_runner_moves_less_than_the_index_sent(
    read_mb: int, outcome: Outcome
) -> None:
    """What is read and written by NFS is less than what it replaces."""
    moved = asks(9, read_bytes=read_mb * MB, written_bytes=MB)
    samples = [job(Way.WHOLE, **moved), job(Way.NO_SHARING, index_bytes=10 * MB)]

    verdict = judge(samples, BYTES)

    assert verdict.outcome is outcome
    assert verdict.figures == f"{read_mb + 1}.0 MB of NFS for 10.0 MB of the index"


@pytest.mark.parametrize(("most", "outcome"), [(10, MET), (11, MISSED)])
def test_nothing_new_takes_few_rpcs(most: int, outcome: Outcome) -> None:
    """No job of any round may send more than 10."""
    samples = [
        job(Way.WHOLE, Scenario.NOTHING, round=number, **asks(rpcs))
        for number, rpcs in enumerate((2, most, 2))
    ]

    verdict = judge(samples, IDLE_RPCS)

    assert (verdict.outcome, verdict.figures) == (outcome, f"{most} at most in one job")


@pytest.mark.parametrize(("before_s", "outcome"), [(0.5, MET), (0.51, MISSED)])
def test_nothing_new_takes_little_time(before_s: float, outcome: Outcome) -> None:
    """What comes before `uv sync` takes a twentieth of rsync's time."""
    samples = [
        job(Way.WHOLE, Scenario.NOTHING, before_s=before_s, sync_s=3.0),
        job(Way.RSYNC, Scenario.NOTHING, before_s=10.0, sync_s=3.0),
    ]

    assert judge(samples, IDLE_TIME).outcome is outcome


@pytest.mark.parametrize(("most_mb", "outcome"), [(6, MET), (7, MISSED)])
def test_one_wheel_costs_one_wheel(most_mb: int, outcome: Outcome) -> None:
    """For a wheel of 4 MB no job moves more than 6 MB, and what tar.zst moves is told."""
    added = Scenario.ADDED
    samples = [
        *fleet(Way.WHOLE, added, [asks(9, read_bytes=n * MB) for n in (1, most_mb)]),
        *fleet(Way.NO_SHARING, added, [{"index_bytes": 4 * MB}] * 2),
        *fleet(Way.TAR, added, [asks(9, written_bytes=n * MB) for n in (99, 1)]),
    ]

    verdict = judge(samples, WHEEL)

    assert verdict.outcome is outcome
    assert verdict.figures == (
        f"{most_mb}.0 MB at most in one job, for a wheel of 4.0 MB; tar.zst 99.0 MB"
    )


def test_one_small_wheel_may_cost_its_record() -> None:
    """A wheel of a kilobyte is not missed for the segment that names it."""
    samples = [
        job(Way.WHOLE, Scenario.ADDED, **asks(9, written_bytes=60_000)),
        job(Way.NO_SHARING, Scenario.ADDED, index_bytes=1000),
    ]

    assert judge(samples, WHEEL).outcome is MET


@pytest.mark.parametrize(
    ("words", "field", "unit"), [(INDEX, "index_bytes", MB), (BUILDS, "builds", 1)]
)
@pytest.mark.parametrize(("second", "outcome"), [(0, MET), (1, MISSED)])
def test_warm_fleet_asks_and_builds_once(
    words: str, field: str, unit: int, second: int, outcome: Outcome
) -> None:
    """Four runners together need what one of them needs without sharing."""
    warm = Scenario.WARM
    samples = [
        *fleet(Way.WHOLE, warm, [{field: n * unit} for n in (8, second, 0, 0)]),
        *fleet(Way.NO_SHARING, warm, [{field: 8 * unit}] * 4),
    ]

    verdict = judge(samples, words)

    assert verdict.outcome is outcome
    assert verdict.figures.endswith(", 4 runners")


def test_fleets_of_other_sizes_are_not_compared() -> None:
    """Joined runs may be of two runners, and of four."""
    samples = [
        *fleet(Way.WHOLE, Scenario.WARM, [{"index_bytes": 8}, {}]),
        *fleet(Way.NO_SHARING, Scenario.WARM, [{"index_bytes": 8}] * 4),
    ]

    verdict = judge(samples, INDEX)

    assert verdict.outcome is NOT_MEASURED
    assert verdict.figures == "rounds of 2 and of 4 runners"


def test_rounds_of_other_fleets_are_not_mixed() -> None:
    """Not even if both ways have the same: a median over both is of no fleet at all."""
    samples = [
        replace(one, round=size)
        for way in (Way.WHOLE, Way.NO_SHARING)
        for size in (2, 4)
        for one in fleet(way, Scenario.WARM, [{"index_bytes": 8}] * size)
    ]

    verdict = judge(samples, INDEX)

    assert verdict.outcome is NOT_MEASURED
    assert verdict.figures == "rounds of 2 and of 4 runners"


def test_cold_fleet_tells_what_it_built_again() -> None:
    """Four wheels that need a build, built nine times: five more than needed."""
    cold = Scenario.COLD
    samples = [
        *fleet(Way.WHOLE, cold, [{"builds": n} for n in (4, 3, 2, 0)]),
        *fleet(Way.NO_SHARING, cold, [{"builds": 4}] * 4),
    ]

    verdict = judge(samples, AGAIN)

    assert verdict.outcome is Outcome.TOLD
    assert verdict.figures == "9 builds of 4 wheels: 5 more than needed"


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.text)
def test_claim_is_not_measured_alone(claim: claims.Claim) -> None:
    """Without the way that it is compared with, it says what is missing."""
    alone = job(Way.LOCK, claim.scenario, share=None)
    [site] = make_sites([alone, job(Way.LOCK, scenario="something else")])

    verdict = claim.about(site, Way.LOCK)

    assert verdict.outcome is NOT_MEASURED
    assert verdict.figures.startswith("no ")


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.text)
def test_claim_is_not_measured_without_its_scenario(claim: claims.Claim) -> None:
    """Then nothing is missing but all of it."""
    [site] = make_sites([job(Way.LOCK, scenario="something else")])

    verdict = claim.about(site, Way.LOCK)

    assert (verdict.outcome, verdict.figures) == (NOT_MEASURED, "")


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.text)
def test_claim_is_missed_if_a_job_failed(claim: claims.Claim) -> None:
    """Whatever the figures say, a job that failed is no success."""
    samples = [
        replace(one, has_failed=one.way == Way.WHOLE and one.round == 1)
        for one in make_run()
    ]
    [site] = make_sites(samples)

    verdict = claim.about(site, Way.WHOLE)

    assert verdict.outcome is MISSED
    assert verdict.figures.endswith("jobs failed")


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.text)
def test_claim_is_not_measured_against_failures(claim: claims.Claim) -> None:
    """A rival all of whose jobs failed was not measured, and nobody is ahead of it."""
    samples = [replace(one, has_failed=one.way != Way.WHOLE) for one in make_run()]
    [site] = make_sites(samples)

    # This one compares with nobody.
    expected = MET if IDLE_RPCS in claim.text else NOT_MEASURED
    assert claim.about(site, Way.WHOLE).outcome is expected


def test_folder_says_what_needs_nfs() -> None:
    """Claims about NFS are listed as not measured, and not judged by a local disk."""
    [site] = make_sites(in_folder(make_run()))

    text = claims.render(site)

    head, _, left = text.partition("\n\n")
    assert left.startswith("Not measured in this run, for want of NFS: New runner")
    assert left.count(";") + 1 == sum(claim.needs_nfs for claim in CLAIMS)
    assert len(head.splitlines()) == 2 + sum(not claim.needs_nfs for claim in CLAIMS)
    assert all(
        verdict.outcome is not MET
        for verdict in claims.judge_site(site)
        if verdict.claim in left
    )


def test_table_shouts_what_is_missed() -> None:
    """A loss stands there as clearly as a success, for each of our ways."""
    samples = [
        job(Way.WHOLE, **takes(2.0)),
        job(Way.LOCK, **takes(9.0)),
        job(Way.TAR, **takes(4.0)),
    ]
    [site] = make_sites(samples)

    rows = claims.render(site).splitlines()

    assert rows[0] == "| what must come out | wheelferry | wheelferry, with the lock |"
    assert rows[5] == (
        "| New runner joins: ready before tar.zst"
        " | met: tar.zst takes 2.00 times as long"
        " | **MISSED**: tar.zst takes 0.44 times as long |"
    )
    assert rows[2].endswith("| not measured in this run: no floor |")
