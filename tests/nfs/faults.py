"""What is done to a fleet to disturb it, and what must hold afterwards."""

import random
import sys
import time
from collections.abc import Callable, Sequence

from tests.nfs.fleet import Ferried, FerryRunner, NfsFleet
from tests.nfs.rig import Traffic, mountstats
from tests.support.cachetree import Planned, make_files, plan

MIB = 1 << 20

SLOW = "8mbit"
"""A rate at which a MiB takes a second."""

FAST = "10gbit"
"""As good as no limit; a rate that is set stays until another one is."""

_SET_QUOTA = """
import ctypes, os, struct, sys
device, uid, kib = os.fsencode(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
limits = struct.pack("=8QI4x", kib, kib, 0, 0, 0, 0, 0, 0, 1)  # QIF_BLIMITS
libc = ctypes.CDLL(None, use_errno=True)
if libc.quotactl(ctypes.c_int(0x800008 << 8), device, uid, limits):  # Q_SETQUOTA
    sys.exit(os.strerror(ctypes.get_errno()))
"""


def large(name: str, mib: float) -> Planned:
    """Return an entry with so much that cannot be compressed."""
    noise = random.Random(name).randbytes(int(mib * MIB))
    return plan(name, files=make_files(name, data=(noise, False)))


def wait_until(is_so: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Wait for something; fails if it does not come."""
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline_s, f"never came: {what}"
        time.sleep(0.05)


def traffic(runner: FerryRunner) -> Traffic:
    """Return what a runner has asked of the server since it mounted the share."""
    text = runner.machine.shell("cat /proc/self/mountstats")
    return mountstats.subtract(mountstats.parse(text)[runner.machine.share], {})


def read_some(runner: FerryRunner, *, mib: int = 1) -> Callable[[], bool]:
    """Return what tells whether the runner has read so much more than now."""
    before = traffic(runner).bytes_read
    return lambda: traffic(runner).bytes_read >= before + mib * MIB


def staged(fleet: NfsFleet) -> list[int]:
    """Return the sizes of the files that are staged in the store."""
    sizes = f"cd {fleet.export.path}; stat -c %s staging/*/* 2>/dev/null || true"
    return [int(size) for size in fleet.site.server.shell(sizes).split()]


def wrote_some(fleet: NfsFleet) -> bool:
    """Return whether a MiB of a file has come to the store's staging."""
    return any(size >= MIB for size in staged(fleet))


def objects(fleet: NfsFleet) -> dict[str, str]:
    """Return where each object is, by its digest: a path in the store."""
    listed = fleet.site.server.shell(f"cd {fleet.export.path}; ls objects/*/* || true")
    return {path.rpartition("/")[2]: path for path in listed.split()}


def size(fleet: NfsFleet) -> int:
    """Return the size of all objects together."""
    sizes = f"cd {fleet.export.path}; stat -c %s objects/*/* 2>/dev/null || true"
    return sum(map(int, fleet.site.server.shell(sizes).split()))


def by_size(fleet: NfsFleet) -> list[str]:
    """Return the paths of the objects in the store, the smallest first."""
    listed = fleet.site.server.shell(f"cd {fleet.export.path}; ls -Sr objects/*/*")
    return listed.split()


def set_quota(fleet: NfsFleet, uid: int, kib: int) -> None:
    """Limit what a user may have on the export, which has a filesystem of its own."""
    server = fleet.site.server
    device = server.shell(f"findmnt -no SOURCE {fleet.export.path}").strip()
    argv = [sys.executable, "-ISc", _SET_QUOTA, device, str(uid), str(kib)]
    done = server.run(*argv)
    assert done.returncode == 0, done


def succeeded(ferried: Ferried) -> Ferried:
    """Return a run that did all that it was to do, and had nothing to complain of."""
    assert ferried.returncode == 0, ferried
    assert not ferried.warnings, ferried
    assert not ferried.ran.stderr, ferried
    return ferried


def gave_way(ferried: Ferried, why: str) -> None:
    """Check that a run that could not do all says so once, and lets the job go on."""
    assert ferried.returncode == 0, ferried
    assert [why in warning for warning in ferried.warnings] == [True], ferried
    assert not ferried.ran.stderr, ferried


def failed_with(ferried: Ferried, code: int) -> None:
    """Check that a strict run ended with this code, and says so as an error."""
    assert ferried.returncode == code, ferried
    assert f'"exit_code": {code}' in ferried.ran.stderr, ferried


def is_whole(
    fleet: NfsFleet, runners: Sequence[FerryRunner], planned: Sequence[Planned]
) -> None:
    """Check that the store is sound, and that the next pulls bring all of it."""
    assert fleet.damage() == []
    for runner in runners:
        succeeded(runner.ferry("pull"))
        assert runner.usable(planned) == len(planned)
