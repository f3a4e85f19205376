"""Predicting a job's time on another network."""

import argparse
from dataclasses import replace

import pytest

from benchmarks.fleet import model
from benchmarks.fleet.group import make_sites
from benchmarks.fleet.names import Scenario, Way
from benchmarks.fleet.network import Network
from tests.support.jobs import BLANK, MB, in_folder, make_share

NEAR = Network(rtt_ms=1, mbit=800)  # 100 MB a second
FAR = Network(rtt_ms=11, mbit=400)  # 50 MB a second

# 3 s in all; 100 RPCs that waited for 0.5 s together, and 200 MB.
JOB = replace(
    BLANK,
    network=NEAR,
    before_s=1.0,
    sync_s=1.5,
    after_s=0.5,
    share=make_share(100, read_bytes=150 * MB, written_bytes=50 * MB, waited_s=0.5),
)


def test_prediction_adds_round_trips_and_transfer() -> None:
    """100 RPCs of 10 ms more are a second, and 200 MB at half the speed are 2 s more."""
    assert model.predict_job(JOB, NEAR, FAR) == pytest.approx(3 + 1 + 2)


def test_prediction_goes_back() -> None:
    """What a slower network adds, a faster one takes away."""
    slow = replace(JOB, network=FAR, before_s=4.0)

    assert model.predict_job(slow, FAR, NEAR) == pytest.approx(6 - 1 - 2)


def test_prediction_counts_rpcs_in_parallel_once() -> None:
    """RPCs that wait for 12 s within 3 s are four at a time: a quarter counts."""
    job = replace(JOB, share=make_share(100, waited_s=12.0))

    assert job.share
    assert model.serial_share(job.share, job.whole_s) == pytest.approx(0.25)
    assert model.predict_job(job, NEAR, FAR) == pytest.approx(3 + 0.25)


def test_prediction_is_no_negative_time() -> None:
    """A network cannot give back more than a job took."""
    quick = replace(JOB, before_s=0.0, sync_s=0.1, after_s=0.0, network=FAR)

    assert model.predict_job(quick, FAR, NEAR) == 0


def test_prediction_needs_counts() -> None:
    """In a folder nothing was counted that another network would change."""
    [job] = in_folder([JOB])

    with pytest.raises(ValueError, match="no RPCs of wheelferry were counted"):
        model.predict_job(job, NEAR, FAR)


def test_check_tells_the_error_of_each_way() -> None:
    """A prediction of 6 s where 5 s were then measured is 20 % too long."""
    then = replace(JOB, network=FAR, before_s=3.0, share=make_share(100, waited_s=1.25))
    other = replace(JOB, way=Way.RSYNC)
    uncounted = replace(JOB, way=Way.PROXY, share=None)
    [old] = make_sites([JOB, other, uncounted])
    [new] = make_sites([then, replace(uncounted, network=FAR)])

    [check] = model.check(old, new)

    assert (check.scenario, check.way) == (Scenario.JOINS, Way.WHOLE)
    assert (check.old_s, check.measured_s) == (3, 5)
    assert check.predicted_s == pytest.approx(6)
    assert check.error == pytest.approx(0.2)
    text = model.render_checks([JOB, other, then])
    assert (
        "### guest, RTT 1 ms, 800 Mbit/s: the model, checked against RTT 11 ms" in text
    )
    assert "| wheelferry | 3.00 | 6.00 | 5.00 | +20% | 3.50 | 1.25 |" in text
    assert model.render_checks([JOB, other]) == ""


def test_check_skips_failed_jobs() -> None:
    """The time of a job that failed is no measurement."""
    then = replace(JOB, network=FAR, has_failed=True)
    [old], [new] = make_sites([JOB]), make_sites([then])

    assert model.check(old, new) == []


def test_table_has_what_was_measured_and_what_is_predicted() -> None:
    """One row per way, and the part of its RPCs that counts."""
    parallel = replace(JOB, way=Way.TAR, share=make_share(100, waited_s=12.0))
    [site] = make_sites([JOB, parallel])

    assert model.render(site, FAR).splitlines()[2:] == [
        "| wheelferry | 100% | 3.0 → 6.0 |",
        "| tar.zst | 25% | 3.0 → 3.2 |",
    ]


@pytest.mark.parametrize(
    ("words", "network"),
    [
        ([], None),
        (["--rtt-ms", "5"], Network(rtt_ms=5, mbit=800)),
        (["--mbit", "100"], Network(rtt_ms=1, mbit=100)),
        (["--rtt-ms", "5", "--mbit", "100"], Network(rtt_ms=5, mbit=100)),
    ],
)
def test_options_name_another_network(
    words: list[str], network: Network | None
) -> None:
    """What the command line does not say stays as measured."""
    parser = argparse.ArgumentParser()
    model.add_options(parser)
    args = parser.parse_args(words)

    assert model.find_network(args, NEAR) == network
    assert model.find_network(args, None) is None
