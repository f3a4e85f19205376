"""The daemon's figures in a file, as node_exporter's textfile collector finds it."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import promtool
from tests.support.cachetree import make_cache, plan
from tests.support.daemons import RunningDaemon, eventually
from tests.support.scrapes import read_samples
from tests.support.tiers import make_store
from wheelferry.daemon.account import Account
from wheelferry.daemon.notify import Notifier
from wheelferry.daemon.report import Reporter
from wheelferry.daemon.textfile import EVERY_S, Textfile
from wheelferry.disk import Disk
from wheelferry.disk.durable import Buffer
from wheelferry.events import Event

ACCOUNT = Account(
    pid=1, version="1.2.3", started_s=0.0, cache="/c", store="/s", runner="r1"
)


class Kept:
    """A file that is kept, and a clock that is turned by hand."""

    def __init__(self, root: Path) -> None:
        self.path = root / "figures" / "wheelferry.prom"
        self.path.parent.mkdir()
        self.said: list[Event] = []
        state = root / "state"
        state.mkdir()
        self.reporter = Reporter(
            ACCOUNT,
            state=state,
            disk=Disk(),
            emit=self.said.append,
            notifier=Notifier(""),
            now_s=lambda: 1000.0,
            monotonic_s=lambda: 1000.0,
        )
        self.textfile = Textfile(self.path, disk=Disk(), reporter=self.reporter)

    def written(self) -> int:
        """Return which file it is: a new one has another inode."""
        return self.path.stat().st_ino

    def change(self) -> None:
        """Have something new in the account."""
        watches = self.reporter.account.watches + 1
        self.reporter.update({}, watching="inotify", watches=watches)

    @property
    def names(self) -> list[str]:
        """What is in the directory."""
        return sorted(path.name for path in self.path.parent.iterdir())


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """One that was never written."""
    return Kept(tmp_path)


def test_file_is_replaced_when_something_is_new(kept: Kept) -> None:
    """By rename, and left alone while nothing is: whoever has it open reads on."""
    kept.textfile.step(0.0)
    first = kept.path.open()
    inode = kept.written()
    kept.textfile.step(1.0)
    assert kept.written() == inode

    kept.change()
    kept.textfile.step(2.0)

    with first:
        before, after = first.read(), kept.path.read_text()
    assert 'inotify_watches{runner="r1"} 0\n' in before
    assert 'inotify_watches{runner="r1"} 1\n' in after
    assert kept.names == ["wheelferry.prom"]


def test_file_is_readable_by_the_collector(kept: Kept) -> None:
    """Which runs as another user."""
    kept.textfile.step(0.0)
    assert kept.path.stat().st_mode & 0o777 == 0o644


def test_file_gets_no_older_than_a_minute(kept: Kept) -> None:
    """Its time tells whether the daemon gets on."""
    kept.textfile.step(0.0)
    inode = kept.written()
    assert kept.textfile.next_s() == EVERY_S
    kept.textfile.step(EVERY_S - 1)
    assert kept.written() == inode
    kept.textfile.step(EVERY_S)
    assert kept.written() != inode


def test_file_goes_with_the_daemon(kept: Kept) -> None:
    """Old figures would pass for new ones; one that is gone already is no error."""
    kept.textfile.step(0.0)
    kept.textfile.close()
    assert kept.names == []
    kept.textfile.close()


def test_file_that_cannot_be_written_is_told_once_and_tried_again(kept: Kept) -> None:
    """With what to do; no temporary file is left, and the rest goes on."""
    kept.path.mkdir()
    kept.textfile.step(0.0)
    kept.change()
    kept.textfile.step(1.0)
    (said,) = kept.said
    assert said.message.startswith(f"degraded: cannot write the figures to {kept.path}")
    assert "systemd install" in said.message
    assert kept.names == ["wheelferry.prom"]
    assert list(kept.path.iterdir()) == []

    kept.path.rmdir()
    kept.textfile.step(2.0)
    assert not kept.path.exists()
    kept.textfile.step(EVERY_S)
    assert kept.path.is_file()
    assert kept.reporter.degraded == ""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    """A real one, with a file."""
    for name in ("store", "text", "uv/archive-v0", "uv/builds-v0"):
        (tmp_path / name).mkdir(parents=True)
    with RunningDaemon(
        tmp_path / "uv",
        make_store(tmp_path / "store"),
        WHEELFERRY_UV_VERSIONS="0.13.9",
        WHEELFERRY_DAEMON_TEXTFILE=str(tmp_path / "text" / "wf.prom"),
        WHEELFERRY_GC_MAX_SIZE="7G",
    ) as daemon:
        yield daemon.wait_ready()


def test_daemon_keeps_its_file(daemon: RunningDaemon) -> None:
    """With what the store holds and may hold; at the end it takes it away."""
    path = daemon.cache.parent / "text" / "wf.prom"
    make_cache(daemon.cache, [plan("one"), plan("two")])
    daemon.wait_said("promoted 2 of 2")

    def has_both() -> bool:
        found = read_samples(path.read_text(), runner="uv")
        return found.get("wheelferry_store_packs") == 2

    eventually(has_both, what=daemon.said)
    found = read_samples(path.read_text(), runner="uv")
    assert found["wheelferry_store_max_bytes"] == 7 << 30
    assert found["wheelferry_promoted_entries_total"] == 2
    assert found['wheelferry_removed_total{task="gc"}'] == 0
    checked = promtool.run_or_skip("check", "metrics", stdin=path.read_text())
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")

    assert daemon.stop() == 0
    assert list(path.parent.iterdir()) == []


def test_file_has_to_be_one_that_the_collector_reads(tmp_path: Path) -> None:
    """It takes `*.prom` alone, and would never say why there is nothing."""
    with RunningDaemon(
        tmp_path / "uv",
        tmp_path / "store",
        WHEELFERRY_DAEMON_TEXTFILE=str(tmp_path / "wf.txt"),
    ) as daemon:
        assert daemon.process.wait(30) == 2
        assert "that ends in `.prom`" in daemon.said()


class FullDisk(Disk):
    """A disk with no room, once `is_full`."""

    is_full = False

    def write(self, fd: int, data: Buffer) -> None:
        """Write half of it."""
        if not self.is_full:
            super().write(fd, data)
            return
        super().write(fd, memoryview(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_disk_that_is_full_leaves_the_file_before(kept: Kept) -> None:
    """A collector never reads half of one, and nothing of it stays."""
    disk = FullDisk()
    textfile = Textfile(kept.path, disk=disk, reporter=kept.reporter)
    textfile.step(0.0)
    before = kept.path.read_text()
    kept.change()
    disk.is_full = True
    textfile.step(1.0)
    assert kept.path.read_text() == before
    assert kept.names == ["wheelferry.prom"]
    assert "No space left" in kept.reporter.degraded
