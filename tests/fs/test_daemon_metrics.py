"""The daemon's figures, scraped from the port where it has them."""

import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.cachetree import make_cache, plan
from tests.support.daemons import RunningDaemon, eventually
from tests.support.scrapes import read_samples
from tests.support.tiers import make_store
from wheelferry import __version__

UV_VERSION = "0.13.9"


class Scraped:
    """A runner whose daemon has figures, and the file that says where."""

    def __init__(self, root: Path) -> None:
        store = root / "store"
        store.mkdir()
        for name in ("archive-v0", "builds-v0"):  # as the first command of uv does
            (root / "uv" / name).mkdir(parents=True)
        self.config = root / "config.toml"
        self.ports = free_ports(2)
        self.set_port(self.ports[0])
        self.daemon = RunningDaemon(
            root / "uv",
            make_store(store),
            *("--config", str(self.config)),
            WHEELFERRY_UV_VERSIONS=UV_VERSION,
        )

    def set_port(self, port: int | None) -> None:
        """Write the configuration file."""
        line = f"metrics_port = {port}\n" if port else ""
        self.config.write_text(f"[daemon]\n{line}")

    def reload(self, port: int | None) -> None:
        """Have the daemon use another port, or none."""
        self.set_port(port)
        before = self.daemon.said().count("taken over")
        self.daemon.reload()
        self.daemon.wait_said("taken over", times=before + 1)

    def scrape(self, port: int) -> dict[str, float]:
        """Return all figures by name and labels, once the daemon listens there.

        But for the label of the runner, which all have.
        """
        eventually(lambda: listens(port), what=self.daemon.said)
        url = f"http://127.0.0.1:{port}/metrics"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return read_samples(answer.read().decode(), runner="uv")


