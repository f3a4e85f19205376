"""What a scrape of the daemon's figures says, and what is said to any other request."""

import errno

import pytest

from tests.support import promtool
from wheelferry.daemon.account import Account, Removed, TaskAccount
from wheelferry.daemon.exporter import explain
from wheelferry.daemon.http1 import Answer, Head, parse_head
from wheelferry.daemon.metrics import CATALOGUE, answer_scrape, render_account
from wheelferry.ops.figures import Sums
from wheelferry.ops.metrics import Known

ACCOUNT = Account(
    pid=42,
    version='1.2"3\\4\n',
    started_s=1_790_000_000.25,
    cache="/cache",
    store="/store",
    runner="r1",
    watches=3,
    degraded="the store is away",
    tasks={
        "promote": TaskAccount(last_s=1_790_000_100.0, last_did="promoted 1"),
        "pull": TaskAccount(failures=2, waits_since_s=1_790_000_200.5),
    },
    removed={"gc": Removed(4, 99, 7), "trim": Removed()},
    known=Known(packs=2),
)

EVERYTHING = ACCOUNT._replace(
    known=Known(
        packs=2,
        pack_bytes=3,
        records=4,
        segments=5,
        store_max_bytes=6,
        cache_max_bytes=7,
        sums=Sums(),
    )
)

GOLDEN = r"""
# HELP wheelferry_build_info Always 1; the label says which version runs.
# TYPE wheelferry_build_info gauge
wheelferry_build_info{runner="r1",version="1.2\"3\\4\n"} 1
# HELP wheelferry_daemon_start_time_seconds When the daemon started, since the epoch.
# TYPE wheelferry_daemon_start_time_seconds gauge
wheelferry_daemon_start_time_seconds{runner="r1"} 1790000000.25
# HELP wheelferry_degraded 1 while the daemon lacks something, such as the store, else 0.
# TYPE wheelferry_degraded gauge
wheelferry_degraded{runner="r1"} 1
# HELP wheelferry_task_last_success_timestamp_seconds When a run of the task last ended well, since the epoch; absent before the first.
# TYPE wheelferry_task_last_success_timestamp_seconds gauge
wheelferry_task_last_success_timestamp_seconds{runner="r1",task="promote"} 1790000100.0
# HELP wheelferry_task_failures How many runs of the task have failed in a row.
# TYPE wheelferry_task_failures gauge
wheelferry_task_failures{runner="r1",task="promote"} 0
wheelferry_task_failures{runner="r1",task="pull"} 2
# HELP wheelferry_task_waiting_since_timestamp_seconds Since when there is something for the task to do; absent while there is nothing.
# TYPE wheelferry_task_waiting_since_timestamp_seconds gauge
wheelferry_task_waiting_since_timestamp_seconds{runner="r1",task="pull"} 1790000200.5
# HELP wheelferry_removed_total Packs removed from the store (gc), or entries from the cache (trim).
# TYPE wheelferry_removed_total counter
wheelferry_removed_total{runner="r1",task="gc"} 4
wheelferry_removed_total{runner="r1",task="trim"} 0
# HELP wheelferry_removed_bytes_total Size of what was removed from the store (gc), or from the cache (trim).
# TYPE wheelferry_removed_bytes_total counter
wheelferry_removed_bytes_total{runner="r1",task="gc"} 99
wheelferry_removed_bytes_total{runner="r1",task="trim"} 0
# HELP wheelferry_budget_excess_bytes What the last removal left beyond the budget of the store (gc) or cache (trim).
# TYPE wheelferry_budget_excess_bytes gauge
wheelferry_budget_excess_bytes{runner="r1",task="gc"} 7
# HELP wheelferry_inotify_watches How many inotify watches the daemon has; 0 while it does without.
# TYPE wheelferry_inotify_watches gauge
wheelferry_inotify_watches{runner="r1"} 3
# HELP wheelferry_store_packs Packs in the store, as this runner last saw it.
# TYPE wheelferry_store_packs gauge
wheelferry_store_packs{runner="r1"} 2
""".lstrip()


def test_scrape_is_as_prometheus_reads_it() -> None:
    """Help and type of each metric before its numbers; the last line has an end too."""
    assert render_account(ACCOUNT) == GOLDEN
    assert GOLDEN.endswith(" 2\n")


def test_what_is_not_known_is_left_out() -> None:
    """With its help and type: an alert on it does not fire, and does not see a 0."""
    text = render_account(ACCOUNT._replace(tasks={}, degraded=""))
    assert "wheelferry_task_" not in text
    assert '\nwheelferry_degraded{runner="r1"} 0\n' in text


def test_promtool_has_nothing_to_say() -> None:
    """The checks of Prometheus itself, of names, units and help texts."""
    done = promtool.run_or_skip("check", "metrics", stdin=render_account(EVERYTHING))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_everything_has_a_number_in_what_promtool_sees() -> None:
    """Or it would not be looked at."""
    text = render_account(EVERYTHING)
    assert [m.name for m in CATALOGUE if f"\n{m.name}{{" not in text] == []


def ask(request: bytes) -> bytes:
    """Return what is said to that."""
    asked = parse_head(request)
    assert isinstance(asked, Head | Answer)
    return answer_scrape(asked, ACCOUNT)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /metrics HTTP/1.1\r\nHost: localhost:19100\r\nAccept: */*\r\n\r\n",
        b"GET /metrics HTTP/1.0\n\n",
    ],
)
def test_scrape_is_answered_with_its_length_and_format(request_: bytes) -> None:
    """As Prometheus sends it, and as a shell can."""
    head, _, body = ask(request_).partition(b"\r\n\r\n")
    assert body.decode() == GOLDEN
    assert head.decode().split("\r\n") == [
        "HTTP/1.0 200 OK",
        "Content-Type: text/plain; version=0.0.4; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"GET /metrics/ HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /pull HTTP/1.0\r\nProject: /srv\r\n\r\n", b"404 Not Found"),
        (b"GET /metrics HTTP/2\r\n\r\n", b"400 Bad Request"),
        (b"GET /metrics\r\n\r\n", b"400 Bad Request"),
        (b"\x16\x03\x01\r\n\r\n", b"400 Bad Request"),
        (b"x" * 9000, b"400 Bad Request"),
    ],
)
def test_anything_else_gets_no_figures(request_: bytes, status: bytes) -> None:
    """There is one page, and one way to ask for it."""
    found = ask(request_)
    assert found.partition(b"\r\n")[0] == b"HTTP/1.0 " + status
    assert b"wheelferry_" not in found


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EADDRINUSE, "another program has that port"),
        (errno.EACCES, "1024 or more"),
        (errno.EAFNOSUPPORT, "run `wheelferry systemd install` again"),
        (errno.EPERM, "run `wheelferry systemd install` again"),
    ],
)
def test_port_that_cannot_be_had_is_explained(number: int, words: str) -> None:
    """The last two are what a sandbox says that has no port, or another one."""
    assert words in explain(OSError(number, ""))
