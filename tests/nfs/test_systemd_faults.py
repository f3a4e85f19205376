"""The service and its share in trouble, on a machine with real systemd and real NFS."""

import time
from collections.abc import Iterator

import pytest

from tests.nfs.host import (
    STOP_S,
    Host,
    Services,
    damage,
    staged_bytes,
    stored,
)
from tests.nfs.rig.host import FSTAB_OPTIONS, UNIT

pytestmark = [pytest.mark.nfs, pytest.mark.timeout(300)]

WATCHDOG_S = 6
DROP_IN = f"""
[Service]
WatchdogSec={WATCHDOG_S}
RestartSec=1
"""
"""Shorter times than the unit's, so that a test can wait for them."""

SLOW = "8mbit"
"""A MiB takes a second."""


def test_killed_daemon_is_started_again_and_catches_up(services: Services) -> None:
    """What uv builds while there is no daemon is promoted by the next one."""
    host, one = services.host, services.one
    before = one.restarts
    host.kill_main(one.unit)
    one.uv_install("built-while-dead")

    services.two.wait_for("built-while-dead")
    assert one.restarts == before + 1
    assert one.is_active()


@pytest.fixture
def hasty(services: Services) -> Iterator[Services]:
    """With a watchdog that bites soon, and a share whose attributes are soon stale."""
    host = services.host
    folders = [f"/etc/systemd/system/{s.unit}.d" for s in (services.one, services.two)]
    for folder in folders:
        host.write(f"{folder}/90-hasty.conf", DROP_IN)
    remount(host, ",actimeo=1")
    for service in (services.one, services.two):
        service.restart()
    yield services
    host.plug_cable()
    host.shell(f"rm {' '.join(f'{folder}/90-hasty.conf' for folder in folders)}")
    host.systemctl("daemon-reload")
    remount(host)
    for service in (services.one, services.two):
        service.restart()


def remount(host: Host, options: str = "") -> None:
    """Mount the share anew."""
    assert host.systemctl("stop", UNIT).returncode == 0
    host.write(
        f"/run/systemd/system/{UNIT}.d/options.conf",
        f"[Mount]\nOptions={FSTAB_OPTIONS}{options}\n",
    )
    host.systemctl("daemon-reload")
    assert host.systemctl("start", UNIT).returncode == 0


def test_silent_server_degrades_and_kills_nothing(hasty: Services) -> None:
    """The watchdog is fed while the share hangs; afterwards all is carried."""
    host, one, two = hasty.host, hasty.one, hasty.two
    host.pull_cable()
    cut_s = time.monotonic()
    one.uv_install("built-while-cut")
    for service in (one, two):
        host.wait_until(
            lambda: service.status.startswith("degraded"),  # noqa: B023 - called at once
            f"{service.unit} degraded",
        )
        print(f"degraded after {time.monotonic() - cut_s:.1f} s: {service.status}")
    while time.monotonic() < cut_s + 4 * WATCHDOG_S:
        time.sleep(1)
    assert [service.restarts for service in (one, two)] == [0, 0], one.said
    assert one.account()["tasks"]["promote"]["waits_since_s"] is not None

    host.plug_cable()
    plugged_s = time.monotonic()
    two.wait_for("built-while-cut", timeout_s=120)
    print(f"carried {time.monotonic() - plugged_s:.1f} s after the server was back")
    for service in (one, two):
        service.wait_for_line("all is well again")
        assert service.account()["degraded"] == ""
    assert [service.restarts for service in (one, two)] == [0, 0]


def test_daemon_starts_while_the_server_is_silent(hasty: Services) -> None:
    """Neither systemd nor the daemon hangs at the share, when it has to start anew."""
    host, one = hasty.host, hasty.one
    host.pull_cable()
    time.sleep(3)  # the kernel believes no attribute for longer than a second now
    host.kill_main(one.unit)
    killed_s = time.monotonic()
    host.wait_until(lambda: one.restarts == 1 and one.is_active(), "another daemon", 40)
    print(f"ready {time.monotonic() - killed_s:.1f} s after kill -9, server silent")
    host.wait_until(lambda: one.status.startswith("degraded"), "degraded")
    assert one.stop() < STOP_S
    one.start()
    host.plug_cable()
    host.wait_until(lambda: not one.status.startswith("degraded"), "well", 120)


def test_stop_during_a_promotion_leaves_nothing_half_done(services: Services) -> None:
    """It ends within 5 s; the next start begins again."""
    host, one, two = services.host, services.one, services.two
    host.server.shape(rate=SLOW)
    before = stored(host)
    one.uv_install("promoted")
    host.wait_until(lambda: staged_bytes(host) > 1 << 20, "a part of the pack")
    took_s = one.stop()
    print(f"stopped during a promotion after {took_s:.1f} s")
    assert took_s < STOP_S
    assert stored(host) == before
    assert damage(host) == []

    host.server.settle()
    one.start()
    two.wait_for("promoted")
    assert damage(host) == []


