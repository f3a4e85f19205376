"""The place where a fleet's benchmark runs on real NFS: what it counts, and undoes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.fleet.guest import GuestPlace, serve_index
from benchmarks.fleet.index import SIMPLE_URL, read_counts
from benchmarks.fleet.network import Network
from benchmarks.fleet.place import Ran, Runner
from tests.nfs.rig import Site, Traffic
from wheelferry.sample import make_wheel

_MB = 1_000_000


@pytest.fixture
def place(site: Site) -> GuestPlace:
    """Two runners, and no index."""
    return GuestPlace(site, ["http://r1", "http://r2", "http://server"])


@pytest.fixture
def share(place: GuestPlace) -> Iterator[GuestPlace]:
    """The same, with an empty share."""
    with place.new_share("a-share"):
        yield place


def _run(runner: Runner, *argv: str) -> Ran:
    ran = runner.start(argv, env={}).wait(60)
    assert ran.returncode == 0, ran
    return ran


def _traffic(ran: Ran) -> Traffic:
    assert ran.traffic is not None
    return ran.traffic


def test_place_counts_what_a_command_asks_of_the_share(share: GuestPlace) -> None:
    """Each runner has its own counts: of file content, RPCs, their time."""
    a, b = share.runners

    wrote = _run(a, "sh", "-c", "head -c 3000000 /dev/zero >/share/x")
    read = _run(b, "cat", "/share/x")
    none = _run(b, "true")

    assert _traffic(wrote).bytes_written == _traffic(read).bytes_read == 3 * _MB
    assert 0 < _traffic(read).waited_s < _traffic(read).rpcs * read.wall_s
    assert (_traffic(none).rpcs, _traffic(none).waited_s) == (0, 0)
    assert 3 * _MB <= share.share_bytes() < 3.1 * _MB


def test_place_forgets_what_was_read(share: GuestPlace) -> None:
    """What a runner has read is in its memory, until it forgets."""
    a, _ = share.runners
    a.shell("head -c 3000000 /dev/zero >/share/x; cat /share/x")

    warm = _run(a, "cat", "/share/x")
    a.forget()
    cold = _run(a, "cat", "/share/x")

    assert _traffic(warm).bytes_read == 0
    assert _traffic(cold).bytes_read == 3 * _MB


def test_place_frees_the_disk_of_a_share(place: GuestPlace, site: Site) -> None:
    """A share is empty at its beginning, whatever the last one of that name had."""
    used = "df --output=used -B1M /disk | tail -n1"
    before = int(site.server.shell(used))
    for _ in range(2):
        with place.new_share("full"):
            a, b = place.runners
            assert b.shell("ls -A /share") == ""
            a.shell("head -c 30M /dev/zero >/share/x")
            assert int(site.server.shell(used)) >= before + 30

    assert int(site.server.shell(used)) <= before + 1


def test_place_with_another_network_takes_longer_for_an_rpc(place: GuestPlace) -> None:
    """A cable that adds 5 ms to a round trip is seen as such."""
    place.reshape(Network(rtt_ms=0.1, mbit=10_000))
    near = place.seen
    place.reshape(Network(rtt_ms=5.1, mbit=400))
    far = place.seen

    assert place.network == Network(rtt_ms=5.1, mbit=400)
    assert near
    assert far
    assert far.rtt_ms >= 5.1
    assert 4 < far.rtt_ms - near.rtt_ms < 20
    assert 40 < far.mbit < 400


def test_place_tells_the_peak_of_memory(place: GuestPlace) -> None:
    """It is that of the largest process, also of one that another has started."""
    a, _ = place.runners
    take = "b'x' * 50_000_000"

    small = _run(a, "true").peak_bytes
    large = _run(a, "sh", "-c", f'{sys.executable} -Sc "{take}"; true').peak_bytes

    assert 50 * _MB < large < 80 * _MB
    assert small < 30 * _MB


def test_place_has_an_index_that_counts_by_runner(site: Site, tmp_path: Path) -> None:
    """A runner's proxy serves the folder, and counts what this runner asked for."""
    wheel = make_wheel("iniconfig")
    (tmp_path / wheel.filename).write_bytes(wheel.data)
    with serve_index(site.server, tmp_path, clients=3) as proxies:
        place = GuestPlace(site, proxies)
        a, b = place.runners
        fetch = f"import urllib.request as u; print(u.urlopen('{SIMPLE_URL}/iniconfig/').read())"
        argv = [sys.executable, "-Sc", fetch]
        page = a.start(argv, env={"http_proxy": a.index_proxy}).wait(60)

        assert wheel.filename in page.stdout, page
        counts = [read_counts(machine).requests for machine in (a, b, place.server)]
        assert counts == [1, 0, 0]
