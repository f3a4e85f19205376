"""A run of a task as a process: its words, its end, and what the daemon makes of both."""

import json
import os
import pickle
import select
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemons import eventually
from wheelferry.daemon.jobs import (
    END_S,
    STUCK_S,
    Job,
    Result,
    Warned,
    find_excess,
)
from wheelferry.daemon.schedule import Task
from wheelferry.events import Level
from wheelferry.ops.figures import Sums
from wheelferry.ops.metrics import Known, encode_known

LONG_S = 20.0

NewJob = Callable[..., Job]


@pytest.fixture
def new_job() -> Iterator[NewJob]:
    """Start a job that runs this Python code; it is ended at the end."""
    made: list[Job] = []

    def make(code: str, payload: bytes = b"", task: Task = Task.PULL) -> Job:
        job = Job(task, [sys.executable, "-I", "-c", code], payload, 0.0)
        made.append(job)
        return job

    yield make
    for job in made:
        job.interrupt()
        job.end()


def run(job: Job) -> tuple[Result, list[Warned]]:
    """Return how a job ended, and what it warned of."""
    warned: list[Warned] = []
    give_up_s = time.monotonic() + LONG_S
    while not job.has_ended:
        assert time.monotonic() < give_up_s
        warned += job.read(1.0)
        time.sleep(0.01)
    return job.finish(), warned


def says(*lines: str, code: int = 0) -> str:
    """Return code that prints these lines."""
    return f"import sys; print(*{lines!r}, sep='\\n'); sys.exit({code})"


SUMMARY = (
    '{"type": "summary", "text": "pulled 2", "restored": 2, "bytes_read": 99,'
    ' "bytes_written": 5, "unsettled": 0}'
)


def test_success_tells_what_was_done(new_job) -> None:
    """In the words of the command."""
    result, warned = run(new_job(says(SUMMARY)))
    assert result == Result("", "", "pulled 2", "pulled 2", entries=2, size_bytes=99)
    assert warned == []


def test_run_that_changed_nothing_did_nothing(new_job) -> None:
    """It is no news."""
    summary = '{"type": "summary", "text": "nothing to pull", "restored": 0}'
    assert run(new_job(says(summary)))[0] == Result(text="nothing to pull")


def test_promotion_counts_only_what_it_promoted(new_job) -> None:
    """Its summary also has how many entries came from the store at some time."""
    summary = '{"type": "summary", "text": "nothing", "promoted": 0, "restored": 4}'
    assert run(new_job(says(summary), task=Task.PROMOTE))[0] == Result(text="nothing")


def test_trim_counts_what_it_removed(new_job) -> None:
    """And what the cache is smaller by."""
    summary = '{"type": "summary", "text": "gone", "removed": 2, "freed_bytes": 9}'
    assert run(new_job(says(summary), task=Task.TRIM))[0] == Result(
        did="gone", text="gone", entries=2, size_bytes=9
    )


@pytest.mark.parametrize(
    ("task", "summary", "excess_bytes"),
    [
        (Task.GC, {"over_bytes": 3, "short_bytes": 4}, 7),
        (Task.GC, {}, 0),
        (Task.TRIM, {"cache_bytes": 90, "freed_bytes": 10, "max_bytes": 70}, 10),
        (Task.TRIM, {"cache_bytes": 90, "freed_bytes": 30, "max_bytes": 70}, 0),
        (Task.TRIM, {}, 0),
        (Task.PULL, {"over_bytes": 3}, 0),
    ],
)
def test_what_is_left_beyond_a_budget_is_found(
    task: Task, summary: dict[str, int], excess_bytes: int
) -> None:
    """By what gc says of the store, and trim of the cache."""
    assert find_excess(task, summary) == excess_bytes


def test_run_tells_what_the_runner_knows(new_job) -> None:
    """In a line of its own, after the summary."""
    known = Known(packs=3, sums=Sums(pulls=1))
    line = json.dumps({"type": "known", "known": encode_known(known)})
    assert run(new_job(says(SUMMARY, line)))[0].known == known


def test_more_words_follow_the_task(new_job) -> None:
    """And what a run failed for keeps its reference."""
    code = "import sys; print(sys.argv[1:]); sys.exit(9)"
    argv = [sys.executable, "-I", "-c", code]
    job = Job(Task.PULL, argv, b"", 0.0, more=("--project", "/a b"))
    result, _ = run(job)
    assert result.error == "pull ended: 9: ['pull', '--project', '/a b']"
    error = '{"type": "error", "message": "no", "reference": "project-refused"}'
    assert run(new_job(says(error, code=43)))[0].reference == "project-refused"


def test_unsettled_entries_are_passed_on(new_job) -> None:
    """They are looked at again."""
    summary = '{"type": "summary", "text": "", "promoted": 0, "unsettled": 3}'
    assert run(new_job(says(summary)))[0].is_unsettled


