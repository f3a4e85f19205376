"""A process that forks one child per job, each to be killed at a given step.

Run as `python -m tests.crash.child`.  It has no threads, so forking is safe, and it has
imported all that a job needs, so a job takes milliseconds.  Jobs come on stdin, a line
of JSON each; how the child ended goes to stdout, as `os.waitstatus_to_exitcode` has it.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Self

from tests.support.disks import KilledDisk, Moment
from tests.support.tiers import Ferry

_ROOT = Path(__file__).parents[2]
NO_STEP = 1 << 30
"""The number of a step that is never reached."""


class Forker:
    """The process, seen from the test: runs `promote` and `pull` in children of it."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.crash.child"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def run(
        self,
        ferry: Ferry,
        formats: Sequence[str] | None = None,
        *,
        step: int = NO_STEP,
        moment: Moment = Moment.WITHIN,
    ) -> int:
        """Promote, or pull these formats, and return how the child ended."""
        self.start([(ferry, formats)], step=step, moment=moment)
        return self.results()[0]

    def start(
        self,
        runs: Sequence[tuple[Ferry, Sequence[str] | None]],
        *,
        step: int = NO_STEP,
        moment: Moment = Moment.WITHIN,
    ) -> None:
        """Start several at once; `results` waits for them."""
        jobs = [
            {
                "cache": str(ferry.cache),
                "store": str(ferry.store),
                "runner": ferry.runner,
                "formats": formats,
                "step": step,
                "moment": moment.value,
            }
            for ferry, formats in runs
        ]
        print(json.dumps(jobs), file=_not_none(self._process.stdin), flush=True)

    def results(self) -> list[int]:
        """Return how the children ended, in the order in which they were given."""
        line = _not_none(self._process.stdout).readline()
        codes: list[int] = json.loads(line)
        return codes


def _not_none(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def _run(job: dict[str, Any]) -> None:
    ferry = Ferry(
        cache=Path(job["cache"]), store=Path(job["store"]), runner=job["runner"]
    )
    disk = KilledDisk(job["step"], Moment(job["moment"]))
    if job["formats"] is None:
        ferry.promote(disk)
    else:
        ferry.pull(job["formats"], disk)


def _fork(job: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _run(job)
        code = 0
    finally:
        if code:
            traceback.print_exc()
        os._exit(code)


def main() -> None:
    """Run jobs until there are no more."""
    # What a job would import late, each time.
    import zipfile  # noqa: F401

    for line in sys.stdin:
        pids = [_fork(job) for job in json.loads(line)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        print(json.dumps(codes), flush=True)


if __name__ == "__main__":
    main()
