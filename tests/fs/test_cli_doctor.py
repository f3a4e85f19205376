"""`wheelferry doctor`, run as the program."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.cachetree import few, make_cache
from tests.support.tiers import make_store
from wheelferry.sample import POLICIES, Index, make_wheel


class Done(NamedTuple):
    """How a run ended, and after which time."""

    code: int
    out: str
    err: str
    seconds: float


class Patient:
    """A runner that nothing is wrong with."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = make_store(root / "store")
        self.cache = root / "cache"
        make_cache(self.cache, few())
        (self.cache.with_name("cache.wheelferry")).mkdir()
        self.id = json.loads((self.store / "wheelferry.json").read_text())["id"]
        self.bin = root / "bin"
        self.bin.mkdir()
        uv = self.bin / "uv"
        uv.write_text(
            '#!/bin/sh\ncase "$*" in --version) echo uv 0.13.9;;'
            f" *) echo {self.cache};; esac\n"
        )
        uv.chmod(0o755)

    def run(
        self, *argv: str, module: Sequence[str] = ("wheelferry",), **environ: str
    ) -> Done:
        """Run doctor to its end."""
        places = ["--store", str(self.store), "--cache", str(self.cache)]
        places += ["--workspace", str(self.root)]
        begin_s = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", *module, "doctor", *argv, *places],
            env={
                **os.environ,
                "HOME": str(self.root),
                "PATH": f"{self.bin}:{os.defpath}",
                "WHEELFERRY_STORE_ID": self.id,
                **environ,
            },
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        seconds = time.monotonic() - begin_s
        return Done(done.returncode, done.stdout, done.stderr, seconds)

    def findings(self, *argv: str, **environ: str) -> dict[str, str]:
        """Return the worst severity of each check."""
        document = json.loads(self.run("--json", *argv, **environ).out)
        found: dict[str, str] = {}
        for finding in document["findings"]:
            found.setdefault(finding["reference"], finding["severity"])
        return found


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """A runner with a store, a cache and a uv."""
    return Patient(tmp_path)


@pytest.fixture
def index() -> Iterator[Index]:
    """An index with a package."""
    with Index([make_wheel("pure", "1.0")]) as index:
        yield index


def test_healthy_runner_is_well(patient: Patient) -> None:
    """0, one line, and infos; `-v` shows each check."""
    done = patient.run()
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1].startswith("all is well: 20 checks, ")
    assert "error[" not in done.out
    assert "warning[" not in done.out

    verbose = patient.run("-v").out
    assert "ok[hardlinks]: " in verbose
    assert "ok[store-writable]: " in verbose


def test_findings_are_the_same_for_machines(patient: Patient) -> None:
    """One document, with each check in it, what it means and what to do."""
    done = patient.run("--json", WHEELFERRY_STORE_ID="0" * 32)
    document = json.loads(done.out)

    assert document["schema"] == "wheelferry/doctor/1"
    assert (document["well"], document["errors"], done.code) == (False, 1, 50)
    first = document["findings"][0]
    assert first["reference"] == "store"
    assert first["meaning"]
    assert first["hint"]
    assert {"round-trip", "store-writable"} <= set(document["left_out"])


def test_workspace_that_is_not_there_is_wrong_usage(patient: Patient) -> None:
    """And not called a fault of uv, that cannot be asked there where its cache is."""
    patient.root = patient.root / "gone"
    done = patient.run()
    assert (done.code, done.out) == (2, "")
    assert f"--workspace: there is no directory {patient.root}" in done.err


def test_warning_has_a_code_of_its_own(patient: Patient) -> None:
    """51, and with an error beside it 50, the error first."""
    warned = patient.run("-q", UV_LINK_MODE="copy")
    assert warned.code == 51
    lines = warned.out.splitlines()
    assert (
        lines[0] == "warning[link-mode]: UV_LINK_MODE: uv is told to copy files out of"
        " the cache"
    )
    assert [line.partition(":")[0] for line in lines[1:]] == ["  means", "  do"]

    both = patient.run("-q", UV_LINK_MODE="copy", UV_NO_CACHE="1")
    assert both.code == 50
    heads = [line for line in both.out.splitlines() if line[0] != " "]
    assert [head.partition("]")[0] for head in heads] == [
        "error[no-cache",
        "warning[link-mode",
    ]


