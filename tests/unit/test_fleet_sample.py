"""Samples of a fleet's jobs, as values and as JSON."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fleet.network import Network
from benchmarks.fleet.sample import Sample, Share
from tests.support.jobs import BLANK, make_run, make_share

COUNTS = st.integers(0, 10**15)
SECONDS = st.floats(0, 1e6)
SHARES = st.builds(
    Share,
    rpcs=st.dictionaries(st.text(), COUNTS),
    read_bytes=COUNTS,
    written_bytes=COUNTS,
    waited_s=SECONDS,
)
SAMPLES = st.builds(
    Sample,
    network=st.none() | st.builds(Network, rtt_ms=SECONDS, mbit=SECONDS),
    before_s=SECONDS,
    sync_s=SECONDS,
    after_s=SECONDS,
    share=st.none() | SHARES,
)


@settings(max_examples=30)
@given(SAMPLES)
def test_sample_survives_json(sample: Sample) -> None:
    """What `decode` returns is what was encoded."""
    assert Sample.decode(json.loads(json.dumps(sample.encode()))) == sample


@pytest.mark.parametrize("gone", ["network", "share", "way"])
def test_sample_refuses_what_lacks_a_field(gone: str) -> None:
    """A file of something else is no sample."""
    fields = BLANK.encode()
    del fields[gone]

    with pytest.raises((KeyError, TypeError)):
        Sample.decode(fields)


def test_sample_is_ready_before_what_comes_after() -> None:
    """A job can run when `uv sync` is done; the whole has what comes after it, too."""
    job = replace(BLANK, before_s=1.5, sync_s=2.0, after_s=4.0)

    assert (job.ready_s, job.whole_s) == (3.5, 7.5)


def test_share_counts_all_operations_and_both_directions() -> None:
    """RPCs are those of all operations, bytes are read and written ones."""
    share = make_share(30, read_bytes=5, written_bytes=6)

    assert (share.rpcs, share.rpc_count) == ({"READ": 27, "OPEN": 3}, 30)
    assert share.moved_bytes == 11


def test_made_up_run_survives_json() -> None:
    """The run that other tests look at has what a real one has."""
    for sample in make_run():
        assert Sample.decode(json.loads(json.dumps(sample.encode()))) == sample


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (Network(rtt_ms=0.7, mbit=1000), "RTT 0.7 ms, 1 Gbit/s"),
        (Network(rtt_ms=10, mbit=2500), "RTT 10 ms, 2.5 Gbit/s"),
        (Network(rtt_ms=0.125, mbit=100), "RTT 0.125 ms, 100 Mbit/s"),
    ],
)
def test_network_names_its_figures(network: Network, text: str) -> None:
    """A network is called by its round trip time and its bandwidth."""
    assert str(network) == text
