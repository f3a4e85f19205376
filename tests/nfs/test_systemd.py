"""The service on a machine with real systemd, its store on real NFS.

Two users with a cache and a daemon each stand for two runners.
"""

import re
import time

import pytest

from tests.nfs.host import (
    CONFIGURATION,
    PYTHON,
    SETTINGS,
    Service,
    Services,
    damage,
    install,
    make_store,
    stored,
    uninstall,
)
from tests.nfs.rig.host import HOST_IP
from tests.nfs.rig.machines import SERVER_IP

pytestmark = [pytest.mark.nfs, pytest.mark.timeout(300)]

METRICS_PORT = 19100
SCRAPE = (
    "import http.client, sys;"
    f" to = http.client.HTTPConnection(sys.argv[1], {METRICS_PORT}, timeout=10);"
    " to.request('GET', '/metrics'); print(to.getresponse().read().decode())"
)


def test_installed_services_run_and_are_sealed(services: Services) -> None:
    """One command has it run, now and after a boot, with next to nothing left open."""
    host = services.host
    for service in (services.one, services.two):
        assert service.is_active(), service.said
        assert host.show(service.unit, "UnitFileState") == "enabled"
        assert not service.status.startswith("degraded"), service.status
        table = host.shell(f"systemd-analyze security --no-pager {service.unit}")
        exposure = float(table.partition("level for ")[2].split()[1])
        assert exposure <= 1.5, table


def test_wheel_that_uv_builds_for_one_arrives_at_the_other(services: Services) -> None:
    """Nobody asks for it: it is in the other's cache, and his uv builds nothing."""
    one, two, shelf = services.one, services.two, services.shelf
    assert "built" in one.uv_install("built").stdout
    started_s = time.monotonic()
    two.wait_for("built")
    print(f"arrived after {time.monotonic() - started_s:.1f} s")

    before = shelf.files
    assert two.uv_install("built").stdout == ""
    assert shelf.files == before
    assert damage(services.host) == []


def test_heavy_wheel_is_soon_in_the_store(services: Services) -> None:
    """10 MB are there some seconds after uv has ended: 2 s at most on a real machine."""
    host = services.host
    before = stored(host)
    services.one.uv_install("heavy")
    started_s = time.monotonic()
    host.wait_until(lambda: stored(host) - before, "another segment")
    took_s = time.monotonic() - started_s
    print(f"10 MiB in the store {took_s:.1f} s after uv has ended")
    assert took_s < 10  # one virtual CPU, and slow system calls


def test_reload_takes_a_good_file_and_no_broken_one(services: Services) -> None:
    """A broken file fails the reload, and says so; the daemon works on as before."""
    host, one, two = services.host, services.one, services.two
    pid = host.show(one.unit, "MainPID")
    try:
        host.write(CONFIGURATION, SETTINGS.replace("poll =", "pole ="))
        done = host.systemctl("reload", one.unit)
        assert done.returncode != 0
        assert "pole" in one.said
        host.kill_main(one.unit, 1)  # SIGHUP, from somebody who does not check
        one.wait_for_line("the configuration is not taken over")
        assert "pole" in one.status
        one.uv_install("reloaded")
        two.wait_for("reloaded")
    finally:
        host.write(CONFIGURATION, SETTINGS.replace('"2s"', '"1s"'))
    assert host.systemctl("reload", one.unit).returncode == 0
    one.wait_for_line("looking at /mnt/wheels every 1 s")
    assert host.show(one.unit, "MainPID") == pid
    host.write(CONFIGURATION, SETTINGS)
    assert host.systemctl("reload", one.unit).returncode == 0


def test_metrics_are_there_for_this_machine_alone(services: Services) -> None:
    """Once the sandbox has the port: by the next install, which the log asks for."""
    host, one = services.host, services.one
    scrape = (PYTHON, "-I", "-c", SCRAPE)
    try:
        host.write(CONFIGURATION, f"{SETTINGS}metrics_port = {METRICS_PORT}\n")
        assert host.systemctl("reload", one.unit).returncode == 0
        one.wait_for_line(f"cannot listen on 127.0.0.1:{METRICS_PORT}: Address family")
        assert "run `wheelferry systemd install` again" in one.said
        install(host, one.user)
        host.wait_until(
            lambda: re.search(
                r"^wheelferry_degraded\{.*\} 0$",
                host.run(*scrape, "127.0.0.1").stdout,
                re.MULTILINE,
            ),
            "a scrape",
        )
        for run in (host.run, host.server.run):
            done = run(*scrape, HOST_IP)
            assert (done.returncode, done.stdout) == (1, ""), done
            assert "ConnectionRefusedError" in done.stderr, done
        table = host.shell(f"systemd-analyze security --no-pager {one.unit}")
        assert float(table.partition("level for ")[2].split()[1]) <= 1.5, table
    finally:
        host.write(CONFIGURATION, SETTINGS)
        install(host, one.user)
    assert "ConnectionRefusedError" in host.run(*scrape, "127.0.0.1").stderr
    assert not one.status.startswith("degraded"), one.status


