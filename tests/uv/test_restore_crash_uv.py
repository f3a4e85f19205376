"""uv goes on with whatever a restore leaves that was killed at one of its steps."""

import shutil

import pytest

from tests.support.disks import Died, DyingDisk
from tests.support.ferry import ferry
from wheelferry.uvcache.restore import Result

pytestmark = pytest.mark.uv


@pytest.mark.parametrize("each_uv", ["0.5.14", "newest"], indirect=True)
def test_uv_accepts_a_restore_killed_at_any_step(site, new_runner, each_uv):
    """The job after it succeeds, and so does the next restore, whatever was left.

    0.5.14 is the one that fails for good on a pointer without its archive.
    """
    project = site.project(["pure-wheel==1.0", "pure-sdist==1.0"])
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    counter = DyingDisk()
    ferry(a.cache, b.cache, disk=counter)
    assert counter.steps > 25

    for step in range(1, counter.steps + 1):
        shutil.rmtree(b.root)
        b.root.mkdir()
        disk = DyingDisk(last_step=step)
        with pytest.raises(Died):
            ferry(a.cache, b.cache, disk=disk)
        kept = b.root / "as-it-was"
        shutil.copytree(b.cache, kept, symlinks=True) if b.cache.exists() else None
        b.sync(project)

        shutil.rmtree(b.cache)
        if kept.exists():
            kept.rename(b.cache)
        outcomes = ferry(a.cache, b.cache)
        assert all(o.result is not Result.SKIPPED for o in outcomes), disk.names
        warm = b.sync(project)
        assert (warm.requests, warm.builds) == ((), ()), disk.names
