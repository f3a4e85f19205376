"""How often what is staged is synced, which a share's speed decides."""

import errno
import os
import stat

import pytest

from tests.support.disks import CountingDisk, FailingDisk, Step
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


def mode_of(path):
    """Return the permissions of a path, in octal."""
    return f"{stat.S_IMODE(path.stat().st_mode):o}"


@pytest.mark.parametrize(
    ("disk", "expected"),
    [(CountingDisk(), "2775"), (FailingDisk("set_mode", errno.EPERM), "2755")],
    ids=["as-usual", "as-under-RestrictSUIDSGID"],
)
def test_first_file_of_a_runner_in_a_group_store(tmp_path, disk, expected):
    """Where no setgid bit may be set, the directory has it from the one above it.

    The symptom was that no first promotion of a runner came to an end there.
    """
    above = tmp_path / "staging"
    above.mkdir()
    above.chmod(0o3775)
    staging = Staging(tmp_path, disk=disk, runner="runner")
    before = os.umask(0o022)
    try:
        assert staging.write([b"data"]).path.read_bytes() == b"data"
    finally:
        os.umask(before)
    assert mode_of(staging.directory) == expected


def test_other_errors_of_the_first_file_are_told(tmp_path):
    """A share that fails there fails."""
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging").chmod(0o3775)
    disk = FailingDisk("set_mode", errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        Staging(tmp_path, disk=disk, runner="runner").write([b"data"])


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


def test_mode_of_a_file_is_set_where_it_is_open(tmp_path):
    """Whoever has the share can put a link in its place, to a file of root's."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"")
    secret.chmod(0o600)

    class Swapped(CountingDisk):
        def after(self, step: Step) -> None:
            if step.name == "open_unique":
                path = tmp_path / step.paths[0]
                path.rename(tmp_path / "was")
                path.symlink_to(secret)

    (tmp_path / staging_directory("runner")).mkdir(parents=True)
    staging = Staging(tmp_path, disk=Swapped(), runner="runner")
    before = os.umask(0o077)
    try:
        staging.write([b"data"])
    finally:
        os.umask(before)
    assert mode_of(secret) == "600"
    assert mode_of(tmp_path / "was") == "444"