def test_warnings_are_passed_on(new_job) -> None:
    """And nothing else of what a run says."""
    lines = (
        '{"type": "entry.failed", "level": "warning", "message": "not pulled: a"}',
        '{"type": "entry.restored", "level": "debug", "message": "pulled b"}',
        '{"type": "other", "level": "error", "message": "c"}',
        SUMMARY,
    )
    result, warned = run(new_job(says(*lines, code=3)))
    assert result.did == "pulled 2"
    assert warned == [
        Warned(Level.WARNING, "not pulled: a"),
        Warned(Level.ERROR, "c"),
    ]


def test_failure_has_its_message_and_hint(new_job) -> None:
    """And its cause, if the message does not have it."""
    error = '{"type": "error", "message": "no room", "cause": "ENOSPC", "hint": "buy"}'
    result, _ = run(new_job(says(error, code=24)))
    assert result == Result(error="no room (ENOSPC)", hint="buy")


def test_what_was_carried_before_a_failure_counts(new_job) -> None:
    """It is in the store, and its bytes went over the network."""
    lines = (
        '{"type": "error", "message": "no room"}',
        '{"type": "summary", "text": "", "promoted": 3, "bytes_written": 1000}',
    )
    result, _ = run(new_job(says(*lines, code=24), task=Task.PROMOTE))
    assert result == Result(error="no room", entries=3, size_bytes=1000)


def test_missing_cache_is_no_failure(new_job) -> None:
    """There is nothing to promote then."""
    error = '{"type": "error", "message": "no cache", "cause": null, "hint": ""}'
    assert run(new_job(says(error, code=11)))[0] == Result()


def test_crash_is_a_failure_with_the_last_words(new_job) -> None:
    """Of the interpreter, or of nobody."""
    result, _ = run(new_job("raise SystemError('odd')"))
    assert result.error == "pull ended: 1: SystemError: odd"
    result, _ = run(new_job("import os; os.kill(os.getpid(), 9)"))
    assert result.error == "pull was ended by signal 9"


def test_payload_arrives_and_ends(new_job) -> None:
    """As the job's stdin, and the task as its argument."""
    code = (
        "import sys; said = sys.stdin.buffer.read();"
        "print(said.decode(), file=sys.stderr);"
        "sys.exit(said != b'settings' or sys.argv[1:] != ['pull'])"
    )
    assert run(new_job(code, b"settings"))[0] == Result()


def test_job_that_says_nothing_for_long_is_ended(new_job) -> None:
    """Whatever it waits for."""
    job = new_job("import time; time.sleep(1000)")
    job.check(STUCK_S - 1)
    assert not job.has_ended
    job.check(STUCK_S)
    assert "said nothing for 30 min" in run(job)[0].error


def test_interrupted_job_may_clean_up(new_job, tmp_path: Path) -> None:
    """Ctrl-C for it alone."""
    code = (
        "import sys, time\n"
        f"mark = {str(tmp_path / 'mark')!r}\n"
        "try:\n print('{}', flush=True); time.sleep(1000)\n"
        "except KeyboardInterrupt:\n open(mark, 'w').close()"
    )
    job = new_job(code)
    assert select.select([job.fd], [], [], LONG_S)[0]
    job.interrupt()
    job.end()
    assert (tmp_path / "mark").exists()


def test_job_that_does_not_end_is_killed(new_job) -> None:
    """Soon enough for the daemon to stop within its time."""
    code = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN);"
        "print('{}', flush=True); time.sleep(1000)"
    )
    job = new_job(code)
    assert select.select([job.fd], [], [], LONG_S)[0]
    began_s = time.monotonic()
    job.interrupt()
    job.end()
    assert END_S <= time.monotonic() - began_s < END_S + 2
    with pytest.raises(ProcessLookupError):
        os.kill(job.pid, signal.SIG_DFL)


def test_endless_line_does_not_fill_the_memory(new_job) -> None:
    """It is cut."""
    code = "import sys; sys.stdout.write('x' * (4 << 20)); sys.exit(1)"
    tracemalloc.start()
    try:
        result, _ = run(new_job(code))
        assert tracemalloc.get_traced_memory()[1] < (3 << 20)
    finally:
        tracemalloc.stop()
    assert len(result.error) < 1000


def test_run_can_be_interrupted_where_a_shell_has_that_ignored() -> None:
    """As below a daemon that was started with `&` in a script."""
    script = f"trap '' INT; exec '{sys.executable}' -m wheelferry.cli.job pull"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE) as run:
        status = Path(f"/proc/{run.pid}/status")
        eventually(lambda: _catches(status.read_text(), signal.SIGINT))
        run.send_signal(signal.SIGINT)
        # By itself, or by Python if it comes before there is anything to clean up.
        assert run.wait(LONG_S) in (130, -signal.SIGINT)


@pytest.mark.parametrize("said", [b"", pickle.dumps("configuration")[:-3]])
def test_run_of_a_daemon_that_was_killed_does_nothing(
    said: bytes, tmp_path: Path
) -> None:
    """Before it had said what to do; that is no fault of the program to report."""
    done = subprocess.run(
        [sys.executable, "-m", "wheelferry.cli.job", "pull"],
        input=said,
        capture_output=True,
        timeout=LONG_S,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert list(tmp_path.glob("wheelferry-crash*")) == []


def _catches(status: str, number: int) -> bool:
    (mask,) = (line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(mask.split()[1], 16) & 1 << (number - 1))
