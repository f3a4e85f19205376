"""`wheelferry bench` on a store in a folder: what it finds, and that it leaves no trace."""

import errno
import json
import os
import re
import signal
import time
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fs.test_cli_deadline import IN_TIME_S, PROGRAM, Done, Machine, machine
from tests.support.cachetree import few, make_cache, make_files, plan
from tests.support.disks import FailingDisk
from tests.support.locks import lock_of
from tests.support.tiers import Ferry, empty_store
from tests.support.within import within
from wheelferry.bench.yard import ABANDONED_S, Yard
from wheelferry.disk import Disk
from wheelferry.errors import StoreError, StoreFull, StoreReadOnly
from wheelferry.pack.zstd import compress

__all__ = ["machine"]

PATH = "/usr/bin:/bin"
UNIQUE = "0" * 32
WHEEL_BYTES, SDIST_BYTES = 30_000, 10_000


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout whose lock asks for one package that the store has."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "uv.lock").write_text(lock_of(**{"pure-wheel": WHEEL_BYTES}))
    return folder


def bench(
    machine: Machine,
    project: Path,
    *flags: str,
    module: Sequence[str] = PROGRAM,
    **environ: str,
) -> Done:
    """Run it, quickly."""
    argv = ("bench", f"--project={project}", "--python=3.12", "--max-size=16M")
    return machine.run(*argv, *flags, module=module, **{"PATH": PATH, **environ})


def read(done: Done) -> Mapping[str, Any]:
    """Return the document of a run that succeeded."""
    assert done.code == 0, done
    found: Mapping[str, Any] = json.loads(done.out)
    return found


def content(root: Path) -> dict[str, bytes]:
    """Return all files and directories below `root`, with what is in them."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else b"/"
        for path in root.rglob("*")
    }


@contextmanager
def unchanged(*roots: Path) -> Iterator[None]:
    """Check that nothing changes in these folders; one may not be there at all."""
    before = [content(root) for root in roots]
    yield
    assert [content(root) for root in roots] == before


def test_ways_are_measured_and_nothing_stays(machine: Machine, project: Path) -> None:
    """Real pulls from the real store, files and an archive beside it: all gone again."""
    with unchanged(machine.store, machine.cache):
        found = read(bench(machine, project, "--json", "--runners=20", "--jobs=50"))
    assert found["schema"] == "wheelferry/bench/1"
    assert found["lock"] == {
        "packages": 1,
        "sized": 1,
        "index_bytes": WHEEL_BYTES,
    }
    assert found["measured"]["source"] == "store"
    assert found["measured"]["tree_files"] == found["measured"]["sample_files"] == 3
    ways = {way["way"]: way for way in found["ways"]}
    assert list(ways) == ["no-sharing", "uv-on-share", "archive", "wheelferry"]
    assert ways["no-sharing"]["fresh"]["index_bytes"] == WHEEL_BYTES
    assert ways["no-sharing"]["fresh"]["wait_s"] is None
    pack_bytes = found["measured"]["pack_bytes"]
    (pack,) = [
        path
        for path in machine.store.glob("objects/*/*")
        if path.stat().st_size == pack_bytes
    ]
    assert pack.is_file()
    assert ways["wheelferry"]["fresh"]["share_bytes"] == pack_bytes
    tree_bytes = found["measured"]["tree_bytes"]
    assert ways["uv-on-share"]["fresh"]["share_bytes"] == tree_bytes
    archive_bytes = found["measured"]["archive_bytes"]
    assert ways["archive"]["fresh"]["share_bytes"] == archive_bytes > 0
    for way in list(ways.values())[1:]:
        assert way["fresh"]["wait_s"] > 0
        assert way["fresh"]["rpcs"] is None, "this is no NFS"
    none, every = found["days"]
    assert (none["fresh"], every["fresh"]) == (0, 1)
    assert none["saved_bytes"] == 19 * WHEEL_BYTES
    assert every["saved_bytes"] == 999 * WHEEL_BYTES
    assert found["left_behind"] is None
    assert not list((machine.root / "cache.wheelferry" / "staging").iterdir())


def test_people_get_tables_and_one_last_sentence(
    machine: Machine, project: Path
) -> None:
    """With a fleet of their own; the index's time only if they say how fast it is."""
    done = bench(
        machine, project, "--fresh=50", "--runners=2", "--jobs=10", "--index-mbit=0.24"
    )
    assert done.code == 0
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[0] == "a job needs 1 package, 29 KiB from the index"
    assert "way from the index on the share RPCs time to ready" in lines
    assert any(line.startswith("no sharing 29 KiB 0 B 0 1.0 s") for line in lines)
    assert lines[-1].startswith(
        "A fleet of 2 runners with 10 jobs each and 1 change of the lock would save per"
        " day: 293 KiB of the index's traffic if 50% of the jobs begin with an empty"
        " cache, for "
    )