@pytest.mark.parametrize("part", ["wheelferry.json", "catalog", "staging"])
def test_share_that_is_frozen_is_a_finding_within_seconds(
    patient: Patient, part: str
) -> None:
    """Whichever call hangs: an error after `store.timeout`, and all else is looked at."""
    freeze = ("tests.support.frozen", "freeze", f"{patient.store}/{part}")
    done = patient.run("--json", module=freeze, WHEELFERRY_STORE_TIMEOUT="0.5")
    document = json.loads(done.out)
    (error,) = [f for f in document["findings"] if f["severity"] == "error"]

    assert (done.code, error["reference"]) == (50, "store")
    assert "has not answered for 0.5 s" in error["message"]
    assert "nfsstat -m" in error["hint"]
    assert done.seconds < 6
    assert {"hardlinks", "uv", "daemon", "mount"}.isdisjoint(document["left_out"])


def test_frozen_share_is_not_waited_for_as_long_as_a_job_would(
    patient: Patient,
) -> None:
    """With a timeout of minutes too, an answer comes after 5 s."""
    freeze = ("tests.support.frozen", "freeze", f"{patient.store}/catalog")
    done = patient.run(module=freeze, WHEELFERRY_STORE_TIMEOUT="10m")

    assert done.code == 50
    assert "has not answered for 5 s" in done.out
    assert done.seconds < 10


def test_only_the_other_process_touches_the_share(patient: Patient) -> None:
    """The one that the admin waits for makes no call on the store's path."""
    watch = ("tests.support.frozen", "watch", str(patient.store))
    quiet = patient.run("-q", module=watch)
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    (patient.store / "wheelferry.json").unlink()
    assert patient.run("-q", module=watch).code == 50


def test_share_that_is_away_is_an_error(patient: Patient) -> None:
    """An empty mount point is no store, and is said to be one that is not mounted."""
    (patient.store / "wheelferry.json").rename(patient.root / "kept")
    done = patient.run("-q")

    assert done.code == 50
    assert "the share is away (not mounted?)" in done.out


def test_store_that_lost_a_directory_is_an_error(patient: Patient) -> None:
    """A finding, and no traceback."""
    (patient.store / "usage").rmdir()
    done = patient.run("-q")

    assert done.code == 50
    assert "run `wheelferry init`" in done.out
    assert "Traceback" not in done.out + done.err


def test_doctor_leaves_nothing_behind(patient: Patient) -> None:
    """Not in the cache, nor beside it, nor in the store; and makes no state directory."""
    patient.cache.with_name("cache.wheelferry").rmdir()
    before = {str(path) for path in patient.root.rglob("*")}
    assert patient.run().code == 0

    assert {str(path) for path in patient.root.rglob("*")} == before


def test_index_that_sends_no_store_is_an_error(patient: Patient, index: Index) -> None:
    """As uv is told of it; and of its URL, neither password nor token is shown."""
    index.policy = POLICIES["no-store"]
    url = index.simple_url.replace("//", "//me:hush@") + "/pure?token=hush"
    done = patient.run("-v", UV_DEFAULT_INDEX=url)

    assert done.code == 50
    assert f"error[index]: {index.simple_url}/pure: it sends files with" in done.out
    assert "hush" not in done.out + done.err
    assert patient.findings("--index", f"{index.simple_url}/pure")["index"] == "error"


def test_index_has_to_be_a_url(patient: Patient) -> None:
    """Anything else is wrong usage."""
    done = patient.run("--index", "file:///etc/passwd")

    assert done.code == 2
    assert "--index must be a URL" in done.err


def test_pull_only_runner_may_have_a_store_that_it_cannot_write(
    patient: Patient,
) -> None:
    """What the daemon is told to do says whether writing is tried."""
    before = (patient.store / "staging").stat().st_mtime_ns
    found = patient.findings(WHEELFERRY_DAEMON_TASKS="pull")

    assert found["store-writable"] == "ok"
    assert (patient.store / "staging").stat().st_mtime_ns == before
