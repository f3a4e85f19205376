"""How often what is staged is synced, which a share's speed decides."""

import pytest

from tests.support.disks import CountingDisk, Step
from wheelferry.disk import clock
from wheelferry.store.layout import staging_directory
from wheelferry.store.staging import SYNC_BYTES, SYNC_S, WRITE_BYTES, Staging, next_step

_MIB = 1 << 20


class ShareOfSpeed(CountingDisk):
    """Takes a while for each sync of a file, by a clock of its own."""

    def __init__(self, bytes_s: float) -> None:
        super().__init__()
        self.now_s = 0.0
        self.longest_s = 0.0
        self._bytes_s = bytes_s
        self._waiting = 0

    def write(self, fd, data):
        self._waiting += len(data)
        super().write(fd, data)

    def before(self, step: Step) -> None:
        if step.name == "sync_file":
            took_s = self._waiting / self._bytes_s
            self.now_s += took_s
            self.longest_s = max(self.longest_s, took_s)
            self._waiting = 0


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """Stage so many MiB on a share of that many MiB a second; return what was seen."""

    def run(size_mib, speed_mib_s):
        (tmp_path / staging_directory("runner")).mkdir(parents=True, exist_ok=True)
        share = ShareOfSpeed(speed_mib_s * _MIB)
        monkeypatch.setattr(clock, "monotonic_s", lambda: share.now_s)
        staging = Staging(tmp_path, disk=share, runner="runner")
        assert staging.write([bytes(_MIB)] * size_mib).size_bytes == size_mib * _MIB
        return share

    return run


def test_fast_share_is_asked_seldom(stage):
    """1, 2, 4, 8, 8 ... MiB: a sync costs a round trip."""
    share = stage(63, speed_mib_s=100)
    assert share.names.count("sync_file") == 3 + 60 * _MIB // SYNC_BYTES + 1


def test_slow_share_never_has_much_to_do(stage):
    """Whatever is written is on its way within about SYNC_S, or block by block."""
    assert stage(32, speed_mib_s=4).longest_s <= 2 * SYNC_S
    assert stage(8, speed_mib_s=1).longest_s == 1


def test_share_that_slows_down_is_asked_more_often():
    """And one whose syncs are neither quick nor slow is left as it is."""
    assert next_step(SYNC_BYTES, SYNC_S * 3) == SYNC_BYTES // 2
    assert next_step(2 * _MIB, SYNC_S * 3 / 4) == 2 * _MIB
    assert next_step(WRITE_BYTES, SYNC_S * 100) == WRITE_BYTES