def test_entries_of_the_cache_stand_in_for_a_store_that_lacks_them(
    machine: Machine, project: Path
) -> None:
    """Promoted by the real code, into a store of the run's own; and said."""
    empty_store(machine.store)
    make_cache(machine.cache, few())
    with unchanged(machine.store, machine.cache):
        found = read(bench(machine, project, "--json"))
    assert found["measured"]["source"] == "cache"
    assert found["ways"][-1]["fresh"]["wait_s"] > 0
    assert any("the store has too few" in note for note in found["notes"])


def test_lock_that_nobody_has_is_told_without_inventing(
    machine: Machine, project: Path
) -> None:
    """The index's bytes are the lock's; all else is unknown, and says why."""
    (project / "uv.lock").write_text(lock_of(absent=5000))
    with unchanged(machine.store, machine.cache):
        found = read(bench(machine, project, "--json"))
    assert found["measured"]["source"] is None
    assert found["ways"][-1]["fresh"] == {
        "index_bytes": 0,
        "share_bytes": None,
        "rpcs": None,
        "wait_s": None,
    }
    assert any("has fewer than 1 of the job's 1 packages" in n for n in found["notes"])
    assert "was not measured" in found["conclusion"]


def test_half_of_a_lock_stands_for_all(machine: Machine, project: Path) -> None:
    """By the size of the files; and the figures are called scaled."""
    sizes = {"pure-wheel": WHEEL_BYTES, "absent": 3 * WHEEL_BYTES}
    (project / "uv.lock").write_text(lock_of(**sizes))
    found = read(bench(machine, project, "--json"))
    assert found["measured"]["packages"] == 1
    pack_bytes = found["measured"]["pack_bytes"]
    assert found["ways"][-1]["fresh"]["share_bytes"] == 4 * pack_bytes
    assert "scaled from 1 of 2 packages, by 4.00" in found["notes"]


def test_few_files_do_not_stand_for_an_archive_of_all(
    machine: Machine, project: Path
) -> None:
    """Where --max-size has no room for a large package, its ratio is not made up."""
    large = make_files("large", library=(os.urandom(5 << 20), False))
    cache = make_cache(machine.root / "other", [plan("large", files=large)])
    Ferry(cache=cache, store=machine.store).promote()
    lock = lock_of(**{"pure-wheel": WHEEL_BYTES, "large": 5 << 20})
    (project / "uv.lock").write_text(lock)

    found = read(bench(machine, project, "--json"))

    ways = {way["way"]: way["fresh"] for way in found["ways"]}
    assert found["measured"]["archive_bytes"] == 0
    assert ways["archive"]["share_bytes"] is ways["archive"]["wait_s"] is None
    assert ways["wheelferry"]["share_bytes"] > 5 << 20
    assert any("half of the files (--max-size)" in note for note in found["notes"])


def test_without_a_lock_nothing_is_begun(machine: Machine, tmp_path: Path) -> None:
    """Nothing says what a job needs: exit code 60, and what to do."""
    with unchanged(machine.store, machine.cache):
        done = bench(machine, tmp_path)
    assert (done.code, done.out) == (60, "")
    assert "--project" in done.err


def test_store_that_is_away_is_said(machine: Machine, project: Path) -> None:
    """An empty mount point is no store."""
    machine.store = machine.root / "away"
    assert bench(machine, project).code == 21


def test_share_without_room_is_left_alone(machine: Machine, project: Path) -> None:
    """It looks before it writes, and says which flag makes it need less."""
    with unchanged(machine.store, machine.cache):
        done = bench(machine, project, "--max-size=1T")
    assert done.code == 24
    assert "hint: let it take less: --max-size" in done.err


@pytest.mark.parametrize("flag", ["--max-size=1K", "--deadline=2h", "--max-size=x"])
def test_bounds_out_of_reason_are_wrong_usage(
    machine: Machine, project: Path, flag: str
) -> None:
    """Before anything is looked at."""
    done = bench(machine, project, flag)
    assert done.code == 2
    assert flag.partition("=")[0] in done.err


@pytest.mark.parametrize("part", ["staging", ".try/tree"])
def test_silent_share_is_given_up(machine: Machine, project: Path, part: str) -> None:
    """Whichever step it hangs in, the run ends, and names what it had to leave."""
    done = machine.run(
        "bench",
        f"--project={project}",
        "--python=3.12",
        "--max-size=16M",
        module=("tests.support.frozen", "freeze", part),
        WHEELFERRY_STORE_TIMEOUT="1",
        PATH=PATH,
    )
    assert done.code == 26, done
    assert "has not answered for 1 s" in done.err
    assert done.seconds < 2 * IN_TIME_S
    assert "could not be removed" in done.err