def test_containers_ask_through_the_socket(services: Services) -> None:
    """The sandbox lets the daemon make it, and see the checkouts, and nothing else."""
    host, one = services.host, services.one
    home, run = f"/home/{one.user}", f"/run/wheelferry/{one.name}"
    configuration = f"{home}/.config/wheelferry/config.toml"
    kept = host.shell(f"cat {configuration}")
    ask = ("curl", "-sS", "--max-time", "40", "--unix-socket", f"{run}/socket")
    try:
        host.shell(
            f"mkdir -p {home}/builds/p {home}/other; chown -R {one.user}: {home}"
        )
        door = f'[daemon]\nsocket = "{run}/socket"\nprojects = ["{home}/builds"]\n'
        host.write(configuration, kept + door)
        install(host, one.user)
        host.wait_until(
            lambda: host.run("test", "-S", f"{run}/socket").returncode == 0, "a socket"
        )
        for project, answer in (
            ("builds/p", f"nothing to pull: {home}/builds/p has no lock"),
            ("other", f"refused: '{home}/other' is in none of daemon.projects"),
        ):
            done = host.run(
                *(*ask, "-X", "POST", "-H", f"Project: {home}/{project}"),
                "http://wheelferry/pull",
                user=services.two.user,
            )
            assert done.stdout.startswith(answer), done
    finally:
        host.write(configuration, kept)
        install(host, one.user)
    assert host.run("test", "-e", f"{run}/socket").returncode != 0
    assert not one.status.startswith("degraded"), one.status


def test_second_daemon_for_a_cache_is_refused(services: Services) -> None:
    """It says which process serves the cache, and systemd would not start it again."""
    one = services.one
    pid = services.host.show(one.unit, "MainPID")
    done = one.wheelferry("daemon")
    assert done.returncode == 40
    assert f"process {pid}" in done.stderr
    assert f"process {pid}, since" in one.wheelferry("status").stdout


def test_second_cache_of_a_user_has_a_store_of_its_own(services: Services) -> None:
    """An instance by another name and configuration, beside the first."""
    host, one = services.host, services.one
    export = host.server.export("second")
    make_store(host, export.path)
    host.shell(
        "mkdir /mnt/second; mkdir -m 700 /home/runner1/second;"
        " chown runner1: /home/runner1/second;"
        f" mount -t nfs4 {SERVER_IP}:/second /mnt/second"
    )
    config = "/etc/wheelferry/second.toml"
    host.write(
        config,
        f"{SETTINGS}".replace("/mnt/wheels", "/mnt/second")
        + '[cache]\npath = "/home/runner1/second/uv"\n[runner]\nname = "second"\n',
    )
    second = Service(
        host=host, user="runner1", cache="/home/runner1/second/uv", name="second"
    )
    host.write(CONFIGURATION, "")  # what it sets is final for all
    try:
        install(host, "runner1", "--name", "second", "--config", config)
        before = stored(host)
        second.uv_install("second")
        host.wait_until(lambda: stored(host, export.path), "a segment")
        assert stored(host) == before
        assert damage(host, export.path) == []
        assert one.is_active()
        uninstall(host, "runner1", "--name", "second")
        assert not second.is_active()
        assert one.is_active()
    finally:
        host.write(CONFIGURATION, SETTINGS)
        host.shell("umount /mnt/second")


def test_timer_pulls_without_a_daemon(services: Services) -> None:
    """In place of the daemon; what is uninstalled leaves no file behind."""
    host, one, two = services.host, services.one, services.two
    uninstall(host, two.user)
    assert host.shell(f"ls /etc/systemd/system | grep {two.user} || true") == ""
    install(host, two.user, "--pull-timer")
    unit = f"wheelferry-pull@{two.user}"
    try:
        assert host.show(f"{unit}.timer", "ActiveState") == "active"
        assert host.show(f"{unit}.timer", "UnitFileState") == "enabled"
        before = stored(host)
        one.uv_install("timed")
        host.wait_until(lambda: stored(host) - before, "another segment")
        assert host.systemctl("start", f"{unit}.service").returncode == 0
        assert two.has("timed"), host.journal(f"{unit}.service")
    finally:
        uninstall(host, two.user)
        install(host, two.user)
