"""The machine with systemd itself: without it no test of the service means anything."""

import time
from collections.abc import Iterator

import pytest

from tests.nfs.rig.host import SHARE, UNIT, Host

pytestmark = [pytest.mark.nfs, pytest.mark.timeout(200)]

PROBE = """
import os, socket, sys, time
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.connect(os.environ["NOTIFY_SOCKET"])
manager.send(b"READY=1\\nSTATUS=pinging")
while not os.path.exists("/mnt/wheels/hang"):
    manager.send(b"WATCHDOG=1")
    time.sleep(0.2)
time.sleep(1000)
"""
SERVICE = """
[Service]
Type=notify
WatchdogSec=2
Restart=on-failure
RestartSec=100ms
User=runner1
ProtectSystem=strict
ProtectHome=tmpfs
PrivateNetwork=yes
ReadWritePaths=-/mnt
StateDirectory=probe
ExecStart=/usr/bin/python3 -I /opt/probe.py

[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A machine with one such service."""
    with Host.open({}) as host:
        host.write("/opt/probe.py", PROBE)
        host.write("/etc/systemd/system/probe.service", SERVICE)
        assert host.systemctl("enable", "--now", "probe.service").returncode == 0
        yield host


def test_host_has_systemd_as_its_first_process(host: Host) -> None:
    """It runs as on a machine, not as in a container."""
    assert host.shell("cat /proc/1/comm") == "systemd\n"
    assert host.shell("systemctl is-system-running") == "running\n"
    assert host.show("probe.service", "StatusText") == "pinging"


def test_watchdog_bites_whoever_stops_pinging(host: Host) -> None:
    """The service is killed and started again."""
    host.shell(f"touch {SHARE}/hang")
    host.wait_until(
        lambda: int(host.show("probe.service", "NRestarts")) >= 1, "a restart"
    )
    host.shell(f"rm {SHARE}/hang")
    assert "Watchdog timeout" in "\n".join(host.journal("probe.service"))


def test_sandbox_closes_what_it_says(host: Host) -> None:
    """The service sees no home, no network, and cannot write to the system."""
    pid = host.show("probe.service", "MainPID")
    inside = f"nsenter -t {pid} -m -n --"
    assert host.shell(f"{inside} ls /home") == ""
    assert "eth0" not in host.shell(f"{inside} cat /proc/net/dev")
    assert "eth0" in host.shell("cat /proc/net/dev")
    assert host.run("sh", "-c", f"{inside} touch /etc/x").returncode != 0


def test_share_mounted_later_appears_in_the_sandbox(host: Host) -> None:
    """Mounts of the machine reach services that run, as they do outside of containers."""
    inside = f"nsenter -t {host.show('probe.service', 'MainPID')} -m --"
    assert host.systemctl("stop", UNIT).returncode == 0
    assert host.run("sh", "-c", f"{inside} mountpoint -q {SHARE}").returncode != 0
    assert host.systemctl("start", UNIT).returncode == 0
    host.shell(f"{inside} touch {SHARE}/from-inside")


@pytest.mark.parametrize("is_server_away", [False, True])
def test_what_is_on_disk_is_there_after_a_boot(
    host: Host, is_server_away: bool
) -> None:
    """Units, homes and the store survive; a share that is away does not hold it up."""
    host.shell("echo kept >/home/runner1/kept")
    started_s = time.monotonic()
    host.reboot(is_server_away=is_server_away)
    print(f"shut down and booted in {time.monotonic() - started_s:.1f} s")
    assert host.shell("cat /home/runner1/kept") == "kept\n"
    assert host.show("probe.service", "ActiveState") == "active"
    is_mounted = host.show(UNIT, "ActiveState") == "active"
    assert is_mounted != is_server_away
    host.plug_cable()