def test_silent_share_does_not_outlast_the_deadline(
    machine: Machine, project: Path
) -> None:
    """However patient the configuration is."""
    done = machine.run(
        "bench",
        f"--project={project}",
        "--python=3.12",
        "--deadline=2s",
        module=("tests.support.frozen", "freeze", "staging"),
        WHEELFERRY_STORE_TIMEOUT="100",
        PATH=PATH,
    )
    assert done.code == 27, done
    assert done.seconds < IN_TIME_S


SLOW = {"WHEELFERRY_PROMOTE_LIMIT_RATE": "64K", "PATH": PATH}
"""So that it writes its large file for a minute, unless something happens to it."""


def at_work(machine: Machine, project: Path) -> Any:
    """Start a run; return when it has its folder on the share."""
    argv = ("bench", f"--project={project}", "--python=3.12", "--max-size=16M")
    process = machine.start(*argv, **SLOW)
    end_s = time.monotonic() + 30
    while not list(machine.store.glob("staging/*/*.try/probe")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end_s
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_that_is_ended_tidies_up(
    machine: Machine, project: Path, number: signal.Signals
) -> None:
    """By Ctrl-C, or by whoever sends SIGTERM."""
    with unchanged(machine.store, machine.cache):
        with at_work(machine, project) as process:
            process.send_signal(number)
            _, err = process.communicate(timeout=10)
        assert process.returncode == 130, err


def test_run_under_nohup_goes_on_without_its_terminal(
    machine: Machine, project: Path
) -> None:
    """A signal that whoever started it has ignored does not end it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = at_work(machine, project)
    finally:
        signal.signal(signal.SIGHUP, before)
    with process:
        process.send_signal(signal.SIGHUP)
        ignored = Path(f"/proc/{process.pid}/status").read_text()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    mask = int(re.findall(r"^SigIgn:\s*(\w+)$", ignored, re.MULTILINE)[0], 16)
    assert mask >> (signal.SIGHUP - 1) & 1


def test_run_that_is_killed_leaves_what_others_take_away(
    machine: Machine, project: Path
) -> None:
    """`verify` has nothing to say of it, and a later bench of this runner removes it."""
    with at_work(machine, project) as process:
        process.kill()
    (folder,) = machine.store.glob("staging/*/*.try")
    assert machine.run("verify").code == 0

    yard = Yard(machine.store, disk=Disk(), runner=folder.parent.name)
    yard.make_folder("1" * 32)
    assert folder.exists(), "it may be of another run that goes on"
    old_s = time.time() - ABANDONED_S - 60
    os.utime(folder, (old_s, old_s))
    yard.make_folder("2" * 32)
    assert not folder.exists()


def test_promotion_takes_a_folder_away_after_a_day(machine: Machine) -> None:
    """As it does with files that a killed promotion has left."""
    ferry = Ferry(cache=machine.cache, store=machine.store)
    folder = machine.store / f"staging/{ferry.runner}/{UNIQUE}.try"
    make_cache(folder / "tree", few())
    old_s = time.time() - 25 * 3600
    os.utime(folder, (old_s, old_s))
    empty_store_of_objects(machine.store)
    make_cache(machine.cache, few())
    assert len(ferry.promote().promoted) == 2
    assert not folder.exists()


def empty_store_of_objects(store: Path) -> None:
    """Take the catalog and the packs out of a store, so that there is work."""
    for path in (*store.glob("objects/*/*"), *store.glob("catalog/*")):
        path.unlink()


@pytest.mark.parametrize(
    ("step", "number", "error"),
    [
        ("make_dir", errno.EROFS, StoreReadOnly),
        ("write", errno.ENOSPC, StoreFull),
        ("sync_file", errno.EDQUOT, StoreFull),
    ],
)
def test_share_that_refuses_is_an_error_of_the_store(
    machine: Machine, step: str, number: int, error: type[StoreError]
) -> None:
    """Which of them decides what the run does next: without writing, or not at all."""
    disk = FailingDisk(step, number)
    yard = Yard(machine.store, disk=disk, runner="r1")
    with pytest.raises(error, match=str(machine.store)):
        write(yard)
    setattr(disk, step, getattr(Disk(), step))
    yard.remove_folder()
    assert not list(machine.store.glob("staging/*/*"))


def write(yard: Yard) -> None:
    """Make the folder, and a large file in it."""
    yard.make_folder(UNIQUE)
    yard.write_probe(1 << 20, None, time.monotonic() + 60)


def test_runner_that_may_not_write_still_learns_what_a_pull_costs(
    machine: Machine, project: Path
) -> None:
    """The other ways need a folder on the share; they are unknown then."""
    for path in (machine.store / "staging", *machine.store.glob("staging/*")):
        path.chmod(0o555)
    module = ("tests.support.obedient", *PROGRAM)
    found = read(bench(machine, project, "--json", module=module))
    assert found["measured"]["source"] == "store"
    assert found["ways"][-1]["fresh"]["wait_s"] > 0
    assert found["ways"][1]["fresh"]["wait_s"] is None
    assert any("may not write to the store" in note for note in found["notes"])


def test_rate_holds_all_that_is_written(machine: Machine) -> None:
    """3 MiB at 2 MiB/s, of which the first flows at once: a second at least."""
    yard = Yard(machine.store, disk=Disk(), runner="r1")
    yard.make_folder(UNIQUE)
    until_s = time.monotonic() + 60
    written, seconds = yard.write_probe(3 << 20, 2 << 20, until_s)
    assert written == 3 << 20
    assert seconds >= 0.99
    count, seconds = yard.read_probe(2 << 20, until_s)
    assert count == 3 << 20
    assert seconds >= 0.99
    yard.remove_folder()


def test_archive_that_somebody_replaced_takes_no_memory_and_no_disk(
    machine: Machine, tmp_path: Path
) -> None:
    """A kilobyte on the share may be gigabytes unpacked: no more comes than went."""
    yard = Yard(machine.store, disk=Disk(), runner="r1")
    yard.make_folder(UNIQUE)
    archive = machine.store / f"staging/r1/{UNIQUE}.try/cache.tar.zst"
    until_s = time.monotonic() + 60
    yard.write_archive(str(machine.store), ["catalog"], 1 << 20, None, until_s)
    archive.write_bytes(compress(bytes(64 << 20)))
    tar = tmp_path / "tar"  # it does not mind
    tar.write_text("#!/bin/sh\nexec cat\n")
    tar.chmod(0o755)

    tracemalloc.start()
    try:
        assert not yard.unpack_archive(str(tmp_path), str(tar), None, until_s)[0]
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 8 << 20
    yard.remove_folder()


def test_files_that_somebody_replaced_fill_no_memory_and_no_disk(
    machine: Machine, tmp_path: Path
) -> None:
    """Each may have become of any size, and is still none of this machine's."""
    yard = Yard(machine.store, disk=Disk(), runner="r1")
    yard.make_folder(UNIQUE)
    until_s = time.monotonic() + 60
    name = f"{machine.store.name}/wheelferry.json"
    yard.write_tree(str(machine.store.parent), [name], None, until_s)
    file = machine.store / f"staging/r1/{UNIQUE}.try/tree/{name}"
    file.unlink()
    with file.open("wb") as grown:
        grown.truncate(1 << 40)

    with pytest.raises(StoreError, match="File too large"):
        yard.read_tree([name], str(tmp_path / "copy"), None, until_s)
    assert (tmp_path / "copy" / name).stat().st_size <= 1 << 20
    yard.remove_folder()


@pytest.mark.parametrize("is_link", [False, True])
def test_what_somebody_put_in_the_place_of_a_file_is_not_opened(
    machine: Machine, tmp_path: Path, is_link: bool
) -> None:
    """A pipe would hang it for good."""
    yard = Yard(machine.store, disk=Disk(), runner="r1")
    yard.make_folder(UNIQUE)
    until_s = time.monotonic() + 60
    yard.write_probe(1 << 20, None, until_s)
    folder = machine.store / f"staging/r1/{UNIQUE}.try"
    (folder / "tree").mkdir()
    (folder / "probe").unlink()
    for name in ("probe", "cache.tar.zst", "tree/file"):
        path = folder / name
        path.symlink_to("/etc/passwd") if is_link else os.mkfifo(path)

    with within(5):
        for step in (
            lambda: yard.read_probe(None, until_s)[0],
            lambda: yard.unpack_archive(str(tmp_path), "tar", None, until_s)[0],
            lambda: yard.read_tree(["file"], str(tmp_path / "c"), None, until_s)[1],
            lambda: yard.forget_tree(["file"]),
        ):
            try:
                assert not step()
            except StoreError:
                continue
    yard.remove_folder()


def test_step_ends_at_its_moment(machine: Machine) -> None:
    """With what it has by then; the next steps need time too."""
    yard = Yard(machine.store, disk=Disk(), runner="r1")
    yard.make_folder(UNIQUE)
    began_s = time.monotonic()
    written, _ = yard.write_probe(1 << 30, 4 << 20, began_s + 0.5)
    assert 0 < written < 1 << 30
    assert time.monotonic() - began_s < IN_TIME_S
    names = ["objects", "catalog"]
    assert yard.write_tree(str(machine.store), names, None, began_s)[0] == 0
    assert yard.write_archive(str(machine.store), names, 1 << 20, None, began_s) == 0
    yard.remove_folder()