def test_stop_during_a_pull_leaves_nothing_half_done(services: Services) -> None:
    """It ends within 5 s, and has put nothing into the cache; the next start pulls."""
    host, one, two = services.host, services.one, services.two
    two.stop()
    before = stored(host)
    one.uv_install("pulled")
    host.wait_until(lambda: stored(host) - before, "another segment")
    host.server.shape(rate=SLOW)
    two.start()
    staged = (
        f"find {two.cache}.wheelferry/staging -type f -size +1M 2>/dev/null || true"
    )
    host.wait_until(lambda: host.shell(staged), "a part of the pack", 60)
    took_s = two.stop()
    print(f"stopped during a pull after {took_s:.1f} s")
    assert took_s < STOP_S
    assert not two.has("pulled")

    host.server.settle()
    two.start()
    two.wait_for("pulled")
    assert not host.shell(staged)


@pytest.fixture
def inotify(services: Services) -> Iterator[Host]:
    """The machine, whose limits of inotify are what they were after the test."""
    host = services.host
    names = ("max_queued_events", "max_user_watches", "max_user_instances")
    kept = {n: int(host.shell(f"cat /proc/sys/fs/inotify/{n}")) for n in names}
    yield host
    host.limit_inotify(**kept)
    services.one.restart()


def test_overflow_of_inotify_loses_nothing(inotify: Host, services: Services) -> None:
    """Events that the kernel drops are known to be lost, and all is scanned."""
    one = services.one
    inotify.limit_inotify(max_queued_events=2)
    one.restart()
    one.uv_install("flooded")
    flood = f"cd {one.cache}/archive-v0 && mkdir $(seq 1 3000) && rmdir $(seq 1 3000)"
    inotify.run("sh", "-c", flood, user=one.user)

    one.wait_for_line("the whole cache is scanned")
    services.two.wait_for("flooded")


@pytest.mark.parametrize("limit", ["max_user_watches", "max_user_instances"])
def test_limit_of_inotify_is_named_and_loses_nothing(
    inotify: Host, services: Services, limit: str
) -> None:
    """With no watch to be had the cache is polled, and the log says what to raise."""
    one = services.one
    inotify.limit_inotify(**{limit: 1 if limit.endswith("watches") else 0})
    one.restart()
    one.wait_for_line(f"fs.inotify.{limit}")
    assert one.is_active()
    assert one.account()["watching"] == "polling"
    name = "polled" if limit.endswith("watches") else "polled-too"
    one.uv_install(name)
    services.two.wait_for(name)


def test_boot_without_the_share_goes_well(services: Services) -> None:
    """The daemon runs and is degraded; when the share is mounted later, it catches up."""
    host, shelf, one, two = services
    host.reboot(is_server_away=True)
    print(f"booted without the share in {host.boot_s:.1f} s, the server included")
    host.wait_until(lambda: one.status.startswith("degraded"), "degraded")
    assert one.is_active()
    assert one.restarts == 0
    assert host.show(UNIT, "ActiveState") != "active"
    shelf.start()
    one.uv_install("built-at-boot")

    host.plug_cable()
    host.wait_until(
        lambda: host.systemctl("start", UNIT).returncode == 0, "the share", 120
    )
    mounted_s = time.monotonic()
    two.wait_for("built-at-boot")
    print(f"carried {time.monotonic() - mounted_s:.1f} s after the share was mounted")
    assert not one.status.startswith("degraded")
    assert [service.restarts for service in (one, two)] == [0, 0]


def test_share_that_goes_and_comes_is_followed(services: Services) -> None:
    """An unmount is no trouble for long, however the share is mounted again."""
    host, _, one, two = services
    assert host.systemctl("stop", UNIT).returncode == 0
    host.wait_until(lambda: one.status.startswith("degraded"), "degraded")
    one.uv_install("built-later")
    assert host.systemctl("start", UNIT).returncode == 0
    two.wait_for("built-later")
    assert one.restarts == 0


def test_power_cut_of_the_machine_loses_nothing(services: Services) -> None:
    """Both services come up again; caches and store are sound."""
    host, shelf, one, two = services
    host.shell("sync")
    host.lose_power()
    shelf.start()
    for service in (one, two):
        assert service.is_active(), service.said
        host.wait_until(lambda: not service.status.startswith("degraded"), "well")  # noqa: B023 - called at once
    assert damage(host) == []