def free_ports(number: int) -> list[int]:
    """Return ports that nobody has."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def listens(port: int) -> bool:
    """Return whether somebody can be reached there."""
    with socket.socket() as client:
        client.settimeout(20)
        return client.connect_ex(("127.0.0.1", port)) == 0


def listening(pid: int) -> list[str]:
    """Return the addresses on which a process listens for TCP, as the kernel has them."""
    links = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            links.add(str(path.readlink()))
    found = []
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in links:
                found.append(words[1])
    return found


@pytest.fixture
def scraped(tmp_path: Path) -> Iterator[Scraped]:
    """A daemon with a port; it is killed at the end."""
    scraped = Scraped(tmp_path)
    with scraped.daemon as daemon:
        daemon.wait_ready()
        yield scraped


def test_figures_are_those_of_the_daemon(scraped: Scraped) -> None:
    """What it carried, and how it goes, as `status` has it."""
    daemon, (port, _) = scraped.daemon, scraped.ports
    make_cache(daemon.cache, [plan("one"), plan("two")])
    daemon.wait_said("promoted 2 of 2")
    daemon.wait_idle()
    found = scraped.scrape(port)
    account = daemon.account()
    assert account is not None
    assert found[f'wheelferry_build_info{{version="{__version__}"}}'] == 1
    assert found["wheelferry_daemon_start_time_seconds"] == account.started_s
    assert found["wheelferry_degraded"] == 0
    assert found["wheelferry_inotify_watches"] == account.watches > 0
    assert found["wheelferry_promoted_entries_total"] == 2
    written = found["wheelferry_promoted_bytes_total"]
    packs = list((daemon.cache.parent / "store").glob("objects/*/*"))
    assert written == sum(path.stat().st_size for path in packs) > 0
    for task in ("promote", "pull"):
        assert found[f'wheelferry_task_failures{{task="{task}"}}'] == 0
        last = f'wheelferry_task_last_success_timestamp_seconds{{task="{task}"}}'
        assert found[last] > account.started_s


def test_store_that_is_away_shows(scraped: Scraped) -> None:
    """Degraded, and since when something waits."""
    daemon, (port, _) = scraped.daemon, scraped.ports
    daemon.wait_idle()
    assert scraped.scrape(port)["wheelferry_degraded"] == 0
    store = daemon.cache.parent / "store"
    store.rename(store.with_name("away"))
    make_cache(daemon.cache, [plan("one")])
    eventually(lambda: daemon.status().startswith("degraded: "), what=daemon.said)

    def waits() -> bool:
        name = 'wheelferry_task_waiting_since_timestamp_seconds{task="promote"}'
        found = scraped.scrape(port)
        return found["wheelferry_degraded"] == 1 and name in found

    eventually(waits, what=daemon.said)


def test_port_is_of_the_loopback_alone(scraped: Scraped) -> None:
    """No other address of the machine has it, and no other port is open."""
    (port, _), pid = scraped.ports, scraped.daemon.process.pid
    scraped.scrape(port)
    assert listening(pid) == [f"0100007F:{port:04X}"]


def test_reload_opens_moves_and_closes_the_port(scraped: Scraped) -> None:
    """Without an end: what is configured is what is open."""
    daemon, (port, other) = scraped.daemon, scraped.ports
    scraped.scrape(port)
    scraped.reload(other)
    assert scraped.scrape(other)
    assert not listens(port)
    scraped.reload(None)
    eventually(lambda: not listens(other))
    assert listening(daemon.process.pid) == []
    scraped.reload(port)
    assert scraped.scrape(port)
    assert daemon.stop() == 0
    assert not listens(port)


def test_port_that_is_taken_degrades_and_no_more(scraped: Scraped) -> None:
    """The log and the status say what to do; the work goes on."""
    daemon, (_, other) = scraped.daemon, scraped.ports
    with socket.create_server(("127.0.0.1", other)):
        scraped.reload(other)
        daemon.wait_said(f"degraded: cannot listen on 127.0.0.1:{other}: Address")
        assert "another program has that port, as `ss -ltnp` shows" in daemon.said()
        make_cache(daemon.cache, [plan("one")])
        daemon.wait_said("promoted 1 of 1")
        account = daemon.account()
        assert account is not None
        assert "cannot listen on" in account.degraded


def test_client_that_is_slow_holds_up_nobody(scraped: Scraped) -> None:
    """The one loop goes on, and drops it."""
    port = scraped.ports[0]
    scraped.scrape(port)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
        slow.sendall(b"GET /metr")
        assert scraped.scrape(port)
        assert slow.recv(1) == b""


def test_status_has_what_was_carried(scraped: Scraped) -> None:
    """For machines, from the daemon's own file."""
    daemon = scraped.daemon
    make_cache(daemon.cache, [plan("one")])
    daemon.wait_said("promoted 1 of 1")
    eventually(lambda: _carried(daemon)["promote"]["entries"] == 1)
    assert _carried(daemon)["pull"] == {"entries": 0, "size_bytes": 0}


def _carried(daemon: RunningDaemon) -> dict[str, dict[str, int]]:
    found = json.loads((daemon.state / "daemon.json").read_text())["carried"]
    assert isinstance(found, dict)
    return found


def test_what_the_store_holds_is_known_from_the_runs(scraped: Scraped) -> None:
    """As the runner's view has it, and by what runs said; nothing asks the store for it."""
    daemon, (port, _) = scraped.daemon, scraped.ports
    make_cache(daemon.cache, [plan("one"), plan("two")])
    daemon.wait_said("promoted 2 of 2")
    daemon.wait_idle()
    eventually(lambda: scraped.scrape(port).get("wheelferry_store_entries") == 2)
    found = scraped.scrape(port)
    packs = list((daemon.cache.parent / "store").glob("objects/*/*"))
    assert found["wheelferry_store_packs"] == len(packs)
    assert found["wheelferry_store_bytes"] == sum(p.stat().st_size for p in packs)
    assert found["wheelferry_store_segments"] == 1
    assert "wheelferry_store_max_bytes" not in found
