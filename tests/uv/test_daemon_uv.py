"""Real uv at work on a cache that a daemon serves."""

import itertools
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import procs, uvs
from tests.support.archives import unsound_archives
from tests.support.daemons import RunningDaemon, eventually
from tests.support.fleet import Fleet, make_fleet
from tests.support.project import Project
from tests.support.runner import Runner
from tests.support.site import NewRunner
from wheelferry.daemon.watch import Signal, Watch
from wheelferry.ops.builds import ROLE, parse_build_s
from wheelferry.uvcache.locks import is_in_use

pytestmark = pytest.mark.uv

SECONDS = 5.0
"""How long jobs go on beside the daemon; `--soak SECONDS --timeout SECONDS` for more."""

PROMPT_S = 2.0

WHEELS = ("pure-wheel==1.0", "native-wheel", "url-wheel")
REMOVED = ("pure-wheel", "pure-sdist", "url-wheel", "cext-sdist")


@pytest.fixture(params=["0.5.14", "newest"])
def a(request: pytest.FixtureRequest, new_runner: NewRunner) -> Runner:
    """A runner with the oldest uv, and with the newest."""
    return new_runner("a", uvs.load_uv_or_skip(request.param))


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A store of our own."""
    return make_fleet(tmp_path / "store")


@contextmanager
def serve(fleet: Fleet, runner: Runner) -> Iterator[RunningDaemon]:
    """Run the daemon for a runner's cache."""
    paths = {"WHEELFERRY_UV_PATHS": str(runner.uv.binary.parent)}
    with RunningDaemon(runner.cache, fleet.store, **paths) as daemon:
        yield daemon.wait_ready()


def names(fleet: Fleet) -> set[str]:
    """Return the packages that the store has."""
    return {record.name for record in fleet.records()}


def work(runner: Runner, project: Project, number: int) -> Counter[str]:
    """Install, prune and clean: one round of jobs; raises UvFailed."""
    runner.sync(project)
    runner.run("cache", "clean", *REMOVED)
    runner.sync(project)
    runner.run("cache", "prune")
    done = Counter(installs=2, cleans=1, prunes=1)
    if number % 2:
        runner.run("cache", "clean")  # or nothing would be pulled again
        done["cleans"] += 1
    return done


def test_jobs_beside_a_daemon_succeed(site, a, new_runner, fleet, soak_s) -> None:
    """Whatever they do to the cache; what is promoted and pulled meanwhile is whole."""
    project = site.project(uv=a.uv)
    b = new_runner("b", a.uv)
    b.sync(site.project(["dynamic-sdist", "pure-sdist==1.1"], uv=a.uv))
    fleet.promote(b)
    done: Counter[str] = Counter()
    with serve(fleet, a) as daemon:
        stop_s = time.monotonic() + max(SECONDS, soak_s)
        for number in itertools.count():
            done += work(a, project, number)
            for segment in fleet.segments():  # or nothing would be promoted again
                segment.unlink()
            fleet.promote(b)
            assert daemon.process.poll() is None, daemon.said()
            assert procs.inotify_watches(daemon.process.pid) <= 3
            daemon.hear()
            if time.monotonic() > stop_s:
                break
        a.sync(project)
        daemon.wait_idle()
        check_whole(fleet, a, project)
        a.sync(site.project(["pure-wheel==1.1"], uv=a.uv))
        has_new = {"pure-wheel"}.__le__
        eventually(lambda: has_new(names(fleet)), what=daemon.said)
        said = daemon.said()
        assert daemon.stop() == 0, said
    for word in ("promoted", "pulled"):
        counts = re.findall(rf"^{word} (\d+) of", said, re.MULTILINE)
        done[f"entries {word}"] = sum(map(int, counts))
        done[f"runs that {word}"] = len(counts)
    print(f"{a.uv}: {dict(done)}")
    assert done["entries promoted"] >= 7
    assert done["entries pulled"] >= 1
    assert not re.search("Traceback|degraded|error", said), said


