"""The rig itself: what the other tests here rest on."""

import re
import time

import pytest

from tests.nfs.rig import Ran, Running, Site, mountstats
from tests.nfs.rig.machines import StillRunning

_STATS = """\
device rootfs mounted on / with fstype rootfs
device 10.9.0.1:/x mounted on /share with fstype nfs4 statvers=1.1
\tage:\t3
\tbytes:\t1 2 3 4 {read} 6 7 8
\tRPC iostats version: 1.1  p/v: 100003/4 (nfs)
\tper-op statistics
\t        NULL: 1 1 0 44 24 0 0 0 0
\t        READ: {reads} {sent} 0 44 24 9 {waited} 9 0
\tLAYOUTERROR: 0 0 0 0 0 0 0 0 0
"""


def _parse(**values: int) -> mountstats.Counters:
    return mountstats.parse(_STATS.format_map(values))["/share"]


def test_mountstats_subtract_counts_calls_bytes_and_retransmits() -> None:
    """Between two readings, only what happened in between is counted."""
    before = _parse(read=5, reads=1, sent=1, waited=7)
    after = _parse(read=1005, reads=4, sent=6, waited=1507)

    traffic = mountstats.subtract(after, before)

    assert traffic == mountstats.Traffic(
        ops={"READ": 3},
        bytes_read=1000,
        bytes_written=0,
        retransmits=2,
        waited_s=1.5,
    )
    assert traffic.rpcs == 3


@pytest.mark.nfs
def test_site_boots_in_less_than_15_seconds() -> None:
    """A second guest, with two runners, is ready soon enough to be booted by a test.

    One of two, since other guests may be at work on the same cores.
    """
    assert min(_boot_s() for _ in range(2)) < 15


def _boot_s() -> float:
    start_s = time.monotonic()
    with Site.open(runners=2):
        return time.monotonic() - start_s


def test_long_script_arrives(site: Site) -> None:
    """A request may be longer than what a serial line holds."""
    assert site.guest.shell(f"echo {'x' * 20_000}") == "x" * 20_000 + "\n"


@pytest.fixture
def mounted(site: Site) -> Site:
    """The site, with one export mounted by its first two runners."""
    export = site.server.export(f"rig-{time.monotonic_ns()}")
    for runner in site.runners[:2]:
        runner.mount(export)
    return site


def test_runners_are_separate_clients(mounted: Site) -> None:
    """What one writes another reads; each counts its own RPCs; the kernel's nfsd answers."""
    a, b = mounted.runners[:2]

    wrote = a.run("sh", "-c", "head -c 3000000 /dev/zero >/share/x")
    read = b.run("sh", "-c", "hostname; cat /share/x | wc -c")

    assert read.stdout.split() == ["r2", "3000000"]
    assert wrote.traffic.bytes_written == read.traffic.bytes_read == 3_000_000
    assert wrote.traffic.of("READ") == read.traffic.of("WRITE") == 0
    assert 3 <= read.traffic.of("READ") <= 6
    mounts = a.shell("grep /share /proc/mounts")
    assert re.search(r" nfs4 .*vers=4\.2.*clientaddr=10\.9\.0\.101", mounts), mounts


def test_counts_see_a_lock(mounted: Site) -> None:
    """A lock on the share is counted, and granted at once: no grace period is left."""
    a = mounted.runners[0]

    locked = a.run("flock", "/share/lock", "true")

    assert locked.traffic.locks >= 1, locked
    assert locked.wall_s < 5


def test_unplugged_server_blocks_a_read_and_kill_ends_it(mounted: Site) -> None:
    """With the server's cable out a read hangs, until it is killed."""
    a, b = mounted.runners[:2]
    a.shell("echo hello >/share/x")
    with mounted.server.unplugged():
        reading = b.start("cat", "/share/x")
        with pytest.raises(StillRunning):
            reading.wait(2)
        ended: Ran = reading.wait(5)
    assert ended.returncode == -9
    assert b.run("cat", "/share/x").stdout == "hello\n"


def test_restarted_server_lets_a_writer_go_on(mounted: Site) -> None:
    """A hard mount outlives a restart of nfsd."""
    a = mounted.runners[0]
    writing: Running = a.start(
        *("sh", "-c", "for i in 1 2 3 4 5 6; do echo $i >>/share/y; sleep 0.2; done")
    )
    mounted.server.restart_nfsd()
    done = writing.wait(100)
    assert done.returncode == 0, done
    assert a.shell("cat /share/y").split() == list("123456")


def test_full_export_refuses_with_enospc(mounted: Site) -> None:
    """A small export gets full, and says so."""
    runner = mounted.runners[2]
    runner.mount(mounted.server.export(f"small-{time.monotonic_ns()}", size_mib=16))
    done = runner.run("dd", "if=/dev/zero", "of=/share/x", "bs=1M", "count=40")
    assert "No space left on device" in done.stderr


def test_shaped_cable_delays(mounted: Site) -> None:
    """A delay of 20 ms in each direction makes an RPC take 40 ms or more."""
    a = mounted.runners[0]
    a.shell("mkdir /share/dir")
    a.shape(delay_ms=20)
    slow = a.run("sh", "-c", "for i in 1 2 3 4 5; do ls /share/dir/none$i; done")
    assert slow.traffic.rpcs >= 5
    assert slow.wall_s >= 0.04 * 5
