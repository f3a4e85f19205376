"""The job of the original report, on NFS, with a cache per runner and Wheelferry.

Builds are slow in the guest, so there are two runners with each uv, all four at
work at once.  `python -m benchmarks locks` has four with each, and gcc.
"""

from collections.abc import Iterator

import pytest

from tests.nfs.conftest import NewFleet
from tests.nfs.fleet import FerryRunner
from tests.nfs.report.ferried import around, ferry_job, summaries
from tests.nfs.report.inputs import SDISTS, WHEELS, InputsUnavailable, load_inputs
from tests.nfs.report.jobs import QUICK, Done, Index, Job, run_together, serve_inputs
from tests.nfs.rig import Site
from tests.support.uvs import installed_uv, load_uv_or_skip

pytestmark = [pytest.mark.uv, pytest.mark.timeout(480)]

_USES = "import reportlab, pymongo, svglib, MySQLdb, bson._cbson"


@pytest.fixture
def index(site: Site) -> Iterator[Index]:
    """A package index on the server, with the four sdists and what they need."""
    try:
        load_inputs()
    except InputsUnavailable as exc:
        pytest.skip(str(exc))
    with serve_inputs(site) as index:
        yield index


def test_report_job_needs_no_lock_on_the_share(
    index: Index, new_fleet: NewFleet
) -> None:
    """Four runners, cold at one moment, build and promote; a fifth has all of it."""
    uvs = (installed_uv(), load_uv_or_skip("0.5.14"))
    *builders, last = new_fleet(runners=5).runners
    cold = [
        (runner, ferry_job(index, runner, uv))
        for runner, uv in zip(builders, (*uvs, *uvs), strict=True)
    ]

    started = [(job, around(runner, job)) for runner, job in cold]
    for done in run_together(started, QUICK):
        _assert_undisturbed(done)
        assert done.locks_taken >= len(SDISTS), done  # so its log tells of locks
        assert done.builds == len(SDISTS), done
        pulled, promoted = summaries(done)
        assert pulled["restored"] == 0, done
        assert promoted["planned"] > 0, done
        assert done.ran.traffic.bytes_written > 0, done
    for _, job in cold:
        job.remove()

    for uv in uvs:
        _assert_served(index, last, ferry_job(index, last, uv))


def _assert_undisturbed(done: Done) -> None:
    assert done.ran.returncode == 0, done
    assert done.lock_waits == 0, done
    assert done.timeouts == 0, done
    assert done.copy_warnings == 0, done
    assert done.ran.traffic.locks == 0, done


def _assert_served(index: Index, runner: FerryRunner, job: Job) -> None:
    asked = len(index.requests)

    [done] = run_together([(job, around(runner, job, "--offline"))])

    _assert_undisturbed(done)
    pulled, promoted = summaries(done)
    assert pulled["restored"] == len(SDISTS) + len(WHEELS), done
    assert promoted["planned"] == 0, done
    assert done.builds == 0, done
    assert index.requests[asked:] == []
    assert job.copied_files() == []
    job.machine.shell(f"{job.work}/.venv/bin/python -c '{_USES}'")
    job.remove()