def check_whole(fleet: Fleet, runner: Runner, project: Project) -> None:
    """Every archive is as its RECORD says, and every job finds what it needs."""
    assert unsound_archives(runner.cache) == []
    unpacked = runner.root / "unpacked"
    fleet.unpack(unpacked)
    assert unsound_archives(unpacked) == []
    assert [f for f in fleet.verify().findings if f.severity != "info"] == []
    again = runner.sync(project)
    assert (again.requests, again.builds) == ((), ())


def test_wheel_that_is_never_installed_is_promoted(site, a, fleet) -> None:
    """`uv lock` builds it to resolve, and leaves a `.whl`; so too with what it installs."""
    project = site.project(["dynamic-sdist"], uv=a.uv)
    with serve(fleet, a) as daemon:
        daemon.wait_idle()
        a.check_out(project)
        (a.work / "uv.lock").unlink()
        assert len(a.run("lock", f"--python={a.python.executable}").builds) == 1
        eventually(lambda: names(fleet) == {"dynamic-sdist"}, what=daemon.said)
        a.sync(site.project(WHEELS, uv=a.uv))
        eventually(lambda: len(names(fleet)) == 4, what=daemon.said)
        assert procs.inotify_watches(daemon.process.pid) == 3


def test_time_of_a_build_is_in_its_record(site, a, fleet) -> None:
    """No longer than the whole command took; of a wheel that was not built there is none."""
    with serve(fleet, a) as daemon:
        daemon.wait_idle()
        a.sync(site.project(["pure-sdist==1.1"], uv=a.uv))  # makes `builds-v0`
        pid = daemon.process.pid
        eventually(lambda: procs.inotify_watches(pid) == 3, what=daemon.said)
        began_s = time.monotonic()
        a.sync(site.project(["pure-wheel==1.0", "dynamic-sdist"], uv=a.uv))
        took_s = time.monotonic() - began_s
        eventually(lambda: len(names(fleet)) == 3, what=daemon.said)
    found = {r.name: parse_build_s(r.files.get(ROLE)) for r in fleet.records()}
    assert found["pure-wheel"] is None
    build_s = found["dynamic-sdist"]
    if build_s is None:  # a command's own directory may go at the same time
        assert a.uv.release < (0, 8)
    else:
        assert 0 <= build_s <= took_s + 0.1


def test_signals_come_with_the_end_of_a_command(site, a) -> None:
    """Within two seconds, of commands that install, and of one that only builds."""
    told: list[tuple[float, Signal]] = []
    warned: list[str] = []
    watch = Watch(
        a.cache,
        tell=lambda signal: told.append((time.monotonic(), signal)),
        warn=warned.append,
    )
    first = site.project(["pure-wheel==1.0"], uv=a.uv)
    a.sync(first)
    try:
        for requirements, command in (
            (["native-wheel", "url-wheel"], "sync"),
            (["cext-sdist"], "sync"),
            (["dynamic-sdist"], "lock"),
        ):
            project = site.project(requirements, uv=a.uv)
            a.check_out(project)
            if command == "lock":
                (a.work / "uv.lock").unlink()
            watch.check()  # one of the directories may be new
            told.clear()
            a.run(command, f"--python={a.python.executable}")
            ended_s = time.monotonic()
            wanted = {Signal.CHANGED}
            if a.uv.has_root_lock:
                wanted.add(Signal.ENDED)
            while not wanted <= {signal for _, signal in told}:
                assert time.monotonic() - ended_s < PROMPT_S, (command, told)
                time.sleep(0.01)
    finally:
        watch.close()
    assert warned == []


LOOKS = """
import sys
from pathlib import Path
from wheelferry.uvcache.locks import is_in_use
sys.exit(0 if is_in_use(Path(sys.argv[1])) else 1)
"""


def test_uv_at_work_is_seen(a) -> None:
    """Also `uv run`, for as long as what it runs; but not a uv that has no root lock."""
    look = (sys.executable, "-c", LOOKS, str(a.cache))
    done = a.run("run", "--no-project", f"--python={sys.executable}", *look, ok=False)
    assert done.returncode == (0 if a.uv.has_root_lock else 1), done
    assert not is_in_use(a.cache)
