"""Promote and pull killed beside real uv: it goes on as if nothing had happened."""

import shutil
import signal
from pathlib import Path

import pytest

from tests.crash.child import Forker
from tests.support.disks import CountingDisk, Moment
from tests.support.runner import Runner
from tests.support.soundness import catalog, damage, findings
from tests.support.tiers import Ferry, forget_runners, make_store, sweep_rest
from wheelferry.ops.formats import find_formats

pytestmark = pytest.mark.uv

REQUIREMENTS = ("pure-wheel==1.0", "native-wheel", "pure-sdist==1.0", "git-dep")
SAMPLE = 4
_SAYS = "import pure_wheel, native_wheel, pure_sdist, git_dep; print('all')"


def ferry_of(runner: Runner, store: Path) -> Ferry:
    """Return the runner's way to the store."""
    return Ferry(cache=runner.cache, store=store, runner=runner.root.name)


def formats_for(ferry: Ferry, runner: Runner) -> list[str]:
    """Return what that runner's uv reads."""
    with ferry.open() as tiers:
        return list(find_formats(tiers, versions=[runner.uv.version], paths=[]))


def test_promotion_killed_beside_uv(
    site, new_runner, uv, tmp_path: Path, forker: Forker
) -> None:
    """The runner's jobs notice nothing, and after the next run another one needs nothing."""
    project = site.project(REQUIREMENTS)
    a = new_runner("a", uv)
    a.sync(project)
    counting = CountingDisk()
    undisturbed = Ferry(cache=a.cache, store=make_store(tmp_path / "undisturbed"))
    undisturbed.promote(counting)
    shutil.rmtree(undisturbed.state)
    ferry = undisturbed
    for step in range(1, counting.steps + 1, max(1, counting.steps // SAMPLE)):
        ferry = ferry_of(a, make_store(tmp_path / f"store-{step}"))
        shutil.rmtree(ferry.state, ignore_errors=True)
        status = forker.run(ferry, step=step)
        assert status == -signal.SIGKILL
        assert damage(ferry.store) == []
        ferry.promote()
        assert findings(ferry.store) == []
        assert catalog(ferry.store) == catalog(undisturbed.store)
    warm = a.sync(project, "--offline")
    assert warm.builds == ()

    b = new_runner("b", uv)
    ferry_of(b, ferry.store).pull(formats_for(ferry_of(b, ferry.store), b))
    warm = b.sync(project)
    assert (warm.requests, warm.builds) == ((), ())
    assert b.python_says(_SAYS) == "all"


def test_pull_killed_beside_uv(
    site, new_runner, uv, tmp_path: Path, forker: Forker
) -> None:
    """A job succeeds on what a killed pull left; after the next pull it needs nothing.

    Killed after a sample of the steps before anything is visible, and after each step
    that makes something visible.
    """
    project = site.project(REQUIREMENTS)
    a = new_runner("a", uv)
    a.sync(project)
    store = make_store(tmp_path / "store")
    ferry_of(a, store).promote()
    b = new_runner("b", uv)
    ferry = ferry_of(b, store)
    formats = formats_for(ferry, b)
    forget_runners(store)
    counting = CountingDisk()
    assert len(ferry.pull(formats, counting).restored) == len(REQUIREMENTS)
    sync = counting.names.index("sync_filesystem") + 1
    visible = ("rename", "link_new", "symlink")
    published = [
        number
        for number, step in enumerate(counting.log, start=1)
        if number > sync and step.name in visible and str(b.cache) in step.paths[-1]
    ]
    early = range(1, sync, max(1, sync // SAMPLE))
    assert len(published) > 3 * len(REQUIREMENTS)
    builds = set()

    for step in (*early, sync, *published):
        shutil.rmtree(b.cache)
        shutil.rmtree(ferry.state)
        forget_runners(store)
        status = forker.run(ferry, formats, step=step, moment=Moment.WITHIN)
        assert status == -signal.SIGKILL, step
        if step >= sync:  # before that the cache has nothing
            job = b.sync(project)
            builds.add(len(job.builds))
            assert b.python_says(_SAYS) == "all", step
        ferry.pull(formats)
        warm = b.sync(project)
        assert (warm.requests, warm.builds) == ((), ()), step
        assert b.python_says(_SAYS) == "all", step
        assert sweep_rest(ferry) == [], step

    assert builds == {0, 1, 2}, "some kills came before the built wheels, some after"
