"""A share that does not answer, and a machine that hangs: what a job sees of it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.cachetree import few, make_cache
from tests.support.tiers import Ferry, make_store
from wheelferry.ops.silence import FILE

PROGRAM = ("wheelferry",)
SLOW = "120"
"""Seconds that no test may wait for."""

IN_TIME_S = 4.0
"""For what has a second, with all of a busy machine's start of Python; hung, it would take
SLOW.  How long past the deadline a pull really goes on, `tests/nfs` measures."""


class Done(NamedTuple):
    """How a run ended, and after which time."""

    code: int
    out: str
    err: str
    seconds: float


class Machine:
    """A runner with a full store, an empty cache, and a memory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = make_store(root / "store")
        self.cache = root / "cache"
        self.full = make_cache(root / "full", few())
        Ferry(cache=self.full, store=self.store).promote()

    @property
    def memory(self) -> Path:
        """The file in which a silence is remembered."""
        return self.root / "cache.wheelferry" / FILE

    @property
    def restored(self) -> list[Path]:
        """The archives in the cache."""
        return list(self.cache.glob("archive-v0/*"))

    def start(
        self, *argv: str, module: Sequence[str] = PROGRAM, **environ: str
    ) -> "subprocess.Popen[str]":
        """Start the program."""
        places = ["--store", str(self.store)]
        if "verify" not in argv:
            places += ["--cache", str(self.cache), "--state", str(self.memory.parent)]
        return subprocess.Popen(
            [sys.executable, "-m", *module, *argv, *places],
            env={**os.environ, "HOME": str(self.root), "PATH": "/nowhere", **environ},
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *argv: str, module: Sequence[str] = PROGRAM, **environ: str) -> Done:
        """Run the program to its end."""
        begin_s = time.monotonic()
        with self.start(*argv, module=module, **environ) as process:
            out, err = process.communicate(timeout=60)
        seconds = time.monotonic() - begin_s
        return Done(process.returncode, out, err, seconds)

    def run_frozen(self, part: str, *argv: str, timeout_s: str = SLOW) -> Done:
        """Run it on a share that is silent once `part` of it is touched."""
        return self.run(
            *argv,
            module=("tests.support.frozen", "freeze", f"{self.store}/{part}"),
            WHEELFERRY_STORE_TIMEOUT=timeout_s,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A runner whose store has two entries."""
    return Machine(tmp_path)


FIRST = ["wheelferry.json", "catalog", "objects"]


@pytest.mark.parametrize("part", FIRST)
def test_pull_ends_in_time_on_a_silent_share(machine: Machine, part: str) -> None:
    """Whatever the share is asked first, a pull ends by its deadline, with one warning."""
    done = machine.run_frozen(part, "pull", "--deadline", "1s")
    assert done.code == 0
    (line,) = done.err.splitlines()
    assert line.startswith("warning: pull ")
    assert "the job can go on" in line
    assert "not because of the store" not in line
    assert done.seconds < IN_TIME_S
    assert not machine.restored
    strict = machine.run_frozen(part, "pull", "--deadline", "1s", "--strict")
    assert (strict.code, strict.seconds < IN_TIME_S) == (27, True)

    after = machine.run("pull", "--strict")
    assert (after.code, len(machine.restored)) == (0, 2)


def test_pull_gives_a_silent_share_up_before_the_deadline(machine: Machine) -> None:
    """`store.timeout` ends the wait, and the kind of error says that it was silence."""
    done = machine.run_frozen("catalog", "pull", "--json", timeout_s="0.5")
    assert done.code == 0
    *_, event, summary = map(json.loads, done.out.splitlines())
    assert (event["type"], summary["error"]) == ("pull.failed", "store-silent")
    assert "has not answered for" in event["message"]
    assert "pull and promote do without it for the next 60 s" in event["message"]


def test_silence_spares_the_next_jobs(machine: Machine) -> None:
    """A store found silent is not asked for a minute, and the line says all of it."""
    machine.run_frozen("wheelferry.json", "pull", timeout_s="0.3")
    noted = machine.memory.read_text()
    for command in ("pull", "promote"):
        done = machine.run(command)
        (line,) = done.err.splitlines()
        assert (done.code, done.out) == (0, "")
        assert line.startswith(
            f"warning: {command} gave up, the job can go on: the store in"
            f" {machine.store} did not answer "
        )
        assert "s ago, and is asked again in " in line
        assert "`wheelferry status` asks it now" in line
        assert machine.run(command, "--strict").code == 26
    assert machine.memory.read_text() == noted
    assert not machine.restored


def test_memory_is_of_one_store(machine: Machine) -> None:
    """Another store of the same runner is asked as ever."""
    machine.run_frozen("catalog", "pull", timeout_s="0.3")
    machine.store = make_store(machine.root / "other")
    assert machine.run("pull", "--strict").code == 0


def test_status_asks_at_once_and_forgets(machine: Machine) -> None:
    """An answer ends it; until then status says within the timeout that there is none."""
    machine.cache.mkdir()
    machine.run_frozen("catalog", "pull", timeout_s="0.3")
    silent = machine.run_frozen("wheelferry.json", "status", timeout_s="0.5")
    assert silent.code == 26
    assert silent.err.startswith("error[store-silent]: ")
    assert "pull and promote do without it for the next 60 s" in silent.err
    assert silent.seconds < IN_TIME_S
    assert machine.memory.exists()

    found = machine.run("status")
    assert (found.code, machine.memory.exists()) == (0, False)
    assert found.err == "the store answers again: pull and promote use it\n"
    assert machine.run("status").err == ""
    assert machine.run("pull", "--strict").code == 0
    assert len(machine.restored) == 2


def test_silence_that_is_over_is_tried_and_doubles(machine: Machine) -> None:
    """After a minute a pull asks again: silent still, the next wait is twice as long."""
    machine.run_frozen("catalog", "pull", timeout_s="0.3")
    at, _, rest = machine.memory.read_text().partition(" ")
    machine.memory.write_text(f"{float(at) - 61} {rest}")
    done = machine.run_frozen("catalog", "pull", timeout_s="0.3")
    assert "do without it for the next 120 s" in done.err

    at, _, rest = machine.memory.read_text().partition(" ")
    machine.memory.write_text(f"{float(at) - 121} {rest}")
    done = machine.run("pull", "--strict")
    assert done.code == 0
    assert "the store answers again" in done.err
    assert not machine.memory.exists()


def test_share_that_is_away_is_an_answer(machine: Machine) -> None:
    """A mount point that is empty answers at once: nothing to remember."""
    machine.store = machine.root / "away"
    assert machine.run("pull", "--strict").code == 21
    assert not machine.memory.exists()


@pytest.mark.parametrize("is_last", [False, True])
def test_verify_of_a_silent_store_is_no_damage(
    machine: Machine, *, is_last: bool
) -> None:
    """What nobody delivers is not called damaged, be it the last object: it is 26."""
    last = max(machine.store.glob("objects/*/*")).relative_to(machine.store)
    part = str(last) if is_last else "catalog/"
    done = machine.run_frozen(part, "verify", timeout_s="0.5")
    assert (done.code, done.out) == (26, "")
    assert done.err.startswith("error[store-silent]: ")
    assert done.seconds < IN_TIME_S


@pytest.mark.parametrize("part", ["staging/", "catalog/"])
def test_promote_that_is_stopped_by_silence_harms_no_job(
    machine: Machine, part: str
) -> None:
    """In the middle of a promotion silence is one warning too, and is remembered."""
    machine.store = make_store(machine.root / "empty")
    machine.cache = machine.full
    done = machine.run_frozen(part, "promote", timeout_s="0.5")
    (line,) = done.err.splitlines()
    assert done.code == 0
    assert line.startswith("warning: promote stopped half way, the job can go on: ")
    assert "do without it for the next 60 s" in line
    assert machine.run("promote", "--strict").code == 26
    machine.memory.unlink()
    assert machine.run("promote", "--strict").code == 0


@pytest.mark.parametrize("part", [*FIRST, "staging/"])
def test_promote_ends_in_time_on_a_silent_share(machine: Machine, part: str) -> None:
    """With a deadline, as after a job, a promotion ends by that, with one warning."""
    machine.store = make_store(machine.root / "empty")
    machine.cache = machine.full
    done = machine.run_frozen(part, "promote", "--deadline", "1s")
    assert done.code == 0
    (line,) = done.err.splitlines()
    assert line.startswith("warning: promote ")
    assert "the job can go on" in line
    assert "not because of the store" not in line
    assert done.seconds < IN_TIME_S
    strict = machine.run_frozen(part, "promote", "--deadline", "1s", "--strict")
    assert (strict.code, strict.seconds < IN_TIME_S) == (27, True)
    after = machine.run("promote", "--deadline", "20s", "--strict")
    assert after.code == 0


@pytest.mark.parametrize(
    "argv",
    [
        ("pull", "--strict"),
        ("pull", "--dry-run"),
        ("promote", "--strict"),
        ("status",),
        ("verify",),
    ],
    ids=" ".join,
)
def test_only_the_other_process_touches_the_share(
    machine: Machine, argv: tuple[str, ...]
) -> None:
    """The one that a job waits for makes no call on the store's path, in no case."""
    make_cache(machine.cache, few()[:1])
    watch = ("tests.support.frozen", "watch", str(machine.store))
    done = machine.run(*argv, module=watch)
    assert (done.code, done.err) == (0, "")
    (machine.store / "wheelferry.json").unlink()
    done = machine.run(*argv, module=watch)
    assert done.code == (0 if "--dry-run" in argv else 21)


def hold_open(machine: Machine) -> Callable[[], object]:
    """Put a pipe that nobody writes to where uv's settings would be."""
    fifo = machine.memory.with_name("uv-versions.msgpack")
    fifo.parent.mkdir()
    os.mkfifo(fifo)
    return fifo.unlink


def test_run_that_hangs_on_this_machine_is_ended(machine: Machine) -> None:
    """Half a second after the deadline the process ends, in whatever call it is."""
    let_go = hold_open(machine)
    done = machine.run("pull", "--deadline", "1")
    assert (done.code, done.out) == (0, "")
    (line,) = done.err.splitlines()
    assert line.startswith("warning: pull stopped half way, the job can go on: ")
    assert 1.4 < done.seconds < IN_TIME_S

    lines = machine.run("pull", "--deadline", "1", "--json").out.splitlines()
    event, summary = map(json.loads, lines)
    assert (event["type"], summary["type"]) == ("pull.stopped", "summary")
    assert (event["schema"], summary["error"]) == ("wheelferry/pull/1", "deadline")

    strict = machine.run("pull", "--deadline", "1", "--strict")
    assert strict.code == 27
    assert strict.err.startswith("error[deadline]: ")
    let_go()
    assert machine.run("pull", "--strict").code == 0


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_reader_that_does_not_read_keeps_no_job(machine: Machine, stream: str) -> None:
    """A pipe that is full, and read by nobody, does not hold the end up either."""
    let_go = hold_open(machine)
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    try:
        while True:
            os.write(write_fd, bytes(4096))
    except BlockingIOError:
        os.set_blocking(write_fd, True)
    begin_s = time.monotonic()
    argv = ["pull", "--deadline", "1", "--store", str(machine.store)]
    argv += ["--cache", str(machine.cache), "--state", str(machine.memory.parent)]
    argv += ["--json"] if stream == "stdout" else []
    is_stdout = stream == "stdout"
    done = subprocess.run(
        [sys.executable, "-m", "wheelferry", *argv],
        env={**os.environ, "HOME": str(machine.root), "PATH": "/nowhere"},
        timeout=30,
        check=False,
        stdout=write_fd if is_stdout else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if is_stdout else write_fd,
    )
    seconds = time.monotonic() - begin_s
    os.close(read_fd)
    os.close(write_fd)
    let_go()
    assert done.returncode == 0
    assert 1.4 < seconds < IN_TIME_S


def test_end_leaves_no_process_behind(machine: Machine) -> None:
    """The process that works on the share ends with the run, also if it hangs."""
    done = machine.run_frozen("catalog", "pull", "--deadline", "0.5")
    assert done.code == 0
    left = [
        path
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if str(machine.store).encode() in _read(path)
    ]
    assert left == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_plan_is_within_the_budget(machine: Machine) -> None:
    """What is beyond `--max-bytes` is left, and counted, and no fault."""
    done = machine.run("pull", "--max-bytes", "1", "--strict", "--json")
    (summary,) = map(json.loads, done.out.splitlines())
    assert (done.code, summary["restored"], summary["over_budget"]) == (0, 0, 2)
    assert [entry["fault"] for entry in summary["left"]] == [False, False]
    done = machine.run("pull", "--max-bytes", "1G", "--limit-rate", "100M", "--strict")
    assert (done.code, len(machine.restored)) == (0, 2)
